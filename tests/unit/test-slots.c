/* SPDX-License-Identifier: MIT */
#include "../emulated.h"
#include "unit.h"

#include "shared/slots.h"

#include <pthread.h>
#include <stdatomic.h>

#define READERS_MAX 8

/* A pool's index, a writer's side of it and a few readers' sides, all in this process. */
struct bus {
    struct slots slots;
    struct layout_index *index;
    struct layout_slot *table;
    struct slot_note *note;
    uint32_t ring_length;
    struct slots_reader reader[READERS_MAX];
    struct layout_reader *page;
    struct slots_view view[READERS_MAX];
    uint32_t readers;
};

static void open_bus(struct bus *bus, uint32_t limit, uint32_t history)
{
    *bus = (struct bus){.ring_length = 1};
    while (bus->ring_length < 2 * history)
        bus->ring_length *= 2;
    bus->index = calloc(1, sizeof *bus->index + bus->ring_length * sizeof(shared_u32));
    bus->table = calloc(limit, sizeof *bus->table);
    bus->note = calloc(limit, sizeof *bus->note);
    bus->page = calloc(READERS_MAX, sizeof *bus->page);
    assert_true(bus->index && bus->table && bus->note && bus->page);
    slots_init(&bus->slots, bus->index, bus->table, bus->note, limit, history, bus->ring_length);
}

static void close_bus(struct bus *bus)
{
    free(bus->index);
    free(bus->table);
    free(bus->note);
    free(bus->page);
}

static uint32_t join(struct bus *bus, uint32_t quota)
{
    uint32_t r = bus->readers++;
    slots_join(&bus->slots, &bus->reader[r], &bus->page[r], quota);
    bus->view[r] = (struct slots_view){
        .index = bus->index,
        .table = bus->table,
        .page = &bus->page[r],
        .limit = bus->slots.limit,
        .history = bus->slots.history,
        .ring_mask = bus->ring_length - 1,
    };
    return r;
}

/* As begin does it: a slot that never had memory when no other is free. */
static int take(struct bus *bus)
{
    int slot = slots_acquire(&bus->slots);
    if (slot == -EAGAIN && bus->slots.touched < bus->slots.limit) {
        slots_touch(&bus->slots);
        slot = slots_acquire(&bus->slots);
    }
    return slot;
}

static int publish_one(struct bus *bus)
{
    int slot = take(bus);
    if (slot < 0)
        return slot;
    struct layout_record record = {.size = bus->slots.published};
    slots_publish(&bus->slots, (uint32_t)slot, &record);
    slots_release(&bus->slots, (uint32_t)slot);
    return slot;
}

static uint32_t newest(const struct bus *bus)
{
    return (uint32_t)(bus->slots.published - 1) & NUMBER_MASK;
}

/* ---- one at a time ---- */

static void a_frame_goes_from_take_to_claim(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 8, 2);
    uint32_t r = join(&bus, 2);
    assert_int_equal(slots_acquire(&bus.slots), -EAGAIN); /* nothing has memory yet */
    slots_touch(&bus.slots);
    int slot = slots_acquire(&bus.slots);
    assert_int_equal(slot, 0);
    assert_int_equal(bus.slots.lent, 1);
    assert_int_equal(slots_filled(&bus.view[r], 0), 0);

    struct layout_record record = {.size = 123, .capture_ns = 456};
    slots_publish(&bus.slots, 0, &record);
    assert_int_equal(slots_filled(&bus.view[r], 0), 1);
    assert_int_equal(slots_claim(&bus.view[r], 0), 0);
    assert_int_equal(bus.table[0].record.size, 123);
    assert_int_equal(bus.table[0].record.capture_ns, 456);
    assert_int_equal(slots_held(&bus.slots, &bus.reader[r]), 1);

    slots_release(&bus.slots, 0);
    assert_int_equal(bus.slots.lent, 0);
    assert_int_equal(slots_claim(&bus.view[r], 0), -EBADMSG); /* it is held already */
    slots_unclaim(&bus.view[r], 0);
    assert_int_equal(slots_held(&bus.slots, &bus.reader[r]), 0);
    close_bus(&bus);
}

