/* SPDX-License-Identifier: MIT */
/* Payloads without a copy: encoders and others write into slots of the bus, by an allocator; and what comes
 * in memory with a file descriptor is shared as it is. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/check/gstharness.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define JPEG  "image/jpeg, framerate=(fraction)25/1"
#define BAYER "video/x-bayer, format=(string)bggr, width=(int)64, height=(int)32, framerate=(fraction)25/1"

static GstHarness *harness;
static GstAllocator *allocator; /* what the sink has proposed */
static struct framebus_reader *reader;

/* ---- The bus -------------------------------------------------------------------------------- */

/* Asks as an encoder does, and takes what is proposed. */
static void ask_for_allocator(const char *text)
{
    GstCaps *caps = gst_caps_from_string(text);
    GstQuery *query = gst_query_new_allocation(caps, TRUE);

    gst_clear_object(&allocator);
    fail_unless(gst_pad_peer_query(harness->srcpad, query));
    fail_unless_equals_int(gst_query_get_n_allocation_pools(query), 0);
    fail_unless_equals_int(gst_query_get_n_allocation_params(query), 1);
    gst_query_parse_nth_allocation_param(query, 0, &allocator, NULL);
    fail_unless(allocator != NULL);
    gst_query_unref(query);
    gst_caps_unref(caps);
}

static void start(const char *sink, const char *caps)
{
    directory_setup();
    harness = gst_harness_new_parse(sink);
    gst_harness_set_src_caps_str(harness, caps);
    ask_for_allocator(caps);
}

static void setup(void)
{
    start("framebussink bus=b", JPEG);
    reader = reader_new(NULL);
}

static void stop(void)
{
    gst_harness_teardown(harness);
    harness = NULL;
}

static void teardown(void)
{
    framebus_reader_close(reader);
    reader = NULL;
    gst_clear_object(&allocator);
    if (harness)
        stop();
    directory_teardown();
}

static guint64 sink_stat(const char *name)
{
    GstElement *sink = gst_harness_find_element(harness, "framebussink");
    guint64 value = stat_of(sink, name);

    gst_object_unref(sink);
    return value;
}

static void check_stats(guint64 zero_copy, guint64 copied)
{
    fail_unless_equals_uint64(sink_stat("zero-copy"), zero_copy);
    fail_unless_equals_uint64(sink_stat("copied"), copied);
}

/* ---- Payloads ------------------------------------------------------------------------------- */

static GstBuffer *payload_new_with(gsize size, guint8 value, GstAllocationParams *params)
{
    GstBuffer *buffer = gst_buffer_new_allocate(allocator, size, params);

    fail_unless(buffer != NULL);
    fail_unless_equals_uint64(gst_buffer_get_size(buffer), size);
    gst_buffer_memset(buffer, 0, value, size);
    return buffer;
}

static GstBuffer *payload_new(gsize size, guint8 value)
{
    return payload_new_with(size, value, NULL);
}

static gboolean is_in_slot(GstBuffer *buffer)
{
    return gst_memory_is_type(gst_buffer_peek_memory(buffer, 0), "FramebusSlot");
}

static void push(GstBuffer *buffer)
{
    fail_unless_equals_int(gst_harness_push(harness, buffer), GST_FLOW_OK);
}

/* Takes the next frame of the bus. */
static struct framebus_frame *frame_next(void)
{
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_reader_next(reader, &frame, 10 * GST_SECOND), 0);
    return frame;
}

static void check_frame(gsize size, guint8 value)
{
    struct framebus_frame *frame = frame_next();

    fail_unless_equals_uint64(frame->size, size);
    fail_unless_equals_uint64(frame->format->fourcc, 0);
    for (gsize i = 0; i < size; i++)
        fail_unless_equals_int(((guint8 *)frame->data)[i], value);
    framebus_reader_release(reader, frame);
}

GST_START_TEST(a_payload_is_written_in_place_and_may_shrink)
{
    GstBuffer *buffer = payload_new(100000, 1);

    fail_unless(is_in_slot(buffer));
    gst_buffer_set_size(buffer, 700);
    push(buffer);
    check_frame(700, 1);
    check_stats(1, 0);
}
GST_END_TEST

