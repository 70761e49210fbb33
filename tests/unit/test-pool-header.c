/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "shared/pool_header.h"

#include <drm_fourcc.h>

#define COOKIE 0x1122334455667788

static struct framebus_format picture(void)
{
    struct framebus_format format;
    assert_int_equal(framebus_format_init(&format, DRM_FORMAT_NV12, 640, 480), 0);
    format.rate_num = 30;
    format.rate_den = 1;
    format.caps = "video/x-raw, format=(string)NV12";
    return format;
}

static struct layout_header planned(uint64_t capacity, uint32_t slots, uint32_t readable, uint64_t page)
{
    struct framebus_format format = picture();
    struct layout_header header;
    assert_int_equal(pool_header_plan(&header, &format, capacity, FRAMEBUS_META_DEFAULT, slots, readable,
                                      page, "/run/framebus/cam0"),
                     0);
    header.cookie = COOKIE;
    return header;
}

/* Everything that pool_header_check() promises, summed up without trusting it. */
static void assert_all_inside(const struct layout_header *h, uint64_t size)
{
    uint64_t slots_size, end;
    assert_uint_in_range(h->slots, 1, FRAMEBUS_SLOTS_MAX);
    assert_true(h->history >= 1 && h->ring_length >= h->history);
    assert_int_equal(h->ring_length & (h->ring_length - 1), 0);
    assert_false(__builtin_add_overflow(h->index_offset, 16 + 4 * (uint64_t)h->ring_length, &end));
    assert_true(end <= size && h->index_offset % 64 == 0);
    assert_false(__builtin_add_overflow(h->table_offset, 64 * (uint64_t)h->slots, &end));
    assert_true(end <= size && h->table_offset % 64 == 0);
    assert_false(__builtin_mul_overflow(h->slot_stride, (uint64_t)h->slots, &slots_size));
    assert_false(__builtin_add_overflow(h->data_offset, slots_size, &end));
    assert_true(end <= size && h->data_offset % 8 == 0 && h->slot_stride % 8 == 0);
    assert_false(__builtin_add_overflow(h->slot_capacity, (uint64_t)h->meta_max, &end));
    assert_true(h->meta_max <= FRAMEBUS_META_MAX && h->meta_max % 8 == 0);
    assert_true(end <= h->slot_stride && h->slot_capacity % 8 == 0);
    assert_true(h->format.size <= h->slot_capacity);
    assert_true(h->format.caps_size <= FRAMEBUS_CAPS_MAX);
    assert_false(__builtin_add_overflow(h->caps_offset, (uint64_t)h->format.caps_size, &end));
    assert_true(end <= size);
}

static void what_is_planned_passes_and_does_not_overlap(void **state)
{
    (void)state;
    static const uint64_t pages[] = {4096, 16384, 2 << 20};
    static const uint32_t slots[] = {1, 2, 33, 64, 1024};
    static const uint32_t readable[] = {1, 4, 5, 256, 1280};
    for (size_t p = 0; p < 3; p++)
        for (size_t s = 0; s < 5; s++)
            for (size_t r = 0; r < 5; r++) {
                struct layout_header h = planned(460800, slots[s], readable[r], pages[p]);
                assert_int_equal(pool_header_check(&h, h.region_size, COOKIE), 0);
                assert_all_inside(&h, h.region_size);
                assert_true(h.caps_offset >= sizeof h);
                assert_true(h.index_offset >= h.caps_offset + h.format.caps_size);
                assert_true(h.table_offset >= h.index_offset + 16 + 4 * h.ring_length);
                assert_true(h.data_offset >= h.table_offset + 64 * h.slots);
                assert_int_equal(h.data_offset % pages[p], 0);
                assert_int_equal(h.slot_stride % pages[p], 0);
                assert_int_equal(h.region_size % pages[p], 0);
                assert_true(h.ring_length >= 2 * readable[r]);
            }
}

