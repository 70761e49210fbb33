/* SPDX-License-Identifier: MIT */
/* What the source does with frames that downstream cannot have as they are. Functions stand in for the
 * library's, since what they say depends on devices. */
#include "fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <gst/check/gstharness.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIDE  64
#define BYTES (SIDE * SIDE)

static gint fails; /* access by the processor does; atomic */
static gint fakes; /* frames are said to be in DMA-BUFs, but for those in slots with an odd number; atomic */
static gint wants_dmabufs; /* a reader has asked for them; atomic */
static gint fd;            /* what these frames are in */

int framebus_frame_begin_access(const struct framebus_frame *frame, bool write)
{
    const __typeof__(&framebus_frame_begin_access) real =
        (__typeof__(&framebus_frame_begin_access))dlsym(RTLD_NEXT, __func__);

    return g_atomic_int_get(&fails) ? -EIO : real(frame, write);
}

int framebus_frame_dmabuf(const struct framebus_frame *frame, struct framebus_dmabuf *dmabuf)
{
    const __typeof__(&framebus_frame_dmabuf) real =
        (__typeof__(&framebus_frame_dmabuf))dlsym(RTLD_NEXT, __func__);

    if (!g_atomic_int_get(&fakes) || frame->slot % 2)
        return real(frame, dmabuf);
    *dmabuf = (struct framebus_dmabuf){.parts = 1, .part[0] = {.fd = fd, .size = BYTES}};
    return 0;
}

int framebus_reader_open(struct framebus_reader **reader, const char *name,
                         const struct framebus_reader_options *options)
{
    const __typeof__(&framebus_reader_open) real =
        (__typeof__(&framebus_reader_open))dlsym(RTLD_NEXT, __func__);

    g_atomic_int_set(&wants_dmabufs, options->dmabuf);
    return real(reader, name, options);
}

static struct framebus_writer *writer;

static void setup(void)
{
    struct framebus_format format;

    directory_setup();
    fd = memfd_create("frame", MFD_CLOEXEC);
    fail_unless_equals_int(ftruncate(fd, BYTES), 0);
    fail_unless_equals_int(framebus_format_init_name(&format, "GRAY8", SIDE, SIDE), 0);
    fail_unless_equals_int(framebus_writer_open(&writer, "b", &format, NULL), 0);
}

static void teardown(void)
{
    framebus_writer_close(writer);
    close(fd);
    directory_teardown();
}

/* In a slot with an even number only, if `even` says so. */
static void publish(gboolean even)
{
    struct framebus_frame *frames[8];
    guint count = 0;

    do {
        fail_unless(count < G_N_ELEMENTS(frames));
        fail_unless_equals_int(framebus_writer_begin(writer, &frames[count]), 0);
    } while (even && frames[count++]->slot % 2);
    count -= even;
    memset(frames[count]->data, 1, frames[count]->capacity);
    fail_unless_equals_int(framebus_writer_publish(writer, frames[count]), 0);
    for (guint i = 0; i <= count; i++)
        framebus_writer_release(writer, frames[i]);
}

/* Publishes until a statistic of the element is at least so high. */
static void publish_until(GstElement *source, const char *name, guint64 least, gboolean even)
{
    const gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    while (stat_of(source, name) < least) {
        publish(even);
        fail_unless_equals_int(framebus_writer_dispatch(writer), 0);
        fail_unless(g_get_monotonic_time() < deadline, "%s stays %" G_GUINT64_FORMAT, name,
                    stat_of(source, name));
        g_usleep(2000);
    }
}

static void expect_warning(GstBus *bus, const char *words)
{
    GstMessage *message =
        gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
    GError *error = NULL;

    fail_unless(message != NULL && GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING);
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(strstr(error->message, words) != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
    fail_unless(gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR) == NULL); /* told once */
}

GST_START_TEST(frames_that_cannot_be_copied_are_left_out)
{
    GstElement *reader =
        pipeline_play("framebussrc name=r bus=b hold=1 ! queue name=q max-size-buffers=0 max-size-time=0 "
                      "max-size-bytes=0 min-threshold-buffers=1000000 ! fakesink sync=false async=false");

    publish_until(child(reader, "r"), "delivered", 2,
                  FALSE); /* the queue holds one in place, so the next is copied */
    fail_unless(stat_of(child(reader, "r"), "copied") >= 1);
    g_atomic_int_set(&fails, TRUE);
    publish_until(child(reader, "r"), "missed", stat_of(child(reader, "r"), "missed") + 5, FALSE);
    expect_warning(GST_ELEMENT_BUS(reader), "leaves frames of bus b out");
    g_atomic_int_set(&fails, FALSE);
    publish_until(child(reader, "r"), "delivered", stat_of(child(reader, "r"), "delivered") + 5, FALSE);
    pipeline_end(reader);
}
GST_END_TEST

GST_START_TEST(who_takes_dmabufs_only_does_without_the_others)
{
    GstElement *reader;

    g_atomic_int_set(&fakes, TRUE);
    reader = pipeline_play("framebussrc name=r bus=b ! video/x-raw(memory:DMABuf) ! fakesink sync=false");
    publish_until(child(reader, "r"), "dmabuf", 3, TRUE);
    publish_until(child(reader, "r"), "missed", 3, FALSE);
    publish_until(child(reader, "r"), "dmabuf", stat_of(child(reader, "r"), "dmabuf") + 3, FALSE);
    expect_warning(GST_ELEMENT_BUS(reader), "downstream takes DMA-BUFs only");
    fail_unless_equals_uint64(stat_of(child(reader, "r"), "dmabuf"),
                              stat_of(child(reader, "r"), "delivered"));
    pipeline_end(reader);
    g_atomic_int_set(&fakes, FALSE);
}
GST_END_TEST

GST_START_TEST(dmabufs_are_asked_for_unless_never_wanted)
{
    static const char *const texts[] = {"framebussrc name=r bus=b dmabuf=never ! fakesink sync=false",
                                        "framebussrc name=r bus=b ! fakesink sync=false"};
    GstElement *reader;

    g_atomic_int_set(&wants_dmabufs, -1);
    reader = pipeline_play(texts[__i__]);
    publish_until(child(reader, "r"), "delivered", 2, FALSE);
    fail_unless_equals_int(g_atomic_int_get(&wants_dmabufs), __i__);
    pipeline_end(reader);
}
GST_END_TEST

static Suite *access_suite(void)
{
    Suite *suite = suite_create("access");
    TCase *tests = tcase_create("tests");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, frames_that_cannot_be_copied_are_left_out);
    tcase_add_test(tests, who_takes_dmabufs_only_does_without_the_others);
    tcase_add_loop_test(tests, dmabufs_are_asked_for_unless_never_wanted, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, access_suite);
}
