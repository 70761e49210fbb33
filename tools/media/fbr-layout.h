/* SPDX-License-Identifier: MIT */
/* Every byte of a .fbr file, which docs/using/fbr.md describes. Numbers are in the byte order of the machine,
 * which that of the version shows. */
#ifndef FBR_LAYOUT_H
#define FBR_LAYOUT_H

#include <stdint.h>

#define FBR_VERSION 1

#define FBR_TYPE(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define FBR_FORMAT           FBR_TYPE('F', 'R', 'M', 'T')
#define FBR_FRAME            FBR_TYPE('F', 'R', 'A', 'M')
#define FBR_INDEX            FBR_TYPE('I', 'N', 'D', 'X')
#define FBR_END              FBR_TYPE('E', 'N', 'D', '.')

static const uint8_t fbr_magic[8] = {0x89, 'F', 'B', 'R', '\r', '\n', 0x1a, '\n'};

struct fbr_head {
    uint8_t magic[8];
    uint32_t version;
    uint32_t head_size;                /* offset of the first record */
    int64_t realtime_ns, monotonic_ns; /* both clocks when the recording began */
    uint8_t reserved[32];
};

/* The beginning of every record. */
struct fbr_record {
    uint32_t type;
    uint32_t head_size; /* of the record's own struct below */
    uint64_t size;      /* of the whole record, a multiple of 8 */
};

struct fbr_format {
    struct fbr_record record;
    uint32_t fourcc, width, height, rate_num, rate_den, aspect_num, aspect_den;
    uint8_t primaries, transfer, matrix, range;
    uint64_t modifier, frame_size;
    uint32_t planes, caps_bytes; /* caps follow, with their terminating zero */
    uint32_t stride[4];
    uint64_t offset[4];
    uint32_t orientation, reserved;
};

struct fbr_frame {
    struct fbr_record record;
    uint64_t sequence, missed;
    int64_t capture_ns, publish_ns, duration_ns;
    uint32_t flags, meta_bytes;
    uint32_t crop[4];
    uint64_t data_bytes; /* follow the metadata */
};

struct fbr_entry {
    uint64_t frame_at, format_at;
    int64_t publish_ns;
};

struct fbr_index {
    struct fbr_record record;
    uint64_t entries; /* follow */
};

struct fbr_end {
    struct fbr_record record;
    uint64_t index_at;
    uint8_t magic[8];
};

_Static_assert(sizeof(struct fbr_head) == 64 && sizeof(struct fbr_record) == 16, "as documented");
_Static_assert(sizeof(struct fbr_format) == 128 && sizeof(struct fbr_frame) == 88, "as documented");
_Static_assert(sizeof(struct fbr_entry) == 24 && sizeof(struct fbr_index) == 24, "as documented");
_Static_assert(sizeof(struct fbr_end) == 32, "as documented");

#endif
