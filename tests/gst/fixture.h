/* SPDX-License-Identifier: MIT */
/* What the tests of the plugin share: a runtime directory for each, pipelines and their statistics, and TAP
 * on standard output. Each function fails the test if it cannot do what it is for. */
#ifndef GST_FRAMEBUS_FIXTURE_H
#define GST_FRAMEBUS_FIXTURE_H

#include <framebus.h>
#include <gst/check/gstcheck.h>

/* A new runtime directory; at the end, when nothing but locks may be left in it, it is removed. */
void directory_setup(void);
void directory_teardown(void);

/* Options may be NULL. The bus is named b. */
struct framebus_reader *reader_new(const struct framebus_reader_options *options);

/* A writer of the bus b with one frame on it, and who answers its readers for so long. */
struct framebus_writer *publish_to_nobody_yet(const struct framebus_format *format, guint32 flags,
                                              gint64 duration_ns);
void dispatch_for(struct framebus_writer *writer, guint ms);

GstElement *pipeline_new(const char *description);
GstElement *pipeline_play(const char *description); /* begins to play, without waiting for that */
void pipeline_set_state(GstElement *pipeline, GstState state);
void pipeline_end(GstElement *pipeline);

/* An element of a pipeline by its name; the pipeline keeps it. */
GstElement *child(GstElement *pipeline, const char *name);

/* A number in the element's property "stats". */
guint64 stat_of(GstElement *element, const char *name);
void wait_for_stat(GstElement *element, const char *name, guint64 least);

/* Makes what GST_CHECK_MAIN makes, for meson. */
int tap_main(int argc, char **argv, Suite *(*create)(void));

#endif
