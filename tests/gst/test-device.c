/* SPDX-License-Identifier: MIT */
/* Buses as devices, and what a program must not get by itself. */
#include "fixture.h"

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#define CAPS "video/x-raw, format=(string)NV12, width=(int)64, height=(int)32, framerate=(fraction)50/1"

static guint count_devices(GstDeviceProvider *provider)
{
    GList *devices = gst_device_provider_get_devices(provider);
    guint count = g_list_length(devices);

    g_list_free_full(devices, gst_object_unref);
    return count;
}

static void wait_for_devices(GstDeviceProvider *provider, guint count)
{
    for (guint i = 0; i < 1000 && count_devices(provider) != count; i++)
        g_usleep(10000);
    fail_unless_equals_int(count_devices(provider), count);
}

GST_START_TEST(buses_are_devices_while_they_are_served)
{
    GstDeviceProvider *provider = gst_device_provider_factory_get_by_name("framebusdeviceprovider");
    GstElement *pipeline = pipeline_new("videotestsrc ! " CAPS " ! framebussink bus=b");
    GstElement *element;
    GList *devices;
    GstCaps *caps;
    char *bus;

    fail_unless_equals_int(count_devices(provider), 0);
    fail_unless(gst_device_provider_start(provider));
    pipeline_set_state(pipeline, GST_STATE_PLAYING);
    wait_for_devices(provider, 1);

    devices = gst_device_provider_get_devices(provider);
    fail_unless(gst_device_has_classes(devices->data, "Video/Source"));
    caps = gst_device_get_caps(devices->data);
    fail_unless(strstr(gst_structure_get_string(gst_caps_get_structure(caps, 0), "format"), "NV12") != NULL);
    element = gst_device_create_element(devices->data, NULL);
    g_object_get(element, "bus", &bus, NULL);
    fail_unless_equals_string(bus, "b");
    g_free(bus);
    gst_object_unref(element);
    gst_caps_unref(caps);
    g_list_free_full(devices, gst_object_unref);

    pipeline_end(pipeline);
    wait_for_devices(provider, 0);
    gst_device_provider_stop(provider);
    gst_object_unref(provider);
}
GST_END_TEST

static gint source_width(GstElement *pipeline)
{
    GstPad *pad = gst_element_get_static_pad(child(pipeline, "r"), "src");
    GstCaps *caps = gst_pad_get_current_caps(pad);
    gint width = 0;

    if (caps)
        gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &width);
    gst_clear_caps(&caps);
    gst_object_unref(pad);
    return width;
}

static void wait_for_width(GstElement *pipeline, gint width)
{
    for (guint i = 0; i < 1000 && source_width(pipeline) != width; i++)
        g_usleep(10000);
    fail_unless_equals_int(source_width(pipeline), width);
}

/* As a program with a list of cameras does it, without stopping its pipeline. */
GST_START_TEST(a_device_takes_over_a_source_that_plays)
{
    GstDeviceProvider *provider = gst_device_provider_factory_get_by_name("framebusdeviceprovider");
    GstElement *small = pipeline_play("videotestsrc ! " CAPS " ! framebussink bus=b");
    GstElement *source = pipeline_play("framebussrc name=r bus=b ! fakesink");
    GstElement *large, *other = gst_element_factory_make("fakesrc", NULL);
    GList *devices;

    wait_for_width(source, 64);
    pipeline_end(small);
    large = pipeline_play("videotestsrc ! video/x-raw, format=(string)RGB, width=(int)320, "
                          "height=(int)240 ! framebussink bus=c");
    wait_for_devices(provider, 1);
    devices = gst_device_provider_get_devices(provider);
    fail_unless(gst_device_reconfigure_element(devices->data, child(source, "r")));
    fail_if(gst_device_reconfigure_element(devices->data, other));
    wait_for_width(source, 320);
    g_list_free_full(devices, gst_object_unref);
    gst_object_unref(other);
    gst_object_unref(provider);
    pipeline_end(source);
    pipeline_end(large);
}
GST_END_TEST

