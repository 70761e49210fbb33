/* SPDX-License-Identifier: MIT */
/* Pictures with a DRM modifier: whole from device to device, and never taken for linear ones. They are in
 * DMA-BUFs if there is /dev/udmabuf; else sealed memfds stand in for those, as in test-import.c. */
#include "caps.h"
#include "fixture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <linux/udmabuf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define WIDTH    64
#define HEIGHT   32
#define MODIFIER G_GUINT64_CONSTANT(0x0100000000000002)
#define TILED                                                                                                \
    "video/x-raw(memory:DMABuf), format=(string)DMA_DRM, drm-format=(string)NV12:0x0100000000000002, "       \
    "width=(int)64, height=(int)32, framerate=(fraction)50/1"

static struct framebus_format tiled_format(const char *text)
{
    struct framebus_format format;

    fail_unless_equals_int(
        framebus_format_init(&format, framebus_format_by_name("NV12")->fourcc, WIDTH, HEIGHT), 0);
    format.modifier = MODIFIER;
    format.caps = text;
    return format;
}

/* The pixels of a writer that has put them into ordinary memory are bytes without a meaning. */
GST_START_TEST(tiles_are_never_taken_for_rows)
{
    const struct framebus_format format = tiled_format(NULL);
    struct framebus_writer *writer;
    struct framebus_frame *frame;
    GstElement *reader;
    GstMessage *message;
    GError *error;
    char *details;

    directory_setup();
    fail_unless_equals_int(framebus_writer_open(&writer, "b", &format, NULL), 0);
    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
    reader = pipeline_play("framebussrc bus=b ! fakesink");
    do {
        framebus_writer_dispatch(writer);
        message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(reader), 10 * GST_MSECOND,
                                             GST_MESSAGE_ERROR | GST_MESSAGE_ASYNC_DONE);
    } while (!message);
    fail_unless_equals_int(GST_MESSAGE_TYPE(message), GST_MESSAGE_ERROR);
    gst_message_parse_error(message, &error, &details);
    fail_unless(strstr(error->message, "Bus b") != NULL, "%s", error->message);
    fail_unless(strstr(error->message, "tiles") || strstr(error->message, "not linear"), "%s",
                error->message);
    g_error_free(error);
    g_free(details);
    gst_message_unref(message);
    pipeline_end(reader);
    framebus_writer_close(writer);
    directory_teardown();
}
GST_END_TEST

#if GST_CHECK_VERSION(1, 24, 0)

static GstAllocator *allocator;
static GstHarness *sink;
static struct framebus_part last; /* the memory of the picture that was made last */
static int udmabuf = -1;          /* the device; below 0: memfds stand in */
static gboolean stands_in;

/* The plugin calls this instead of the library, which does not tell readers of memfds. */
int framebus_frame_dmabuf(const struct framebus_frame *frame, struct framebus_dmabuf *dmabuf)
{
    int (*real)(const struct framebus_frame *, struct framebus_dmabuf *) =
        (int (*)(const struct framebus_frame *, struct framebus_dmabuf *))dlsym(RTLD_NEXT,
                                                                                "framebus_frame_dmabuf");

    if (!stands_in || frame->size != last.size)
        return real(frame, dmabuf);
    *dmabuf = (struct framebus_dmabuf){.parts = 1, .part[0] = last};
    return 0;
}

