/* SPDX-License-Identifier: MIT */
#include "foreign.h"

#include "caps.h"

#include <errno.h>
#include <gst/allocators/gstfdmemory.h>
#include <unistd.h>

/* Buffers that upstream is always left with: one that is being filled, and the next one. */
#define LEFT_TO_UPSTREAM 2

GST_DEBUG_CATEGORY_STATIC(framebus_foreign_debug);
#define GST_CAT_DEFAULT framebus_foreign_debug

/* One memory of upstream's; lives as long as that. */
struct entry {
    struct foreign *foreign;        /* a reference */
    struct framebus_buffer *buffer; /* NULL: not registered */
    GstBuffer *out;                 /* that is on the bus */
    gboolean refused;               /* ... and cannot be */
    char *text;                     /* what it was registered or refused as */
    guint parts;
    struct framebus_part part[FRAMEBUS_PLANES_MAX];
    guint64 offset[FRAMEBUS_PLANES_MAX];
    guint32 stride[FRAMEBUS_PLANES_MAX];
};

struct foreign {
    GstFramebusLender *lender;
    GMutex lock;        /* of these, and of buffer and out in each entry */
    GPtrArray *entries; /* NULL: it is over */
    guint out;          /* how many are on the bus */

    /* The streaming thread's. */
    gconstpointer pool; /* upstream's, to be compared only ... */
    guint pool_size;    /* ... and how many buffers it has at least */
};

static GQuark entry_quark(void)
{
    return g_quark_from_static_string("framebus-foreign");
}

static void foreign_clear(gpointer data)
{
    struct foreign *foreign = data;

    g_mutex_clear(&foreign->lock);
    gst_object_unref(foreign->lender);
}

/* ---- Entries ------------------------------------------------------------------------------- */

/* With the memory, from whatever thread; nothing of it is on the bus then. */
static void entry_free(gpointer data)
{
    struct entry *entry = data;
    struct foreign *foreign = entry->foreign;
    struct framebus_buffer *buffer;

    g_mutex_lock(&foreign->lock);
    if (foreign->entries)
        g_ptr_array_remove_fast(foreign->entries, entry);
    buffer = g_steal_pointer(&entry->buffer);
    g_mutex_unlock(&foreign->lock);
    if (buffer)
        lender_forget(foreign->lender, buffer);
    g_free(entry->text);
    g_free(entry);
    g_atomic_rc_box_release_full(foreign, foreign_clear);
}

/* NULL: another bus has that memory. */
static struct entry *entry_of(struct foreign *foreign, GstMemory *memory)
{
    GstMiniObject *object = GST_MINI_OBJECT_CAST(memory->parent ? memory->parent : memory);
    struct entry *entry = gst_mini_object_get_qdata(object, entry_quark());

    if (entry && entry->foreign == foreign)
        return entry;
    if (entry) {
        gboolean over;

        g_mutex_lock(&entry->foreign->lock);
        over = !entry->foreign->entries;
        g_mutex_unlock(&entry->foreign->lock);
        if (!over)
            return NULL;
    }
    entry = g_new0(struct entry, 1);
    entry->foreign = g_atomic_rc_box_acquire(foreign);
    g_mutex_lock(&foreign->lock);
    g_ptr_array_add(foreign->entries, entry);
    g_mutex_unlock(&foreign->lock);
    gst_mini_object_set_qdata(object, entry_quark(), entry, entry_free);
    return entry;
}

/* From any call to the library. */
static void returned(void *user)
{
    struct entry *entry = user;
    struct foreign *foreign = entry->foreign;
    GstBuffer *buffer;

    g_mutex_lock(&foreign->lock);
    buffer = g_steal_pointer(&entry->out);
    foreign->out--;
    g_mutex_unlock(&foreign->lock);
    lender_return(foreign->lender, buffer);
}

/* ---- Where a buffer's picture is ------------------------------------------------------------ */

/* The file descriptors one after the other are the frame; plane by plane it is where the format says. */
static gboolean find_parts(GstBuffer *buffer, const GstVideoInfo *info, const char *text,
                           struct framebus_part *parts, struct framebus_format *format)
{
    const guint count = gst_buffer_n_memory(buffer);
    const gsize page = sysconf(_SC_PAGESIZE);
    const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    gsize start[FRAMEBUS_PLANES_MAX], total = 0;

