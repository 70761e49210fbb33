/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/fb-gst-XXXXXX";

void directory_setup(void)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    fail_unless(mkdtemp(directory) != NULL);
    g_setenv("FRAMEBUS_DIR", directory, TRUE);
}

void directory_teardown(void)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' && g_str_has_suffix(entry->d_name, ".lock"))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    fail_unless_equals_int(rmdir(directory), 0);
}

struct framebus_reader *reader_new(const struct framebus_reader_options *options)
{
    struct framebus_reader *reader;

    fail_unless_equals_int(framebus_reader_open(&reader, "b", options), 0);
    return reader;
}

struct framebus_writer *publish_to_nobody_yet(const struct framebus_format *format, guint32 flags,
                                              gint64 duration_ns)
{
    struct framebus_writer *writer;
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_writer_open(&writer, "b", format, NULL), 0);
    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    frame->flags = flags;
    frame->duration_ns = duration_ns;
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
    return writer;
}

void dispatch_for(struct framebus_writer *writer, guint ms)
{
    for (guint i = 0; i < ms / 10; i++) {
        fail_unless_equals_int(framebus_writer_dispatch(writer), 0);
        g_usleep(10000);
    }
}

GstElement *pipeline_new(const char *description)
{
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(description, &error);

    fail_unless(error == NULL, "%s: %s", description, error ? error->message : "");
    return pipeline;
}

GstElement *pipeline_play(const char *description)
{
    GstElement *pipeline = pipeline_new(description);

    fail_if(gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    return pipeline;
}

void pipeline_set_state(GstElement *pipeline, GstState state)
{
    fail_if(gst_element_set_state(pipeline, state) == GST_STATE_CHANGE_FAILURE);
    fail_if(gst_element_get_state(pipeline, NULL, NULL, 10 * GST_SECOND) == GST_STATE_CHANGE_FAILURE);
}

void pipeline_end(GstElement *pipeline)
{
    pipeline_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}

GstElement *child(GstElement *pipeline, const char *name)
{
    GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline), name);

    fail_unless(element != NULL);
    gst_object_unref(element);
    return element;
}

guint64 stat_of(GstElement *element, const char *name)
{
    GstStructure *stats;
    guint64 value = 0;

    g_object_get(element, "stats", &stats, NULL);
    fail_unless(gst_structure_get_uint64(stats, name, &value), "no %s in the statistics", name);
    gst_structure_free(stats);
    return value;
}

void wait_for_stat(GstElement *element, const char *name, guint64 least)
{
    for (guint i = 0; i < 1000 && stat_of(element, name) < least; i++)
        g_usleep(10000);
    fail_unless(stat_of(element, name) >= least, "%s is %" G_GUINT64_FORMAT ", not %" G_GUINT64_FORMAT, name,
                stat_of(element, name), least);
}

int tap_main(int argc, char **argv, Suite *(*create)(void))
{
    SRunner *runner;
    int failed;

    gst_check_init(&argc, &argv);
    runner = srunner_create(create());
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