static void published_slots_stay_for_the_length_of_history(void **state)
{
    (void)state;
    for (uint32_t history = 1; history <= 5; history++) {
        struct bus bus;
        open_bus(&bus, 32, history);
        uint32_t r = join(&bus, 2);
        for (unsigned n = 0; n < 100; n++) {
            assert_true(publish_one(&bus) >= 0);
            for (uint32_t age = 0; age < history && age <= n; age++) {
                int slot = slots_claim(&bus.view[r], newest(&bus) - age);
                assert_true(slot >= 0);
                assert_int_equal(bus.table[slot].record.size, n - age);
                slots_unclaim(&bus.view[r], (uint32_t)slot);
            }
        }
        assert_int_equal(bus.slots.touched, history + 1); /* and no more memory than that */
        close_bus(&bus);
    }
}

static void a_frame_that_is_gone_is_not_claimed(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 8, 2);
    uint32_t r = join(&bus, 2);
    for (unsigned n = 0; n < 20; n++)
        publish_one(&bus);
    for (uint32_t number = 0; number < 17; number++) {
        assert_int_equal(slots_claim(&bus.view[r], number), -EAGAIN);
        assert_int_equal(slots_held(&bus.slots, &bus.reader[r]), 0); /* the try leaves no claim */
    }
    assert_true(slots_claim(&bus.view[r], 19) >= 0);
    close_bus(&bus);
}

static void a_claimed_slot_is_not_taken(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 8, 1);
    uint32_t r = join(&bus, 1);
    publish_one(&bus);
    int held = slots_claim(&bus.view[r], 0);
    assert_int_equal(held, 0);
    for (unsigned n = 0; n < 50; n++)
        assert_int_not_equal(publish_one(&bus), held);
    assert_int_equal(bus.table[held].record.size, 0); /* unchanged all the while */
    slots_unclaim(&bus.view[r], (uint32_t)held);
    assert_int_equal(bus.slots.touched, 3);
    close_bus(&bus);
}

static void a_lent_slot_is_not_taken_even_if_published(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 8, 1);
    int lent = take(&bus);
    slots_publish(&bus.slots, (uint32_t)lent, &(struct layout_record){0});
    for (unsigned n = 0; n < 20; n++)
        assert_int_not_equal(publish_one(&bus), lent);
    slots_release(&bus.slots, (uint32_t)lent);
    assert_int_equal(bus.slots.lent, 0);
    close_bus(&bus);
}

static void an_unpublished_slot_holds_nothing(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 2, 1);
    uint32_t r = join(&bus, 1);
    publish_one(&bus);
    publish_one(&bus);
    int slot = take(&bus); /* the slot of frame 0 */
    slots_release(&bus.slots, (uint32_t)slot);
    assert_int_equal(slots_claim(&bus.view[r], 0), -EAGAIN);
    assert_true(slots_claim(&bus.view[r], 1) >= 0);
    close_bus(&bus);
}

static void of_the_free_slots_the_last_used_comes_first(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 8, 1);
    int slot[4];
    for (int i = 0; i < 4; i++)
        slot[i] = take(&bus);
    for (int i = 0; i < 4; i++) {
        slots_publish(&bus.slots, (uint32_t)slot[i], &(struct layout_record){0});
        slots_release(&bus.slots, (uint32_t)slot[i]);
    }
    assert_int_equal(slots_acquire(&bus.slots), slot[2]); /* 3 is history */
    assert_int_equal(slots_acquire(&bus.slots), slot[1]);
    assert_int_equal(slots_acquire(&bus.slots), slot[0]);
    assert_int_equal(slots_acquire(&bus.slots), -EAGAIN);
    close_bus(&bus);
}

