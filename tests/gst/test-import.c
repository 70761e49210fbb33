/* SPDX-License-Identifier: MIT */
/* The sink with upstream's own memory: memfds rather than DMA-BUFs, which GStreamer's DMA-BUF allocator
 * accepts and the library treats alike. tests/vm has real DMA-BUFs. */
#include "../sanitized.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <framebus.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CAPS   "video/x-raw, format=(string)I420, width=(int)64, height=(int)32, framerate=(fraction)50/1"
#define LUMA   (64 * 32)
#define CHROMA (LUMA / 4)
#define SIZE   (LUMA + 2 * CHROMA)

#define PAGE ((gsize)sysconf(_SC_PAGESIZE))

#define HISTORY 4

static GstHarness *harness;
static GstAllocator *allocator;

/* ---- Upstream's memory ---------------------------------------------------------------------- */

static GstMemory *memory_new(gsize size, unsigned seals)
{
    int fd = memfd_create("upstream", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    /* Whole pages, like DMA-BUFs. */
    fail_unless(fd >= 0 && ftruncate(fd, (size + PAGE - 1) / PAGE * PAGE) == 0 &&
                fcntl(fd, F_ADD_SEALS, seals) == 0);
    return gst_dmabuf_allocator_alloc(allocator, fd, size);
}

/* A pool of a few such buffers, as cameras have them. */
typedef GstBufferPool CameraPool;
typedef GstBufferPoolClass CameraPoolClass;
static GType camera_pool_get_type(void);
G_DEFINE_TYPE(CameraPool, camera_pool, GST_TYPE_BUFFER_POOL)

static GstFlowReturn camera_alloc(GstBufferPool *pool G_GNUC_UNUSED, GstBuffer **buffer,
                                  GstBufferPoolAcquireParams *params G_GNUC_UNUSED)
{
    *buffer = gst_buffer_new();
    gst_buffer_append_memory(*buffer, memory_new(SIZE, F_SEAL_SHRINK));
    return GST_FLOW_OK;
}

static void camera_pool_class_init(CameraPoolClass *class)
{
    class->alloc_buffer = camera_alloc;
}

static void camera_pool_init(CameraPool *pool G_GNUC_UNUSED)
{
}

static GstBufferPool *camera_new(guint count)
{
    GstBufferPool *pool = g_object_new(camera_pool_get_type(), NULL);
    GstStructure *config = gst_buffer_pool_get_config(pool);
    GstCaps *caps = gst_caps_from_string(CAPS);

    gst_object_ref_sink(pool);
    gst_buffer_pool_config_set_params(config, caps, SIZE, count, count);
    fail_unless(gst_buffer_pool_set_config(pool, config));
    fail_unless(gst_buffer_pool_set_active(pool, TRUE));
    gst_caps_unref(caps);
    return pool;
}

static void camera_free(GstBufferPool *pool)
{
    fail_unless(gst_buffer_pool_set_active(pool, FALSE));
    gst_object_unref(pool);
}

/* The next buffer that is at home; NULL: they are all away. */
static GstBuffer *capture(GstBufferPool *pool, guint8 value)
{
    GstBufferPoolAcquireParams params = {.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT};
    GstBuffer *buffer = NULL;

    if (gst_buffer_pool_acquire_buffer(pool, &buffer, &params) == GST_FLOW_OK)
        gst_buffer_memset(buffer, 0, value, SIZE);
    return buffer;
}

/* ---- The bus -------------------------------------------------------------------------------- */

static void start(const char *description)
{
    harness = gst_harness_new_parse(description);
    gst_harness_set_src_caps_str(harness, CAPS);
}

static void setup(void)
{
    directory_setup();
    allocator = gst_dmabuf_allocator_new();
}

static void stop(void)
{
    gst_harness_teardown(harness);
    harness = NULL;
}

static void teardown(void)
{
    if (harness)
        stop();
    ASSERT_OBJECT_REFCOUNT(allocator, "allocator", 1); /* all memory is gone */
    gst_clear_object(&allocator);
    directory_teardown();
}

static guint64 sink_stat(const char *name)
{
    GstElement *sink = gst_harness_find_element(harness, "framebussink");
    guint64 value = stat_of(sink, name);

    gst_object_unref(sink);
    return value;
}

static void push(GstBuffer *buffer)
{
    fail_unless_equals_int(gst_harness_push(harness, buffer), GST_FLOW_OK);
}

static void push_captured(GstBufferPool *camera, guint8 value)
{
    GstBuffer *buffer = capture(camera, value);

    fail_unless(buffer != NULL, "upstream is out of buffers");
    push(buffer);
}

static struct framebus_frame *take(struct framebus_reader *reader)
{
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_reader_next(reader, &frame, 10 * GST_SECOND), 0);
    return frame;
}

