/* SPDX-License-Identifier: MIT */
/* The pool and its memories, with a reader of the library's beside them. */
#include "allocator.h"
#include "fixture.h"
#include "pool.h"
#include "service.h"

#include <errno.h>
#include <gst/video/video.h>

#define CAPS "video/x-raw, format=(string)NV12, width=(int)64, height=(int)32, framerate=(fraction)30/1"

static GstFramebusAllocator *allocator;
static struct service *service;

static void ignore_reader(const struct framebus_peer_info *reader G_GNUC_UNUSED, guint readers G_GNUC_UNUSED,
                          gpointer user G_GNUC_UNUSED)
{
}

static void ignore_wish(gpointer user G_GNUC_UNUSED)
{
}

static void fail_service(int error, gpointer user G_GNUC_UNUSED)
{
    g_error("the bus cannot be served: %s", g_strerror(-error));
}

static const struct service_listener listener = {ignore_reader, ignore_reader, ignore_wish, fail_service};

static void open_bus(struct framebus_writer_options options)
{
    int error = 0;

    directory_setup();
    allocator = allocator_open("b", options, &error);
    fail_unless(allocator != NULL, "%s", framebus_last_error());
    service = service_start(allocator, &listener, NULL);
    fail_unless(service != NULL);
}

static void close_bus(void)
{
    if (service) {
        service_stop(service);
        allocator_close(allocator);
    }
    service = NULL;
    ASSERT_OBJECT_REFCOUNT(allocator, "allocator", 1);
    gst_clear_object(&allocator);
    directory_teardown();
}

static void setup(void)
{
    open_bus((struct framebus_writer_options){0});
}

static GstBufferPool *configured_with(const char *text, const GstVideoAlignment *align,
                                      const GstAllocationParams *params)
{
    GstBufferPool *pool = pool_new(allocator, 0);
    GstStructure *config = gst_buffer_pool_get_config(pool);
    GstCaps *caps = gst_caps_from_string(text);
    GstVideoInfo info;

    fail_unless(gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 64, 32));
    gst_buffer_pool_config_set_params(config, caps, GST_VIDEO_INFO_SIZE(&info), 0, 0);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (align) {
        gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
        gst_buffer_pool_config_set_video_alignment(config, align);
    }
    if (params)
        gst_buffer_pool_config_set_allocator(config, NULL, params);
    gst_caps_unref(caps);
    fail_unless(gst_buffer_pool_set_config(pool, config));
    fail_unless(gst_buffer_pool_set_active(pool, TRUE));
    return pool;
}

static GstBufferPool *configured(const char *text, const GstVideoAlignment *align)
{
    return configured_with(text, align, NULL);
}

static void done_with(GstBufferPool *pool)
{
    fail_unless(gst_buffer_pool_set_active(pool, FALSE));
    gst_object_unref(pool);
}

static GstBuffer *acquire(GstBufferPool *pool)
{
    GstBuffer *buffer = NULL;

    fail_unless_equals_int(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), GST_FLOW_OK);
    return buffer;
}

static struct framebus_frame *frame_of(GstBuffer *buffer)
{
    return allocator_frame(allocator, gst_buffer_peek_memory(buffer, 0));
}

static int publish(GstBuffer *buffer)
{
    return allocator_publish(allocator, gst_buffer_peek_memory(buffer, 0));
}

