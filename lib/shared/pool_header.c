/* SPDX-License-Identifier: MIT */
#include "shared/pool_header.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

/* No machine that this runs on has more address space. Below it, the sums here cannot overflow. */
#define REGION_MAX (UINT64_C(1) << 56)

#define READABLE_MAX (256 + FRAMEBUS_SLOTS_MAX)

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

int pool_header_plan(struct layout_header *header, const struct framebus_format *format, uint64_t capacity,
                     uint32_t meta_size, uint32_t slots, uint32_t readable, uint64_t page, const char *path)
{
    *header = (struct layout_header){
        .magic = LAYOUT_MAGIC,
        .abi = LAYOUT_ABI,
        .slots = slots,
        .history = readable,
        .ring_length = 1,
        .caps_offset = sizeof *header,
        .meta_max = (uint32_t)round_up(meta_size, 8),
    };
    strncpy(header->path, path, sizeof header->path - 1);
    format_store(&header->format, format);
    while (header->ring_length < 2 * readable)
        header->ring_length *= 2;

    header->index_offset = round_up(header->caps_offset + header->format.caps_size, CACHE_LINE);
    uint64_t index_size = sizeof(struct layout_index) + header->ring_length * sizeof(shared_u32);
    header->table_offset = round_up(header->index_offset + index_size, CACHE_LINE);
    header->data_offset = round_up(header->table_offset + slots * sizeof(struct layout_slot), page);
    header->slot_capacity = round_up(capacity, CACHE_LINE);
    header->slot_stride = round_up(header->slot_capacity + header->meta_max, page);
    if (capacity >= REGION_MAX || header->slot_stride > REGION_MAX / (slots + 1))
        return fail(-ENOMEM, "%u slots of %llu bytes are more than any address space", slots,
                    (unsigned long long)capacity);
    header->region_size = header->data_offset + slots * header->slot_stride;
    return 0;
}

static bool inside(uint64_t offset, uint64_t size, uint64_t whole)
{
    return offset <= whole && size <= whole - offset;
}

int pool_header_check(const struct layout_header *h, uint64_t region_size, uint64_t cookie)
{
    if (h->magic != LAYOUT_MAGIC)
        return fail(-EBADMSG, "the region that the writer sent is not a framebus pool");
    if (h->abi != LAYOUT_ABI)
        return fail(-EPROTONOSUPPORT, "the pool has layout version %u, this library knows version %d", h->abi,
                    LAYOUT_ABI);
    if (h->cookie != cookie)
        return fail(-EBADMSG, "the region is another pool than the writer announced");
    if (h->region_size != region_size || region_size > REGION_MAX)
        return fail(-EBADMSG, "the pool claims %llu bytes, its region has %llu",
                    (unsigned long long)h->region_size, (unsigned long long)region_size);
    if (h->slots < 1 || h->slots > FRAMEBUS_SLOTS_MAX || h->history < 1 || h->history > READABLE_MAX)
        return fail(-EBADMSG, "the pool claims %u slots and a history of %u", h->slots, h->history);
    if (h->ring_length < h->history || h->ring_length > 4 * READABLE_MAX ||
        h->ring_length & (h->ring_length - 1))
        return fail(-EBADMSG, "the pool's ring has %u entries for a history of %u", h->ring_length,
                    h->history);
    if (h->format.caps_size > FRAMEBUS_CAPS_MAX || !inside(h->caps_offset, h->format.caps_size, region_size))
        return fail(-EBADMSG, "the pool's caps text is outside its region");

    uint64_t index_size = sizeof(struct layout_index) + h->ring_length * sizeof(shared_u32);
    if (h->index_offset % CACHE_LINE || !inside(h->index_offset, index_size, region_size) ||
        h->table_offset % CACHE_LINE ||
        !inside(h->table_offset, h->slots * sizeof(struct layout_slot), region_size))
        return fail(-EBADMSG, "the pool's index is outside its region");
    if (h->meta_max > FRAMEBUS_META_MAX || h->meta_max % 8)
        return fail(-EBADMSG, "the pool claims %u bytes of metadata a frame", h->meta_max);
    if (h->data_offset % CACHE_LINE || h->slot_stride % CACHE_LINE || h->slot_capacity % 8 ||
        h->slot_capacity > REGION_MAX || h->slot_stride < h->slot_capacity + h->meta_max ||
        h->slot_stride > REGION_MAX / h->slots ||
        !inside(h->data_offset, h->slots * h->slot_stride, region_size))
        return fail(-EBADMSG, "the pool's slots are outside its region");
    if (h->format.size > h->slot_capacity)
        return fail(-EBADMSG, "the pool's frames of %llu bytes do not fit its slots of %llu",
                    (unsigned long long)h->format.size, (unsigned long long)h->slot_capacity);
    return 0;
}

void format_store(struct layout_format *stored, const struct framebus_format *f)
{
    *stored = (struct layout_format){
        .fourcc = f->fourcc,
        .width = f->width,
        .height = f->height,
        .rate_num = f->rate_num,
        .rate_den = f->rate_den,
        .aspect_num = f->aspect_num,
        .aspect_den = f->aspect_den,
        .color = {f->color.primaries, f->color.transfer, f->color.matrix, f->color.range},
        .modifier = f->modifier,
        .size = f->size,
        .planes = (uint8_t)f->planes,
        .orientation = (uint8_t)f->orientation,
        .caps_size = f->caps && *f->caps ? (uint32_t)strlen(f->caps) + 1 : 0,
    };
    memcpy(stored->stride, f->stride, sizeof stored->stride);
    memcpy(stored->offset, f->offset, sizeof stored->offset);
}

int format_load(struct framebus_format *format, const struct layout_format *stored, const char *caps_text)
{
    if (stored->caps_size && caps_text[stored->caps_size - 1])
        return fail(-EBADMSG, "the writer's caps text does not end");
    *format = (struct framebus_format){
        .fourcc = stored->fourcc,
        .width = stored->width,
        .height = stored->height,
        .rate_num = stored->rate_num,
        .rate_den = stored->rate_den,
        .aspect_num = stored->aspect_num,
        .aspect_den = stored->aspect_den,
        .color = {stored->color[0], stored->color[1], stored->color[2], stored->color[3]},
        .modifier = stored->modifier,
        .size = stored->size,
        .planes = stored->planes,
        .orientation = stored->orientation,
        .caps = stored->caps_size ? caps_text : NULL,
    };
    memcpy(format->stride, stored->stride, sizeof format->stride);
    memcpy(format->offset, stored->offset, sizeof format->offset);
    char why[256];
    if (!framebus_format_check(format))
        return 0;
    strncpy(why, framebus_last_error(), sizeof why - 1);
    why[sizeof why - 1] = '\0';
    return fail(-EBADMSG, "the writer's format makes no sense: %s", why);
}
