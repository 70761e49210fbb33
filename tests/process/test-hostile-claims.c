/* SPDX-License-Identifier: MIT */
/* Readers that write anything into their page: they are evicted, and nobody else notices. */
#include "fake-reader.h"

#include "shared/counter.h"

/* ---- claims ---- */

static void a_reader_that_claims_more_than_its_quota_is_thrown_out(void)
{
    struct good good = begin_well(&calm);
    static const uint32_t bits[] = {0x7, 0xffffffff, 0x80010001};
    for (int i = 0; i < 3; i++) {
        struct fake_reader v = fake_reader_attach(2, 0);
        store_ordered(&v.page->claims[0], bits[i]);
        store_ordered(&v.page->claims[1], bits[i]);
        fake_reader_expect_refusal(v.socket, EDQUOT, "more than the 2 frames");
        check_equal(THROWN_OUT, i + 1);
        fake_reader_detach(&v);
    }
    struct framebus_bus_info *info;
    check_equal(framebus_query("bus", &info), 0);
    check_equal(info->evicted, 3);
    check_equal(info->readers, 1);
    framebus_info_free(info, 1);
    end_well(&good);
}

static void a_reader_may_claim_what_its_quota_allows_and_the_writer_goes_on(void)
{
    /* As tight as it can be: 4 + 1 + 1 slots, two for the good reader and two for this one. */
    const struct writing tight = {.options = {.history = 4, .max_lends = 1, .max_slots = 10},
                                  .interval_ns = 5 * MS};
    pid_t writer = spawn(write_and_count, &tight);
    check_soon(shared->writer.ready == 1);
    pid_t reader = start_reader(&(struct reading){0});
    struct fake_reader v = fake_reader_attach(2, 0);
    for (uint32_t i = 0; i < 200; i++) { /* claims wander over all slots */
        store_ordered(&v.page->claims[0], 1u << (i % 10) | 1u << ((i * 7 + 3) % 10));
        sleep_ns(2 * MS);
    }
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 20);
    check_soon(shared->reader[0].last > now);
    close(v.socket);
    fake_reader_detach(&v);
    finish(reader, &shared->reader[0]);
    check_equal(shared->reader[0].wrong, 0);
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0); /* begin has always found a slot */
}

static void a_reader_that_scribbles_over_its_page_hurts_only_itself(void)
{
    struct good good = begin_well(&calm);
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 5; round++) {
        struct fake_reader v = fake_reader_attach(round % 2 ? 30 : 2, 0);
        shared_u32 *words = (shared_u32 *)v.page;
        int64_t until = now_ns() + 200 * MS;
        while (now_ns() < until) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            store_ordered(&words[seed % (READER_PAGE_SIZE / 4)], (uint32_t)(seed >> 32));
        }
        close(v.socket);
        fake_reader_detach(&v);
        int rounds = 0;
        check_soon(({
            struct framebus_bus_info *info;
            check_equal(framebus_query("bus", &info), 0);
            rounds = (int)info->readers;
            framebus_info_free(info, 1);
            rounds == 1;
        }));
    }
    end_well(&good);
}

static void a_lossless_reader_that_lies_about_where_it_is_cannot_stop_the_writer(void)
{
    struct writing lossless = calm;
    lossless.options.lossless = true;
    lossless.options.lossless_timeout_ns = 100 * MS;
    struct good good = begin_well(&lossless);
    struct fake_reader v = fake_reader_attach(2, FRAMEBUS_DELIVERY_LOSSLESS);
    static const uint32_t lies[] = {0, 0x7fffffff, 0x80000000, UINT32_MAX, 1000000};
    for (int i = 0; i < 5; i++) {
        store_ordered(&v.page->next, lies[i]);
        uint64_t now = shared->writer.frames;
        check_soon(shared->writer.frames > now + 10);
    }
    close(v.socket);
    fake_reader_detach(&v);
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 3);
    finish(good.reader, &shared->reader[0]);
    check_equal(shared->reader[0].wrong, 0);
    finish(good.writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

/* ---- counters ---- */

static void a_count_beyond_32_bits_is_told_whole(void)
{
    static const uint64_t counts[] = {UINT32_MAX, UINT64_C(1) << 32, (UINT64_C(5) << 32) + 7, UINT64_MAX};
    struct good good = begin_well(&calm);
    struct fake_reader v = fake_reader_attach(2, 0);
    for (int i = 0; i < 4; i++) {
        struct framebus_bus_info *info;
        counter_store(&v.page->taken, counts[i]);
        counter_store(&v.page->missed, counts[3 - i]);
        check_equal(framebus_query("bus", &info), 0);
        check_equal(info->readers, 2);
        check_equal(info->reader[1].taken, counts[i]);
        check_equal(info->reader[1].missed, counts[3 - i]);
        check(info->reader[0].id != info->reader[1].id);
        framebus_info_free(info, 1);
    }
    close(v.socket);
    fake_reader_detach(&v);
    end_well(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_reader_that_claims_more_than_its_quota_is_thrown_out),
        PROCESS_TEST(a_reader_may_claim_what_its_quota_allows_and_the_writer_goes_on),
        PROCESS_TEST(a_reader_that_scribbles_over_its_page_hurts_only_itself),
        PROCESS_TEST(a_lossless_reader_that_lies_about_where_it_is_cannot_stop_the_writer),
        PROCESS_TEST(a_count_beyond_32_bits_is_told_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
