/* SPDX-License-Identifier: MIT */
/* As much of GStreamer's caps as a stream of bare frames needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "raw.h"

/* A guess: a pool of payloads grows with them. */
#define PAYLOAD_ROOM 65536

/* The value of a field, without its type and quotes, in text. False: there is no such field, or it is long.
 */
static bool find_field(const char *caps, const char *key, char *text, size_t room)
{
    size_t length = strlen(key);

    for (const char *at = strchr(caps, ','); at; at = strchr(at, ',')) {
        at += 1 + strspn(at + 1, " ");
        if (strncmp(at, key, length) != 0 || at[length + strspn(at + length, " ")] != '=')
            continue;
        at = strchr(at, '=') + 1;
        at += strspn(at, " ");
        if (*at == '(')
            at += strcspn(at, ")") + (strchr(at, ')') != NULL);
        at += strspn(at, " \"");
        length = strcspn(at, " ,;\"");
        return length < room && snprintf(text, room, "%.*s", (int)length, at) > 0;
    }
    return false;
}

static const char *read_ratio(const char *caps, const char *key, uint32_t *num, uint32_t *den)
{
    struct pair pair;
    char text[64];

    if (!find_field(caps, key, text, sizeof(text)) || strncmp(text, "0/", 2) == 0)
        return NULL;
    if (parse_fraction(text, &pair))
        return "a framerate or a pixel-aspect-ratio is no fraction such as 30/1";
    *num = pair.first;
    *den = pair.second;
    return NULL;
}

static void read_color(const char *caps, struct framebus_color *color)
{
    static const struct {
        const char *name;
        struct framebus_color color;
    } names[] = {
        {"bt601", {6, 6, 6, 1}}, {"bt709", {1, 1, 1, 1}},   {"bt2020", {9, 14, 9, 1}},
        {"sRGB", {1, 13, 0, 2}}, {"1:4:0:0", {0, 6, 6, 2}}, /* what JPEG has */
    };
    char text[64];

    if (!find_field(caps, "colorimetry", text, sizeof(text)))
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i].name, text) == 0)
            *color = names[i].color;
}

static const char *read_picture(struct framebus_format *format, const char *caps, uint32_t width,
                                uint32_t height)
{
    const struct framebus_format_info *info;
    char text[64];

    if (!find_field(caps, "format", text, sizeof(text)))
        return "video/x-raw needs a format such as format=NV12";
    info = framebus_format_by_name(text);
    if (!info)
        return "this format is not known; 'gst-inspect-1.0 framebussink' lists those that are";
    if (framebus_format_init(format, info->fourcc, width, height) < 0)
        return "width and height must be told, up to 16384";
    read_color(caps, &format->color);
    return NULL;
}

const char *format_from_caps(struct framebus_format *format, const char *caps)
{
    size_t name = strcspn(caps, ",; (");
    uint32_t width = 0, height = 0;
    const char *wrong = NULL;
    char text[64];

    if (!memchr(caps, '/', name))
        return "caps begin with a media type such as video/x-raw or image/jpeg";
    if (find_field(caps, "width", text, sizeof(text)))
        width = (uint32_t)strtoul(text, NULL, 10);
    if (find_field(caps, "height", text, sizeof(text)))
        height = (uint32_t)strtoul(text, NULL, 10);
    if (name == strlen("video/x-raw") && strncmp(caps, "video/x-raw", name) == 0)
        wrong = read_picture(format, caps, width, height);
    else if (framebus_format_init_opaque(format, caps, PAYLOAD_ROOM) < 0)
        wrong = framebus_last_error();
    if (wrong)
        return wrong;
    if (!format->fourcc && width <= FRAMEBUS_SIDE_MAX && height <= FRAMEBUS_SIDE_MAX) {
        format->width = width;
        format->height = height;
    }
    wrong = read_ratio(caps, "framerate", &format->rate_num, &format->rate_den);
    return wrong ? wrong : read_ratio(caps, "pixel-aspect-ratio", &format->aspect_num, &format->aspect_den);
}
