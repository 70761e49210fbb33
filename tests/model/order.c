/* SPDX-License-Identifier: MIT */
/*
 * Scenarios on the memory of memory.h: lib/shared/slots.c and lib/shared/semaphore.h as they are, and around
 * them the few lines of lib/writer/ and lib/reader/ that touch shared words, in the same order.
 *
 *   claims   a reader takes two frames while the writer fills three
 *   release  the same, but another thread of the reader releases
 *   filled   a reader sleeps until there is a frame, or the end of the stream
 *   free     a lossless writer sleeps until a reader has taken enough
 *   recall   an import comes home when its frame is released
 *   counter  a counter of a reader is loaded while it passes 2^32
 *
 * Checked: no frame is written while it is read, the writer always finds a slot, a frame of the history is
 * never missed, a reader that keeps the protocol is not thrown out, nobody sleeps for ever.
 */
#include "order.h"
#include "memory.h"
#include "shared/counter.h"
#include "shared/semaphore.h"
#include "shared/slots.c"

#include <string.h>

#define HISTORY     1
#define QUOTA       1
#define SLOTS       (HISTORY + 1 + QUOTA)
#define RING_LENGTH 2

static struct {
    _Alignas(struct layout_index) char index[sizeof(struct layout_index) + RING_LENGTH * sizeof(shared_u32)];
    struct layout_slot table[SLOTS];
    struct layout_reader page;
} shared;

static struct plain frames[SLOTS],
    notes[SLOTS]; /* the second: what the reader has of each, for all its threads */

/* ---- the writer ---- */

static struct writer {
    struct slots slots;
    struct slot_note notes[SLOTS];
    struct slots_reader reader;
    bool bell; /* rung by readers */
} writer;

/* ---- the reader ---- */

static struct reader {
    struct slots_view view;
    uint32_t next, taken;
    shared_u32 held, rung;
    int out;
    bool is_out, is_back; /* the frame, with another thread */
    bool bell;            /* rung by the writer */
} reader;

static void prepare(void)
{
    memset(&shared, 0, sizeof shared);
    memset(frames, 0, sizeof frames);
    memset(notes, 0, sizeof notes);
    memset(&writer, 0, sizeof writer);
    memset(&reader, 0, sizeof reader);
    struct layout_index *index = (struct layout_index *)shared.index;
    slots_init(&writer.slots, index, shared.table, writer.notes, SLOTS, HISTORY, RING_LENGTH);
    for (int i = 0; i < SLOTS; i++)
        slots_touch(&writer.slots);
    slots_join(&writer.slots, &writer.reader, &shared.page, QUOTA);
    reader.view = (struct slots_view){
        .index = index,
        .table = shared.table,
        .page = &shared.page,
        .limit = SLOTS,
        .history = HISTORY,
        .ring_mask = RING_LENGTH - 1,
    };
    hand_over(1);
}

static int begin(void)
{
    int slot = slots_acquire(&writer.slots);
    if (slot < 0)
        violated("the writer finds no slot");
    if (writer.reader.evicted)
        violated("a reader that keeps the protocol is thrown out");
    plain_write(&frames[slot]);
    return slot;
}

static void publish(int slot)
{
    plain_write(&frames[slot]);
    const struct layout_record record = {.size = writer.slots.published};
    slots_publish(&writer.slots, (uint32_t)slot, &record);
    slots_release(&writer.slots, (uint32_t)slot);
}

static void ring_reader(void)
{
    if (semaphore_must_ring(&writer.reader.page->sleeps, &writer.reader.rung_for))
        reader.bell = true;
}

static void reader_pool_post_free(void)
{
    if (semaphore_must_ring(&reader.view.index->waits, &reader.rung))
        writer.bell = true;
}

/* reader_dequeue() in reader.c. The slot; -EAGAIN: nothing there. */
static int reader_dequeue(void)
{
    struct slots_view *view = &reader.view;
    for (;;) {
        uint32_t filled = slots_filled(view, reader.next);
        if (!filled)
            return -EAGAIN;
        if (filled > HISTORY)
            reader.next += filled - HISTORY;
        int slot = slots_claim(view, reader.next);
        if (slot >= 0) {
            plain_read(&frames[slot]);
            plain_write(&notes[slot]);
            if (shared.table[slot].record.size != reader.next)
                violated("frame %u is another one", reader.next);
            reader.next++;
            reader.taken++;
            store_ordered(&view->page->next, reader.next);
            reader_pool_post_free();
            return slot;
        }
        if (slot != -EAGAIN)
            violated("the index makes no sense to the reader");
        if (writer.slots.published - reader.next <= HISTORY)
            violated("frame %u is of the history and missed", reader.next);
        reader.next++;
    }
}

static void release(int slot)
{
    plain_read(&frames[slot]);
    plain_write(&notes[slot]);
    slots_unclaim(&reader.view, (uint32_t)slot);
    reader_pool_post_free();
}

/* ---- claims ---- */

static void writer_fills(void)
{
    for (int n = 0; n < 3; n++)
        publish(begin());
    begin();
}

static void reader_takes(void)
{
    for (int n = 0; n < 2; n++) {
        int slot = reader_dequeue();
        if (slot >= 0)
            release(slot);
    }
}

/* ---- late ---- */

static void prepare_late(void)
{
    prepare();
    for (int n = 0; n < 3; n++)
        publish(begin());
    hand_over(1);
}

static void writer_goes_on(void)
{
    publish(begin());
    publish(begin());
    begin();
}

static void reader_is_late(void)
{
    reader.next = 0; /* its R1 was when the first frame was the newest */
    if (slots_claim(&reader.view, 0) != -EAGAIN)
        violated("the first frame is taken when its slot has another");
    reader_takes();
}

/* ---- release ---- */

