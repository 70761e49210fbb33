/* SPDX-License-Identifier: MIT */
#include "json.h"
#include "names.h"
#include "text.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

/* A string that becomes the object's; `text` is freed. */
static struct json_object *json_of_text(char *text)
{
    char *clean = text_printable(text);
    struct json_object *value = json_object_new_string(clean);
    free(clean);
    free(text);
    return value;
}

void json_add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, text ? json_of_text(text_of("%s", text)) : NULL);
}

void json_add_number(struct json_object *object, const char *key, uint64_t number)
{
    json_object_object_add(object, key, json_object_new_uint64(number));
}

void json_add_pid(struct json_object *object, const char *key, int32_t pid)
{
    json_object_object_add(object, key, pid ? json_object_new_int(pid) : NULL);
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
    json_object_object_add(object, key, json_object_new_boolean(value));
}

/* Three decimals are all there is; more would be noise of the conversion to binary. */
void json_add_rate(struct json_object *object, const char *key, double rate)
{
    char text[32];
    snprintf(text, sizeof text, "%.3f", rate);
    json_object_object_add(object, key, json_object_new_double_s(rate, text));
}

static struct json_object *json_of_format(const struct framebus_format *format)
{
    struct json_object *object = json_object_new_object(), *planes = json_object_new_array();
    const struct framebus_format_info *known = framebus_format_find(format->fourcc);
    char text[128];
    json_add_text(object, "text", framebus_format_describe(format, text, sizeof text));
    json_object_object_add(object, "name", json_of_text(content_name(format)));
    json_object_object_add(object, "drm", known ? json_object_new_string(known->drm) : NULL);
    json_add_number(object, "fourcc", format->fourcc);
    json_add_number(object, "modifier", format->modifier);
    json_add_number(object, "width", format->width);
    json_add_number(object, "height", format->height);
    json_add_number(object, "rate_num", format->rate_num);
    json_add_number(object, "rate_den", format->rate_den);
    json_add_number(object, "aspect_num", format->aspect_num);
    json_add_number(object, "aspect_den", format->aspect_den);
    json_add_number(object, "primaries", format->color.primaries);
    json_add_number(object, "transfer", format->color.transfer);
    json_add_number(object, "matrix", format->color.matrix);
    json_add_number(object, "range", format->color.range);
    json_add_number(object, "orientation", format->orientation);
    json_add_number(object, "size", format->size);
    for (uint32_t i = 0; i < format->planes; i++) {
        struct json_object *plane = json_object_new_object();
        json_add_number(plane, "offset", format->offset[i]);
        json_add_number(plane, "stride", format->stride[i]);
        json_object_array_add(planes, plane);
    }
    json_object_object_add(object, "planes", planes);
    json_add_text(object, "caps", format->caps ? format->caps : "");
    return object;
}

static struct json_object *json_of_reader(const struct framebus_peer_info *reader)
{
    struct json_object *object = json_object_new_object();
    json_add_number(object, "id", reader->id);
    json_add_pid(object, "pid", reader->pid);
    json_add_number(object, "uid", reader->uid);
    json_add_text(object, "label", reader->label);
    json_add_text(object, "delivery", delivery_name(reader->delivery));
    json_add_number(object, "quota", reader->quota);
    json_add_number(object, "held", reader->held);
    json_add_number(object, "taken", reader->taken);
    json_add_number(object, "missed", reader->missed);
    return object;
}

static struct json_object *json_of_writer(const struct framebus_bus_info *bus)
{
    struct json_object *object = json_object_new_object();
    bool live = bus->state == FRAMEBUS_BUS_LIVE;
    json_add_pid(object, "pid", bus->pid);
    json_object_object_add(object, "uid", live ? json_object_new_uint64(bus->uid) : NULL);
    json_object_object_add(object, "label", live ? json_of_text(text_of("%s", bus->label)) : NULL);
    return object;
}

static struct json_object *json_of_memory(const struct framebus_bus_info *bus)
{
    struct json_object *object = json_object_new_object();
    json_add_text(object, "kind", memory_name(bus->memory));
    json_add_number(object, "bytes", bus->memory_bytes);
    json_add_number(object, "slots_used", bus->slots_used);
    json_add_number(object, "max_slots", bus->max_slots);
    json_add_number(object, "max_lends", bus->max_lends);
    json_add_number(object, "lent", bus->lent);
    json_add_number(object, "history", bus->history);
    return object;
}

static struct json_object *json_of_stream(const struct framebus_bus_info *bus)
{
    struct json_object *object = json_object_new_object();
    json_add_number(object, "published", bus->published);
    json_add_rate(object, "fps", bus->rate_millihertz / 1000.0);
    json_add_number(object, "last_publish_ns", (uint64_t)bus->last_publish_ns);
    json_add_bool(object, "lossless", bus->lossless);
    json_add_number(object, "evicted", bus->evicted);
    return object;
}

struct json_object *json_of_bus(const struct framebus_bus_info *bus)
{
    struct json_object *object = json_object_new_object(), *readers = NULL;
    bool live = bus->state == FRAMEBUS_BUS_LIVE;
    if (live) {
        readers = json_object_new_array();
        for (uint32_t i = 0; i < bus->readers; i++)
            json_object_array_add(readers, json_of_reader(&bus->reader[i]));
    }
    json_add_text(object, "name", bus->name);
    json_add_text(object, "path", bus->path);
    json_add_text(object, "state", state_name(bus->state));
    json_object_object_add(object, "writer", bus->has_writer ? json_of_writer(bus) : NULL);
    json_object_object_add(object, "format", bus->has_format ? json_of_format(&bus->format) : NULL);
    json_object_object_add(object, "stream", live ? json_of_stream(bus) : NULL);
    json_object_object_add(object, "memory", live ? json_of_memory(bus) : NULL);
    json_object_object_add(object, "readers", readers);
    return object;
}

void json_print(struct json_object *value)
{
    puts(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                   JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(value);
}

void json_print_line(struct json_object *value)
{
    puts(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(value);
    fflush(stdout);
}