GST_START_TEST(payloads_of_any_size_come_out_as_they_went_in)
{
    static const gsize sizes[] = {1, 65537, 64, 300000, 2000000, 0, 299999, 4096};

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        push(payload_new(sizes[i], i + 1));
        check_frame(sizes[i], i + 1);
    }
    check_stats(G_N_ELEMENTS(sizes) - 1, 1); /* the empty one is in no memory */
}
GST_END_TEST

GST_START_TEST(what_was_taken_before_a_larger_one_arrives_too)
{
    GstBuffer *small = payload_new(1000, 1), *large = payload_new(1000000, 2);

    push(small); /* the bus has begun another pool since */
    check_frame(1000, 1);
    push(large);
    check_frame(1000000, 2);
    check_stats(1, 1);
}
GST_END_TEST

GST_START_TEST(who_keeps_too_many_gets_ordinary_memory)
{
    GstBuffer *kept[100];
    guint in_slots = 0;

    for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
        kept[i] = payload_new(1000, i);
        in_slots += is_in_slot(kept[i]);
    }
    fail_unless(in_slots >= 8 && in_slots < G_N_ELEMENTS(kept));
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
        push(kept[i]);
        check_frame(1000, i);
    }
    check_stats(in_slots, G_N_ELEMENTS(kept) - in_slots);
    push(payload_new(1000, 1));
    check_stats(in_slots + 1, G_N_ELEMENTS(kept) - in_slots);
}
GST_END_TEST

GST_START_TEST(a_payload_that_is_never_published_gives_its_slot_back)
{
    for (guint i = 0; i < 500; i++) {
        GstBuffer *buffer = payload_new(1000, i);

        fail_unless(is_in_slot(buffer), "number %u is in ordinary memory", i);
        gst_buffer_unref(buffer);
    }
    push(payload_new(1000, 7));
    check_frame(1000, 7);
    check_stats(1, 0);
}
GST_END_TEST

GST_START_TEST(alignment_prefix_and_padding_are_obeyed)
{
    GstAllocationParams aligned = {.align = 255, .padding = 70000}, prefixed = {.prefix = 32, .align = 31},
                        cleared = {.flags = GST_MEMORY_FLAG_ZERO_PADDED, .padding = 64};
    GstBuffer *buffer = payload_new_with(1000, 1, &aligned);
    GstMapInfo map;
    gsize offset, maxsize;

    fail_unless(is_in_slot(buffer));
    gst_buffer_get_sizes(buffer, &offset, &maxsize);
    fail_unless(maxsize >= 71000);
    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
    fail_unless_equals_uint64(GPOINTER_TO_SIZE(map.data) & aligned.align, 0);
    gst_buffer_unmap(buffer, &map);
    push(buffer);
    check_frame(1000, 1);

    buffer = payload_new_with(1000, 2, &prefixed);
    gst_buffer_get_sizes(buffer, &offset, NULL);
    fail_unless(offset >= 32);
    push(buffer);
    check_frame(1000, 2);

    buffer = payload_new_with(1000, 3, &cleared);
    gst_buffer_set_size(buffer, 1064);
    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_READ));
    for (gsize i = 1000; i < 1064; i++)
        fail_unless_equals_int(map.data[i], 0);
    gst_buffer_unmap(buffer, &map);
    gst_buffer_unref(buffer);
    check_stats(1, 1);
}
GST_END_TEST

GST_START_TEST(a_payload_that_does_not_begin_where_its_memory_does_is_copied)
{
    GstBuffer *buffer = payload_new(1000, 1);

    gst_buffer_memset(buffer, 0, 9, 10);
    gst_buffer_resize(buffer, 10, 900);
    push(buffer);
    check_frame(900, 1);
    check_stats(0, 1);
}
GST_END_TEST

GST_START_TEST(nobody_writes_to_a_payload_that_is_on_the_bus)
{
    GstBuffer *buffer = payload_new(1000, 1), *mine = gst_buffer_ref(buffer);
    struct framebus_frame *frame;

    push(buffer);
    frame = frame_next();
    mine = gst_buffer_make_writable(mine);
    gst_buffer_memset(mine, 0, 2, 1000);
    fail_unless_equals_int(((guint8 *)frame->data)[999], 1);
    framebus_reader_release(reader, frame);
    push(mine);
    check_frame(1000, 2);
}
GST_END_TEST

