/* SPDX-License-Identifier: MIT */
/* Many pipelines in one process, and what is left of them. */
#include "fixture.h"

#define CAPS "video/x-raw, format=(string)NV12, width=(int)64, height=(int)32, framerate=(fraction)50/1"

static guint count_entries(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    guint count = 0;

    while (g_dir_read_name(dir))
        count++;
    g_dir_close(dir);
    return count;
}

static guint count_maps(void)
{
    g_autofree char *text = NULL;
    guint count = 0;

    fail_unless(g_file_get_contents("/proc/self/maps", &text, NULL, NULL));
    for (const char *line = strstr(text, "framebus"); line; line = strstr(line + 1, "framebus"))
        count++;
    return count;
}

GST_START_TEST(nothing_leaks_over_a_hundred_runs)
{
    GstElement *sink = pipeline_new("videotestsrc ! " CAPS " ! framebussink name=s bus=b");
    GstElement *source = pipeline_new("framebussrc name=r bus=b ! fakesink");
    guint files = 0, threads = 0, maps = 0;

    for (guint i = 0; i < 105; i++) {
        pipeline_set_state(sink, GST_STATE_PLAYING);
        fail_if(gst_element_set_state(source, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
        wait_for_stat(child(source, "r"), "delivered", 1);
        pipeline_set_state(i % 2 ? sink : source, GST_STATE_READY);
        pipeline_set_state(i % 2 ? source : sink, i % 3 ? GST_STATE_READY : GST_STATE_NULL);
        if (i == 4) {
            files = count_entries("/proc/self/fd");
            threads = count_entries("/proc/self/task");
            maps = count_maps();
        }
    }
    fail_unless(count_entries("/proc/self/fd") <= files + 4, "%u file descriptors, then %u", files,
                count_entries("/proc/self/fd"));
    fail_unless(count_entries("/proc/self/task") <= threads + 4, "%u threads, then %u", threads,
                count_entries("/proc/self/task"));
    fail_unless(count_maps() <= maps, "%u mappings of buses, then %u", maps, count_maps());
    pipeline_end(sink);
    pipeline_end(source);
}
GST_END_TEST

GST_START_TEST(many_pipelines_in_one_process)
{
    GstElement *pipelines[24];

    for (guint i = 0; i < G_N_ELEMENTS(pipelines); i++) {
        g_autofree char *text =
            i % 2 ? g_strdup_printf("framebussrc name=r bus=b%u ! fakesink", i / 2)
                  : g_strdup_printf("videotestsrc ! " CAPS " ! framebussink name=s bus=b%u", i / 2);

        pipelines[i] = pipeline_new(text);
        fail_if(gst_element_set_state(pipelines[i], GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    }
    for (guint i = 1; i < G_N_ELEMENTS(pipelines); i += 2)
        wait_for_stat(child(pipelines[i], "r"), "delivered", 10);
    for (guint i = 0; i < G_N_ELEMENTS(pipelines); i += 2)
        fail_unless_equals_uint64(stat_of(child(pipelines[i], "s"), "copied"), 0);
    for (guint i = 0; i < G_N_ELEMENTS(pipelines); i++)
        pipeline_end(pipelines[i]);
}
GST_END_TEST

static Suite *process_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tests = tcase_create("process");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, nothing_leaks_over_a_hundred_runs);
    tcase_add_test(tests, many_pipelines_in_one_process);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, process_suite);
}