static void check_plane(const struct framebus_frame *frame, guint plane, guint8 value)
{
    const guint rows = framebus_format_rows(frame->format, plane);
    const guint bytes = framebus_format_row_bytes(frame->format, plane);
    const guint8 *data = frame->plane[plane].data;

    for (guint y = 0; y < rows; y++) {
        for (guint x = 0; x < bytes; x++)
            fail_unless_equals_int(data[y * frame->plane[plane].stride + x], value);
    }
}

/* Becomes true when the element's thread has had its turn. */
static gboolean soon(gboolean (*is)(gpointer), gpointer user)
{
    for (guint i = 0; i < 2000; i++) {
        if (is(user))
            return TRUE;
        g_usleep(5000);
    }
    return FALSE;
}

/* A buffer that says when it is back. */
static void gone(gpointer user, GstMiniObject *buffer G_GNUC_UNUSED)
{
    g_atomic_int_set((gint *)user, TRUE);
}

static gboolean is_set(gpointer user)
{
    return g_atomic_int_get((gint *)user);
}

static GstBuffer *watched(GstMemory *memory, gint *back)
{
    GstBuffer *buffer = gst_buffer_new();

    *back = FALSE;
    gst_buffer_append_memory(buffer, gst_memory_ref(memory));
    gst_mini_object_weak_ref(GST_MINI_OBJECT_CAST(buffer), gone, back);
    return buffer;
}

/* ---- Tests ---------------------------------------------------------------------------------- */

GST_START_TEST(upstreams_buffers_are_published_without_a_copy)
{
    GstBufferPool *camera = camera_new(HISTORY + 6);
    struct framebus_reader *reader;

    start("framebussink bus=b sync=false");
    push_captured(camera, 1);
    reader = reader_new(NULL);
    for (guint8 i = 1; i < 60; i++) {
        struct framebus_frame *frame = take(reader);

        for (guint plane = 0; plane < 3; plane++)
            check_plane(frame, plane, i);
        framebus_reader_release(reader, frame);
        push_captured(camera, i + 1);
    }
    fail_unless_equals_uint64(sink_stat("published"), 60);
    fail_unless_equals_uint64(sink_stat("imported"), 60);
    fail_unless_equals_uint64(sink_stat("zero-copy"), 60);
    fail_unless_equals_uint64(sink_stat("copied"), 0);
    framebus_reader_close(reader);
    stop();
    camera_free(camera);
}
GST_END_TEST