/* Puts a frame on the bus whose caps, and whose blocks of metadata, GStreamer would parse for weeks. */
static struct framebus_writer *writer_of_nested_text(void)
{
    const guint32 head[6] = {1, 1, 1, 1, 1, 1};
    GString *text = g_string_new("video/x-raw,a=");
    GByteArray *region = g_byte_array_new(), *reference = g_byte_array_new();
    struct framebus_format format;
    struct framebus_writer *writer;
    struct framebus_frame *frame;

    for (guint i = 0; i < 40; i++)
        g_string_append(text, "[s,b=");
    g_byte_array_append(region, (const guint8 *)head, 24);
    g_byte_array_append(region, (const guint8 *)"face", 5);
    g_byte_array_append(region, (const guint8 *)text->str, text->len + 1);
    g_byte_array_append(reference, (const guint8 *)head, 16);
    g_byte_array_append(reference, (const guint8 *)text->str, text->len + 1);

    fail_unless_equals_int(framebus_format_init(&format, framebus_format_by_name("NV12")->fourcc, 64, 32), 0);
    format.caps = text->str;
    fail_unless_equals_int(framebus_writer_open(&writer, "b", &format, NULL), 0);
    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    fail_unless_equals_int(
        framebus_frame_add_meta(frame, 'f' | 'b' << 8 | 'r' << 16 | 'i' << 24, region->data, region->len), 0);
    fail_unless_equals_int(framebus_frame_add_meta(frame, 'f' | 'b' << 8 | 'r' << 16 | 't' << 24,
                                                   reference->data, reference->len),
                           0);
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
    g_byte_array_unref(region);
    g_byte_array_unref(reference);
    g_string_free(text, TRUE);
    return writer;
}

static gpointer serve(gpointer data)
{
    struct framebus_writer *writer = data;

    for (guint i = 0; i < 200; i++) {
        framebus_writer_dispatch(writer);
        g_usleep(10000);
    }
    framebus_writer_close(writer);
    return NULL;
}

GST_START_TEST(nested_text_of_a_writer_keeps_nobody_busy)
{
    GThread *thread = g_thread_new("serves", serve, writer_of_nested_text());
    GstHarness *harness = gst_harness_new_parse("framebussrc bus=b");
    GstDeviceProvider *provider = gst_device_provider_factory_get_by_name("framebusdeviceprovider");
    GstVideoRegionOfInterestMeta *region;
    GstBuffer *buffer;

    gst_harness_use_systemclock(harness);
    gst_harness_play(harness);
    fail_unless_equals_int(count_devices(provider), 1);
    buffer = gst_harness_pull(harness);
    fail_unless(buffer != NULL);
    region = gst_buffer_get_video_region_of_interest_meta_id(buffer, 1);
    fail_unless(region && region->params == NULL);
    gst_buffer_unref(buffer);
    gst_harness_teardown(harness);
    gst_object_unref(provider);
    g_thread_join(thread);
}
GST_END_TEST

/* autovideosrc, and camerabin by it, take the first source of video with a rank that can be started. */
GST_START_TEST(automatic_sources_are_not_ours)
{
    GstElement *automatic = gst_element_factory_make("autovideosrc", NULL);

    if (!automatic)
        return;
    gst_element_set_state(automatic, GST_STATE_READY);
    for (GList *item = GST_BIN_CHILDREN(automatic); item; item = item->next) {
        GstElementFactory *factory = gst_element_get_factory(item->data);

        fail_if(g_str_has_prefix(GST_OBJECT_NAME(factory), "framebus"));
    }
    gst_element_set_state(automatic, GST_STATE_NULL);
    gst_object_unref(automatic);
}
GST_END_TEST

static Suite *device_suite(void)
{
    Suite *suite = suite_create("device");
    TCase *tests = tcase_create("device");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, buses_are_devices_while_they_are_served);
    tcase_add_test(tests, a_device_takes_over_a_source_that_plays);
    tcase_add_test(tests, nested_text_of_a_writer_keeps_nobody_busy);
    tcase_add_test(tests, automatic_sources_are_not_ours);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, device_suite);
}
