/* SPDX-License-Identifier: MIT */
/* What a reader copies from a foreign writer and checks once: the pool's header with format and caps
 * text, the answer to a question about a bus, blocks of metadata. What passes must lie inside. */
#include "fuzz.h"

#include "base/socket.h"
#include "bus/info.h"
#include "frame.h"
#include "shared/pool_header.h"

#include <errno.h>

#define META_ROOM FRAMEBUS_META_DEFAULT

static void lies_inside(uint64_t offset, uint64_t size, uint64_t whole)
{
    must(offset <= whole && size <= whole - offset);
}

static void check_header(struct input *in)
{
    struct layout_header h;
    uint8_t like = take_byte(in);
    uint64_t size;
    take_bytes(in, &size, sizeof size);
    take_bytes(in, &h, sizeof h);
    if (like & 1) { /* else hardly anything gets past the first lines */
        h.magic = LAYOUT_MAGIC;
        h.abi = LAYOUT_ABI;
        h.cookie = 1;
    }
    if (like & 2)
        h.region_size = size;
    if (pool_header_check(&h, size, 1))
        return;
    must(h.slots && h.slots <= FRAMEBUS_SLOTS_MAX && !(h.ring_length & (h.ring_length - 1)));
    lies_inside(h.caps_offset, h.format.caps_size, size);
    lies_inside(h.index_offset, sizeof(struct layout_index) + h.ring_length * 4ull, size);
    lies_inside(h.table_offset, h.slots * sizeof(struct layout_slot), size);
    lies_inside(h.data_offset + (h.slots - 1) * h.slot_stride, h.slot_capacity + h.meta_max, size);

    char *caps = malloc(h.format.caps_size + 1);
    must(caps);
    take_bytes(in, caps, h.format.caps_size);
    caps[h.format.caps_size] = 'x'; /* no end of ours */
    struct framebus_format format;
    if (!format_load(&format, &h.format, caps)) {
        char text[256];
        must(framebus_format_describe(&format, text, sizeof text));
        must(framebus_format_equal(&format, &format));
        must(format.size <= h.slot_capacity && format.planes <= FRAMEBUS_PLANES_MAX);
        for (uint32_t i = 0; i < format.planes; i++) {
            uint32_t rows = framebus_format_rows(&format, i);
            uint64_t row = framebus_format_row_bytes(&format, i);
            lies_inside(format.offset[i], 0, format.size);
            if (!format.modifier) /* what tiles look like is the driver's affair */
                lies_inside(format.offset[i], (uint64_t)format.stride[i] * (rows - 1) + row, format.size);
        }
    }
    free(caps);
}

static void check_answer(struct input *in)
{
    static union message m;
    struct framebus_bus_info info = {0};
    uint32_t size = (uint32_t)(in->left < sizeof m - sizeof m.info ? in->left : sizeof m - sizeof m.info);
    size = size < sizeof m.info ? (uint32_t)sizeof m.info : size;
    take_bytes(in, &m, size);
    m.head.size = size;
    if (info_load(&info, &m.info))
        return;
    must(strlen(info.label) <= FRAMEBUS_LABEL_MAX);
    for (uint32_t i = 0; i < info.readers; i++)
        must(strlen(info.reader[i].label) <= FRAMEBUS_LABEL_MAX);
    char text[256];
    if (info.has_format)
        framebus_format_describe(&info.format, text, sizeof text);
    free(info.reader);
    free((char *)info.format.caps);
}

/* Blocks that are packed by a frame are well-formed, and those that are not leave a frame as it was. */
static void check_packed(const struct frame *f)
{
    size_t packed = framebus_frame_copy_meta(&f->public, NULL, 0), at = 0;
    uint8_t *copy = malloc(packed + 1);
    struct frame to = {.state = FRAME_LENT, .meta_max = 2 * META_ROOM, .meta_backed = 2 * META_ROOM};
    to.meta = calloc(1, to.meta_max);
    must(copy && to.meta && framebus_frame_copy_meta(&f->public, copy, packed) == packed);
    while (framebus_meta_next(copy, packed, &at, NULL, NULL))
        ;
    must(at == packed && !framebus_frame_restore_meta(&to.public, copy, packed) && to.meta_size == packed);
    int r = framebus_frame_restore_meta(&to.public, f->meta, f->meta_size);
    must(r == 0 ? to.meta_size == packed + f->meta_size : r == -EBADMSG && to.meta_size == packed);
    free(to.meta);
    free(copy);
}

static void check_metadata(struct input *in)
{
    struct frame f = {.state = FRAME_READ};
    f.meta_size = (uint32_t)(in->left < META_ROOM ? in->left : META_ROOM);
    f.meta = malloc(f.meta_size ? f.meta_size : 1);
    must(f.meta);
    take_bytes(in, f.meta, f.meta_size);
    const uint8_t *block;
    uint32_t tag, blocks = 0;
    size_t size, again, at = 0;
    while ((block = framebus_frame_next_meta(&f.public, &at, &tag, &size))) {
        must(block >= f.meta && size <= f.meta_size && block + size <= f.meta + f.meta_size);
        must(framebus_frame_get_meta(&f.public, tag, 0, &again));
        must(framebus_frame_meta_at(&f.public, blocks++, NULL, &again) == block && again == size);
        must(blocks <= META_ROOM / 8);
    }
    check_packed(&f);
    free(f.meta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool prepared;
    struct input in = {data, size};
    if (!prepared)
        fuzz_prepare();
    prepared = true;
    switch (take_byte(&in) % 3) {
    case 0:
        check_header(&in);
        break;
    case 1:
        check_answer(&in);
        break;
    default:
        check_metadata(&in);
        break;
    }
    return 0;
}
