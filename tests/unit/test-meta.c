/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "frame.h"
#include "shared/atomic.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define TAG(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define TAG_A           TAG('T', 'S', 'T', 'A')
#define TAG_B           TAG('T', 'S', 'T', 'B')
#define ROOM            FRAMEBUS_META_DEFAULT

/* Metadata that ends where the mapping does: one byte too far is a SIGSEGV. */
static int map_frame(void **state)
{
    static struct frame frame;
    uint8_t *base = mmap(NULL, 2 * ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base, ROOM, PROT_READ | PROT_WRITE))
        return -1;
    memset(base, 0xa5, ROOM);
    frame = (struct frame){.meta = base, .meta_max = ROOM, .meta_backed = ROOM, .state = FRAME_LENT};
    *state = &frame;
    return 0;
}

static int unmap_frame(void **state)
{
    struct frame *frame = *state;
    return munmap(frame->meta, 2 * ROOM);
}

static void put_head(struct frame *frame, uint32_t at, uint32_t tag, uint32_t size)
{
    memcpy(frame->meta + at, &tag, 4);
    memcpy(frame->meta + at + 4, &size, 4);
}

static void blocks_come_back_by_tag_and_index(void **state)
{
    struct frame *frame = *state;
    struct framebus_frame *f = &frame->public;
    size_t size = 99;
    assert_null(framebus_frame_get_meta(f, TAG_A, 0, &size));
    assert_int_equal(size, 0);

    assert_int_equal(framebus_frame_add_meta(f, TAG_A, "one", 3), 0);
    assert_int_equal(framebus_frame_add_meta(f, TAG_B, NULL, 0), 0);
    assert_int_equal(framebus_frame_add_meta(f, TAG_A, "eighteen", 8), 0);
    assert_int_equal(framebus_frame_add_meta(f, 0, "zero is a tag", 13), 0);
    assert_int_equal(frame->meta_size, 16 + 8 + 16 + 24);

    const void *data = framebus_frame_get_meta(f, TAG_A, 0, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "one\0\0\0\0\0", 8); /* padding does not tell what was there before */
    assert_int_equal((uintptr_t)data % 8, 0);
    data = framebus_frame_get_meta(f, TAG_A, 1, &size);
    assert_int_equal(size, 8);
    assert_memory_equal(data, "eighteen", 8);
    assert_int_equal((uintptr_t)data % 8, 0);
    assert_non_null(framebus_frame_get_meta(f, TAG_B, 0, &size));
    assert_int_equal(size, 0);
    assert_non_null(framebus_frame_get_meta(f, 0, 0, &size));
    assert_int_equal(size, 13);
    assert_non_null(framebus_frame_get_meta(f, 0, 0, NULL));
    assert_null(framebus_frame_get_meta(f, TAG_A, 2, &size));
    assert_null(framebus_frame_get_meta(f, TAG_A, UINT32_MAX, &size));
    assert_null(framebus_frame_get_meta(f, TAG('n', 'o', 'n', 'e'), 0, &size));
    assert_null(framebus_frame_get_meta(NULL, TAG_A, 0, &size));
}

static void room_is_used_to_the_last_byte(void **state)
{
    struct frame *frame = *state;
    struct framebus_frame *f = &frame->public;
    static const uint8_t data[ROOM] = {7};
    assert_fails(framebus_frame_add_meta(f, TAG_A, data, ROOM - 7), ENOSPC, "meta_size");
    assert_int_equal(framebus_frame_add_meta(f, TAG_A, data, ROOM - 8 - 24), 0);
    assert_fails(framebus_frame_add_meta(f, TAG_B, data, 17), ENOSPC, "24 of 4096 that are left");
    assert_int_equal(framebus_frame_add_meta(f, TAG_B, data, 15), 0); /* padded to the end */
    assert_int_equal(frame->meta_size, ROOM);
    assert_fails(framebus_frame_add_meta(f, TAG_B, NULL, 0), ENOSPC, "0 of 4096 that are left");
    size_t size;
    assert_non_null(framebus_frame_get_meta(f, TAG_B, 0, &size));
    assert_int_equal(size, 15);
}

