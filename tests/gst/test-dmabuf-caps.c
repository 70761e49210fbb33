/* SPDX-License-Identifier: MIT */
/* Readers with caps of DMA-BUFs, while the writer has to copy a frame now and then. Memfds stand for
 * DMA-BUFs, as in test-import.c. */
#include "fixture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/check/gstharness.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CAPS "video/x-raw, format=(string)GRAY8, width=(int)64, height=(int)64, framerate=(fraction)50/1"
#define SIZE (64 * 64)

#define ONLY_DMABUFS "video/x-raw(memory:DMABuf)"
#define ANY_MEMORY   "video/x-raw(memory:DMABuf);video/x-raw"

static GstHarness *writer;
static GstAllocator *allocator;
static GstElement *reader, *source;

/* In place of the library's, for the plugin: an imported memfd is a DMA-BUF. */
int framebus_frame_dmabuf(const struct framebus_frame *frame, struct framebus_dmabuf *dmabuf)
{
    static int fd = -1;
    int (*real)(const struct framebus_frame *, struct framebus_dmabuf *) = NULL;
    int r;

    *(void **)&real = dlsym(RTLD_NEXT, "framebus_frame_dmabuf");
    r = real(frame, dmabuf);
    if (r == 0 || !strstr(framebus_last_error(), "imported memfd"))
        return r;
    if (fd < 0)
        fd = memfd_create("dmabuf", MFD_CLOEXEC);
    *dmabuf = (struct framebus_dmabuf){.serial = 1, .parts = 1, .part = {{fd, 0, frame->size}}};
    dmabuf->plane[0] = (struct framebus_dmabuf_plane){fd, 0, frame->format->stride[0]};
    return ftruncate(fd, SIZE);
}

static void writer_push_copy(void)
{
    fail_unless_equals_int(gst_harness_push(writer, gst_buffer_new_allocate(NULL, SIZE, NULL)), GST_FLOW_OK);
}

static void writer_push_dmabuf(void)
{
    GstBuffer *buffer = gst_buffer_new();
    int fd = memfd_create("upstream", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    fail_unless(fd >= 0 && ftruncate(fd, SIZE) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    gst_buffer_append_memory(buffer, gst_dmabuf_allocator_alloc(allocator, fd, SIZE));
    fail_unless_equals_int(gst_harness_push(writer, buffer), GST_FLOW_OK);
}

/* Publishes frames, each of which the reader has to deliver. */
static void deliver(guint count)
{
    for (guint i = 0; i < count; i++) {
        const guint64 before = stat_of(source, "delivered");

        writer_push_dmabuf();
        wait_for_stat(source, "delivered", before + 1);
    }
}

static gboolean has_dmabuf_caps(void)
{
    GstPad *pad = gst_element_get_static_pad(source, "src");
    GstCaps *caps = gst_pad_get_current_caps(pad);
    const gboolean has = caps && gst_caps_features_contains(gst_caps_get_features(caps, 0), "memory:DMABuf");

    gst_clear_caps(&caps);
    gst_object_unref(pad);
    return has;
}

static void start(const char *caps)
{
    g_autofree char *description = g_strdup_printf(
        "framebussrc name=src bus=b ! capsfilter caps=\"%s\" ! fakesink sync=false async=false", caps);

    allocator = gst_dmabuf_allocator_new();
    writer = gst_harness_new_parse("framebussink bus=b sync=false");
    gst_harness_set_src_caps_str(writer, CAPS);
    writer_push_dmabuf();
    reader = pipeline_play(description);
    source = child(reader, "src");
    wait_for_stat(source, "delivered", 1);
    fail_unless(has_dmabuf_caps());
}

static void stop(void)
{
    GstBus *bus = gst_element_get_bus(reader);
    GstMessage *error = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);

    fail_unless(error == NULL);
    gst_object_unref(bus);
    pipeline_end(reader);
    gst_harness_teardown(writer);
    gst_clear_object(&allocator);
}

GST_START_TEST(who_takes_dmabufs_alone_does_without_a_copy)
{
    start(ONLY_DMABUFS);
    deliver(5);
    for (guint64 i = 1; i <= 3; i++) {
        writer_push_copy();
        wait_for_stat(source, "missed", i);
        deliver(5);
        fail_unless(has_dmabuf_caps());
    }
    fail_unless_equals_uint64(stat_of(source, "missed"), 3);
    fail_unless_equals_uint64(stat_of(source, "copied"), 0);
    stop();
}
GST_END_TEST

GST_START_TEST(another_format_may_begin_with_a_copy)
{
    start(ONLY_DMABUFS);
    deliver(5);
    gst_harness_set_src_caps_str(
        writer, "video/x-raw, format=(string)GRAY8, width=(int)64, height=(int)32, framerate=(fraction)50/1");
    fail_unless_equals_int(gst_harness_push(writer, gst_buffer_new_allocate(NULL, SIZE / 2, NULL)),
                           GST_FLOW_OK);
    wait_for_stat(source, "missed", 1);
    deliver(5);
    fail_unless(has_dmabuf_caps());
    stop();
}
GST_END_TEST

GST_START_TEST(who_takes_any_memory_gets_copies_for_a_while)
{
    start(ANY_MEMORY);
    deliver(5);
    writer_push_copy();
    wait_for_stat(source, "delivered", 7);
    fail_unless_equals_uint64(stat_of(source, "missed"), 0);
    fail_if(has_dmabuf_caps());
    deliver(10);
    fail_if(has_dmabuf_caps());
    deliver(60);
    fail_unless(has_dmabuf_caps());
    stop();
}
GST_END_TEST

static Suite *dmabuf_caps_suite(void)
{
    Suite *suite = suite_create("dmabuf-caps");
    TCase *tests = tcase_create("dmabuf-caps");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, who_takes_dmabufs_alone_does_without_a_copy);
    tcase_add_test(tests, another_format_may_begin_with_a_copy);
    tcase_add_test(tests, who_takes_any_memory_gets_copies_for_a_while);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, dmabuf_caps_suite);
}