static GstMemory *memory_new(gsize size)
{
    const gsize page = sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    const int memfd = memfd_create("upstream", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct udmabuf_create wish = {.memfd = (guint32)memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = whole};
    int fd = memfd;

    fail_unless(memfd >= 0 && ftruncate(memfd, (off_t)whole) == 0 &&
                fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    if (udmabuf >= 0) {
        fd = ioctl(udmabuf, UDMABUF_CREATE, &wish);
        fail_unless(fd >= 0);
        close(memfd);
    }
    return gst_dmabuf_allocator_alloc(allocator, fd, size);
}

/* A picture with this many planes, which begin a page apart, in one memory. */
static GstBuffer *picture_new(GstVideoFormat format, guint planes)
{
    const gsize page = sysconf(_SC_PAGESIZE);
    gsize offset[GST_VIDEO_MAX_PLANES] = {0};
    gint stride[GST_VIDEO_MAX_PLANES] = {0};
    GstBuffer *buffer = gst_buffer_new();

    gst_buffer_append_memory(buffer, memory_new(planes * page));
    last = (struct framebus_part){gst_fd_memory_get_fd(gst_buffer_peek_memory(buffer, 0)), 0, planes * page};
    for (guint i = 0; i < planes; i++) {
        offset[i] = i * page;
        stride[i] = (gint)(128 >> i);
        gst_buffer_memset(buffer, offset[i], (guint8)(i + 1), page);
    }
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, format, WIDTH, HEIGHT, planes, offset,
                                   stride);
    return buffer;
}

static void setup(void)
{
    directory_setup();
    udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
    stands_in = udmabuf < 0;
    allocator = gst_dmabuf_allocator_new();
    sink = NULL;
}

static void start(const char *description)
{
    sink = gst_harness_new_parse(description);
    gst_harness_set_src_caps_str(sink, TILED);
    gst_harness_play(sink);
}

static void teardown(void)
{
    if (sink)
        gst_harness_teardown(sink);
    gst_clear_object(&allocator);
    if (udmabuf >= 0)
        close(udmabuf);
    directory_teardown();
}

/* As a program in C sees the newest frame. */
static void check_frame(guint planes)
{
    const gsize page = sysconf(_SC_PAGESIZE);
    struct framebus_reader *reader = reader_new(NULL);
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    fail_unless_equals_uint64(frame->format->modifier, MODIFIER);
    fail_unless_equals_string(framebus_format_name(frame->format), "NV12");
    fail_unless_equals_int(frame->format->planes, planes);
    for (guint i = 0; i < planes; i++) {
        fail_unless_equals_uint64(frame->format->offset[i], i * page);
        fail_unless_equals_int(frame->format->stride[i], 128 >> i);
    }
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
}

/* Elements do not agree on the format in the meta; compressed pictures have more planes than others. */
GST_START_TEST(tiles_travel_from_device_to_device)
{
    const guint planes = __i__ ? 4 : 2;
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstCaps *caps = gst_caps_from_string(TILED), *arrived;
    GstBuffer *buffer;
    const GstVideoMeta *meta;
    GstMapInfo map;

    gst_harness_use_systemclock(source);
    start("framebussink name=s bus=b sync=false");
    gst_harness_play(source);
    for (guint i = 0; i < 3; i++) {
        fail_unless_equals_int(
            gst_harness_push(sink,
                             picture_new(__i__ ? GST_VIDEO_FORMAT_DMA_DRM : GST_VIDEO_FORMAT_NV12, planes)),
            GST_FLOW_OK);
        buffer = gst_harness_pull(source);
        fail_unless(buffer != NULL);
        arrived = gst_pad_get_current_caps(source->sinkpad);
        fail_unless(gst_caps_is_equal(arrived, caps));
        gst_caps_unref(arrived);
        fail_unless(gst_is_dmabuf_memory(gst_buffer_peek_memory(buffer, 0)));
        meta = gst_buffer_get_video_meta(buffer);
        fail_unless(meta && meta->n_planes == planes && meta->width == WIDTH && meta->height == HEIGHT);
        fail_unless(gst_buffer_map(buffer, &map, GST_MAP_READ));
        for (guint k = 0; k < planes; k++) {
            fail_unless_equals_int(meta->stride[k], 128 >> k);
            fail_unless_equals_int(map.data[meta->offset[k]], k + 1);
        }
        gst_buffer_unmap(buffer, &map);
        gst_buffer_unref(buffer);
    }
    check_frame(planes);
    fail_unless_equals_uint64(stat_of(child(sink->element, "s"), "imported"), 3);
    gst_caps_unref(caps);
    gst_harness_teardown(source);
}
GST_END_TEST

static GstCaps *caps_for(const char *description, const char *offer)
{
    GstHarness *harness = gst_harness_new_parse(description);
    GstCaps *filter = gst_caps_from_string(offer), *caps = gst_pad_peer_query_caps(harness->srcpad, filter);

    gst_caps_unref(filter);
    gst_harness_teardown(harness);
    return caps;
}

GST_START_TEST(tiles_are_negotiated_where_they_can_be_shared)
{
    const char *offer = "video/x-raw(memory:DMABuf), format=DMA_DRM, width=64, height=32, framerate=50/1, "
                        "drm-format={ NV12:0x0100000000000002, NV12, ABCD:0x0100000000000002, "
                        "XR24:0x00ffffffffffffff, XR24:0x0200000000000801 }";
    static const struct {
        const char *description;
        gboolean shares;
    } cases[] = {
        {"framebussink bus=b", TRUE},
        {"framebussink bus=b dmabuf=slots", TRUE},
        {"framebussink bus=b dmabuf=none", FALSE},
        {"framebussink bus=b lossless=true", FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = NULL;
        GstCaps *caps = caps_for(cases[i].description, offer), *fixed = gst_caps_from_string(TILED);
        GstHarness *harness = gst_harness_new_parse(cases[i].description);

        text = gst_caps_to_string(caps);
        fail_unless_equals_int(strstr(text, "NV12:0x0100000000000002") != NULL, cases[i].shares);
        fail_unless_equals_int(strstr(text, "XR24:0x0200000000000801") != NULL, cases[i].shares);
        fail_unless(strstr(text, "(string)NV12") != NULL, "%s", text);
        fail_if(strstr(text, "ABCD") || strstr(text, "0x00ffffffffffffff"), "%s", text);
        fail_unless_equals_int(gst_pad_peer_query_accept_caps(harness->srcpad, fixed), cases[i].shares);
        gst_caps_unref(fixed);
        gst_caps_unref(caps);
        gst_harness_teardown(harness);
    }
}
GST_END_TEST

/* Decoders insist on GstVideoMeta, and no pool of ours has such memory. */
GST_START_TEST(upstream_is_told_how_many_buffers_stay_away)
{
    GstCaps *caps = gst_caps_from_string(TILED);
    GstQuery *query = gst_query_new_allocation(caps, TRUE);
    GstBufferPool *pool;
    guint min;

    start("framebussink bus=b history=6 dmabuf=slots");
    fail_unless(gst_pad_peer_query(sink->srcpad, query));
    fail_unless(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL));
    gst_query_parse_nth_allocation_pool(query, 0, &pool, NULL, &min, NULL);
    fail_unless(pool == NULL);
    fail_unless_equals_int(min, 12);
    gst_query_unref(query);
    gst_caps_unref(caps);
}
GST_END_TEST

/* A buffer that is on the bus already would have to be copied. */
GST_START_TEST(what_cannot_be_shared_now_is_left_out)
{
    GstBuffer *buffer = picture_new(GST_VIDEO_FORMAT_NV12, 2);

    start("framebussink name=s bus=b sync=false");
    for (guint i = 0; i < 3; i++)
        fail_unless_equals_int(gst_harness_push(sink, gst_buffer_ref(buffer)), GST_FLOW_OK);
    fail_unless_equals_int(gst_harness_push(sink, picture_new(GST_VIDEO_FORMAT_NV12, 2)), GST_FLOW_OK);
    fail_unless_equals_uint64(stat_of(child(sink->element, "s"), "published"), 2);
    fail_unless_equals_uint64(stat_of(child(sink->element, "s"), "left-out"), 2);
    gst_buffer_unref(buffer);
}
GST_END_TEST

GST_START_TEST(tiles_in_other_memory_are_an_error)
{
    GstBuffer *plain = gst_buffer_new_allocate(NULL, WIDTH * HEIGHT * 3 / 2, NULL);
    GstBuffer *bare = gst_buffer_new();

    gst_buffer_append_memory(bare, memory_new(WIDTH * HEIGHT * 3 / 2));
    start("framebussink name=s bus=b sync=false");
    fail_unless_equals_int(gst_harness_push(sink, plain), GST_FLOW_ERROR);
    fail_unless_equals_int(gst_harness_push(sink, bare), GST_FLOW_ERROR); /* where are its planes? */
}
GST_END_TEST

/* An element that reads pixels does not even get to see them. */
GST_START_TEST(who_reads_pixels_gets_no_tiles)
{
    GstElement *reader;
    GstMessage *message;
    GError *error;
    char *details;

    start("framebussink name=s bus=b sync=false");
    fail_unless_equals_int(gst_harness_push(sink, picture_new(GST_VIDEO_FORMAT_NV12, 2)), GST_FLOW_OK);
    reader = pipeline_play("framebussrc bus=b ! video/x-raw ! fakesink");
    message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(reader), 20 * GST_SECOND,
                                         GST_MESSAGE_ERROR | GST_MESSAGE_ASYNC_DONE);
    fail_unless(message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR);
    gst_message_parse_error(message, &error, &details);
    fail_unless(strstr(error->message, "NV12:0x0100000000000002") != NULL, "%s", error->message);
    fail_unless(strstr(details, "vapostproc") != NULL, "%s", details);
    g_error_free(error);
    g_free(details);
    gst_message_unref(message);
    pipeline_end(reader);
}
GST_END_TEST