static void numbers_wrap_after_two_thousand_million_frames(void **state)
{
    (void)state;
    assert_int_equal(number_distance(NUMBER_MASK, 0), 1);
    assert_int_equal(number_distance(0, NUMBER_MASK), NUMBER_MASK);
    assert_int_equal(version_of(NUMBER_MASK), UINT32_MAX);

    struct bus bus;
    open_bus(&bus, 16, 3);
    uint32_t r = join(&bus, 2);
    bus.slots.published = (UINT64_C(1) << 31) - 10;
    store_relaxed(&bus.index->head, (uint32_t)bus.slots.published & NUMBER_MASK);
    uint32_t next = (uint32_t)bus.slots.published & NUMBER_MASK;
    for (unsigned n = 0; n < 20; n++) {
        assert_int_equal(slots_filled(&bus.view[r], next), 0);
        publish_one(&bus);
        assert_int_equal(slots_filled(&bus.view[r], next), 1);
        int slot = slots_claim(&bus.view[r], next);
        assert_true(slot >= 0);
        assert_int_equal(bus.table[slot].record.size, (UINT64_C(1) << 31) - 10 + n);
        slots_unclaim(&bus.view[r], (uint32_t)slot);
        next = (next + 1) & NUMBER_MASK;
    }
    assert_int_equal(next, 10);
    assert_int_equal(load_relaxed(&bus.index->head), 10);
    for (uint32_t age = 1; age <= 3; age++) {
        int slot = slots_claim(&bus.view[r], (next - age) & NUMBER_MASK);
        assert_true(slot >= 0);
        slots_unclaim(&bus.view[r], (uint32_t)slot);
    }
    assert_int_equal(slots_claim(&bus.view[r], (next - 10) & NUMBER_MASK), -EAGAIN);
    close_bus(&bus);
}

/* ---- readers that do not behave ---- */

static void one_that_holds_more_than_its_quota_is_expelled(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 16, 2);
    uint32_t good = join(&bus, 2), bad = join(&bus, 2);
    for (unsigned n = 0; n < 4; n++)
        publish_one(&bus);
    int kept = slots_claim(&bus.view[good], newest(&bus));
    store_relaxed(&bus.page[bad].claims[0], 7);
    assert_true(take(&bus) >= 0);
    assert_true(bus.reader[bad].evicted);
    assert_false(bus.reader[good].evicted);

    store_relaxed(&bus.page[bad].claims[0], UINT32_MAX); /* its claims count no more */
    for (unsigned n = 0; n < 50; n++)
        assert_int_not_equal(publish_one(&bus), kept);
    assert_uint_in_range(bus.slots.touched, 1, 6);
    slots_leave(&bus.slots, &bus.reader[bad]);
    slots_leave(&bus.slots, &bus.reader[bad]); /* twice is fine */
    slots_leave(&bus.slots, &bus.reader[good]);
    assert_null(bus.slots.readers);
    close_bus(&bus);
}

static void one_that_holds_its_quota_is_not(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 64, 4);
    uint32_t r = join(&bus, 4);
    for (unsigned n = 0; n < 200; n++) {
        assert_true(publish_one(&bus) >= 0);
        if (n % 50 == 3)
            for (uint32_t age = 0; age < 4; age++)
                assert_true(slots_claim(&bus.view[r], newest(&bus) - age) >= 0);
        if (n % 50 == 49)
            for (uint32_t slot = 0; slot < 64; slot++)
                slots_unclaim(&bus.view[r], slot);
    }
    assert_false(bus.reader[r].evicted);
    close_bus(&bus);
}

struct fidget {
    struct layout_reader *page;
    atomic_bool over;
};

static void *keep_moving(void *user)
{
    struct fidget *fidget = user;
    while (!atomic_load(&fidget->over))
        for (uint32_t word = 0; word < FRAMEBUS_SLOTS_MAX / 32; word++)
            atomic_fetch_xor(&fidget->page->claims[word], 1);
    return NULL;
}

/* No two looks at its claims agree, so it is not certain how many it has at one moment. */
static void one_that_claims_all_slots_and_fidgets_does_not_starve_the_writer(void **state)
{
    (void)state;
    enum { LIMIT = FRAMEBUS_SLOTS_MAX };
    struct bus bus;
    open_bus(&bus, LIMIT, 1);
    for (uint32_t i = 0; i < LIMIT; i++)
        slots_touch(&bus.slots);
    for (uint32_t i = 0; i < LIMIT; i += 32) /* those that it lets go of now and then */
        bus.note[i].lent = true;
    uint32_t r = join(&bus, 2);
    for (uint32_t word = 0; word < LIMIT / 32; word++)
        store_ordered(&bus.page[r].claims[word], UINT32_MAX - 1);
    struct fidget fidget = {.page = &bus.page[r]};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, keep_moving, &fidget), 0);
    int starved = 0;
    for (int round = 0; round < 20000; round++) {
        int slot = slots_acquire(&bus.slots);
        starved += slot < 0;
        if (slot >= 0)
            slots_release(&bus.slots, (uint32_t)slot);
        bus.reader[r].evicted = false; /* the next one does the same */
    }
    atomic_store(&fidget.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(starved, 0);
    close_bus(&bus);
}

