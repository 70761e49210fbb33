/* SPDX-License-Identifier: MIT */
/*
 * Metas that applications have registered: the name, and the structure as text. An application's own block is
 * such a meta, too, whose bytes travel as they are.
 */
#include "carrier.h"

#include "../meta.h"
#include "../text.h"

#include <string.h>

#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_meta_debug

static gboolean tag_is_own(const char *tag)
{
    return tag && strlen(tag) == 4 && !g_str_has_prefix(tag, "fb");
}

static gboolean own_block_write(const GstMeta *meta, struct meta_output *output)
{
    GstStructure *fields = gst_custom_meta_get_structure((GstCustomMeta *)meta);
    const char *tag = gst_structure_get_string(fields, "tag");
    GBytes *bytes = NULL;
    gconstpointer data;
    gsize size;

    if (!tag_is_own(tag) || !gst_structure_get(fields, "data", G_TYPE_BYTES, &bytes, NULL) || !bytes) {
        GST_WARNING(
            "a block is left out: it needs a \"tag\" of four characters and \"data\": %" GST_PTR_FORMAT,
            fields);
        return FALSE;
    }
    data = g_bytes_get_data(bytes, &size);
    output->tag = FRAMEBUS_TAG((guint8)tag[0], (guint8)tag[1], (guint8)tag[2], (guint8)tag[3]);
    block_put_bytes(output->bytes, data, size);
    g_bytes_unref(bytes);
    return TRUE;
}

void own_block_restore(GstBuffer *buffer, guint32 tag, gconstpointer data, gsize size)
{
    const char text[] = {tag & 0xff, tag >> 8 & 0xff, tag >> 16 & 0xff, tag >> 24, '\0'};
    GstCustomMeta *meta = NULL;
    GBytes *bytes;

    if (tag_is_own(text) && g_utf8_validate(text, -1, NULL))
        meta = gst_buffer_add_custom_meta(buffer, FRAMEBUS_BLOCK_META);
    if (!meta)
        return;
    bytes = g_bytes_new(data, size);
    gst_structure_set(gst_custom_meta_get_structure(meta), "tag", G_TYPE_STRING, text, "data", G_TYPE_BYTES,
                      bytes, NULL);
    g_bytes_unref(bytes);
}

static gboolean custom_write(const GstMeta *meta, struct meta_output *output)
{
    const GstStructure *fields = gst_custom_meta_get_structure((GstCustomMeta *)meta);
    g_autofree char *text = gst_structure_to_string(fields);

    block_put_text(output->bytes, gst_structure_get_name(fields));
    block_put_text(output->bytes, text);
    return TRUE;
}

static void custom_set_fields(GstStructure *to, const GstStructure *from)
{
    for (gint i = 0; i < gst_structure_n_fields(from); i++) {
        const char *name = gst_structure_nth_field_name(from, (guint)i);

        gst_structure_set_value(to, name, gst_structure_get_value(from, name));
    }
}

/* Nothing is registered because another process says so. */
static gboolean custom_restore(struct block *block, const struct meta_target *target)
{
    const char *name = block_take_text(block), *text = block_take_text(block);
    const GstMetaInfo *info = block_is_used_up(block) ? gst_meta_get_info(name) : NULL;
    GstStructure *fields;
    GstCustomMeta *meta;

    if (!info || !gst_meta_info_is_custom(info) || strcmp(name, FRAMEBUS_BLOCK_META) == 0)
        return FALSE;
    fields = text_to_structure(text);
    if (!fields)
        return FALSE;
    meta = gst_buffer_add_custom_meta(target->buffer, name);
    custom_set_fields(gst_custom_meta_get_structure(meta), fields);
    gst_structure_free(fields);
    return TRUE;
}

const struct meta_carrier own_block_carrier = {.write = own_block_write};

const struct meta_carrier custom_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'c', 'm'),
    .version = 1,
    .write = custom_write,
    .restore = custom_restore,
};