/* The pool that base classes make of an allocator uses its buffers again, if it may. */
GST_START_TEST(a_pool_of_upstreams_own_does_not_use_a_published_memory_again)
{
    GstBufferPool *pool = gst_buffer_pool_new();
    GstStructure *config = gst_buffer_pool_get_config(pool);
    struct framebus_frame *held = NULL;

    gst_buffer_pool_config_set_params(config, NULL, 1000, 1, 4);
    gst_buffer_pool_config_set_allocator(config, allocator, NULL);
    fail_unless(gst_buffer_pool_set_config(pool, config) && gst_buffer_pool_set_active(pool, TRUE));
    for (guint i = 0; i < 50; i++) {
        GstBuffer *buffer;

        fail_unless_equals_int(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), GST_FLOW_OK);
        gst_buffer_memset(buffer, 0, i, 1000);
        push(buffer);
        if (held) {
            fail_unless_equals_int(((guint8 *)held->data)[0], i - 1);
            framebus_reader_release(reader, held);
        }
        held = frame_next();
        fail_unless_equals_int(((guint8 *)held->data)[0], i);
    }
    framebus_reader_release(reader, held);
    check_stats(50, 0);
    fail_unless(gst_buffer_pool_set_active(pool, FALSE));
    gst_object_unref(pool);
}
GST_END_TEST

GST_START_TEST(other_caps_may_come_while_payloads_are_out)
{
    GstBuffer *old[2] = {payload_new(1000, 1), payload_new(1000, 2)}, *new[2];
    GstAllocator *first = gst_object_ref(allocator);

    push(old[0]);
    check_frame(1000, 1);
    ask_for_allocator(BAYER); /* upstream has changed its mind, and an old payload is still on its way */
    new[0] = payload_new(2048, 3);
    push(old[1]);
    check_frame(1000, 2);
    gst_harness_set_src_caps_str(harness, BAYER);
    push(new[0]);
    check_frame(2048, 3);
    new[1] = payload_new(2048, 4);
    fail_unless(is_in_slot(new[1]));
    push(new[1]);
    check_frame(2048, 4);
    check_stats(2, 2);

    /* The old allocator does not give the bus its old format again. */
    old[0] = gst_buffer_new_allocate(first, 1000, NULL);
    fail_if(is_in_slot(old[0]));
    gst_buffer_unref(old[0]);
    push(payload_new(2048, 5));
    check_frame(2048, 5);
    check_stats(3, 2);
    gst_object_unref(first);
}
GST_END_TEST

GST_START_TEST(copies_have_the_caps_of_their_time)
{
    static const char *const texts[] = {JPEG, BAYER, JPEG};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        GstCaps *caps = gst_caps_from_string(texts[i]), *arrived;
        struct framebus_frame *frame;

        gst_harness_set_src_caps_str(harness, texts[i]);
        push(gst_buffer_new_allocate(NULL, 2048, NULL));
        frame = frame_next();
        arrived = gst_caps_from_string(frame->format->caps);
        fail_unless(gst_caps_is_equal(caps, arrived), "%s, not %s", frame->format->caps, texts[i]);
        framebus_reader_release(reader, frame);
        gst_caps_unref(caps);
        gst_caps_unref(arrived);
    }
    check_stats(0, 3);
}
GST_END_TEST

GST_START_TEST(payloads_outlive_the_sink)
{
    GstBuffer *buffer = payload_new(1000, 1), *late;

    stop();
    gst_buffer_memset(buffer, 0, 2, 1000);
    late = payload_new(1000, 3);
    fail_if(is_in_slot(late));
    gst_buffer_unref(buffer);
    gst_buffer_unref(late);
}
GST_END_TEST

static void lossless_setup(void)
{
    struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};

    start("framebussink bus=b lossless=true lossless-timeout=-1 history=2", JPEG);
    reader = reader_new(&options);
}

static gpointer allocate(gpointer count)
{
    for (guint i = 0; i < GPOINTER_TO_UINT(count); i++) {
        GstBuffer *buffer = payload_new(1000, i);

        gst_buffer_unref(buffer);
    }
    return NULL;
}

/* The reader takes nothing, so that there is no slot before it does. */
GST_START_TEST(a_flush_and_a_stop_end_waiting_for_a_slot)
{
    GstBuffer *ahead[3] = {payload_new(1000, 1), payload_new(1000, 2), payload_new(1000, 3)};
    GThread *thread;

    push(ahead[0]);
    push(ahead[1]);
    thread = g_thread_new("upstream", allocate, GUINT_TO_POINTER(1));
    fail_unless(gst_harness_push_event(harness, gst_event_new_flush_start()));
    g_thread_join(thread);
    fail_unless(gst_harness_push_event(harness, gst_event_new_flush_stop(TRUE)));

    thread = g_thread_new("upstream", allocate, GUINT_TO_POINTER(1));
    stop();
    g_thread_join(thread);
    gst_buffer_unref(ahead[2]);
}
GST_END_TEST