    if (count == 0 || count > FRAMEBUS_PLANES_MAX || !gst_is_fd_memory(gst_buffer_peek_memory(buffer, 0)))
        return FALSE;
    if (meta && (meta->format != GST_VIDEO_INFO_FORMAT(info) || meta->width != (guint)info->width ||
                 meta->height != (guint)info->height || meta->n_planes != GST_VIDEO_INFO_N_PLANES(info)))
        return FALSE;
    for (guint i = 0; i < count; i++) {
        GstMemory *memory = gst_buffer_peek_memory(buffer, i);
        const gsize before = memory->offset % page;

        if (!gst_is_fd_memory(memory))
            return FALSE;
        parts[i] = (struct framebus_part){.fd = gst_fd_memory_get_fd(memory),
                                          .offset = memory->offset - before,
                                          .size = before + memory->size};
        if (i + 1 < count)
            parts[i].size = (parts[i].size + page - 1) / page * page;
        start[i] = total + before;
        total += parts[i].size;
    }

    format_from_info(format, info, text);
    format->size = 0;
    for (guint i = 0; i < format->planes; i++) {
        const gint stride = meta ? meta->stride[i] : info->stride[i];
        guint which, length;
        gsize skip;

        if (stride <= 0 || !gst_buffer_find_memory(buffer, meta ? meta->offset[i] : info->offset[i], 1,
                                                   &which, &length, &skip))
            return FALSE;
        format->stride[i] = stride;
        format->offset[i] = start[which] + skip;
        format->size =
            MAX(format->size, format->offset[i] + (guint64)stride * framebus_format_rows(format, i));
    }
    return format->size <= total;
}

static gboolean is_known(const struct entry *entry, guint parts, const struct framebus_part *part,
                         const struct framebus_format *format)
{
    if (!entry->text || strcmp(entry->text, format->caps) != 0 || entry->parts != parts)
        return FALSE;
    for (guint i = 0; i < parts; i++) {
        if (entry->part[i].fd != part[i].fd || entry->part[i].offset != part[i].offset ||
            entry->part[i].size != part[i].size)
            return FALSE;
    }
    return memcmp(entry->offset, format->offset, sizeof entry->offset) == 0 &&
           memcmp(entry->stride, format->stride, sizeof entry->stride) == 0;
}

/* ---- Publishing ----------------------------------------------------------------------------- */

/*
 * Frames on the bus come back only when newer ones have pushed them out of its history, and readers let go:
 * an upstream whose buffers are all there would wait for ever. What exceeds that is copied, which goes on
 * pushing. A pool that tells no size has at least as many buffers as were seen of it.
 */
static gboolean can_go_out(struct foreign *foreign, const struct entry *entry, const GstBuffer *buffer)
{
    gboolean can;

    if (buffer->pool && foreign->pool != buffer->pool) {
        GstStructure *config = gst_buffer_pool_get_config(buffer->pool);

        if (!gst_buffer_pool_config_get_params(config, NULL, NULL, &foreign->pool_size, NULL))
            foreign->pool_size = 0;
        gst_structure_free(config);
        foreign->pool = buffer->pool;
    }
    g_mutex_lock(&foreign->lock);
    can = !entry->out &&
          (!buffer->pool || foreign->out + LEFT_TO_UPSTREAM < MAX(foreign->pool_size, foreign->entries->len));
    g_mutex_unlock(&foreign->lock);
    return can;
}

struct attempt {
    struct entry *entry;
    struct framebus_buffer *buffer;
    struct framebus_frame *frame;
};

static int create(struct framebus_writer *writer, gpointer user)
{
    struct attempt *attempt = user;
    struct entry *entry = attempt->entry;

    return framebus_buffer_create(&attempt->buffer, writer, entry->part, entry->parts, returned, entry);
}

static int begin(struct framebus_writer *writer, gpointer user)
{
    struct attempt *attempt = user;

    return framebus_writer_begin_buffer(writer, attempt->entry->buffer, &attempt->frame);
}

static int publish_and_release(struct framebus_writer *writer, gpointer user)
{
    const int r = framebus_writer_publish(writer, user);

    framebus_writer_release(writer, user);
    return r;
}