static void reader_takes_only(void)
{
    for (int n = 0; n < 2; n++) {
        reader.out =
            memory_load(&reader.held, ACCESS("load", held, ACQUIRE)) < QUOTA ? reader_dequeue() : -EBUSY;
        if (reader.out >= 0)
            memory_change(&reader.held, UINT32_MAX, 0, 1, ACCESS("ref", held, RELAXED));
        hand_over(2); /* how is the caller's affair */
        reader.is_out = true;
        wait_until(&reader.is_back);
        reader.is_back = false;
    }
}

static void reader_releases(void)
{
    for (int n = 0; n < 2; n++) {
        wait_until(&reader.is_out);
        reader.is_out = false;
        if (reader.out >= 0) {
            release(reader.out);
            memory_change(&reader.held, UINT32_MAX, 0, UINT32_MAX, ACCESS("unref", held, ACQ_REL));
        }
        reader.is_back = true;
    }
}

/* ---- filled ---- */

static void pool_retire(void)
{
    struct writer *pool = &writer;
    store_ordered(&pool->slots.index->state, LAYOUT_ENDED);
    ring_reader();
}

static void writer_publishes(void)
{
    for (int n = 0; n < 2; n++) {
        publish(begin());
        ring_reader();
    }
    pool_retire();
}

static uint32_t reader_pool_state(const struct reader *pool)
{
    return load_ordered(&pool->view.index->state);
}

/* True: the stream is over. */
static bool reader_move_on(void)
{
    struct reader *pool = &reader;
    if (reader_pool_state(pool) == LAYOUT_LIVE || slots_filled(&pool->view, pool->next))
        return false;
    if (pool->next != writer.slots.published)
        violated("the stream ends for the reader before its last frame");
    return true;
}

/* framebus_reader_next(), again and again. */
static void reader_sleeps(void)
{
    for (bool asleep = false;;) {
        int slot = reader_dequeue();
        if (slot >= 0) {
            if (load_relaxed(&reader.view.page->sleeps) & 1)
                semaphore_wake(&reader.view.page->sleeps);
            release(slot);
            asleep = false;
            continue;
        }
        if (reader_move_on())
            return;
        if (!asleep) {
            semaphore_sleep(&reader.view.page->sleeps);
            asleep = true;
            continue;
        }
        wait_until(&reader.bell);
        reader.bell = false;
        asleep = false;
    }
}

/* ---- free ---- */

static void prepare_free(void)
{
    prepare();
    publish(begin());
    hand_over(1);
}

static bool is_frames_behind(void)
{
    const struct slots_reader *peer = &writer.reader;
    return number_distance(load_ordered(&peer->page->next), (uint32_t)writer.slots.published) >= HISTORY;
}

/* lossless_wait() before each begin. */
static void writer_waits(void)
{
    shared_u32 *waits = &writer.slots.index->waits;
    for (int n = 0; n < 2; n++) {
        while (is_frames_behind()) {
            semaphore_sleep(waits);
            if (is_frames_behind()) {
                wait_until(&writer.bell);
                writer.bell = false;
            }
            semaphore_wake(waits);
        }
        publish(begin());
        reader.bell = true;
    }
}

static void reader_takes_all(void)
{
    while (reader.taken < 2) {
        int slot = reader_dequeue();
        if (slot >= 0) {
            release(slot);
        } else {
            wait_until(&reader.bell);
            reader.bell = false;
        }
    }
    if (reader.next != reader.taken)
        violated("a lossless reader misses a frame");
}

/* ---- recall ---- */

#define IMPORT (SLOTS - 1) /* the slot of an import */

static void prepare_recall(void)
{
    prepare();
    writer.slots.touched = IMPORT;
    hand_over(1);
}

/* framebus_writer_begin_import() to publish, another frame, and imports_collect() until the buffer has come
 * home. */
static void writer_recalls(void)
{
    plain_write(&frames[IMPORT]);
    slots_publish(&writer.slots, IMPORT, &(struct layout_record){0});
    publish(begin());
    for (bool set = false;;) {
        int r = slots_recall(&writer.slots, IMPORT, writer.slots.history);
        if (!r)
            break;
        if (!set) {
            semaphore_sleep(&writer.slots.index->waits);
            set = true;
            continue;
        }
        wait_until(&writer.bell);
        writer.bell = set = false;
    }
    plain_write(&frames[IMPORT]);
}

/* ---- counter ---- */

#define FIRST_COUNT ((uint64_t)UINT32_MAX)

static void prepare_counter(void)
{
    prepare();
    counter_store(&shared.page.taken, FIRST_COUNT);
    hand_over(1);
}

static void reader_counts(void)
{
    for (uint64_t count = FIRST_COUNT + 1; count <= FIRST_COUNT + 2; count++)
        counter_store(&shared.page.taken, count);
}

static void writer_describes(void)
{
    uint64_t count = FIRST_COUNT;
    for (int n = 0; n < 2; n++) {
        uint64_t newer = counter_load(&shared.page.taken);
        if (newer < count || newer > FIRST_COUNT + 2)
            violated("a count of %llu after one of %llu", (unsigned long long)newer,
                     (unsigned long long)count);
        count = newer;
    }
}

const struct scenario scenarios[] =
    {
        {"claims", prepare, {writer_fills, reader_takes}},
        {"late", prepare_late, {writer_goes_on, reader_is_late}},
        {"release", prepare, {writer_fills, reader_takes_only, reader_releases}},
        {"filled", prepare, {writer_publishes, reader_sleeps}},
        {"free", prepare_free, {writer_waits, reader_takes_all}},
        {"recall", prepare_recall, {writer_recalls, reader_takes}},
        {"counter", prepare_counter, {reader_counts, writer_describes}},
        {0},
},
                      *scenario;