/* ---- Memory of upstream's own --------------------------------------------------------------- */

#define PAGE ((gsize)sysconf(_SC_PAGESIZE))
#define ROOM (128 * 1024)

static GstAllocator *descriptors;

static void foreign_setup(void)
{
    setup();
    descriptors = gst_dmabuf_allocator_new();
}

static void foreign_teardown(void)
{
    teardown();
    ASSERT_OBJECT_REFCOUNT(descriptors, "allocator", 1); /* all memory has come back */
    gst_clear_object(&descriptors);
}

/* A memfd, which the library treats like a DMA-BUF; tests/vm has real ones. */
static GstMemory *descriptor_new(gsize room)
{
    int fd = memfd_create("upstream", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    fail_unless(fd >= 0 && ftruncate(fd, (off_t)room) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    return gst_dmabuf_allocator_alloc(descriptors, fd, room);
}

static GstBuffer *filled(GstMemory *memory, gsize offset, gsize size, guint8 value)
{
    GstBuffer *buffer = gst_buffer_new();

    gst_buffer_append_memory(buffer, memory);
    gst_buffer_resize(buffer, (gssize)offset, (gssize)size);
    gst_buffer_memset(buffer, 0, value, size);
    return buffer;
}

static void check_shared(guint64 imported, guint64 copied)
{
    check_stats(imported, copied);
    fail_unless_equals_uint64(sink_stat("imported"), imported);
}

GST_START_TEST(a_payload_in_upstreams_memory_is_shared)
{
    push(filled(descriptor_new(ROOM), 0, 70000, 1));
    check_frame(70000, 1);
    push(filled(descriptor_new(ROOM), PAGE, 10, 2));
    check_frame(10, 2);
    push(filled(descriptor_new(4 * ROOM), 0, 4 * ROOM, 3));
    check_frame(4 * ROOM, 3);
    check_shared(3, 0);
}
GST_END_TEST

GST_START_TEST(framebussrc_delivers_what_is_in_upstreams_memory)
{
    GstHarness *other = gst_harness_new_parse("framebussrc bus=b");
    GstBuffer *buffer;
    GstMapInfo map;

    push(filled(descriptor_new(ROOM), 0, 70000, 1));
    gst_harness_play(other);
    buffer = gst_harness_pull(other);
    fail_unless(buffer && gst_buffer_map(buffer, &map, GST_MAP_READ));
    fail_unless_equals_uint64(map.size, 70000);
    fail_unless_equals_int(map.data[69999], 1);
    gst_buffer_unmap(buffer, &map);
    gst_buffer_unref(buffer);
    gst_harness_teardown(other);
    check_shared(1, 0);
}
GST_END_TEST

GST_START_TEST(upstream_gets_its_memory_back_when_no_reader_uses_it)
{
    GstMemory *memory = descriptor_new(ROOM);
    struct framebus_frame *frame;

    gst_memory_ref(memory);
    push(filled(memory, 0, 5000, 1));
    frame = frame_next();
    for (guint8 i = 2; i < 20; i++) {
        push(filled(descriptor_new(ROOM), 0, 5000, i));
        check_frame(5000, i);
    }
    fail_unless(GST_MINI_OBJECT_REFCOUNT_VALUE(memory) > 1);
    fail_unless_equals_int(((guint8 *)frame->data)[4999], 1);
    framebus_reader_release(reader, frame);
    for (guint8 i = 20; i < 30 && GST_MINI_OBJECT_REFCOUNT_VALUE(memory) > 1; i++) {
        push(filled(descriptor_new(ROOM), 0, 5000, i));
        check_frame(5000, i);
    }
    ASSERT_MINI_OBJECT_REFCOUNT(memory, "memory", 1);
    gst_memory_unref(memory);
    fail_unless_equals_uint64(sink_stat("copied"), 0);
}
GST_END_TEST

GST_START_TEST(what_the_bus_cannot_share_is_copied)
{
    GstBuffer *two = filled(descriptor_new(ROOM), 0, ROOM, 4);
    GstMemory *memory = descriptor_new(ROOM);

    push(filled(gst_memory_ref(memory), 0, 3000, 1));
    check_frame(3000, 1);
    push(filled(memory, 0, 3000, 1)); /* is on the bus already */
    check_frame(3000, 1);
    push(filled(descriptor_new(ROOM), 100, 3000, 2)); /* does not begin with a page */
    check_frame(3000, 2);
    push(filled(descriptor_new(2 * PAGE), 0, 2 * PAGE, 3)); /* is too small to be worth it */
    check_frame(2 * PAGE, 3);
    two = gst_buffer_append(two, filled(descriptor_new(ROOM), 0, 100, 4));
    push(two);
    check_frame(ROOM + 100, 4);
    check_shared(1, 4);
}
GST_END_TEST

/* Large payloads in ordinary memory, and small ones in upstream's: the bus does not change its pools for
 * each. */
GST_START_TEST(a_mixture_of_memories_does_not_change_the_bus_again_and_again)
{
    guint32 serial = 0;

    for (guint8 i = 1; i < 20; i++) {
        struct framebus_frame *frame;

        push(i % 2 ? filled(gst_allocator_alloc(NULL, 3 * ROOM, NULL), 0, 3 * ROOM, i)
                   : filled(descriptor_new(ROOM), 0, 5000, i));
        frame = frame_next();
        fail_unless_equals_uint64(frame->size, i % 2 ? 3 * ROOM : 5000);
        fail_unless_equals_int(((guint8 *)frame->data)[4999], i);
        serial = serial ? serial : frame->format_serial;
        fail_unless_equals_uint64(frame->format_serial, serial);
        framebus_reader_release(reader, frame);
    }
}
GST_END_TEST

/* A pool of a few such buffers, as cameras have them. */
typedef GstBufferPool JpegPool;
typedef GstBufferPoolClass JpegPoolClass;
static GType jpeg_pool_get_type(void);
G_DEFINE_TYPE(JpegPool, jpeg_pool, GST_TYPE_BUFFER_POOL)

static GstFlowReturn jpeg_alloc(GstBufferPool *pool G_GNUC_UNUSED, GstBuffer **buffer,
                                GstBufferPoolAcquireParams *params G_GNUC_UNUSED)
{
    *buffer = gst_buffer_new();
    gst_buffer_append_memory(*buffer, descriptor_new(ROOM));
    return GST_FLOW_OK;
}

static void jpeg_pool_class_init(JpegPoolClass *class)
{
    class->alloc_buffer = jpeg_alloc;
}

static void jpeg_pool_init(JpegPool *pool G_GNUC_UNUSED)
{
}

GST_START_TEST(a_camera_with_a_few_buffers_never_starves)
{
    GstBufferPool *camera = g_object_new(jpeg_pool_get_type(), NULL);
    GstStructure *config = gst_buffer_pool_get_config(camera);
    GstBufferPoolAcquireParams params = {.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT};
    guint32 serial = 0;

    gst_object_ref_sink(camera);
    gst_buffer_pool_config_set_params(config, NULL, ROOM, 5, 5);
    fail_unless(gst_buffer_pool_set_config(camera, config) && gst_buffer_pool_set_active(camera, TRUE));
    for (guint i = 1; i < 100; i++) {
        const gsize size = 1000 * (1 + i * 37 % 131); /* up to all of it */
        struct framebus_frame *frame;
        GstBuffer *buffer;

        fail_unless_equals_int(gst_buffer_pool_acquire_buffer(camera, &buffer, &params), GST_FLOW_OK);
        gst_buffer_memset(buffer, 0, i, size);
        gst_buffer_set_size(buffer, (gssize)size);
        push(buffer);
        frame = frame_next();
        fail_unless_equals_uint64(frame->size, size);
        fail_unless_equals_int(((guint8 *)frame->data)[size - 1], i);
        serial = serial ? serial : frame->format_serial;
        fail_unless_equals_uint64(frame->format_serial, serial);
        framebus_reader_release(reader, frame);
    }
    fail_unless(sink_stat("imported") > 30); /* the oldest that nobody holds comes home when it is needed */
    stop();
    fail_unless(gst_buffer_pool_set_active(camera, FALSE));
    gst_object_unref(camera);
}
GST_END_TEST

/* ---- Elements ------------------------------------------------------------------------------- */

static const struct {
    const char *element; /* it is about this one, which may not be installed */
    const char *pipeline;
} makers[] = {
    {"audiotestsrc", "audiotestsrc num-buffers=30"},
    {"audioconvert", "audiotestsrc num-buffers=30 ! audioconvert ! audio/x-raw,format=F32LE"},
    {"videotestsrc", "videotestsrc num-buffers=30 ! video/x-bayer,width=320,height=240"},
    {"videoconvert", "videotestsrc num-buffers=30 ! videoconvert ! video/x-raw,format=v210,width=98"},
    {"mulawenc", "audiotestsrc num-buffers=30 ! mulawenc"},
    {"opusenc", "audiotestsrc num-buffers=30 ! opusenc"},
    {"openh264enc", "videotestsrc num-buffers=30 ! video/x-raw,width=320,height=240 ! openh264enc"},
};

static void run_to_end(GstElement *pipeline)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *message =
        gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);

    fail_unless(message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS);
    gst_message_unref(message);
    gst_object_unref(bus);
}

