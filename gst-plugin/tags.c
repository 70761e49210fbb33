/* SPDX-License-Identifier: MIT */
#include "tags.h"

#include "meta.h"
#include "text.h"

#include <string.h>

#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_meta_debug

/* What is larger is neither sent nor read. */
#define BLOCK_MOST 16384

/* Entries in one another. A chapter of a title of an edition of a disc has three others around it. */
#define TOC_DEPTH_MOST 8

/* Of enum framebus_orientation. */
static const char *const orientations[] = {"rotate-0",        "rotate-90",      "rotate-180",
                                           "rotate-270",      "flip-rotate-0",  "flip-rotate-90",
                                           "flip-rotate-180", "flip-rotate-270"};

/* ---- Tag lists ----------------------------------------------------------------------------- */

/* Returns TRUE for a value that text can say, of the type that the tag has. Pictures, for one, are too large.
 */
static gboolean tag_value_travels(const char *tag, const GValue *value)
{
    const GType type = G_VALUE_TYPE(value);
    const char *text;

    if (type != gst_tag_get_type(tag))
        return FALSE;
    if (type == G_TYPE_STRING) {
        text = g_value_get_string(value);
        return text && *text && g_utf8_validate(text, -1, NULL);
    }
    return type == G_TYPE_UINT || type == G_TYPE_INT || type == G_TYPE_UINT64 || type == G_TYPE_INT64 ||
           type == G_TYPE_DOUBLE || type == G_TYPE_FLOAT || type == G_TYPE_BOOLEAN || type == G_TYPE_DATE ||
           type == GST_TYPE_DATE_TIME;
}

/* Adds a value, or each of a list, unless it does not travel or makes no sense. */
static void tags_add(GstTagList *list, const char *tag, const GValue *value)
{
    const gboolean many = GST_VALUE_HOLDS_LIST(value);

    for (guint i = 0; gst_tag_exists(tag) && i < (many ? gst_value_list_get_size(value) : 1); i++) {
        const GValue *one = many ? gst_value_list_get_value(value, i) : value;

        if (tag_value_travels(tag, one))
            gst_tag_list_add_value(list, GST_TAG_MERGE_APPEND, tag, one);
    }
}

static GstTagList *tags_copy(const GstTagList *list)
{
    GstTagList *copy = gst_tag_list_new_empty();

    for (gint i = 0; i < gst_tag_list_n_tags(list); i++) {
        const char *tag = gst_tag_list_nth_tag_name(list, i);

        for (guint k = 0; k < gst_tag_list_get_tag_size(list, tag); k++)
            tags_add(copy, tag, gst_tag_list_get_value_index(list, tag, k));
    }
    return copy;
}

static char *tags_to_text(const GstTagList *list)
{
    GstTagList *copy = list ? tags_copy(list) : NULL;
    char *text = copy && !gst_tag_list_is_empty(copy) ? gst_tag_list_to_string(copy) : g_strdup("");

    g_clear_pointer(&copy, gst_tag_list_unref);
    return text;
}

/* Returns NULL for text that makes no sense. "" is an empty list. */
static GstTagList *tags_from_text(const char *text)
{
    GstStructure *structure = *text ? text_to_structure(text) : NULL;
    GstTagList *list;

    if (*text && !structure)
        return NULL;
    list = gst_tag_list_new_empty();
    for (gint i = 0; structure && i < gst_structure_n_fields(structure); i++) {
        const char *tag = gst_structure_nth_field_name(structure, i);

        tags_add(list, tag, gst_structure_get_value(structure, tag));
    }
    g_clear_pointer(&structure, gst_structure_free);
    return list;
}

/* Returns 1 + the orientation that a list tells; 0: it tells none. */
static guint tags_orientation(const GstTagList *list)
{
    g_autofree char *name = NULL;

    if (!gst_tag_list_get_string_index(list, GST_TAG_IMAGE_ORIENTATION, 0, &name))
        return 0;
    for (guint i = 0; i < G_N_ELEMENTS(orientations); i++) {
        if (strcmp(name, orientations[i]) == 0)
            return 1 + i;
    }
    return 0;
}

