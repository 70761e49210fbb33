/* SPDX-License-Identifier: MIT */
/* A program that has the plugin, and the library, in itself. Its own names are those of functions of the
 * plugin. */
#include "fixture.h"

#define CAPS "video/x-raw, format=(string)NV12, width=(int)64, height=(int)32, framerate=(fraction)50/1"

GST_PLUGIN_STATIC_DECLARE(framebus);

/* What rooms of the plugin and of the library are called, too. */
int element_post(void);
int pool_new(void);

int element_post(void)
{
    return 1;
}

int pool_new(void)
{
    return 2;
}

static void plugin_register(void)
{
    GST_PLUGIN_STATIC_REGISTER(framebus);
    directory_setup();
}

GST_START_TEST(the_plugin_is_that_of_the_program)
{
    GstPlugin *plugin = gst_registry_find_plugin(gst_registry_get(), "framebus");

    fail_unless(plugin != NULL);
    fail_unless(gst_plugin_get_filename(plugin) == NULL);
    fail_unless(gst_plugin_is_loaded(plugin));
    gst_object_unref(plugin);
    fail_unless_equals_int(element_post() + pool_new(), 3);
}
GST_END_TEST

GST_START_TEST(its_elements_and_devices_work)
{
    GstElement *sink = pipeline_play("videotestsrc ! " CAPS " ! framebussink name=s bus=b");
    GstElement *source = pipeline_play("framebussrc name=r bus=b ! fakesink");
    GstDeviceProvider *provider = gst_device_provider_factory_get_by_name("framebusdeviceprovider");
    GList *devices;

    wait_for_stat(child(source, "r"), "delivered", 3);
    fail_unless(provider != NULL);
    devices = gst_device_provider_get_devices(provider);
    fail_unless_equals_int(g_list_length(devices), 1);
    g_list_free_full(devices, gst_object_unref);
    gst_object_unref(provider);
    pipeline_end(source);
    pipeline_end(sink);
}
GST_END_TEST

static Suite *static_suite(void)
{
    Suite *suite = suite_create("static");
    TCase *tests = tcase_create("static");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, plugin_register, directory_teardown);
    tcase_add_test(tests, the_plugin_is_that_of_the_program);
    tcase_add_test(tests, its_elements_and_devices_work);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, static_suite);
}