static void metadata_takes_what_was_asked_for_behind_each_frame(void **state)
{
    (void)state;
    static const uint32_t wanted[] = {1, 8, 4096, 4097, FRAMEBUS_META_MAX - 1, FRAMEBUS_META_MAX};
    struct framebus_format format = picture();
    struct layout_header h;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_int_equal(pool_header_plan(&h, &format, format.size, wanted[i], 64, 4, 4096, "/x"), 0);
        h.cookie = COOKIE;
        assert_int_equal(pool_header_check(&h, h.region_size, COOKIE), 0);
        assert_all_inside(&h, h.region_size);
        assert_uint_in_range(h.meta_max, wanted[i], wanted[i] + 7);
        assert_true(h.slot_stride < h.slot_capacity + wanted[i] + 4096 + 8);
    }
}

static void pools_larger_than_any_machine_are_refused(void **state)
{
    (void)state;
    struct framebus_format format = picture();
    struct layout_header h;
    static const uint64_t sizes[] = {UINT64_MAX,        UINT64_MAX - 63,   UINT64_MAX - 4096, UINT64_MAX / 2,
                                     UINT64_C(1) << 63, UINT64_C(1) << 56, UINT64_C(1) << 50};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_fails(pool_header_plan(&h, &format, sizes[i], FRAMEBUS_META_MAX, 1024, 4, 4096, "/x"), ENOMEM,
                     "address space");
}

#define WITH(field, value)                                                                                   \
    ({                                                                                                       \
        struct layout_header changed_ = good;                                                                \
        changed_.field = (value);                                                                            \
        pool_header_check(&changed_, good.region_size, COOKIE);                                              \
    })

static void each_wrong_field_is_named(void **state)
{
    (void)state;
    const struct layout_header good = planned(460800, 8, 4, 4096);
    assert_fails(WITH(magic, good.magic + 1), EBADMSG, "not a framebus pool");
    assert_fails(WITH(abi, LAYOUT_ABI + 1), EPROTONOSUPPORT, "version 3");
    assert_fails(WITH(cookie, COOKIE + 1), EBADMSG, "another pool");
    assert_fails(WITH(region_size, good.region_size + 4096), EBADMSG, "region has");
    assert_fails(pool_header_check(&good, good.region_size - 4096, COOKIE), EBADMSG,
                 "region has"); /* cut off */
    assert_fails(WITH(slots, 0), EBADMSG, "0 slots");
    assert_fails(WITH(slots, FRAMEBUS_SLOTS_MAX + 1), EBADMSG, "1025 slots");
    assert_fails(WITH(slots, 9), EBADMSG, "slots are outside");
    assert_fails(WITH(history, 0), EBADMSG, "history of 0");
    assert_fails(WITH(history, UINT32_MAX), EBADMSG, "history of");
    assert_fails(WITH(history, good.ring_length + 1), EBADMSG, "ring");
    assert_fails(WITH(ring_length, 0), EBADMSG, "ring");
    assert_fails(WITH(ring_length, 12), EBADMSG, "ring");
    assert_fails(WITH(ring_length, 0x80000000), EBADMSG, "ring");
    assert_fails(WITH(index_offset, good.region_size), EBADMSG, "index");
    assert_fails(WITH(index_offset, UINT64_MAX - 63), EBADMSG, "index");
    assert_fails(WITH(index_offset, good.index_offset + 4), EBADMSG, "index");
    assert_fails(WITH(table_offset, good.region_size - 64), EBADMSG, "index");
    assert_fails(WITH(table_offset, UINT64_MAX - 63), EBADMSG, "index");
    assert_fails(WITH(data_offset, good.data_offset + 64), EBADMSG, "slots");
    assert_fails(WITH(data_offset, UINT64_MAX - 63), EBADMSG, "slots");
    assert_fails(WITH(slot_stride, good.slot_stride + 64), EBADMSG, "slots");
    assert_fails(WITH(slot_stride, UINT64_C(1) << 61), EBADMSG, "slots"); /* times 8 is 0 */
    assert_fails(WITH(slot_stride, 0), EBADMSG, "slots");
    assert_fails(WITH(slot_capacity, UINT64_MAX - 4095), EBADMSG, "slots"); /* plus metadata is 0 */
    assert_fails(WITH(slot_capacity, good.slot_stride), EBADMSG, "slots");
    assert_fails(WITH(meta_max, 1 << 20), EBADMSG, "slots"); /* more than there is room for */
    assert_fails(WITH(meta_max, FRAMEBUS_META_MAX + 8), EBADMSG, "1048584 bytes of metadata");
    assert_fails(WITH(meta_max, UINT32_MAX - 7), EBADMSG, "metadata");
    assert_fails(WITH(meta_max, 4095), EBADMSG, "4095 bytes of metadata");
    assert_fails(WITH(format.size, good.slot_capacity + 1), EBADMSG, "do not fit");
    assert_fails(WITH(format.caps_size, FRAMEBUS_CAPS_MAX + 1), EBADMSG, "caps");
    assert_fails(WITH(format.caps_size, UINT32_MAX), EBADMSG, "caps");
    assert_fails(WITH(caps_offset, good.region_size), EBADMSG, "caps");
    assert_fails(WITH(caps_offset, UINT64_MAX), EBADMSG, "caps");
}