GST_START_TEST(what_is_written_to_a_buffer_is_read_in_place)
{
    GstBufferPool *pool = configured(CAPS, NULL);
    struct framebus_reader *reader = reader_new(NULL);
    GstBuffer *buffer = acquire(pool);
    struct framebus_frame *frame;

    gst_buffer_memset(buffer, 0, 0x5a, gst_buffer_get_size(buffer));
    fail_unless_equals_int(publish(buffer), 0);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, GST_SECOND), 0);
    for (gsize i = 0; i < frame->size; i++)
        fail_unless_equals_int(((guint8 *)frame->data)[i], 0x5a);
    fail_unless_equals_int(frame->slot, frame_of(buffer)->slot);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    gst_buffer_unref(buffer);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(a_slot_comes_back_with_its_memory_not_with_its_buffer)
{
    GstBufferPool *pool = configured(CAPS, NULL);
    GstBuffer *buffer = acquire(pool), *taken[8];
    GstMemory *memory = gst_buffer_get_memory(buffer, 0);
    gboolean returned = FALSE;
    guint32 slot = frame_of(buffer)->slot;

    gst_buffer_unref(buffer);
    for (guint i = 0; i < 40; i++) {
        buffer = acquire(pool);
        fail_unless(frame_of(buffer) && frame_of(buffer)->slot != slot);
        fail_unless_equals_int(publish(buffer), 0);
        gst_buffer_unref(buffer);
    }
    gst_memory_unref(memory);
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++) {
        taken[i] = acquire(pool);
        returned |= frame_of(taken[i])->slot == slot;
    }
    fail_unless(returned);
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++)
        gst_buffer_unref(taken[i]);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(a_buffer_used_again_is_as_new)
{
    GstBufferPool *pool = configured(CAPS, NULL);
    struct framebus_reader *reader = reader_new(NULL);
    GstBuffer *buffer = acquire(pool), *again;
    struct framebus_frame *held;

    gst_buffer_memset(buffer, 0, 1, gst_buffer_get_size(buffer));
    gst_buffer_add_video_crop_meta(buffer);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    GST_BUFFER_PTS(buffer) = 7;
    fail_unless_equals_int(publish(buffer), 0);
    fail_unless_equals_int(framebus_reader_next(reader, &held, GST_SECOND), 0);
    gst_buffer_unref(buffer);

    again = acquire(pool);
    fail_unless(again == buffer);
    fail_unless(frame_of(again)->slot != held->slot);
    fail_if(allocator_is_published(allocator, gst_buffer_peek_memory(again, 0)));
    fail_if(GST_BUFFER_PTS_IS_VALID(again) || GST_BUFFER_FLAG_IS_SET(again, GST_BUFFER_FLAG_DISCONT));
    fail_unless(gst_buffer_get_video_meta(again) && !gst_buffer_get_video_crop_meta(again));
    gst_buffer_memset(again, 0, 2, gst_buffer_get_size(again));
    fail_unless_equals_int(((guint8 *)held->data)[0], 1);
    fail_unless_equals_int(publish(again), 0);
    framebus_reader_release(reader, held);
    fail_unless_equals_int(framebus_reader_next(reader, &held, GST_SECOND), 0);
    fail_unless_equals_int(((guint8 *)held->data)[0], 2);
    framebus_reader_release(reader, held);
    framebus_reader_close(reader);
    gst_buffer_unref(again);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(a_part_of_a_memory_keeps_the_slot)
{
    GstBufferPool *pool = configured(CAPS, NULL);
    GstBuffer *buffer = acquire(pool), *part;
    guint32 slot = frame_of(buffer)->slot;

    part = gst_buffer_copy_region(buffer, GST_BUFFER_COPY_MEMORY, 64, 64);
    fail_unless(frame_of(part) == NULL);
    gst_buffer_unref(buffer);
    buffer = acquire(pool);
    fail_unless(frame_of(buffer)->slot != slot);
    gst_buffer_memset(buffer, 0, 1, 64);
    gst_buffer_unref(buffer);
    gst_buffer_unref(part);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(writing_after_publishing_makes_a_copy)
{
    GstBufferPool *pool = configured(CAPS, NULL);
    GstBuffer *buffer = acquire(pool), *own;
    const guint8 *published = frame_of(buffer)->data;
    GstMapInfo map;
    guint8 byte;

    gst_buffer_memset(buffer, 0, 1, gst_buffer_get_size(buffer));
    fail_unless_equals_int(publish(buffer), 0);
    own = gst_buffer_copy(buffer);
    fail_unless(gst_buffer_map(own, &map, GST_MAP_READWRITE));
    fail_unless_equals_int(map.data[0], 1);
    memset(map.data, 2, map.size);
    gst_buffer_unmap(own, &map);
    gst_buffer_extract(buffer, 0, &byte, 1);
    fail_unless_equals_int(byte, 1);

    /* Even the only owner of the buffer does. (Since 1.24 a copy keeps the buffer that it shares memory
     * with.) */
    gst_buffer_unref(own);
    fail_unless(gst_buffer_is_writable(buffer));
    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
    fail_unless(map.data != published);
    gst_buffer_unmap(buffer, &map);
    gst_buffer_unref(buffer);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(what_is_being_written_to_is_not_published)
{
    GstBufferPool *pool = configured(CAPS, NULL);
    GstBuffer *buffer = acquire(pool);
    GstMapInfo map;

    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
    fail_unless_equals_int(publish(buffer), -EBUSY);
    gst_buffer_unmap(buffer, &map);
    fail_unless_equals_int(publish(buffer), 0);
    fail_unless(allocator_is_published(allocator, gst_buffer_peek_memory(buffer, 0)));
    fail_unless_equals_int(publish(buffer), -EALREADY);
    gst_buffer_unref(buffer);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(a_copy_of_a_slot_is_a_slot)
{
    GstBufferPool *pool = configured(CAPS, NULL);
    GstBuffer *buffer = acquire(pool), *copy;
    guint8 byte;

    gst_buffer_memset(buffer, 0, 7, gst_buffer_get_size(buffer));
    copy = gst_buffer_copy_deep(buffer);
    fail_unless(frame_of(copy) != NULL && frame_of(copy)->slot != frame_of(buffer)->slot);
    fail_unless_equals_int(gst_buffer_get_size(copy), gst_buffer_get_size(buffer));
    gst_buffer_extract(copy, 100, &byte, 1);
    fail_unless_equals_int(byte, 7);
    fail_unless_equals_int(publish(copy), 0);
    gst_buffer_unref(copy);
    gst_buffer_unref(buffer);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(without_a_free_slot_there_is_ordinary_memory)
{
    GstBufferPool *pool = configured(CAPS, NULL);
    GstBuffer *taken[3 * ALLOCATOR_MAX_LENDS];
    guint slots = 0;

    for (guint i = 0; i < G_N_ELEMENTS(taken); i++) {
        taken[i] = acquire(pool);
        gst_buffer_memset(taken[i], 0, i, gst_buffer_get_size(taken[i]));
        fail_unless(gst_buffer_get_video_meta(taken[i]) != NULL);
        slots += frame_of(taken[i]) != NULL;
    }
    fail_unless(slots >= ALLOCATOR_MIN_LENDS / 2 && slots < ALLOCATOR_MIN_LENDS, "%u slots", slots);
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++)
        gst_buffer_unref(taken[i]);
    done_with(pool);
}
GST_END_TEST

/* What upstreams ask of each memory. Slots are at the beginning of pages and have no room before the picture:
 * such a memory, and one with a larger alignment, cannot be a slot. */
static const struct {
    GstAllocationParams params;
    gboolean in_slots;
} wishes[] = {
    {{.align = 63}, TRUE},
    {{.align = 63, .padding = 5000}, TRUE},
    {{.align = 31, .prefix = 64, .padding = 16}, FALSE},
    {{.flags = GST_MEMORY_FLAG_ZERO_PADDED, .align = 31, .padding = 64}, FALSE},
    {{.align = 65535}, FALSE},
};

GST_START_TEST(each_memory_is_what_upstream_asked_for)
{
    const GstAllocationParams *params = &wishes[__i__].params;
    GstBufferPool *pool = configured_with(CAPS, NULL, params);
    GstBuffer *taken[2 * ALLOCATOR_MAX_LENDS], *copy;
    guint slots = 0;

    for (guint i = 0; i < G_N_ELEMENTS(taken); i++) {
        gsize size, offset, maxsize;
        GstMapInfo map;

        taken[i] = acquire(pool);
        slots += frame_of(taken[i]) != NULL;
        size = gst_buffer_get_sizes(taken[i], &offset, &maxsize);
        fail_unless_equals_int(size, 64 * 32 * 3 / 2);
        fail_unless(offset >= params->prefix && maxsize >= offset + size + params->padding,
                    "%zu bytes at %zu of %zu", size, offset, maxsize);
        fail_unless(gst_buffer_map(taken[i], &map, GST_MAP_WRITE));
        fail_unless_equals_int(GPOINTER_TO_SIZE(map.data - offset) & params->align, 0);
        gst_buffer_unmap(taken[i], &map);

        copy = gst_buffer_copy_deep(taken[i]);
        fail_unless(gst_buffer_map(copy, &map, GST_MAP_WRITE));
        fail_unless_equals_int(GPOINTER_TO_SIZE(map.data) & params->align, 0);
        gst_buffer_unmap(copy, &map);
        gst_buffer_unref(copy);
    }
    fail_unless_equals_int(slots > 0, wishes[__i__].in_slots);
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++)
        gst_buffer_unref(taken[i]);
    done_with(pool);
}
GST_END_TEST

/* A slot with room behind the picture goes out in place, and so does one that is used again. */
GST_START_TEST(slots_with_padding_are_published)
{
    const GstAllocationParams params = {.align = 63, .padding = 5000};
    GstBufferPool *pool = configured_with(CAPS, NULL, &params);
    struct framebus_reader *reader = reader_new(NULL);
    struct framebus_frame *frame;

    for (guint i = 0; i < 3; i++) {
        GstBuffer *buffer = acquire(pool);

        fail_unless_equals_int(gst_buffer_get_size(buffer), 64 * 32 * 3 / 2);
        gst_buffer_memset(buffer, 0, i, gst_buffer_get_size(buffer));
        fail_unless_equals_int(publish(buffer), 0);
        fail_unless_equals_int(framebus_reader_next(reader, &frame, GST_SECOND), 0);
        fail_unless_equals_int(((guint8 *)frame->data)[0], i);
        framebus_reader_release(reader, frame);
        gst_buffer_unref(buffer);
    }
    framebus_reader_close(reader);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(a_larger_bus_lends_more)
{
    GstBuffer *taken[2 * ALLOCATOR_MAX_LENDS];
    GstBufferPool *pool;
    guint slots = 0;

    open_bus((struct framebus_writer_options){.max_slots = 128, .history = 4});
    pool = configured(CAPS, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++) {
        taken[i] = acquire(pool);
        slots += frame_of(taken[i]) != NULL;
    }
    fail_unless(slots > ALLOCATOR_MIN_LENDS && slots < ALLOCATOR_MAX_LENDS, "%u slots", slots);
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++)
        gst_buffer_unref(taken[i]);
    done_with(pool);
    close_bus();
}
GST_END_TEST

GST_START_TEST(the_last_pool_that_was_started_has_the_slots)
{
    GstBufferPool *older = configured(CAPS, NULL), *newer;
    GstBuffer *old = acquire(older), *buffer;

    newer = configured(
        "video/x-raw, format=(string)RGB, width=(int)128, height=(int)128, framerate=(fraction)30/1", NULL);
    fail_unless_equals_int(publish(old), -ESTALE);
    gst_buffer_memset(old, 0, 1, gst_buffer_get_size(old));
    gst_buffer_unref(old);
    buffer = acquire(older);
    fail_unless(frame_of(buffer) == NULL);
    gst_buffer_unref(buffer);
    buffer = acquire(newer);
    fail_unless(frame_of(buffer) != NULL);
    fail_unless_equals_int(publish(buffer), 0);
    gst_buffer_unref(buffer);
    done_with(older);
    done_with(newer);
}
GST_END_TEST

/* Whether a reader uses DMA-BUFs is for the reader to decide, so the bus's caps do not say it. */
static const char *const in_dmabufs[] = {
    "video/x-raw(memory:DMABuf), format=(string)NV12, width=(int)64, height=(int)32, "
    "framerate=(fraction)30/1",
#if GST_CHECK_VERSION(1, 24, 0)
    "video/x-raw(memory:DMABuf), format=(string)DMA_DRM, drm-format=(string)NV12, width=(int)64, "
    "height=(int)32, framerate=(fraction)30/1",
#endif
};

GST_START_TEST(pictures_in_dmabufs_are_the_same_on_the_bus)
{
    GstBufferPool *pool = configured(in_dmabufs[__i__], NULL);
    GstBuffer *buffer = acquire(pool);
    GstCaps *expected = gst_caps_from_string(CAPS), *caps;

    fail_unless(frame_of(buffer) != NULL);
    caps = gst_caps_from_string(frame_of(buffer)->format->caps);
    fail_unless(gst_caps_is_strictly_equal(caps, expected), "%s", frame_of(buffer)->format->caps);
    gst_caps_unref(caps);
    gst_caps_unref(expected);
    gst_buffer_unref(buffer);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(padding_is_honoured)
{
    GstVideoAlignment align = {
        .padding_top = 8, .padding_left = 16, .padding_right = 16, .padding_bottom = 8};
    GstBufferPool *pool = configured(CAPS, &align);
    GstBuffer *buffer = acquire(pool);
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    struct framebus_frame *frame = frame_of(buffer);
    GstVideoFrame picture;
    GstVideoInfo info;

    fail_unless(frame != NULL);
    fail_unless(meta->stride[0] >= 96);
    fail_unless_equals_int(meta->alignment.padding_left, 16);
    for (guint i = 0; i < 2; i++) {
        fail_unless_equals_int(meta->stride[i], frame->format->stride[i]);
        fail_unless_equals_int(meta->offset[i], frame->format->offset[i]);
    }
    fail_unless_equals_int(gst_buffer_get_size(buffer), frame->format->size);

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 64, 32);
    fail_unless(gst_video_frame_map(&picture, &info, buffer, GST_MAP_WRITE));
    fail_unless(GST_VIDEO_FRAME_PLANE_DATA(&picture, 1) == frame->plane[1].data);
    gst_video_frame_unmap(&picture);
    gst_buffer_unref(buffer);
    done_with(pool);
}
GST_END_TEST

GST_START_TEST(memory_outlives_the_bus)
{
    GstBufferPool *pool = configured(CAPS, NULL);
    GstBuffer *buffer = acquire(pool), *late = NULL;
    GstMapInfo map;

    gst_buffer_memset(buffer, 0, 9, gst_buffer_get_size(buffer));
    service_stop(service);
    service = NULL;
    allocator_close(allocator);
    fail_unless_equals_int(gst_buffer_pool_acquire_buffer(pool, &late, NULL), GST_FLOW_FLUSHING);
    fail_unless_equals_int(publish(buffer), -ECANCELED);
    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_READWRITE));
    fail_unless_equals_int(map.data[map.size - 1], 9);
    map.data[0] = 1;
    gst_buffer_unmap(buffer, &map);
    gst_buffer_unref(buffer);
    done_with(pool);
}
GST_END_TEST

/* ---- Waiting ------------------------------------------------------------------------------- */

static gpointer publish_until_refused(gpointer data)
{
    GstBufferPool *pool = data;
    GstBuffer *buffer;
    guint published = 0;

    while (gst_buffer_pool_acquire_buffer(pool, &buffer, NULL) == GST_FLOW_OK) {
        published += publish(buffer) == 0;
        gst_buffer_unref(buffer);
    }
    return GUINT_TO_POINTER(published);
}

static void flush_pool(GstBufferPool *pool)
{
    gst_buffer_pool_set_flushing(pool, TRUE);
}

static void flush_sink(GstBufferPool *pool G_GNUC_UNUSED)
{
    allocator_set_flushing(allocator, TRUE);
}

static void leave_bus(GstBufferPool *pool G_GNUC_UNUSED)
{
    service_stop(service);
    service = NULL;
    allocator_close(allocator);
}

static void (*const ways[])(GstBufferPool *pool) = {flush_pool, flush_sink, leave_bus};

GST_START_TEST(waiting_for_a_lossless_reader_ends_when_told)
{
    struct framebus_reader_options slow = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
    struct framebus_reader *reader;
    GstBufferPool *pool;
    GThread *thread;
    guint published;

    open_bus((struct framebus_writer_options){.lossless = TRUE, .lossless_timeout_ns = -1});
    pool = configured(CAPS, NULL);
    reader = reader_new(&slow);
    thread = g_thread_new("publishes", publish_until_refused, pool);
    g_usleep(200000);
    allocator_set_unlocked(allocator, TRUE); /* upstream is not concerned when the sink is paused */
    g_usleep(50000);
    allocator_set_unlocked(allocator, FALSE);
    g_usleep(50000);
    ways[__i__](pool);
    published = GPOINTER_TO_UINT(g_thread_join(thread));
    fail_unless(published >= 4 && published < 16, "%u published", published);
    gst_buffer_pool_set_flushing(pool, FALSE);
    framebus_reader_close(reader);
    done_with(pool);
    close_bus();
}
GST_END_TEST

GST_START_TEST(who_does_not_want_to_wait_gets_ordinary_memory)
{
    struct framebus_reader_options slow = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
    GstBufferPoolAcquireParams params = {.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT};
    struct framebus_reader *reader;
    GstBufferPool *pool;
    GstBuffer *buffer;
    guint slots = 0;

    open_bus((struct framebus_writer_options){.lossless = TRUE, .lossless_timeout_ns = -1});
    pool = configured(CAPS, NULL);
    reader = reader_new(&slow);
    for (guint i = 0; i < 40; i++) {
        fail_unless_equals_int(gst_buffer_pool_acquire_buffer(pool, &buffer, &params), GST_FLOW_OK);
        gst_buffer_memset(buffer, 0, i, gst_buffer_get_size(buffer));
        if (frame_of(buffer)) {
            fail_unless_equals_int(publish(buffer), 0);
            slots++;
        }
        gst_buffer_unref(buffer);
    }
    fail_unless(slots >= 4 && slots < 30, "%u", slots);
    framebus_reader_close(reader);
    done_with(pool);
    close_bus();
}
GST_END_TEST

static Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");
    TCase *waiting = tcase_create("waiting");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, setup, close_bus);
    tcase_add_test(tests, what_is_written_to_a_buffer_is_read_in_place);
    tcase_add_test(tests, a_slot_comes_back_with_its_memory_not_with_its_buffer);
    tcase_add_test(tests, a_buffer_used_again_is_as_new);
    tcase_add_test(tests, a_part_of_a_memory_keeps_the_slot);
    tcase_add_test(tests, writing_after_publishing_makes_a_copy);
    tcase_add_test(tests, what_is_being_written_to_is_not_published);
    tcase_add_test(tests, a_copy_of_a_slot_is_a_slot);
    tcase_add_test(tests, without_a_free_slot_there_is_ordinary_memory);
    tcase_add_loop_test(tests, each_memory_is_what_upstream_asked_for, 0, G_N_ELEMENTS(wishes));
    tcase_add_test(tests, slots_with_padding_are_published);
    tcase_add_test(tests, the_last_pool_that_was_started_has_the_slots);
    tcase_add_loop_test(tests, pictures_in_dmabufs_are_the_same_on_the_bus, 0, G_N_ELEMENTS(in_dmabufs));
    tcase_add_test(tests, padding_is_honoured);
    tcase_add_test(tests, memory_outlives_the_bus);
    suite_add_tcase(suite, waiting);
    tcase_add_test(waiting, who_does_not_want_to_wait_gets_ordinary_memory);
    tcase_add_test(waiting, a_larger_bus_lends_more);
    tcase_add_loop_test(waiting, waiting_for_a_lossless_reader_ends_when_told, 0, G_N_ELEMENTS(ways));
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, pool_suite);
}
