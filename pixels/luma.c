/* SPDX-License-Identifier: MIT */
/* Reads and writes the luma of a pixel in the word of its group. */
#include "luma.h"

#include <string.h>

enum { RANGE_FULL = 2 };

bool luma_init(struct luma *luma, const struct framebus_format *format)
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    *luma = (struct luma){0};
    if (!info || format->modifier || !format_group(format->fourcc, 0, &luma->group))
        return false;
    luma->pixels = info->plane[0].pixels;
    luma->full = !info->yuv || format->color.range == RANGE_FULL;
    for (unsigned i = 0; i < luma->group.fields; i++) {
        const struct format_field *field = &luma->group.field[i];
        if (!strchr("YRGB", field->name))
            continue;
        luma->gray[field->pixel] |= ((UINT64_C(1) << field->bits) - 1) << field->shift;
        if (field->name == 'Y' || field->name == 'G')
            luma->field[field->pixel] = *field;
    }
    return true;
}

uint32_t luma_level(double value, unsigned bits, bool full)
{
    uint32_t most = (1u << bits) - 1;
    double unit = (double)(1u << bits) / 256;
    return (uint32_t)((full ? value * most : (16 + 219 * value) * unit) + 0.5);
}

uint8_t luma_get(const struct luma *luma, const uint8_t *row, uint32_t x)
{
    const struct format_field *field = &luma->field[x % luma->pixels];
    uint64_t value = format_group_load(&luma->group, row + (size_t)(x / luma->pixels) * luma->group.bytes) >>
                         field->shift &
                     ((UINT64_C(1) << field->bits) - 1);
    return (uint8_t)(field->bits < 8 ? value << (8 - field->bits) : value >> (field->bits - 8));
}

void luma_set(const struct luma *luma, uint8_t *row, uint32_t x, uint8_t level)
{
    uint8_t *at = row + (size_t)(x / luma->pixels) * luma->group.bytes;
    unsigned pixel = x % luma->pixels;
    uint64_t word = format_group_load(&luma->group, at) & ~luma->gray[pixel];
    for (unsigned i = 0; i < luma->group.fields; i++) {
        const struct format_field *field = &luma->group.field[i];
        if (field->pixel == pixel && strchr("YRGB", field->name))
            word |= (uint64_t)luma_level(level / 255.0, field->bits, luma->full) << field->shift;
    }
    format_group_store(&luma->group, at, word);
}