GST_START_TEST(a_buffer_comes_back_when_the_last_reader_lets_go_of_it)
{
    GstMemory *memory = memory_new(SIZE, F_SEAL_SHRINK);
    struct framebus_reader *early, *late;
    struct framebus_frame *one, *other;
    gint back;

    start("framebussink bus=b sync=false history=1");
    push(gst_harness_create_buffer(harness, SIZE)); /* there is a bus */
    early = reader_new(NULL);
    late = reader_new(NULL);
    framebus_reader_release(early, take(early));
    framebus_reader_release(late, take(late));

    push(watched(memory, &back));
    one = take(early);
    other = take(late);
    push(gst_harness_create_buffer(harness, SIZE));
    framebus_reader_release(early, one);
    push(gst_harness_create_buffer(harness, SIZE)); /* looks for what came back */
    fail_if(is_set(&back));
    fail_unless_equals_int(GST_MINI_OBJECT_REFCOUNT_VALUE(memory), 2);
    framebus_reader_release(late, other);
    fail_unless(soon(is_set, &back)); /* without another frame */
    fail_unless_equals_int(GST_MINI_OBJECT_REFCOUNT_VALUE(memory), 1);

    framebus_reader_close(early);
    framebus_reader_close(late);
    stop();
    gst_memory_unref(memory);
}
GST_END_TEST

GST_START_TEST(the_history_keeps_a_buffer_without_any_reader)
{
    GstMemory *memory = memory_new(SIZE, F_SEAL_SHRINK);
    gint back;

    start("framebussink bus=b sync=false");
    push(watched(memory, &back));
    for (guint i = 1; i < HISTORY; i++)
        push(gst_harness_create_buffer(harness, SIZE));
    fail_if(is_set(&back));
    push(gst_harness_create_buffer(harness, SIZE));
    fail_unless(is_set(&back));
    gst_memory_unref(memory);
}
GST_END_TEST

static gboolean holds_three(gpointer user G_GNUC_UNUSED)
{
    GstElement *sink = gst_harness_find_element(harness, "framebussink");
    const GValue *list, *first;
    GstStructure *stats;
    guint held = 0;

    g_object_get(sink, "stats", &stats, NULL);
    list = gst_structure_get_value(stats, "reader-list");
    first = gst_value_list_get_size(list) ? gst_value_list_get_value(list, 0) : NULL;
    if (first)
        gst_structure_get_uint(g_value_get_boxed(first), "held", &held);
    gst_structure_free(stats);
    gst_object_unref(sink);
    return held >= 3;
}

GST_START_TEST(a_killed_reader_gives_back_what_it_held)
{
    const char *const reader[] = {"gst-launch-1.0",
                                  "-q",
                                  "framebussrc",
                                  "bus=b",
                                  "hold=8",
                                  "!",
                                  "queue",
                                  "min-threshold-buffers=100",
                                  "!",
                                  "fakesink",
                                  NULL};
    GstMemory *memory[3];
    GError *error = NULL;
    gint back[3];
    GPid pid;

    start("framebussink bus=b sync=false history=1 wait-for-connection=true");
    fail_unless(g_spawn_async(NULL, (char **)reader, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                              NULL, NULL, &pid, &error));
    push(gst_harness_create_buffer(harness, SIZE));
    for (guint i = 0; i < G_N_ELEMENTS(memory); i++) {
        memory[i] = memory_new(SIZE, F_SEAL_SHRINK);
        push(watched(memory[i], &back[i]));
        g_usleep(50000); /* live: it may miss one, and then holds another */
    }
    fail_unless(soon(holds_three, NULL));
    push(gst_harness_create_buffer(harness, SIZE));
    push(gst_harness_create_buffer(harness, SIZE));
    fail_if(is_set(&back[0]) && is_set(&back[1]) && is_set(&back[2]));

    kill(pid, SIGKILL);
    for (guint i = 0; i < G_N_ELEMENTS(memory); i++) {
        fail_unless(soon(is_set, &back[i]));
        gst_memory_unref(memory[i]);
    }
    fail_unless_equals_uint64(sink_stat("imported"), G_N_ELEMENTS(memory));
    g_spawn_close_pid(pid);
}
GST_END_TEST

/* Four buffers would all stay in the history, and nothing newer could push them out. Those that nobody has
 * are taken back; if readers have them, frames are copied. */