GST_START_TEST(elements_write_payloads_in_place)
{
    GstElementFactory *factory = gst_element_factory_find(makers[__i__].element);
    g_autofree char *text =
        g_strdup_printf("%s ! framebussink name=s bus=b sync=false", makers[__i__].pipeline);
    GstElement *pipeline;

    if (!factory)
        return;
    gst_object_unref(factory);
    directory_setup();
    pipeline = pipeline_play(text);
    run_to_end(pipeline);
    fail_unless(stat_of(child(pipeline, "s"), "zero-copy") >= 30);
    fail_unless_equals_uint64(stat_of(child(pipeline, "s"), "copied"), 0);
    pipeline_end(pipeline);
    directory_teardown();
}
GST_END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("payload memory");
    TCase *slots = tcase_create("slots"), *lossless = tcase_create("lossless"),
          *foreign = tcase_create("foreign"), *elements = tcase_create("elements");

    tcase_add_checked_fixture(slots, setup, teardown);
    tcase_set_timeout(slots, 60);
    tcase_add_test(slots, a_payload_is_written_in_place_and_may_shrink);
    tcase_add_test(slots, payloads_of_any_size_come_out_as_they_went_in);
    tcase_add_test(slots, what_was_taken_before_a_larger_one_arrives_too);
    tcase_add_test(slots, who_keeps_too_many_gets_ordinary_memory);
    tcase_add_test(slots, a_payload_that_is_never_published_gives_its_slot_back);
    tcase_add_test(slots, alignment_prefix_and_padding_are_obeyed);
    tcase_add_test(slots, a_payload_that_does_not_begin_where_its_memory_does_is_copied);
    tcase_add_test(slots, nobody_writes_to_a_payload_that_is_on_the_bus);
    tcase_add_test(slots, a_pool_of_upstreams_own_does_not_use_a_published_memory_again);
    tcase_add_test(slots, other_caps_may_come_while_payloads_are_out);
    tcase_add_test(slots, copies_have_the_caps_of_their_time);
    tcase_add_test(slots, payloads_outlive_the_sink);
    suite_add_tcase(suite, slots);

    tcase_add_checked_fixture(lossless, lossless_setup, teardown);
    tcase_set_timeout(lossless, 60);
    tcase_add_test(lossless, a_flush_and_a_stop_end_waiting_for_a_slot);
    suite_add_tcase(suite, lossless);

    tcase_add_checked_fixture(foreign, foreign_setup, foreign_teardown);
    tcase_set_timeout(foreign, 60);
    tcase_add_test(foreign, a_payload_in_upstreams_memory_is_shared);
    tcase_add_test(foreign, framebussrc_delivers_what_is_in_upstreams_memory);
    tcase_add_test(foreign, upstream_gets_its_memory_back_when_no_reader_uses_it);
    tcase_add_test(foreign, what_the_bus_cannot_share_is_copied);
    tcase_add_test(foreign, a_mixture_of_memories_does_not_change_the_bus_again_and_again);
    tcase_add_test(foreign, a_camera_with_a_few_buffers_never_starves);
    suite_add_tcase(suite, foreign);

    tcase_set_timeout(elements, 120);
    tcase_add_loop_test(elements, elements_write_payloads_in_place, 0, G_N_ELEMENTS(makers));
    suite_add_tcase(suite, elements);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, suite);
}
