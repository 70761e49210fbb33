/* SPDX-License-Identifier: MIT */
/* The headers of Vorbis and its like are in their caps, as text twice as long as they are: with all comments.
 */
#include "fixture.h"

#include <gst/app/app.h>
#include <string.h>

/* Returns a pipeline whose encoder has a comment of `size` characters. */
static GstElement *encoder_new(gsize size)
{
    GstElement *pipeline = pipeline_new("audiotestsrc num-buffers=100 ! vorbisenc name=encoder ! "
                                        "framebussink bus=b sync=false wait-for-connection=true");
    g_autofree char *comment = g_strnfill(size, 'c');

    if (size > 0)
        gst_tag_setter_add_tags(GST_TAG_SETTER(child(pipeline, "encoder")), GST_TAG_MERGE_REPLACE,
                                GST_TAG_COMMENT, comment, NULL);
    return pipeline;
}

static const gsize sizes[] = {0, 8000, 24000};

GST_START_TEST(headers_travel)
{
    GstElement *writer = encoder_new(sizes[__i__]),
               *reader = pipeline_play("framebussrc bus=b ! vorbisdec ! appsink name=out sync=false");
    GstBus *bus = gst_element_get_bus(reader);
    GstTagList *tags;
    GstMessage *message;
    GstSample *sample;
    char *comment;

    fail_if(gst_element_set_state(writer, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    sample = gst_app_sink_try_pull_sample(GST_APP_SINK(child(reader, "out")), 20 * GST_SECOND);
    fail_unless(sample != NULL);
    gst_sample_unref(sample);
    for (comment = NULL; sizes[__i__] > 0 && !comment;) { /* the encoder's own tags say other things */
        message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_TAG);
        fail_unless(message != NULL);
        gst_message_parse_tag(message, &tags);
        gst_tag_list_get_string(tags, GST_TAG_COMMENT, &comment);
        gst_tag_list_unref(tags);
        gst_message_unref(message);
    }
    if (comment)
        fail_unless_equals_int(strlen(comment), sizes[__i__]);
    g_free(comment);
    gst_object_unref(bus);
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

/* Theora's encoder marks its second and third header as if they depended on a picture. */
GST_START_TEST(headers_are_never_skipped)
{
    GstElement *writer, *reader;
    GstElementFactory *factory = gst_element_factory_find("theoraenc");
    GstSample *sample;

    if (!factory)
        return;
    gst_object_unref(factory);
    reader = pipeline_play("framebussrc bus=b ! theoradec ! appsink name=out sync=false");
    writer = pipeline_play("videotestsrc is-live=true ! video/x-raw, width=64, height=48, framerate=50/1 ! "
                           "theoraenc ! framebussink bus=b wait-for-connection=true");
    sample = gst_app_sink_try_pull_sample(GST_APP_SINK(child(reader, "out")), 20 * GST_SECOND);
    fail_unless(sample != NULL);
    gst_sample_unref(sample);
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

GST_START_TEST(headers_that_are_too_long_are_told)
{
    GstElement *writer = encoder_new(40000);
    GstBus *bus = gst_element_get_bus(writer);
    GstMessage *message;
    GError *error;

    gst_element_set_state(writer, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_ERROR);
    fail_unless(message != NULL);
    gst_message_parse_error(message, &error, NULL);
    fail_unless(strstr(error->message, "characters long; a bus can carry 65535") != NULL, "%s",
                error->message);
    fail_unless(strstr(error->message, "comments") != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
    gst_object_unref(bus);
    pipeline_end(writer);
}
GST_END_TEST

static Suite *headers_suite(void)
{
    Suite *suite = suite_create("headers");
    TCase *tests = tcase_create("headers");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_loop_test(tests, headers_travel, 0, G_N_ELEMENTS(sizes));
    tcase_add_test(tests, headers_are_never_skipped);
    tcase_add_test(tests, headers_that_are_too_long_are_told);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, headers_suite);
}