GST_START_TEST(an_upstream_with_few_buffers_never_starves)
{
    GstBufferPool *camera = camera_new(HISTORY);
    struct framebus_frame *held[2];
    struct framebus_reader *reader;

    start("framebussink bus=b sync=false");
    push_captured(camera, 0);
    reader = reader_new(NULL);
    for (guint8 i = 0; i < 40; i++) {
        struct framebus_frame *frame = take(reader);

        check_plane(frame, 0, i);
        framebus_reader_release(reader, frame);
        push_captured(camera, i + 1);
    }
    fail_unless_equals_uint64(sink_stat("imported"), 41);
    fail_unless_equals_uint64(sink_stat("copied"), 0);

    held[0] = take(reader);
    push_captured(camera, 0);
    held[1] = take(reader);
    for (guint8 i = 0; i < 40; i++)
        push_captured(camera, i);
    fail_unless(sink_stat("copied") > 10);
    check_plane(held[0], 0, 40);
    check_plane(held[1], 0, 0);
    framebus_reader_release(reader, held[0]);
    framebus_reader_release(reader, held[1]);
    framebus_reader_close(reader);
    stop();
    camera_free(camera);
}
GST_END_TEST

GST_START_TEST(planes_in_memories_of_their_own_are_one_frame)
{
    static const gsize sizes[] = {LUMA, CHROMA, CHROMA};
    GstBuffer *buffer = gst_buffer_new();
    struct framebus_reader *reader;
    struct framebus_frame *frame;

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        gst_buffer_append_memory(buffer, memory_new(sizes[i], F_SEAL_SHRINK));
    gst_buffer_memset(buffer, 0, 10, LUMA);
    gst_buffer_memset(buffer, LUMA, 11, CHROMA);
    gst_buffer_memset(buffer, LUMA + CHROMA, 12, CHROMA);
    start("framebussink bus=b sync=false");
    push(buffer);
    fail_unless_equals_uint64(sink_stat("imported"), 1);
    reader = reader_new(NULL);
    frame = take(reader);
    for (guint plane = 0; plane < 3; plane++)
        check_plane(frame, plane, 10 + plane);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
}
GST_END_TEST

GST_START_TEST(a_part_of_a_larger_memory_is_shared_where_it_is)
{
    GstMemory *whole = memory_new(3 * SIZE, F_SEAL_SHRINK);
    GstBuffer *buffer = gst_buffer_new();
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    GstMapInfo map;

    fail_unless(gst_memory_map(whole, &map, GST_MAP_WRITE));
    memset(map.data + SIZE + 100, 77, SIZE);
    gst_memory_unmap(whole, &map);
    gst_buffer_append_memory(buffer, gst_memory_share(whole, SIZE + 100, SIZE));
    start("framebussink bus=b sync=false");
    push(buffer);
    fail_unless_equals_uint64(sink_stat("imported"), 1);
    reader = reader_new(NULL);
    frame = take(reader);
    for (guint plane = 0; plane < 3; plane++)
        check_plane(frame, plane, 77);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    stop();
    gst_memory_unref(whole);
}
GST_END_TEST

GST_START_TEST(what_cannot_be_shared_is_copied)
{
    static const struct {
        const char *sink;
        unsigned seals;
    } cases[] = {
        {"framebussink bus=b sync=false", 0}, /* might be truncated under its readers */
        {"framebussink bus=b sync=false dmabuf=none", F_SEAL_SHRINK},
        {"framebussink bus=b sync=false lossless=true", F_SEAL_SHRINK},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        GstMemory *memory = memory_new(SIZE, cases[i].seals);

        start(cases[i].sink);
        for (guint k = 0; k < 6; k++) {
            gint back;

            push(watched(memory, &back));
            fail_unless(is_set(&back));
        }
        fail_unless_equals_uint64(sink_stat("copied"), 6);
        fail_unless_equals_uint64(sink_stat("zero-copy"), 0);
        gst_memory_unref(memory);
        stop();
    }
}
GST_END_TEST

