/* SPDX-License-Identifier: MIT */
#include "picker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE ((size_t)-1)

static size_t picker_find(const struct picker *picker)
{
    for (size_t i = 0; i < picker->count; i++)
        if (strcmp(picker->infos[i].name, picker->chosen) == 0)
            return i;
    return NONE;
}

static void picker_choose(struct picker *picker, size_t index)
{
    memcpy(picker->chosen, picker->infos[index].name, sizeof picker->chosen);
}

void picker_update(struct picker *picker, struct framebus_bus_info *infos, size_t count)
{
    size_t before = picker_find(picker);
    framebus_info_free(picker->infos, picker->count);
    picker->infos = infos;
    picker->count = count;
    picker->known = true;
    /* If the chosen one has gone, its neighbour is chosen. */
    if (count && picker_find(picker) == NONE)
        picker_choose(picker, before == NONE ? 0 : before < count ? before : count - 1);
}

void picker_move(struct picker *picker, int by)
{
    size_t index = picker_find(picker);
    if (picker->count)
        picker_choose(picker, index == NONE ? 0 : (index + picker->count + by) % picker->count);
}

bool picker_point(struct picker *picker, double x, double y)
{
    if (!picker->line || !geometry_inside(picker->list, x, y))
        return false;
    size_t index = picker->first + (size_t)((y - picker->list.y) / picker->line);
    if (index >= picker->count)
        return false;
    picker_choose(picker, index);
    return true;
}

static const char *bus_describe(const struct framebus_bus_info *info, char *text, size_t room)
{
    static const char *const trouble[] = {
        [FRAMEBUS_BUS_SILENT] = "does not answer",
        [FRAMEBUS_BUS_STALE] = "left behind by a writer that died",
        [FRAMEBUS_BUS_DENIED] = "belongs to a user who does not let you in",
        [FRAMEBUS_BUS_INCOMPATIBLE] = "its writer is of another release of framebus",
    };
    char format[96];
    if (info->state != FRAMEBUS_BUS_LIVE)
        return trouble[info->state];
    if (!info->has_format)
        return "no format yet";
    framebus_format_describe(&info->format, format, sizeof format);
    snprintf(text, room, "%s, %.4g a second", format, info->rate_millihertz / 1000.0);
    return text;
}

static void picker_draw_entries(struct picker *picker, const struct overlay *overlay, size_t shown,
                                size_t chosen)
{
    double y = picker->list.y;
    for (size_t i = picker->first; i < picker->first + shown; i++, y += picker->line) {
        const struct framebus_bus_info *info = &picker->infos[i];
        char text[160];
        overlay_draw_entry(overlay, (struct box){picker->list.x, y, picker->list.width, picker->line},
                           info->name, bus_describe(info, text, sizeof text), i == chosen,
                           info->state == FRAMEBUS_BUS_LIVE);
    }
}

void picker_draw(struct picker *picker, const struct overlay *overlay, struct box area)
{
    struct overlay_card card = {
        .headline = picker->known ? "No bus yet" : "Looking for buses",
        .detail = "what is published appears here",
        .command = "gst-launch-1.0 videotestsrc ! framebussink bus=cam0",
        .accent = overlay_waiting,
    };
    if (!picker->count) {
        picker->line = 0;
        overlay_draw_card(overlay, area, &card);
        return;
    }
    double line = overlay_entry_height(overlay, area), top = line * 1.6;
    size_t chosen = picker_find(picker), room = (size_t)fmax(1, floor((area.height - top) / line));
    size_t shown = picker->count < room ? picker->count : room;

    if (chosen != NONE && chosen < picker->first)
        picker->first = chosen;
    if (chosen != NONE && chosen >= picker->first + shown)
        picker->first = chosen - shown + 1;
    if (picker->first + shown > picker->count)
        picker->first = picker->count - shown;
    picker->line = line;
    picker->list = (struct box){area.x + area.width * 0.06, area.y + top, area.width * 0.88, line * shown};
    overlay_draw_heading(overlay, area, "Which bus?",
                         "Enter or a click shows it, Backspace comes back, ? lists the keys");
    picker_draw_entries(picker, overlay, shown, chosen);
}

void picker_finish(struct picker *picker)
{
    framebus_info_free(picker->infos, picker->count);
    *picker = (struct picker){0};
}
