/* SPDX-License-Identifier: MIT */
/*
 * Every byte that two processes both see. It is the same for 32- and 64-bit programs and for every libc:
 * fixed-width types, explicit padding, no pthread objects. Little- and big-endian machines do not
 * share memory, so words are in the machine's order.
 *
 *   pool region     written by the writer alone, mapped read-only by readers
 *     0                   struct layout_header, constant from before the region is shared
 *     caps_offset         caps text, constant
 *     index_offset        struct layout_index: head, state, ring (one or more cache lines)
 *     table_offset        struct layout_slot [slots], one cache line each
 *     data_offset         slots: slot_stride bytes each: the frame, then meta_max of metadata
 *   reader page     one per reader and pool, written by the reader alone, read by the writer
 *     0                   struct layout_reader
 */
#ifndef FRAMEBUS_LAYOUT_H
#define FRAMEBUS_LAYOUT_H

#include "framebus.h"
#include "shared/atomic.h"

#define LAYOUT_MAGIC 0x7375626d61726600ull /* "framebus", shortened to fit: \0 f r a m b u s */
#define CACHE_LINE   64

/* The version of everything here and in protocol.h, which every message begins with. It changes with any of
 * it; peers of different versions refuse each other. Tests make a peer of another version. (Only a word that
 * takes the place of zeroes, and that either side can do without, leaves it as it is.) */
#ifndef LAYOUT_ABI
#define LAYOUT_ABI 2
#endif

/* Frame numbers count the frames of a pool modulo 2^31. A slot's version is number << 1 | 1. */
#define NUMBER_MASK  0x7fffffffu
#define VERSION_NONE 0u /* the slot holds no frame, or is being written */

static inline uint32_t version_of(uint32_t number)
{
    return number << 1 | 1;
}

/* How many frames `to` is past `from`, modulo 2^31. */
static inline uint32_t number_distance(uint32_t from, uint32_t to)
{
    return (to - from) & NUMBER_MASK;
}

struct layout_format {
    uint32_t fourcc;
    uint32_t width, height;
    uint32_t rate_num, rate_den;
    uint32_t aspect_num, aspect_den;
    uint8_t color[4]; /* primaries, transfer, matrix, range */
    uint64_t modifier;
    uint64_t size;
    uint8_t planes;
    uint8_t orientation;
    uint16_t padding;
    uint32_t caps_size; /* bytes of caps text with its terminating zero; 0: none */
    uint32_t stride[FRAMEBUS_PLANES_MAX];
    uint64_t offset[FRAMEBUS_PLANES_MAX];
};

struct layout_header {
    uint64_t magic;
    uint32_t abi;
    uint32_t slots;  /* slots there is address space for, 1..FRAMEBUS_SLOTS_MAX */
    uint64_t cookie; /* random; the POOL message repeats it */
    uint64_t region_size;
    uint64_t first_sequence; /* sequence of this pool's frame number 0 */
    uint32_t history;        /* a reader may take the last `history` frames only */
    uint32_t ring_length;    /* power of two, at least 2 * history */
    uint64_t caps_offset;
    uint64_t index_offset;
    uint64_t table_offset;
    uint64_t data_offset;
    uint64_t slot_stride;   /* bytes from one slot to the next */
    uint64_t slot_capacity; /* bytes of frame in a slot; its metadata follows, in pages that get memory
                               when they are used */
    struct layout_format format;
    char path[FRAMEBUS_PATH_MAX + 1]; /* of the bus's socket, for finding out whose a leftover is */
    uint32_t meta_max;                /* bytes of metadata in a frame, at most FRAMEBUS_META_MAX */
};

enum layout_state {
    LAYOUT_LIVE = 0,
    LAYOUT_MOVED = 1, /* no more frames here: another pool follows */
    LAYOUT_ENDED = 2, /* no more frames here: the stream is over */
};

/*
 * What changes with every frame, in one cache line together with a ring of up to 12 entries.
 *   word   writer of the word   ordering
 *   head   bus writer           stored ordered after the slot's version and the ring; readers load
 *                               it ordered, on the way in and once more before they sleep
 *   state  bus writer           stored ordered after the last head; readers load it ordered, then
 *                               head once more
 *   lookers bus writer          readers that look for frames before they are due (`looks`): relaxed, a hint
 *   waits  bus writer           odd while it sleeps on `free`, or claims keep imports from going home:
 *                               stored ordered, then it looks again; readers load it ordered after
 *                               giving something back
 *   ring   bus writer           stored relaxed before head; readers load it relaxed after head. An
 *                               entry may be newer than they think: the slot's version decides
 */