GST_START_TEST(a_buffer_pushed_twice_is_copied_the_second_time)
{
    GstBuffer *buffer = gst_buffer_new();
    struct framebus_reader *reader;

    gst_buffer_append_memory(buffer, memory_new(SIZE, F_SEAL_SHRINK));
    gst_buffer_memset(buffer, 0, 5, SIZE);
    start("framebussink bus=b sync=false");
    push(gst_buffer_ref(buffer));
    reader = reader_new(NULL);
    push(buffer);
    fail_unless_equals_uint64(sink_stat("imported"), 1);
    fail_unless_equals_uint64(sink_stat("copied"), 1);
    for (guint i = 0; i < 2; i++) {
        struct framebus_frame *frame = take(reader);

        check_plane(frame, 2, 5);
        framebus_reader_release(reader, frame);
    }
    framebus_reader_close(reader);
}
GST_END_TEST

/* The end of a stream is the end of the pool that the memory was registered with. */
GST_START_TEST(the_next_stream_has_the_same_memory_without_a_copy)
{
    GstMemory *memory = memory_new(SIZE, F_SEAL_SHRINK);
    GstSegment segment;
    gint back;

    start("framebussink bus=b sync=false");
    for (guint i = 0; i < 3; i++) {
        push(watched(memory, &back));
        fail_unless(gst_harness_push_event(harness, gst_event_new_eos()));
        fail_unless(soon(is_set, &back));
        fail_unless(gst_harness_push_event(harness, gst_event_new_flush_start()));
        fail_unless(gst_harness_push_event(harness, gst_event_new_flush_stop(TRUE)));
        gst_segment_init(&segment, GST_FORMAT_TIME);
        fail_unless(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
    }
    fail_unless_equals_uint64(sink_stat("imported"), 3);
    gst_memory_unref(memory);
}
GST_END_TEST

GST_START_TEST(a_sink_that_ends_gives_everything_back)
{
    GstMemory *memory[HISTORY];
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    gint back[HISTORY];

    for (guint round = 0; round < 2; round++) {
        start("framebussink bus=b sync=false");
        for (guint i = 0; i < HISTORY; i++) {
            if (round == 0)
                memory[i] = memory_new(SIZE, F_SEAL_SHRINK);
            push(watched(memory[i], &back[i]));
        }
        fail_unless_equals_uint64(sink_stat("imported"), HISTORY);
        reader = reader_new(NULL);
        frame = take(reader);
        stop();
        for (guint i = 0; i < HISTORY; i++) {
            fail_unless(is_set(&back[i]));
            fail_unless_equals_int(GST_MINI_OBJECT_REFCOUNT_VALUE(memory[i]), 1);
        }
        framebus_reader_release(reader, frame);
        framebus_reader_close(reader);
    }
    for (guint i = 0; i < HISTORY; i++)
        gst_memory_unref(memory[i]);
}
GST_END_TEST

GST_START_TEST(dmabuf_caps_are_taken_and_readers_get_plain_ones)
{
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    GstBuffer *buffer = gst_buffer_new();

    harness = gst_harness_new_parse("framebussink bus=b sync=false");
    gst_harness_set_src_caps_str(harness, "video/x-raw(memory:DMABuf), format=I420, width=64, height=32, "
                                          "framerate=50/1");
    gst_buffer_append_memory(buffer, memory_new(SIZE, F_SEAL_SHRINK));
    push(buffer);
    reader = reader_new(NULL);
    frame = take(reader);
    fail_unless(g_str_has_prefix(frame->format->caps, "video/x-raw, "), "%s", frame->format->caps);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    fail_unless_equals_uint64(sink_stat("imported"), 1);
}
GST_END_TEST

static GstCaps *caps_for(const char *offer)
{
    GstElement *sink = gst_harness_find_element(harness, "framebussink");
    GstPad *pad = gst_element_get_static_pad(sink, "sink");
    GstCaps *filter = gst_caps_from_string(offer), *caps = gst_pad_query_caps(pad, filter);

    gst_caps_unref(filter);
    gst_object_unref(pad);
    gst_object_unref(sink);
    return caps;
}

static gboolean has_dmabufs(const GstCaps *caps, guint index)
{
    return gst_caps_features_contains(gst_caps_get_features(caps, index), "memory:DMABuf");
}

GST_START_TEST(dmabufs_come_first_only_where_slots_are_such)
{
    static const char *const descriptions[] = {"framebussink bus=b", "framebussink bus=b dmabuf=slots"};
    const char *offer = "video/x-raw(memory:DMABuf), format=NV12; video/x-raw, format=NV12; "
                        "video/x-raw(memory:GLMemory), format=RGBA; image/jpeg(memory:DMABuf)";

    for (guint i = 0; i < 2; i++) {
        GstCaps *caps;

        harness = gst_harness_new_parse(descriptions[i]);
        caps = caps_for(offer);
        fail_unless_equals_int(has_dmabufs(caps, 0), i);
        fail_unless_equals_int(has_dmabufs(caps, 1), !i);
        for (guint k = 0; k < gst_caps_get_size(caps); k++) {
            fail_if(gst_caps_features_contains(gst_caps_get_features(caps, k), "memory:GLMemory"));
            fail_if(gst_structure_has_name(gst_caps_get_structure(caps, k), "image/jpeg"));
        }
        gst_caps_unref(caps);
        stop();
    }
}
GST_END_TEST

/* A camera makes so many buffers more than it needs itself. */
GST_START_TEST(upstream_is_told_how_many_buffers_stay_away)
{
    static const struct {
        const char *sink;
        guint kept;
    } cases[] = {
        {"framebussink bus=b history=6", 12},
        {"framebussink bus=b dmabuf=none", 0},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        GstCaps *caps = gst_caps_from_string(CAPS);
        GstQuery *query = gst_query_new_allocation(caps, TRUE);
        GstBufferPool *pool;
        guint size, min, max;

        start(cases[i].sink);
        fail_unless(gst_pad_peer_query(harness->srcpad, query));
        fail_unless_equals_int(gst_query_get_n_allocation_pools(query), 1);
        gst_query_parse_nth_allocation_pool(query, 0, &pool, &size, &min, &max);
        fail_unless_equals_int(min, cases[i].kept);
        fail_unless_equals_int(max, 0);
        gst_object_unref(pool);
        gst_query_unref(query);
        gst_caps_unref(caps);
        stop();
    }
}
GST_END_TEST

static Suite *import_suite(void)
{
    Suite *suite = suite_create("import");
    TCase *tcase = tcase_create("import");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, upstreams_buffers_are_published_without_a_copy);
    tcase_add_test(tcase, a_buffer_comes_back_when_the_last_reader_lets_go_of_it);
    tcase_add_test(tcase, the_history_keeps_a_buffer_without_any_reader);
    if (!SANITIZED) /* gst-launch-1.0 cannot load a plugin that was built so */
        tcase_add_test(tcase, a_killed_reader_gives_back_what_it_held);
    tcase_add_test(tcase, an_upstream_with_few_buffers_never_starves);
    tcase_add_test(tcase, planes_in_memories_of_their_own_are_one_frame);
    tcase_add_test(tcase, a_part_of_a_larger_memory_is_shared_where_it_is);
    tcase_add_test(tcase, what_cannot_be_shared_is_copied);
    tcase_add_test(tcase, a_buffer_pushed_twice_is_copied_the_second_time);
    tcase_add_test(tcase, the_next_stream_has_the_same_memory_without_a_copy);
    tcase_add_test(tcase, a_sink_that_ends_gives_everything_back);
    tcase_add_test(tcase, dmabuf_caps_are_taken_and_readers_get_plain_ones);
    tcase_add_test(tcase, dmabufs_come_first_only_where_slots_are_such);
    tcase_add_test(tcase, upstream_is_told_how_many_buffers_stay_away);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, import_suite);
}