static void nothing_that_passes_points_outside(void **state)
{
    (void)state;
    const struct layout_header good = planned(460800, 8, 4, 4096);
    uint64_t seed = 0xfeedface;
    unsigned passed = 0, refused = 0;
    for (unsigned round = 0; round < 300000; round++) {
        struct layout_header h = good;
        uint64_t *field64[] = {&h.caps_offset, &h.index_offset,  &h.table_offset, &h.data_offset,
                               &h.slot_stride, &h.slot_capacity, &h.format.size};
        uint32_t *field32[] = {&h.slots, &h.history, &h.ring_length, &h.format.caps_size, &h.meta_max};
        for (unsigned changes = 1 + odd_number(&seed) % 3; changes; changes--) {
            uint64_t value = odd_number(&seed), which = odd_number(&seed) % 12;
            if (which < 7)
                *field64[which] = odd_number(&seed) % 2 ? value : value / 64 * 64;
            else
                *field32[which - 7] = (uint32_t)value;
        }
        if (pool_header_check(&h, good.region_size, COOKIE)) {
            refused++;
            continue;
        }
        passed++;
        assert_all_inside(&h, good.region_size);
    }
    assert_true(passed > 1000 && refused > 1000);
}

static void formats_survive_the_way_through_the_pool(void **state)
{
    (void)state;
    struct framebus_format format = picture(), back;
    format.color = (struct framebus_color){1, 2, 3, 1};
    format.aspect_num = format.aspect_den = 1;
    format.orientation = FRAMEBUS_ORIENTATION_MIRROR_90;
    struct layout_format stored;
    format_store(&stored, &format);
    assert_int_equal(stored.caps_size, strlen(format.caps) + 1);
    assert_int_equal(format_load(&back, &stored, format.caps), 0);
    assert_true(framebus_format_equal(&format, &back));

    format.caps = "";
    format_store(&stored, &format);
    assert_int_equal(stored.caps_size, 0);
    assert_int_equal(format_load(&back, &stored, NULL), 0);
    assert_null(back.caps);
}

static void formats_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct framebus_format format = picture(), back;
    struct layout_format stored;
    format_store(&stored, &format);
    assert_fails(format_load(&back, &stored, "video/x-raw, format=(string)NV12 "), EBADMSG, "does not end");
    stored.width = 0;
    assert_fails(format_load(&back, &stored, format.caps), EBADMSG, "width 0");
    format_store(&stored, &format);
    stored.fourcc = 0x0a0d0a0d;
    assert_fails(format_load(&back, &stored, format.caps), EBADMSG, "0x0a0d0a0d");
    format_store(&stored, &format);
    stored.offset[1] = UINT64_MAX;
    assert_fails(format_load(&back, &stored, format.caps), EBADMSG, "plane 1");
    format_store(&stored, &format);
    stored.color[3] = 200;
    assert_fails(format_load(&back, &stored, format.caps), EBADMSG, "range 200");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_planned_passes_and_does_not_overlap),
        cmocka_unit_test(metadata_takes_what_was_asked_for_behind_each_frame),
        cmocka_unit_test(pools_larger_than_any_machine_are_refused),
        cmocka_unit_test(each_wrong_field_is_named),
        cmocka_unit_test(nothing_that_passes_points_outside),
        cmocka_unit_test(formats_survive_the_way_through_the_pool),
        cmocka_unit_test(formats_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