static void claims_on_slots_that_are_not_there_hurt_nobody(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 33, 2); /* the second word of claims is half used */
    uint32_t bad = join(&bus, 256);
    memset((void *)bus.page[bad].claims, 0xff, sizeof bus.page[bad].claims);
    for (unsigned n = 0; n < 33; n++)
        publish_one(&bus);
    assert_int_equal(slots_held(&bus.slots, &bus.reader[bad]), 64);
    close_bus(&bus);
}

static void a_ring_that_lies_is_noticed(void **state)
{
    (void)state;
    struct bus bus;
    open_bus(&bus, 8, 2);
    uint32_t r = join(&bus, 2);
    publish_one(&bus);
    static const uint32_t wrong[] = {8, 9, 1024, 0x7fffffff, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        store_relaxed(&bus.index->ring[0], wrong[i]);
        assert_int_equal(slots_claim(&bus.view[r], 0), -EBADMSG);
    }
    store_relaxed(&bus.index->ring[0], 5); /* a slot that holds another frame */
    assert_int_equal(slots_claim(&bus.view[r], 0), -EAGAIN);
    close_bus(&bus);
}

/* ---- how many slots are enough ---- */

/* Everything that can stand in the way does: readers hold their quotas in frames that are no longer
 * history, the writer lends frames that it has not published, and history is full. */
static int take_at_worst(uint32_t history, uint32_t quota, uint32_t readers, uint32_t lends, uint32_t slots)
{
    struct bus bus;
    open_bus(&bus, slots, history);
    for (uint32_t r = 0; r < readers; r++) {
        join(&bus, quota);
        for (uint32_t n = 0; n < quota; n++) {
            assert_true(publish_one(&bus) >= 0);
            assert_true(slots_claim(&bus.view[r], newest(&bus)) >= 0);
        }
    }
    for (uint32_t n = 0; n < history; n++)
        assert_true(publish_one(&bus) >= 0);
    for (uint32_t n = 0; n < lends; n++)
        assert_true(take(&bus) >= 0);
    int result = take(&bus);
    for (uint32_t r = 0; r < readers; r++)
        assert_false(bus.reader[r].evicted);
    close_bus(&bus);
    return result;
}

static void the_bound_on_slots_holds_and_is_tight(void **state)
{
    (void)state;
    for (uint32_t history = 1; history <= 4; history++)
        for (uint32_t quota = 1; quota <= 3; quota++)
            for (uint32_t readers = 0; readers <= 3; readers++)
                for (uint32_t lends = 0; lends <= 2; lends++) {
                    uint32_t needed = history + readers * quota + lends + 1;
                    assert_true(take_at_worst(history, quota, readers, lends, needed) >= 0);
                    if (readers || lends) /* else publishing itself would need the last one */
                        assert_int_equal(take_at_worst(history, quota, readers, lends, needed - 1), -EAGAIN);
                }
}

/* ---- all at once ---- */

#define RACE_FRAMES  1000000
#define RACE_READERS 3
#define RACE_HISTORY 2
#define RACE_QUOTA   2
#define RACE_SLOTS   (RACE_HISTORY + RACE_READERS * RACE_QUOTA + 2)
#define RACE_WORDS   64

/* Frames of a few words that all say the same number: a torn one does not. The words are atomic
 * only so that a thread sanitizer does not take a torn frame for a crime of its own. */
struct race {
    struct bus bus;
    shared_u32 pixels[RACE_SLOTS][RACE_WORDS];
    atomic_bool over;
    struct racer {
        struct race *race;
        uint32_t number;
        uint64_t delivered, torn, missed;
        pthread_t thread;
    } racer[RACE_READERS];
};

static void look_at(struct racer *racer, uint32_t slot, uint32_t number)
{
    const shared_u32 *pixels = racer->race->pixels[slot];
    for (unsigned i = 0; i < RACE_WORDS; i++)
        racer->torn += load_relaxed(&pixels[i]) != number;
}

