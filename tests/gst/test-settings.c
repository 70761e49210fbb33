/* SPDX-License-Identifier: MIT */
/* Properties of both elements: what they do, and what they say when they cannot. */
#include "fixture.h"

#include <string.h>

static GstMessage *wait_for(GstElement *pipeline, GstMessageType type)
{
    GstMessage *message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(pipeline), 20 * GST_SECOND, type);

    fail_unless(message != NULL, "no %s", gst_message_type_get_name(type));
    return message;
}

/* Waits for a warning or an error with these words. */
static void expect_words(GstElement *pipeline, GstMessageType type, const char *words)
{
    GstMessage *message = wait_for(pipeline, type);
    GError *error = NULL;

    if (type == GST_MESSAGE_WARNING)
        gst_message_parse_warning(message, &error, NULL);
    else if (type == GST_MESSAGE_INFO)
        gst_message_parse_info(message, &error, NULL);
    else
        gst_message_parse_error(message, &error, NULL);
    fail_unless(strstr(error->message, words) != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
}

/* ---- What can be changed when ---- */

GST_START_TEST(what_cannot_be_changed_now_stays_and_says_so)
{
    GstElement *writer = pipeline_play("videotestsrc is-live=true ! framebussink name=s bus=b history=7");
    GstElement *reader = pipeline_play("framebussrc name=r bus=b ! fakesink");
    guint history, hold;

    pipeline_set_state(writer, GST_STATE_PLAYING);
    pipeline_set_state(reader, GST_STATE_PLAYING);
    g_object_set(child(writer, "s"), "history", 7, "max-slots", 128,
                 NULL); /* as they are: no word about it */
    g_object_set(child(writer, "s"), "history", 9, NULL);
    expect_words(writer, GST_MESSAGE_WARNING, "history of s stays 7");
    g_object_get(child(writer, "s"), "history", &history, NULL);
    fail_unless_equals_int(history, 7);
    g_object_set(child(writer, "s"), "group", "0", NULL);
    expect_words(writer, GST_MESSAGE_WARNING, "group of s stays");
    g_object_set(child(writer, "s"), "max-slots", 64, NULL);
    expect_words(writer, GST_MESSAGE_WARNING, "max-slots of s stays 128");
    g_object_set(child(reader, "r"), "hold", 5, NULL);
    expect_words(reader, GST_MESSAGE_WARNING, "hold of r stays 0");

    pipeline_set_state(reader, GST_STATE_READY);
    g_object_set(child(reader, "r"), "hold", 5, NULL);
    g_object_get(child(reader, "r"), "hold", &hold, NULL);
    fail_unless_equals_int(hold, 5);
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

/* It has its bus, and so its settings, before it has its first buffer. */
GST_START_TEST(a_sink_that_waits_for_its_first_buffer_has_its_settings)
{
    GstElement *writer = pipeline_play("appsrc ! framebussink name=s bus=b");

    g_object_set(child(writer, "s"), "history", 9, NULL);
    expect_words(writer, GST_MESSAGE_WARNING, "history of s stays 4");
    pipeline_end(writer);
}
GST_END_TEST

/* ---- Memory ---- */

/* Of this process, in kB. */
static gulong locked_memory(void)
{
    g_autofree char *text = NULL;
    const char *line;

    fail_unless(g_file_get_contents("/proc/self/status", &text, NULL, NULL));
    line = strstr(text, "VmLck:");
    fail_unless(line != NULL);
    return strtoul(line + strlen("VmLck:"), NULL, 10);
}

GST_START_TEST(slots_are_locked_if_asked_for)
{
    static const char *const texts[] = {
        "videotestsrc ! video/x-raw,format=GRAY8,width=64,height=64 ! framebussink name=s bus=b",
        "videotestsrc ! video/x-raw,format=GRAY8,width=64,height=64 ! framebussink name=s bus=b locked=true"};
    GstElement *writer = pipeline_play(texts[__i__]);

    wait_for_stat(child(writer, "s"), "published", 3);
    fail_unless_equals_int(locked_memory() > 0, __i__);
    pipeline_end(writer);
}
GST_END_TEST

static gulong free_huge_pages(void)
{
    g_autofree char *text = NULL;
    const char *line = NULL;

    if (g_file_get_contents("/proc/meminfo", &text, NULL, NULL))
        line = strstr(text, "HugePages_Free:");
    return line ? strtoul(line + strlen("HugePages_Free:"), NULL, 10) : 0;
}

/* Most machines have none set aside. */
GST_START_TEST(huge_pages_are_used_or_missed_in_words)
{
    GstElement *writer = pipeline_new("videotestsrc ! video/x-raw,format=GRAY8,width=64,height=64 ! "
                                      "framebussink name=s bus=b huge-pages=true");

    gst_element_set_state(writer, GST_STATE_PLAYING);
    if (free_huge_pages())
        wait_for_stat(child(writer, "s"), "published", 3);
    else
        expect_words(writer, GST_MESSAGE_ERROR, "vm.nr_hugepages");
    pipeline_end(writer);
}
GST_END_TEST

static Suite *settings_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *tests = tcase_create("tests");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, what_cannot_be_changed_now_stays_and_says_so);
    tcase_add_test(tests, a_sink_that_waits_for_its_first_buffer_has_its_settings);
    tcase_add_loop_test(tests, slots_are_locked_if_asked_for, 0, 2);
    tcase_add_test(tests, huge_pages_are_used_or_missed_in_words);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, settings_suite);
}
