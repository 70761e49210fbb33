/* SPDX-License-Identifier: MIT */
#include "shared/slots.h"

#include <errno.h>

#define WORDS(n) (((n) + 31) / 32)

/* A reader's claims are loaded word by word, so two polls must agree before they count as what it holds at
 * one time. A reader that moves its claims faster than this is not counted now, but next time. */
#define STEADY_POLLS 4

static uint32_t bit(uint32_t slot)
{
    return UINT32_C(1) << (slot % 32);
}

static bool has_bit(const uint32_t *words, uint32_t slot)
{
    return words[slot / 32] & bit(slot);
}

static uint32_t count_bits(const uint32_t *words, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t w = 0; w < n; w++)
        count += (uint32_t)__builtin_popcount(words[w]);
    return count;
}

void slots_init(struct slots *slots, struct layout_index *index, struct layout_slot *table,
                struct slot_note *note, uint32_t limit, uint32_t history, uint32_t ring_length)
{
    *slots = (struct slots){
        .index = index,
        .table = table,
        .note = note,
        .limit = limit,
        .history = history,
        .ring_mask = ring_length - 1,
    };
}

void slots_join(struct slots *slots, struct slots_reader *reader, const struct layout_reader *page,
                uint32_t quota)
{
    *reader = (struct slots_reader){.next = slots->readers, .page = page, .quota = quota};
    slots->readers = reader;
}

void slots_leave(struct slots *slots, struct slots_reader *reader)
{
    struct slots_reader **link = &slots->readers;
    while (*link && *link != reader)
        link = &(*link)->next;
    if (*link)
        *link = reader->next;
}

static void slots_load_claims(const struct slots_reader *reader, uint32_t *claims, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++)
        claims[w] = load_ordered(&reader->page->claims[w]);
}

uint32_t slots_held(const struct slots *slots, const struct slots_reader *reader)
{
    uint32_t claims[FRAMEBUS_SLOTS_MAX / 32];
    slots_load_claims(reader, claims, WORDS(slots->limit));
    return count_bits(claims, WORDS(slots->limit));
}

/* True if the reader certainly had more claims than its quota at one moment. */
static bool slots_holds_too_much(const struct slots_reader *reader, uint32_t *claims, uint32_t words)
{
    uint32_t again[FRAMEBUS_SLOTS_MAX / 32];
    for (int polls = 0; polls < STEADY_POLLS && count_bits(claims, words) > reader->quota; polls++) {
        slots_load_claims(reader, again, words);
        bool steady = true;
        for (uint32_t w = 0; w < words; w++) {
            steady &= again[w] == claims[w];
            claims[w] = again[w];
        }
        if (steady)
            return true;
    }
    return false;
}

static bool slots_is_newer(const struct slots *slots, uint32_t slot, uint32_t newest)
{
    const struct slot_note *note = &slots->note[slot];
    return note->filled && slots->published - note->filled < newest;
}

static bool slots_in_history(const struct slots *slots, uint32_t slot)
{
    return slots_is_newer(slots, slot, slots->history);
}

/* Notes that a reader blocks a candidate. A reader that keeps the protocol blocks at most as many different
 * ones as its quota while one slot is being acquired: head stands still, so it takes each frame once, and
 * what it finds then is history, not a candidate. */
static void slots_note_blocked(struct slots_reader *reader, uint32_t slot, uint32_t words)
{
    reader->blocked[slot / 32] |= bit(slot);
    if (count_bits(reader->blocked, words) > reader->quota)
        reader->evicted = true;
}

/* W1: which slots are claimed by a reader that is not evicted. */
static void slots_poll_claims(struct slots *slots, uint32_t *claimed, uint32_t words)
{
    uint32_t claims[FRAMEBUS_SLOTS_MAX / 32];
    for (uint32_t w = 0; w < words; w++)
        claimed[w] = 0;
    for (struct slots_reader *r = slots->readers; r; r = r->next) {
        if (r->evicted)
            continue;
        slots_load_claims(r, claims, words);
        if (slots_holds_too_much(r, claims, words)) {
            r->evicted = true;
            continue;
        }
        for (uint32_t w = 0; w < words; w++) {
            r->blocked[w] = 0;
            for (uint32_t left = claims[w]; left; left &= left - 1) {
                uint32_t slot = w * 32 + (uint32_t)__builtin_ctz(left);
                if (slot < slots->touched && !slots->note[slot].lent && !slots_in_history(slots, slot))
                    r->blocked[w] |= bit(slot);
            }
        }
        r->evicted = count_bits(r->blocked, words) > r->quota;
        for (uint32_t w = 0; w < words && !r->evicted; w++)
            claimed[w] |= claims[w];
    }
}