static const char *const untrue[] = {
    "video/x-raw, format=(string)NV12, width=(int)64, height=(int)32, framerate=(fraction)50/1",
    "video/x-raw(memory:DMABuf), format=(string)DMA_DRM, drm-format=(string)NV12, width=(int)64, "
    "height=(int)32, framerate=(fraction)50/1",
    "video/x-raw(memory:DMABuf), format=(string)DMA_DRM, drm-format=(string)NV12:0x0100000000000001, "
    "width=(int)64, height=(int)32, framerate=(fraction)50/1",
    "video/x-raw(memory:DMABuf), format=(string)DMA_DRM, drm-format=(string)XR24:0x0100000000000002, "
    "width=(int)64, height=(int)32, framerate=(fraction)50/1",
    "video/x-raw(memory:DMABuf), format=(string)DMA_DRM, drm-format=(string)NV12:0x0100000000000002, "
    "width=(int)640, height=(int)32, framerate=(fraction)50/1",
    "video/x-raw(memory:DMABuf, meta:Other), format=(string)DMA_DRM, "
    "drm-format=(string)NV12:0x0100000000000002, width=(int)64, height=(int)32, framerate=(fraction)50/1",
    "",
};

GST_START_TEST(a_writers_text_does_not_change_what_pictures_are)
{
    struct framebus_format format = tiled_format(untrue[__i__]);
    g_autofree char *why = NULL;
    const GstStructure *structure;
    GstVideoInfo info;
    GstCaps *caps;

    format.rate_num = 25;
    format.rate_den = 1;
    caps = caps_from_format(&format, &info, &why);
    fail_unless(caps != NULL, "%s", why);
    structure = gst_caps_get_structure(caps, 0);
    fail_unless(gst_video_is_dma_drm_caps(caps));
    fail_unless_equals_string(gst_structure_get_string(structure, "drm-format"), "NV12:0x0100000000000002");
    fail_unless_equals_int(GST_VIDEO_INFO_WIDTH(&info), WIDTH);
    fail_unless_equals_int(GST_VIDEO_INFO_FPS_N(&info), 25);
    gst_caps_unref(caps);
}
GST_END_TEST

#endif

static Suite *tiled_suite(void)
{
    Suite *suite = suite_create("tiled");
    TCase *linear = tcase_create("linear");

    tcase_add_test(linear, tiles_are_never_taken_for_rows);
    suite_add_tcase(suite, linear);
#if GST_CHECK_VERSION(1, 24, 0)
    TCase *tcase = tcase_create("tiled");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, tiles_travel_from_device_to_device, 0, 2);
    tcase_add_test(tcase, tiles_are_negotiated_where_they_can_be_shared);
    tcase_add_test(tcase, upstream_is_told_how_many_buffers_stay_away);
    tcase_add_test(tcase, what_cannot_be_shared_now_is_left_out);
    tcase_add_test(tcase, tiles_in_other_memory_are_an_error);
    tcase_add_test(tcase, who_reads_pixels_gets_no_tiles);
    tcase_add_loop_test(tcase, a_writers_text_does_not_change_what_pictures_are, 0, G_N_ELEMENTS(untrue));
    suite_add_tcase(suite, tcase);
#endif
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, tiled_suite);
}