/* ---- Tables of contents -------------------------------------------------------------------- */

static void block_append(GByteArray *block, const char *text)
{
    g_byte_array_append(block, (const guint8 *)text, strlen(text) + 1);
}

static void toc_append_entries(GByteArray *block, GList *entries, guint depth)
{
    for (GList *item = entries; item && block->len <= BLOCK_MOST && depth < TOC_DEPTH_MOST;
         item = item->next) {
        GstTocEntry *entry = item->data;
        struct toc_entry_block head = {.depth = depth, .type = gst_toc_entry_get_entry_type(entry)};
        g_autofree char *tags = tags_to_text(gst_toc_entry_get_tags(entry));
        GstTocLoopType loop = GST_TOC_LOOP_NONE;

        head.has_times = gst_toc_entry_get_start_stop_times(entry, &head.start, &head.stop);
        head.has_loop = gst_toc_entry_get_loop(entry, &loop, &head.repeat);
        head.loop = loop;
        g_byte_array_append(block, (const guint8 *)&head, sizeof(head));
        block_append(block, gst_toc_entry_get_uid(entry));
        block_append(block, tags);
        toc_append_entries(block, gst_toc_entry_get_sub_entries(entry), depth + 1);
    }
}

/* Returns the next text of a block that ends with a zero, or NULL; *at is behind it. */
static const char *block_next_text(const char *block, gsize size, gsize *at)
{
    const char *text = block + *at;

    if (*at >= size)
        return NULL;
    *at += strlen(text) + 1;
    return text;
}

/* Returns NULL where an entry makes no sense; *at is behind it. */
static GstTocEntry *toc_entry_read(const char *block, gsize size, gsize *at, guint *depth)
{
    struct toc_entry_block head;
    const char *uid, *tags_text;
    GstTagList *tags;
    GstTocEntry *entry;

    if (*at >= size || size - *at < sizeof(head))
        return NULL;
    memcpy(&head, block + *at, sizeof(head));
    *at += sizeof(head);
    uid = block_next_text(block, size, at);
    tags_text = uid ? block_next_text(block, size, at) : NULL;
    if (!tags_text || !*uid || !g_utf8_validate(uid, -1, NULL) || head.type < GST_TOC_ENTRY_TYPE_ANGLE ||
        head.type > GST_TOC_ENTRY_TYPE_CHAPTER || head.type == GST_TOC_ENTRY_TYPE_INVALID)
        return NULL;
    tags = tags_from_text(tags_text);
    if (!tags)
        return NULL;
    *depth = head.depth;
    entry = gst_toc_entry_new(head.type, uid);
    gst_toc_entry_set_tags(entry, tags);
    if (head.has_times)
        gst_toc_entry_set_start_stop_times(entry, head.start, head.stop);
    if (head.has_loop && head.loop >= GST_TOC_LOOP_NONE && head.loop <= GST_TOC_LOOP_PING_PONG)
        gst_toc_entry_set_loop(entry, head.loop, head.repeat);
    return entry;
}

/* Reads up to the first entry that makes no sense. */
static void toc_read_entries(GstToc *toc, const char *block, gsize size, gsize at)
{
    GstTocEntry *around[TOC_DEPTH_MOST] = {NULL}; /* the last one of each depth */
    GstTocEntry *entry;
    guint depth, most = 0;

    while ((entry = toc_entry_read(block, size, &at, &depth))) {
        if (depth > most || depth >= TOC_DEPTH_MOST) {
            gst_toc_entry_unref(entry);
            return;
        }
        if (depth == 0)
            gst_toc_append_entry(toc, entry);
        else
            gst_toc_entry_append_sub_entry(around[depth - 1], entry);
        around[depth] = entry;
        most = depth + 1;
    }
}

/* ---- The writer's side --------------------------------------------------------------------- */

/* Takes the block over; NULL: nothing is said of this any more. */
static void tags_said_set(struct tags_said *said, enum tags_kind kind, GByteArray *block)
{
    g_clear_pointer(&said->block[kind], g_byte_array_unref);
    said->orientation[kind] = 0;
    if (block && block->len > BLOCK_MOST) {
        GST_WARNING("%u bytes of tags are too many: they are left out", block->len);
        g_clear_pointer(&block, g_byte_array_unref);
    }
    said->block[kind] = block;
}

