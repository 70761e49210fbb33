/* SPDX-License-Identifier: MIT */
#include "media/payload.h"
#include "cli/values.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A guess: a pool of payloads grows with them. */
#define PAYLOAD_ROOM 65536

/* Copies the value of a field without type and quotes. False: there is no such field, or it is too long. */
static bool caps_field(const char *caps, const char *key, char *text, size_t room)
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

static uint32_t caps_side(const char *caps, const char *key)
{
    char text[64];
    uint32_t side = 0;
    if (caps_field(caps, key, text, sizeof text))
        value_within(text, 1, FRAMEBUS_SIDE_MAX, &side);
    return side;
}

/* False: there is one, but it is not a fraction. 0/1 stands for one that varies. */
static bool caps_fraction(const char *caps, const char *key, uint32_t *num, uint32_t *den)
{
    struct value_pair pair;
    char text[64];
    if (!caps_field(caps, key, text, sizeof text) || strncmp(text, "0/", 2) == 0)
        return true;
    if (value_rate(text, &pair))
        return false;
    *num = pair.first;
    *den = pair.second;
    return true;
}

const char *payload_format(const char *caps, struct framebus_format *format)
{
    size_t name = strcspn(caps, ",; (");
    if (!memchr(caps, '/', name))
        return "does not begin with a media type such as image/jpeg";
    if (name == strlen("video/x-raw") && strncmp(caps, "video/x-raw", name) == 0)
        return "is not a payload: pictures need --format, --size and --rate instead";
    if (framebus_format_init_opaque(format, caps, PAYLOAD_ROOM) < 0)
        return framebus_last_error();
    uint32_t width = caps_side(caps, "width"), height = caps_side(caps, "height");
    if (width && height) {
        format->width = width;
        format->height = height;
    }
    if (!caps_fraction(caps, "framerate", &format->rate_num, &format->rate_den) ||
        !caps_fraction(caps, "pixel-aspect-ratio", &format->aspect_num, &format->aspect_den))
        return "has a framerate or a pixel-aspect-ratio that is not a fraction such as 30/1";
    return NULL;
}
