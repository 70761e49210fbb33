/* SPDX-License-Identifier: MIT */
/* The table of formats: whatever passes the check reaches no byte behind the frame's last, and what the
 * library lays out itself passes. */
#include "fuzz.h"

#include "framebus.h"

static const struct framebus_format_info *any_row(struct input *in)
{
    static size_t count;
    while (framebus_format_at(count))
        count++;
    return framebus_format_at(take_byte(in) % count);
}

static void look_at_planes(const struct framebus_format *f)
{
    for (uint32_t i = 0; i < f->planes; i++) {
        uint64_t rows = framebus_format_rows(f, i), row = framebus_format_row_bytes(f, i), end;
        must(f->offset[i] <= f->size);
        if (f->modifier)
            continue; /* what tiles look like is the driver's affair */
        must(!__builtin_mul_overflow(f->stride[i], rows - 1, &end));
        must(!__builtin_add_overflow(end, f->offset[i], &end) && !__builtin_add_overflow(end, row, &end));
        must(end <= f->size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct framebus_format format;
    char text[300], caps[64], little[8];
    uint8_t how = take_byte(&in);
    const struct framebus_format_info *row = any_row(&in);
    uint32_t width, height;
    take_bytes(&in, &width, sizeof width);
    take_bytes(&in, &height, sizeof height);
    if (how & 1) {
        if (framebus_format_init(&format, row->fourcc, width, height))
            return 0;
        must(!framebus_format_check(&format));
        look_at_planes(&format);
    } else {
        memset(&format, 0, sizeof format);
    }
    /* Then anything on top of it. */
    if (how & 2) {
        take_bytes(&in, &format, sizeof format);
        format.caps = NULL;
        memset(format.reserved, 0, sizeof format.reserved);
    } else if (how & 4) {
        take_bytes(&in, format.stride, sizeof format.stride);
        take_bytes(&in, format.offset, sizeof format.offset);
        take_bytes(&in, &format.size, sizeof format.size);
    }
    if (how & 8)
        format.fourcc = row->fourcc;
    if (how & 16) {
        take_bytes(&in, caps, sizeof caps);
        caps[sizeof caps - 1] = '\0';
        format.caps = caps;
    }
    framebus_format_describe(&format, text, sizeof text);
    framebus_format_describe(&format, little, sizeof little);
    must(strlen(little) < sizeof little);
    if (framebus_format_check(&format))
        return 0;
    must(framebus_format_equal(&format, &format));
    look_at_planes(&format);
    return 0;
}