static void unregister(struct foreign *foreign, struct entry *entry)
{
    struct framebus_buffer *buffer;

    g_mutex_lock(&foreign->lock);
    buffer = g_steal_pointer(&entry->buffer);
    g_mutex_unlock(&foreign->lock);
    if (buffer)
        lender_forget(foreign->lender, buffer);
}

static int register_entry(struct foreign *foreign, struct entry *entry, const struct framebus_format *format)
{
    struct attempt attempt = {.entry = entry};
    int r = lender_set_format(foreign->lender, LENDER_FOR_RENDER, format);

    if (r == 0)
        r = lender_call(foreign->lender, create, &attempt);
    g_mutex_lock(&foreign->lock);
    entry->buffer = attempt.buffer;
    g_mutex_unlock(&foreign->lock);
    entry->refused = r < 0 && r != -ECANCELED && r != -EBUSY;
    if (r < 0)
        GST_INFO("memory of upstream's is copied: %s", framebus_last_error());
    return r;
}

struct framebus_frame *foreign_begin(struct foreign *foreign, GstBuffer *buffer, const GstVideoInfo *info,
                                     const char *text)
{
    struct framebus_part parts[FRAMEBUS_PLANES_MAX];
    struct framebus_format format;
    struct attempt attempt = {0};
    struct entry *entry;
    guint count;
    int r = -ESTALE;

    if (!find_parts(buffer, info, text, parts, &format))
        return NULL;
    entry = entry_of(foreign, gst_buffer_peek_memory(buffer, 0));
    if (!entry || !can_go_out(foreign, entry, buffer))
        return NULL;

    attempt.entry = entry;
    count = gst_buffer_n_memory(buffer);
    if (is_known(entry, count, parts, &format)) {
        if (entry->refused)
            return NULL;
        if (entry->buffer)
            r = lender_call(foreign->lender, begin, &attempt);
    }
    if (r == -ESTALE) { /* the bus has begun another pool, or knows nothing of it yet */
        unregister(foreign, entry);
        g_free(entry->text);
        entry->text = g_strdup(text);
        memcpy(entry->offset, format.offset, sizeof entry->offset);
        memcpy(entry->stride, format.stride, sizeof entry->stride);
        entry->parts = count;
        memcpy(entry->part, parts, sizeof parts);
        r = register_entry(foreign, entry, &format);
        if (r == 0)
            r = lender_call(foreign->lender, begin, &attempt);
    }
    if (r < 0)
        return NULL;
    g_mutex_lock(&foreign->lock);
    entry->out = gst_buffer_ref(buffer);
    foreign->out++;
    g_mutex_unlock(&foreign->lock);
    return attempt.frame;
}

int foreign_publish(struct foreign *foreign, struct framebus_frame *frame)
{
    return lender_call(foreign->lender, publish_and_release, frame);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

struct foreign *foreign_new(GstFramebusLender *lender)
{
    struct foreign *foreign = g_atomic_rc_box_new0(struct foreign);

    GST_DEBUG_CATEGORY_INIT(framebus_foreign_debug, "framebusforeign", 0,
                            "memory of upstream's on a framebus bus");
    g_mutex_init(&foreign->lock);
    foreign->entries = g_ptr_array_new();
    foreign->lender = gst_object_ref(lender);
    return foreign;
}

void foreign_free(struct foreign *foreign)
{
    GPtrArray *entries, *buffers;

    if (!foreign)
        return;
    buffers = g_ptr_array_new();
    g_mutex_lock(&foreign->lock);
    entries = g_steal_pointer(&foreign->entries);
    for (guint i = 0; i < entries->len; i++) {
        struct entry *entry = g_ptr_array_index(entries, i);

        if (entry->buffer)
            g_ptr_array_add(buffers, g_steal_pointer(&entry->buffer));
    }
    g_mutex_unlock(&foreign->lock);
    for (guint i = 0; i < buffers->len; i++)
        lender_forget(foreign->lender, g_ptr_array_index(buffers, i));
    g_ptr_array_unref(buffers);
    g_ptr_array_unref(entries);
    g_atomic_rc_box_release_full(foreign, foreign_clear);
}