static void *race_to_read(void *user)
{
    struct racer *racer = user;
    const struct slots_view *view = &racer->race->bus.view[racer->number];
    uint32_t next = 0;
    int held = -1; /* the frame before, kept while the next is taken: quota 2 in use */
    uint32_t held_number = 0;
    while (!atomic_load(&racer->race->over) || slots_filled(view, next)) {
        uint32_t filled = slots_filled(view, next);
        if (!filled)
            continue;
        if (filled > RACE_HISTORY) {
            racer->missed += filled - RACE_HISTORY;
            next = (next + filled - RACE_HISTORY) & NUMBER_MASK;
        }
        int slot = slots_claim(view, next);
        if (slot >= 0) {
            look_at(racer, (uint32_t)slot, next);
            racer->delivered++;
            if (held >= 0) {
                look_at(racer, (uint32_t)held, held_number); /* still whole, however old */
                slots_unclaim(view, (uint32_t)held);
            }
            held = slot;
            held_number = next;
        } else {
            racer->missed++;
        }
        next = (next + 1) & NUMBER_MASK;
    }
    if (held >= 0)
        slots_unclaim(view, (uint32_t)held);
    return NULL;
}

static void no_frame_is_torn_while_all_race(void **state)
{
    (void)state;
    if (!orders_loads())
        skip_because("loads overtake ordered stores here");
    struct race *race = calloc(1, sizeof *race);
    assert_non_null(race);
    open_bus(&race->bus, RACE_SLOTS, RACE_HISTORY);
    for (uint32_t r = 0; r < RACE_READERS; r++) {
        join(&race->bus, RACE_QUOTA);
        race->racer[r] = (struct racer){.race = race, .number = r};
    }
    for (uint32_t r = 0; r < RACE_READERS; r++)
        assert_int_equal(pthread_create(&race->racer[r].thread, NULL, race_to_read, &race->racer[r]), 0);

    bool starved = false;
    for (uint32_t number = 0; number < RACE_FRAMES && !starved; number++) {
        int slot = take(&race->bus);
        starved = slot < 0;
        if (starved)
            break;
        for (unsigned i = 0; i < RACE_WORDS; i++)
            store_relaxed(&race->pixels[slot][i], number);
        slots_publish(&race->bus.slots, (uint32_t)slot, &(struct layout_record){0});
        slots_release(&race->bus.slots, (uint32_t)slot);
    }
    atomic_store(&race->over, true);
    for (uint32_t r = 0; r < RACE_READERS; r++)
        assert_int_equal(pthread_join(race->racer[r].thread, NULL), 0);

    assert_false(starved); /* the writer always finds a slot */
    for (uint32_t r = 0; r < RACE_READERS; r++) {
        struct racer *racer = &race->racer[r];
        assert_false(race->bus.reader[r].evicted);
        assert_int_equal(racer->torn, 0);
        assert_int_equal(racer->delivered + racer->missed, RACE_FRAMES);
        assert_true(racer->delivered > 0);
        assert_int_equal(slots_held(&race->bus.slots, &race->bus.reader[r]), 0);
    }
    close_bus(&race->bus);
    free(race);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_goes_from_take_to_claim),
        cmocka_unit_test(published_slots_stay_for_the_length_of_history),
        cmocka_unit_test(a_frame_that_is_gone_is_not_claimed),
        cmocka_unit_test(a_claimed_slot_is_not_taken),
        cmocka_unit_test(a_lent_slot_is_not_taken_even_if_published),
        cmocka_unit_test(an_unpublished_slot_holds_nothing),
        cmocka_unit_test(of_the_free_slots_the_last_used_comes_first),
        cmocka_unit_test(numbers_wrap_after_two_thousand_million_frames),
        cmocka_unit_test(one_that_holds_more_than_its_quota_is_expelled),
        cmocka_unit_test(one_that_holds_its_quota_is_not),
        cmocka_unit_test(one_that_claims_all_slots_and_fidgets_does_not_starve_the_writer),
        cmocka_unit_test(claims_on_slots_that_are_not_there_hurt_nobody),
        cmocka_unit_test(a_ring_that_lies_is_noticed),
        cmocka_unit_test(the_bound_on_slots_holds_and_is_tight),
        cmocka_unit_test(no_frame_is_torn_while_all_race),
    };
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