struct layout_index {
    shared_u32 head; /* number of the next frame to be published */
    shared_u32 state;
    shared_u32 waits;
    shared_u32 lookers;
    shared_u32 ring[]; /* slot of frame n at n & (ring_length - 1) */
};

/* What readers are told about a frame. Plain memory: written while the version is VERSION_NONE, read under
 * a claim, and copied before it is believed. */
struct layout_record {
    int64_t capture_ns;
    int64_t publish_ns;
    int64_t duration_ns;
    uint64_t size;
    uint32_t flags;
    uint32_t meta_size; /* at most meta_max; blocks as in lib/frame.c, whose heads are not believed either */
    uint32_t crop_x, crop_y, crop_width, crop_height;
};

/* One cache line for each slot.
 *   version  bus writer. To VERSION_NONE: ordered, then it looks at the claims. To a number:
 *            release, after frame and record. Readers load it ordered after setting their claim. */
struct layout_slot {
    shared_u32 version;
    uint32_t import; /* 0: the frame is in the slot; else the serial of the import that it is in.
                        As the record: written while the version is VERSION_NONE */
    struct layout_record record;
};

/*
 * A reader's own page. The writer reads it, never writes it, and does not believe it: false values hurt
 * that reader only.
 *   word    writer of the word  ordering
 *   next    reader              stored ordered after a frame is claimed or given up, before `waits`
 *                               is looked at; the writer loads it ordered
 *   sleeps  reader              odd while it sleeps on `filled`: stored ordered, then it looks
 *                               again; the writer loads it ordered after head
 *   claims  reader              bit i: slot i is being read. Set ordered before the slot's version
 *                               is loaded, cleared ordered before `waits` is; loaded ordered
 *   wants   reader              see wants.h; stored relaxed before `sleeps`, the writer loads it relaxed
 *   looks   reader              1: it may look for frames before they are due; relaxed, a hint
 *   taken, missed  reader       see counter.h
 *   key_requests   reader       counts its wishes for a key frame, over all pages of a connection. Both
 *                               store and load it relaxed: which frame comes first does not matter
 */
struct layout_counter {
    shared_u32 high_first; /* of 64 bits; the same as high_last, unless it is being changed */
    shared_u32 low;
    shared_u32 high_last;
};

struct layout_reader {
    shared_u32 next; /* number of the frame it wants next */
    shared_u32 sleeps;
    struct layout_counter taken;
    struct layout_counter missed;
    shared_u32 wants;
    shared_u32 looks;
    shared_u32 key_requests;
    shared_u32 claims[FRAMEBUS_SLOTS_MAX / 32];
};

#define READER_PAGE_SIZE 4096

_Static_assert(sizeof(struct layout_format) == 104, "layout_format");
_Static_assert(offsetof(struct layout_format, modifier) == 32, "layout_format.modifier");
_Static_assert(offsetof(struct layout_format, planes) == 48, "layout_format.planes");
_Static_assert(offsetof(struct layout_format, stride) == 56, "layout_format.stride");
_Static_assert(offsetof(struct layout_format, offset) == 72, "layout_format.offset");
_Static_assert(sizeof(struct layout_header) == 312, "layout_header");
_Static_assert(offsetof(struct layout_header, cookie) == 16, "layout_header.cookie");
_Static_assert(offsetof(struct layout_header, caps_offset) == 48, "layout_header.caps_offset");
_Static_assert(offsetof(struct layout_header, format) == 96, "layout_header.format");
_Static_assert(offsetof(struct layout_header, path) == 200, "layout_header.path");
_Static_assert(offsetof(struct layout_header, meta_max) == 308, "layout_header.meta_max");
_Static_assert(FRAMEBUS_META_MAX % 8 == 0, "FRAMEBUS_META_MAX");
_Static_assert(offsetof(struct layout_index, ring) == 16, "layout_index.ring");
_Static_assert(sizeof(struct layout_record) == 56, "layout_record");
_Static_assert(sizeof(struct layout_slot) == CACHE_LINE, "layout_slot");
_Static_assert(offsetof(struct layout_slot, record) == 8, "layout_slot.record");
_Static_assert(sizeof(struct layout_reader) == 172, "layout_reader");
_Static_assert(sizeof(struct layout_reader) <= READER_PAGE_SIZE, "reader page");

#endif