static void sizes_that_wrap_are_refused(void **state)
{
    struct frame *frame = *state;
    static const size_t sizes[] = {SIZE_MAX,     SIZE_MAX - 7,
                                   SIZE_MAX - 8, SIZE_MAX > UINT32_MAX ? (size_t)UINT32_MAX + 1 : SIZE_MAX,
                                   UINT32_MAX,   4089};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_int_equal(framebus_frame_add_meta(&frame->public, TAG_A, "x", sizes[i]), -ENOSPC);
    assert_int_equal(frame->meta_size, 0);
    assert_fails(framebus_frame_add_meta(&frame->public, TAG_A, NULL, 1), EINVAL, "data");
    assert_fails(framebus_frame_add_meta(NULL, TAG_A, "x", 1), EINVAL, "frame");
}

static void only_a_lent_frame_takes_metadata(void **state)
{
    struct frame *frame = *state;
    frame->state = FRAME_PUBLISHED;
    frame->public.sequence = 4711;
    assert_fails(framebus_frame_add_meta(&frame->public, TAG_A, "x", 1), EALREADY, "4711");
    frame->state = FRAME_READ;
    assert_fails(framebus_frame_add_meta(&frame->public, TAG_A, "x", 1), EINVAL, "writer's");
    frame->state = FRAME_FREE;
    assert_fails(framebus_frame_add_meta(&frame->public, TAG_A, "x", 1), EINVAL, "writer's");
    assert_int_equal(frame->meta_size, 0);
}

static void the_time_of_another_clock_is_a_block(void **state)
{
    struct frame *frame = *state;
    struct framebus_frame *f = &frame->public;
    struct framebus_clock_time time = {.ns = INT64_C(1700000000123456789), .error_ns = 100}, told;
    assert_fails(framebus_frame_get_clock_time(f, 0, &told), ENODATA, "another clock");
    assert_fails(framebus_frame_set_clock_time(f, &time), EINVAL, "clock 0");
    time.clock = FRAMEBUS_CLOCK_TAI;
    assert_int_equal(framebus_frame_set_clock_time(f, &time), 0);
    assert_int_equal(framebus_frame_get_clock_time(f, 0, &told), 0);
    assert_memory_equal(&told, &time, sizeof time);
    assert_memory_equal(frame->meta, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "fbct" : "tcbf", 4);

    time = (struct framebus_clock_time){.ns = 5, .clock = FRAMEBUS_CLOCK_REALTIME};
    assert_fails(framebus_frame_get_clock_time(f, FRAMEBUS_CLOCK_REALTIME, &told), ENODATA, "this clock");
    assert_int_equal(framebus_frame_set_clock_time(f, &time), 0);
    assert_int_equal(framebus_frame_get_clock_time(f, FRAMEBUS_CLOCK_REALTIME, &told), 0);
    assert_memory_equal(&told, &time, sizeof time);
    assert_int_equal(framebus_frame_get_clock_time(f, 0, &told), 0);
    assert_int_equal(told.clock, FRAMEBUS_CLOCK_TAI);

    frame->meta_size = 24;
    frame->state = FRAME_READ; /* what a writer of another kind may leave */
    put_head(frame, 0, FRAMEBUS_META_CLOCK_TIME, 15);
    assert_fails(framebus_frame_get_clock_time(f, 0, &told), ENODATA, "another clock");
    put_head(frame, 0, FRAMEBUS_META_CLOCK_TIME, 16);
    frame->meta[16] = frame->meta[19] = 77;
    assert_fails(framebus_frame_get_clock_time(f, 0, &told), ENODATA, "another clock");
}

static void flags_are_named(void **state)
{
    char text[80], little[12];
    (void)state;
    assert_string_equal(framebus_flags_describe(0, text, sizeof text), "");
    assert_string_equal(
        framebus_flags_describe(FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF | FRAMEBUS_FRAME_RFF, text,
                                sizeof text),
        "interlaced, tff, rff");
    assert_string_equal(framebus_flags_describe(FRAMEBUS_FRAME_FIRST_IN_BUNDLE | 1u << 31, text, sizeof text),
                        "first in bundle, 0x80000000");
    assert_string_equal(framebus_flags_describe(UINT32_MAX, little, sizeof little), "discont, de");
    assert_null(framebus_flags_describe(1, NULL, 5));
}