/* W1: the free slot that was used last: its memory is still in the cache. -1: none. */
static int slots_best_candidate(const struct slots *slots, const uint32_t *taken)
{
    int best = -1;
    for (uint32_t i = 0; i < slots->touched; i++) {
        if (slots->note[i].lent || slots_in_history(slots, i) || has_bit(taken, i))
            continue;
        if (best < 0 || slots->note[i].filled > slots->note[best].filled)
            best = (int)i;
    }
    return best;
}

int slots_acquire(struct slots *slots)
{
    uint32_t taken[FRAMEBUS_SLOTS_MAX / 32];
    uint32_t words = WORDS(slots->limit);
    slots_poll_claims(slots, taken, words);

    int i;
    while ((i = slots_best_candidate(slots, taken)) >= 0) {
        struct slot_note *note = &slots->note[i];
        store_ordered(&slots->table[i].version, VERSION_NONE); /* W2 */

        bool claimed = false; /* W3 */
        for (struct slots_reader *r = slots->readers; r; r = r->next) {
            if (r->evicted || !(load_ordered(&r->page->claims[i / 32]) & bit((uint32_t)i)))
                continue;
            slots_note_blocked(r, (uint32_t)i, words);
            claimed |= !r->evicted;
        }
        if (!claimed) {
            note->filled = 0;
            note->lent = true;
            slots->lent++;
            return i;
        }
        store_release(&slots->table[i].version,
                      note->filled ? version_of(note->number) : VERSION_NONE); /* W4 */
        taken[i / 32] |= bit((uint32_t)i);
    }
    return -EAGAIN;
}

bool slots_claims(const struct layout_reader *page, uint32_t slot)
{
    return load_ordered(&page->claims[slot / 32]) & bit(slot);
}

static bool slots_is_claimed(const struct slots *slots, uint32_t slot)
{
    for (const struct slots_reader *r = slots->readers; r; r = r->next)
        if (!r->evicted && slots_claims(r->page, slot))
            return true;
    return false;
}

int slots_recall(struct slots *slots, uint32_t slot, uint32_t newest)
{
    struct slot_note *note = &slots->note[slot];
    if (slots_is_newer(slots, slot, newest))
        return -EAGAIN;
    if (slots_is_claimed(slots, slot)) /* W1 */
        return -EBUSY;
    store_ordered(&slots->table[slot].version, VERSION_NONE);                 /* W2 */
    if (slots_is_claimed(slots, slot)) {                                      /* W3 */
        store_release(&slots->table[slot].version, version_of(note->number)); /* W4 */
        return -EBUSY;
    }
    note->filled = 0;
    return 0;
}

void slots_touch(struct slots *slots)
{
    slots->touched++;
}

void slots_publish(struct slots *slots, uint32_t slot, const struct layout_record *record)
{
    uint32_t number = (uint32_t)(slots->published & NUMBER_MASK);
    slots->published++;
    slots->note[slot].number = number;
    slots->note[slot].filled = slots->published;

    slots->table[slot].record = *record;
    store_release(&slots->table[slot].version, version_of(number)); /* W5 */
    store_relaxed(&slots->index->ring[number & slots->ring_mask], slot);
    store_ordered(&slots->index->head, (number + 1) & NUMBER_MASK); /* W6, and P1 of `filled` */
}

void slots_release(struct slots *slots, uint32_t slot)
{
    slots->note[slot].lent = false;
    slots->lent--;
}

int slots_claim(const struct slots_view *view, uint32_t number)
{
    uint32_t slot = load_relaxed(&view->index->ring[number & view->ring_mask]); /* R2 */
    if (slot >= view->limit)
        return -EBADMSG;

    shared_u32 *claims = &view->page->claims[slot / 32];
    if (set_bits_ordered(claims, bit(slot)) & bit(slot)) /* R3 */
        return -EBADMSG; /* we hold it, so a writer that keeps the protocol does not publish it again */
    if (load_ordered(&view->table[slot].version) == version_of(number)) /* R4 */
        return (int)slot;
    clear_bits_ordered(claims, bit(slot)); /* R5 */
    return -EAGAIN;
}

void slots_unclaim(const struct slots_view *view, uint32_t slot)
{
    clear_bits_ordered(&view->page->claims[slot / 32], bit(slot)); /* R6, and P1 of `free` */
}
