/* SPDX-License-Identifier: MIT */
#include "color.h"

#define HD_ROWS 720

/* Indexed by H.273's MatrixCoefficients. 4 (FCC) and 7 (SMPTE 240M) differ from their neighbours by
 * less than people can see. */
static const struct {
    bool known;
    enum color_matrix matrix;
} h273[] = {
    [1] = {true, COLOR_BT709},   [4] = {true, COLOR_BT601}, [5] = {true, COLOR_BT601},
    [6] = {true, COLOR_BT601},   [7] = {true, COLOR_BT709}, [9] = {true, COLOR_BT2020},
    [10] = {true, COLOR_BT2020},
};

enum {
    RANGE_UNKNOWN,
    RANGE_LIMITED,
    RANGE_FULL,
};

struct color color_of(const struct framebus_format *format)
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    unsigned code = format->color.matrix;
    struct color color = {.matrix = format->height < HD_ROWS ? COLOR_BT601 : COLOR_BT709};
    if (code < sizeof(h273) / sizeof(*h273) && h273[code].known)
        color.matrix = h273[code].matrix;
    color.full =
        format->color.range == RANGE_FULL || (format->color.range != RANGE_LIMITED && info && !info->yuv);
    return color;
}

const char *color_name(struct color color)
{
    static const char *const name[][2] = {
        [COLOR_BT601] = {"BT.601 limited", "BT.601 full"},
        [COLOR_BT709] = {"BT.709 limited", "BT.709 full"},
        [COLOR_BT2020] = {"BT.2020 limited", "BT.2020 full"},
    };
    return name[color.matrix][color.full];
}