static void tags_said_note_tags(struct tags_said *said, GstEvent *event)
{
    g_autofree char *text = NULL;
    struct tags_block head;
    enum tags_kind kind;
    GByteArray *block;
    GstTagList *list;

    gst_event_parse_tag(event, &list);
    head.kind = kind = gst_tag_list_get_scope(list) == GST_TAG_SCOPE_GLOBAL ? TAGS_GLOBAL : TAGS_STREAM;
    text = tags_to_text(list);
    block = g_byte_array_new();
    g_byte_array_append(block, (const guint8 *)&head, sizeof(head));
    block_append(block, text);
    tags_said_set(said, kind, block);
    said->orientation[kind] = tags_orientation(list);
}

static void tags_said_note_toc(struct tags_said *said, GstEvent *event)
{
    g_autofree char *text = NULL;
    struct toc_block head = {0};
    gboolean updated;
    GByteArray *block;
    GstToc *toc;

    gst_event_parse_toc(event, &toc, &updated);
    head.scope = gst_toc_get_scope(toc);
    text = tags_to_text(gst_toc_get_tags(toc));
    block = g_byte_array_new();
    g_byte_array_append(block, (const guint8 *)&head, sizeof(head));
    block_append(block, text);
    toc_append_entries(block, gst_toc_get_entries(toc), 0);
    tags_said_set(said, TAGS_TOC, block);
    gst_toc_unref(toc);
}

void tags_said_note(struct tags_said *said, GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
        tags_said_finish(said);
        break;
    case GST_EVENT_TAG:
        tags_said_note_tags(said, event);
        break;
    case GST_EVENT_TOC:
        tags_said_note_toc(said, event);
        break;
    default:
        break;
    }
}

guint tags_said_orientation(const struct tags_said *said)
{
    const enum tags_kind kind = said->orientation[TAGS_STREAM] ? TAGS_STREAM : TAGS_GLOBAL;

    return said->orientation[kind] ? said->orientation[kind] - 1 : 0;
}

void tags_said_to_frame(const struct tags_said *said, struct framebus_frame *frame)
{
    for (guint i = 0; i < TAGS_KINDS; i++) {
        const GByteArray *block = said->block[i];

        if (block &&
            framebus_frame_add_meta(frame, i == TAGS_TOC ? TAG_TOC : TAG_TAGS, block->data, block->len) < 0)
            GST_INFO("tags are left out: %s", framebus_last_error());
    }
}

void tags_said_finish(struct tags_said *said)
{
    for (guint i = 0; i < TAGS_KINDS; i++)
        tags_said_set(said, i, NULL);
}

/* ---- A reader's side ----------------------------------------------------------------------- */

/* Returns the list that a block tells, with the picture's orientation, which the bus's format tells. */
static GstTagList *tags_of_block(GBytes *block, gboolean is_picture, guint orientation)
{
    gsize size;
    const struct tags_block *tags = block ? g_bytes_get_data(block, &size) : NULL;
    GstTagList *list = tags ? tags_from_text(tags->text) : gst_tag_list_new_empty();

    if (list && is_picture && (orientation || tags_orientation(list)))
        gst_tag_list_add(list, GST_TAG_MERGE_REPLACE, GST_TAG_IMAGE_ORIENTATION, orientations[orientation],
                         NULL);
    return list;
}

/* Without a block the table is empty. */
static GstEvent *toc_event_of_block(GBytes *block)
{
    static const struct toc_block none = {GST_TOC_SCOPE_CURRENT};
    gsize size = 0, at = sizeof(struct toc_block);
    const char *bytes = block ? g_bytes_get_data(block, &size) : (const char *)&none;
    const guint32 scope = ((const struct toc_block *)bytes)->scope;
    const char *text = block ? block_next_text(bytes, size, &at) : "";
    GstTagList *tags = text ? tags_from_text(text) : NULL;
    GstEvent *event;
    GstToc *toc;

    if (!tags)
        return NULL;
    toc = gst_toc_new(scope == GST_TOC_SCOPE_GLOBAL ? GST_TOC_SCOPE_GLOBAL : GST_TOC_SCOPE_CURRENT);
    gst_toc_set_tags(toc, tags);
    toc_read_entries(toc, bytes, size, at);
    event = gst_event_new_toc(toc, FALSE);
    gst_toc_unref(toc);
    return event;
}