static void malformed_blocks_end_the_search(void **state)
{
    struct frame *frame = *state;
    struct framebus_frame *f = &frame->public;
    size_t size;
    frame->state = FRAME_READ;

    static const uint32_t wrong[] = {4089, 4096, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffff9, 0xffffffff};
    frame->meta_size = ROOM;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put_head(frame, 0, TAG_B, wrong[i]);
        put_head(frame, 8, TAG_A, 8);
        assert_null(framebus_frame_get_meta(f, TAG_A, 0, &size));
        assert_null(framebus_frame_get_meta(f, TAG_B, 0, &size));
        assert_int_equal(size, 0);
    }

    /* A head that is cut off, which is refused; and bytes whose padding is cut off, which are kept. */
    memset(frame->meta, 0, ROOM);
    frame->meta_size = ROOM - 1;
    put_head(frame, 0, TAG_B, ROOM - 16);
    put_head(frame, ROOM - 8, TAG_A, 0);
    assert_null(framebus_frame_get_meta(f, TAG_A, 0, &size));
    frame->meta_size = 8 + 5;
    put_head(frame, 0, TAG_A, 5);
    assert_non_null(framebus_frame_get_meta(f, TAG_A, 0, &size));
    assert_int_equal(size, 5);
    assert_null(framebus_frame_get_meta(f, TAG_A, 1, &size));

    /* As many empty blocks as there can be. */
    memset(frame->meta, 0, ROOM);
    frame->meta_size = ROOM;
    assert_non_null(framebus_frame_get_meta(f, 0, ROOM / 8 - 1, &size));
    assert_null(framebus_frame_get_meta(f, 0, ROOM / 8, &size));
}

static void what_is_found_lies_inside_whatever_the_bytes(void **state)
{
    struct frame *frame = *state;
    frame->state = FRAME_READ;
    uint64_t seed = 0xc0ffee123456789;
    unsigned found = 0;
    for (unsigned round = 0; round < 20000; round++) {
        for (uint32_t at = 0; at < ROOM; at += 8)
            put_head(frame, at, (uint32_t)odd_number(&seed) % 4, (uint32_t)odd_number(&seed) % 5000);
        frame->meta_size = (uint32_t)(odd_number(&seed) % (ROOM + 1));
        for (uint32_t tag = 0; tag < 4; tag++) {
            size_t size;
            const uint8_t *data = framebus_frame_get_meta(&frame->public, tag, round % 3, &size);
            if (!data)
                continue;
            found++;
            assert_true(data >= frame->meta + 8 && size <= frame->meta_size);
            assert_true(data + size <= frame->meta + frame->meta_size);
        }
    }
    assert_true(found > 1000);
}

struct liar {
    uint8_t *meta;
    atomic_bool stop;
};

static void *change_sizes(void *user)
{
    struct liar *liar = user;
    for (uint32_t n = 0; !atomic_load(&liar->stop); n++)
        store_relaxed((shared_u32 *)(liar->meta + 4), n & 1 ? 8 : 0xfffffff0u - n % 4096);
    return NULL;
}

static void sizes_that_change_meanwhile_are_believed_once(void **state)
{
    struct frame *frame = *state;
    frame->state = FRAME_READ;
    memset(frame->meta, 0, ROOM);
    put_head(frame, 0, TAG_A, 8);
    frame->meta_size = ROOM;
    struct liar liar = {.meta = frame->meta};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, change_sizes, &liar), 0);
    size_t largest = 0;
    for (unsigned round = 0; round < 2000000; round++) {
        size_t size;
        framebus_frame_get_meta(&frame->public, TAG_A, 0, &size);
        if (size > largest)
            largest = size;
    }
    atomic_store(&liar.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_uint_in_range(largest, 0, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_come_back_by_tag_and_index, map_frame, unmap_frame),
        cmocka_unit_test_setup_teardown(room_is_used_to_the_last_byte, map_frame, unmap_frame),
        cmocka_unit_test_setup_teardown(sizes_that_wrap_are_refused, map_frame, unmap_frame),
        cmocka_unit_test_setup_teardown(only_a_lent_frame_takes_metadata, map_frame, unmap_frame),
        cmocka_unit_test_setup_teardown(the_time_of_another_clock_is_a_block, map_frame, unmap_frame),
        cmocka_unit_test(flags_are_named),
        cmocka_unit_test_setup_teardown(malformed_blocks_end_the_search, map_frame, unmap_frame),
        cmocka_unit_test_setup_teardown(what_is_found_lies_inside_whatever_the_bytes, map_frame, unmap_frame),
        cmocka_unit_test_setup_teardown(sizes_that_change_meanwhile_are_believed_once, map_frame,
                                        unmap_frame),
    };
    return cmocka_run_group_tests_name("meta", tests, NULL, NULL);
}