/* Returns which kind a block of a frame is, TAGS_KINDS: none that makes sense. */
static enum tags_kind tags_kind_of(guint32 tag, const void *data, gsize size)
{
    if (size > BLOCK_MOST)
        return TAGS_KINDS;
    if (tag == TAG_TOC && size > sizeof(struct toc_block))
        return TAGS_TOC;
    if (tag == TAG_TAGS && size > sizeof(struct tags_block))
        return ((const struct tags_block *)data)->kind == TAGS_GLOBAL ? TAGS_GLOBAL : TAGS_STREAM;
    return TAGS_KINDS;
}

/* Returns TRUE if the block is another one than was heard, and keeps a copy that ends with a zero. */
static gboolean tags_heard_block(struct tags_heard *heard, enum tags_kind kind, const void *data, gsize size)
{
    GBytes *known = heard->block[kind];
    gsize length;
    char *copy;

    if (known) {
        const void *bytes = g_bytes_get_data(known, &length);

        if (length == size && memcmp(bytes, data, size) == 0)
            return FALSE;
        g_bytes_unref(known);
    }
    copy = g_memdup2(data, size);
    copy[size - 1] = '\0';
    heard->block[kind] = g_bytes_new_take(copy, size);
    return TRUE;
}

/* Makes an event of what has changed. An empty list takes back what the last writer said. */
static GSList *tags_heard_tell(struct tags_heard *heard, GSList *events, enum tags_kind kind,
                               gboolean is_picture)
{
    GstTagList *list;
    GstEvent *event;

    if (kind == TAGS_TOC) {
        event = toc_event_of_block(heard->block[kind]);
        return event ? g_slist_append(events, event) : events;
    }
    list = tags_of_block(heard->block[kind], is_picture && kind == TAGS_STREAM, heard->orientation);
    if (!list)
        return events;
    gst_tag_list_set_scope(list, kind == TAGS_GLOBAL ? GST_TAG_SCOPE_GLOBAL : GST_TAG_SCOPE_STREAM);
    return g_slist_append(events, gst_event_new_tag(list));
}

GSList *tags_heard_in(struct tags_heard *heard, const struct framebus_frame *frame, guint64 writer)
{
    const gboolean is_picture = frame->format->fourcc != 0;
    const guint orientation = is_picture ? frame->format->orientation % G_N_ELEMENTS(orientations) : 0;
    gboolean changed[TAGS_KINDS] = {FALSE}, has[TAGS_KINDS] = {FALSE};
    GSList *events = NULL;
    const void *data;
    guint32 tag;
    size_t at = 0, size;

    while ((data = framebus_frame_next_meta(frame, &at, &tag, &size))) {
        const enum tags_kind kind = tags_kind_of(tag, data, size);

        if (kind == TAGS_KINDS || has[kind])
            continue;
        has[kind] = TRUE;
        changed[kind] = tags_heard_block(heard, kind, data, size);
    }
    for (guint i = 0; i < TAGS_KINDS && heard->writer != writer; i++) {
        if (has[i] || !heard->block[i])
            continue;
        g_clear_pointer(&heard->block[i], g_bytes_unref);
        changed[i] = TRUE;
    }
    heard->writer = writer;
    changed[TAGS_STREAM] |= heard->orientation != orientation;
    heard->orientation = orientation;
    for (guint i = 0; i < TAGS_KINDS; i++) {
        if (changed[i])
            events = tags_heard_tell(heard, events, i, is_picture);
    }
    return events;
}

void tags_heard_finish(struct tags_heard *heard)
{
    for (guint i = 0; i < TAGS_KINDS; i++)
        g_clear_pointer(&heard->block[i], g_bytes_unref);
    *heard = (struct tags_heard){0};
}
