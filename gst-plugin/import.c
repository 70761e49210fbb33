/* SPDX-License-Identifier: MIT */
#include "import.h"

#include "caps.h"
#include "payload.h"
#include "tiled.h"

#include <errno.h>
#include <gst/allocators/gstfdmemory.h>
#include <string.h>
#include <unistd.h>

/* Buffers that upstream always keeps: one that is being filled, and the next one. */
#define LEFT_TO_UPSTREAM 2

GST_DEBUG_CATEGORY_STATIC(framebus_import_debug);
#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_import_debug

/* One memory of upstream's, and what it is registered as; it lives as long as the memory. */
struct import {
    struct imports *imports;        /* a reference */
    struct framebus_import *buffer; /* NULL: not registered */
    GstBuffer *published;           /* the buffer while it is on the bus; else NULL */
    guint64 number;                 /* how many were published before */
    int refused;                    /* why the bus cannot have it as what is described below; 0: it can */
    char *text;                     /* the caps; NULL: nothing was tried yet */
    guint parts;
    struct framebus_part part[FRAMEBUS_PLANES_MAX];
    guint64 offset[FRAMEBUS_PLANES_MAX];
    guint32 stride[FRAMEBUS_PLANES_MAX];
};

struct imports {
    GstFramebusAllocator *allocator;
    GMutex lock;     /* of the two below, and of buffer and published in each import */
    GPtrArray *list; /* NULL after imports_free() */
    guint published; /* buffers on the bus */

    /* The streaming thread's. */
    guint64 number;     /* buffers published so far */
    gconstpointer pool; /* upstream's pool, only to be compared */
    guint pool_size;    /* buffers that it has at least */
};

static GQuark import_quark(void)
{
    return g_quark_from_static_string("framebus-import");
}

static void imports_clear(gpointer data)
{
    struct imports *imports = data;

    g_mutex_clear(&imports->lock);
    gst_object_unref(imports->allocator);
}

/* ---- Memories ------------------------------------------------------------------------------ */

/* Called when the memory is freed, in any thread; nothing of it is on the bus then. */
static void import_free(gpointer data)
{
    struct import *import = data;
    struct imports *imports = import->imports;
    struct framebus_import *buffer;

    g_mutex_lock(&imports->lock);
    if (imports->list)
        g_ptr_array_remove_fast(imports->list, import);
    buffer = g_steal_pointer(&import->buffer);
    g_mutex_unlock(&imports->lock);
    if (buffer)
        allocator_destroy_buffer(imports->allocator, buffer);
    g_free(import->text);
    g_free(import);
    g_atomic_rc_box_release_full(imports, imports_clear);
}

/* Returns NULL if another bus has that memory. */
static struct import *import_of(struct imports *imports, GstMemory *memory)
{
    GstMiniObject *object = GST_MINI_OBJECT_CAST(memory->parent ? memory->parent : memory);
    struct import *import = gst_mini_object_get_qdata(object, import_quark());

    if (import && import->imports == imports)
        return import;
    if (import) {
        gboolean over;

        g_mutex_lock(&import->imports->lock);
        over = !import->imports->list;
        g_mutex_unlock(&import->imports->lock);
        if (!over)
            return NULL;
    }
    import = g_new0(struct import, 1);
    import->imports = g_atomic_rc_box_acquire(imports);
    g_mutex_lock(&imports->lock);
    g_ptr_array_add(imports->list, import);
    g_mutex_unlock(&imports->lock);
    gst_mini_object_set_qdata(object, import_quark(), import, import_free);
    return import;
}

/* Called by the library, from within any call to it. */
static void import_returned(void *user)
{
    struct import *import = user;
    struct imports *imports = import->imports;
    GstBuffer *buffer;

    g_mutex_lock(&imports->lock);
    buffer = g_steal_pointer(&import->published);
    imports->published--;
    g_mutex_unlock(&imports->lock);
    allocator_unref_later(imports->allocator, buffer);
}

/* ---- Where a buffer's frame is ------------------------------------------------------------- */

/*
 * Describes a payload's memory as a part of a file descriptor, all of it, since the next payload in there may
 * be larger. What is smaller than PAYLOAD_MIN is copied sooner than registered. The buffers of a pool are all
 * as large, and so is what has to be copied in between; of others the next one may be smaller.
 */
static gboolean import_find_payload(GstBuffer *buffer, const char *text, struct framebus_part *part,
                                    struct framebus_format *format)
{
    const gsize page = sysconf(_SC_PAGESIZE);
    GstMemory *memory = gst_buffer_n_memory(buffer) == 1 ? gst_buffer_peek_memory(buffer, 0) : NULL;

    if (!memory || !gst_is_fd_memory(memory) || memory->offset % page ||
        memory->maxsize - memory->offset < PAYLOAD_MIN)
        return FALSE;
    *part = (struct framebus_part){.fd = gst_fd_memory_get_fd(memory),
                                   .offset = memory->offset,
                                   .size = memory->maxsize - memory->offset};
    return framebus_format_init_opaque(format, text, buffer->pool ? part->size : PAYLOAD_MIN) == 0;
}

/* Where the memories of a buffer, which one after the other are the frame, begin in it. */
struct import_layout {
    gsize start[FRAMEBUS_PLANES_MAX], total;
};

/* Describes a buffer as parts of file descriptors. */
static gboolean import_find_parts(GstBuffer *buffer, struct framebus_part *parts,
                                  struct import_layout *layout)
{
    const guint count = gst_buffer_n_memory(buffer);
    const gsize page = sysconf(_SC_PAGESIZE);

    if (count == 0 || count > FRAMEBUS_PLANES_MAX)
        return FALSE;
    layout->total = 0;
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
        layout->start[i] = layout->total + before;
        layout->total += parts[i].size;
    }
    return TRUE;
}

/* Describes where in the frame the picture's planes are. What is tiled is so as its GstVideoMeta alone says.
 */
static gboolean import_find_planes(GstBuffer *buffer, const struct import_picture *picture,
                                   const struct import_layout *layout, struct framebus_format *format)
{
    const GstVideoInfo *info = picture->info;
    const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);

    if (picture->modifier
            ? !meta || !tiled_has_meta(info, meta)
            : meta &&
                  (meta->format != GST_VIDEO_INFO_FORMAT(info) || meta->width != (guint)info->width ||
                   meta->height != (guint)info->height || meta->n_planes != GST_VIDEO_INFO_N_PLANES(info)))
        return FALSE;
    format_from_info(format, info, picture->text);
    format->modifier = picture->modifier;
    format->size = picture->modifier ? layout->total : 0;
    if (picture->modifier)
        format->planes = meta->n_planes;
    for (guint i = 0; i < format->planes; i++) {
        const gint stride = meta ? meta->stride[i] : info->stride[i];
        guint which, length;
        gsize skip;

        if (stride <= 0 || !gst_buffer_find_memory(buffer, meta ? meta->offset[i] : info->offset[i], 1,
                                                   &which, &length, &skip))
            return FALSE;
        format->stride[i] = stride;
        format->offset[i] = layout->start[which] + skip;
        if (!picture->modifier)
            format->size =
                MAX(format->size, format->offset[i] + (guint64)stride * framebus_format_rows(format, i));
    }
    return format->size <= layout->total;
}

static gboolean import_is_known(const struct import *import, guint parts, const struct framebus_part *part,
                                const struct framebus_format *format)
{
    if (!import->text || strcmp(import->text, format->caps) != 0 || import->parts != parts)
        return FALSE;
    for (guint i = 0; i < parts; i++) {
        if (import->part[i].fd != part[i].fd || import->part[i].offset != part[i].offset ||
            import->part[i].size != part[i].size)
            return FALSE;
    }
    return memcmp(import->offset, format->offset, sizeof(import->offset)) == 0 &&
           memcmp(import->stride, format->stride, sizeof(import->stride)) == 0;
}

/* ---- Publishing ---------------------------------------------------------------------------- */

static int writer_recall(struct framebus_writer *writer G_GNUC_UNUSED, gpointer user)
{
    return framebus_import_recall(((struct import *)user)->buffer);
}

/* Returns the oldest of the buffers on the bus that were published after `*after`, with a reference that
 * keeps it and its import; NULL: there is none. *after is then its number. */
static GstBuffer *imports_oldest(struct imports *imports, guint64 *after, struct import **oldest)
{
    GstBuffer *buffer = NULL;

    *oldest = NULL;
    g_mutex_lock(&imports->lock);
    for (guint i = 0; i < imports->list->len; i++) {
        struct import *import = g_ptr_array_index(imports->list, i);

        if (import->published && import->buffer && import->number > *after &&
            (!*oldest || import->number < (*oldest)->number))
            *oldest = import;
    }
    if (*oldest) {
        buffer = gst_buffer_ref((*oldest)->published);
        *after = (*oldest)->number;
    }
    g_mutex_unlock(&imports->lock);
    return buffer;
}

/* Takes back the oldest buffer that no reader has, before the history has passed, unless it is the newest. */
static void imports_recall_one(struct imports *imports)
{
    struct import *import;
    GstBuffer *buffer;
    guint64 after = 0;
    int r = -EBUSY;

    while (r < 0 && (buffer = imports_oldest(imports, &after, &import))) {
        r = allocator_call(imports->allocator, writer_recall, import);
        gst_buffer_unref(buffer);
    }
}

static gboolean imports_have_room(struct imports *imports)
{
    gboolean have;

    g_mutex_lock(&imports->lock);
    have = imports->published + LEFT_TO_UPSTREAM < MAX(imports->pool_size, imports->list->len);
    g_mutex_unlock(&imports->lock);
    return have;
}

/*
 * Returns FALSE if upstream would be left with too few buffers. A buffer on the bus comes back when newer
 * frames have pushed it out of the history and readers have released it: an upstream whose buffers were all
 * there would wait without end. If it has few, older ones are taken back earlier; what readers have of those
 * makes further frames be copied. If a pool does not tell its size, the number of its memories that were seen
 * counts.
 */
static gboolean imports_can_take(struct imports *imports, const struct import *import,
                                 const GstBuffer *buffer)
{
    gboolean can;

    if (buffer->pool && imports->pool != buffer->pool) {
        GstStructure *config = gst_buffer_pool_get_config(buffer->pool);

        if (!gst_buffer_pool_config_get_params(config, NULL, NULL, &imports->pool_size, NULL))
            imports->pool_size = 0;
        gst_structure_free(config);
        imports->pool = buffer->pool;
    }
    g_mutex_lock(&imports->lock);
    can = !import->published;
    g_mutex_unlock(&imports->lock);
    if (!can || !buffer->pool || imports_have_room(imports))
        return can;
    imports_recall_one(imports);
    return imports_have_room(imports);
}

struct attempt {
    struct import *import;
    struct framebus_import *buffer;
    struct framebus_frame *frame;
};

static int writer_create_buffer(struct framebus_writer *writer, gpointer user)
{
    struct attempt *attempt = user;
    struct import *import = attempt->import;

    return framebus_import_create(&attempt->buffer, writer, import->part, import->parts, import_returned,
                                  import);
}

static int writer_begin_import(struct framebus_writer *writer, gpointer user)
{
    struct attempt *attempt = user;

    return framebus_writer_begin_import(writer, attempt->import->buffer, &attempt->frame);
}

static int writer_publish_and_release(struct framebus_writer *writer, gpointer user)
{
    const int r = framebus_writer_publish(writer, user);

    framebus_writer_release(writer, user);
    return r;
}

static void import_unregister(struct imports *imports, struct import *import)
{
    struct framebus_import *buffer;

    g_mutex_lock(&imports->lock);
    buffer = g_steal_pointer(&import->buffer);
    g_mutex_unlock(&imports->lock);
    if (buffer)
        allocator_destroy_buffer(imports->allocator, buffer);
}

/* Gives the bus the format of such payloads, unless a slot tells that it carries them already, and none that
 * are larger than the import. */
static int import_provide_payload(struct imports *imports, const struct import *import,
                                  const struct framebus_format *format)
{
    const guint64 room = import->part[0].size;
    const struct framebus_format *bus;
    gboolean is_same = FALSE, fits = FALSE;
    GstMemory *slot;
    int r;

    slot = allocator_lend(imports->allocator, ALLOCATOR_FOR_RENDER, 1, NULL, &r);
    if (!slot && r != -ENODATA)
        return r;
    if (slot) {
        bus = allocator_frame(imports->allocator, slot)->format;
        is_same = !bus->fourcc && strcmp(bus->caps, format->caps) == 0;
        fits = bus->size <= room;
        gst_memory_unref(slot);
    }
    if (is_same && fits)
        return 0;
    if (is_same && format->size < room) /* not for one of many would the bus begin a smaller pool */
        return -EMSGSIZE;
    return allocator_set_format(imports->allocator, ALLOCATOR_FOR_RENDER, format);
}

static int import_register(struct imports *imports, struct import *import,
                           const struct framebus_format *format)
{
    struct attempt attempt = {.import = import};
    int r = format->fourcc ? allocator_set_format(imports->allocator, ALLOCATOR_FOR_RENDER, format)
                           : import_provide_payload(imports, import, format);

    if (r == 0)
        r = allocator_call(imports->allocator, writer_create_buffer, &attempt);
    g_mutex_lock(&imports->lock);
    import->buffer = attempt.buffer;
    g_mutex_unlock(&imports->lock);
    import->refused = r == -ECANCELED || r == -EBUSY ? 0 : r;
    if (r < 0)
        GST_INFO("upstream's memory is copied: %s",
                 r == -EMSGSIZE ? "there are larger payloads" : framebus_last_error());
    return r;
}

/* Begins a frame in an import that is described as `format`, and in `parts`, now. */
static int imports_begin_frame(struct imports *imports, struct attempt *attempt,
                               const struct framebus_part *parts, guint count,
                               const struct framebus_format *format)
{
    struct import *import = attempt->import;
    int r = -ESTALE;

    if (import_is_known(import, count, parts, format)) {
        if (import->refused)
            return import->refused;
        if (import->buffer)
            r = allocator_call(imports->allocator, writer_begin_import, attempt);
    }
    if (r != -ESTALE)
        return r;
    /* The bus has begun another pool, or the memory is not registered yet. */
    import_unregister(imports, import);
    g_free(import->text);
    import->text = g_strdup(format->caps);
    memcpy(import->offset, format->offset, sizeof(import->offset));
    memcpy(import->stride, format->stride, sizeof(import->stride));
    import->parts = count;
    memcpy(import->part, parts, count * sizeof(*parts));
    r = import_register(imports, import, format);
    return r < 0 ? r : allocator_call(imports->allocator, writer_begin_import, attempt);
}

struct framebus_frame *imports_begin(struct imports *imports, GstBuffer *buffer,
                                     const struct import_picture *picture, int *error)
{
    struct framebus_part parts[FRAMEBUS_PLANES_MAX];
    struct import_layout layout;
    struct framebus_format format;
    struct attempt attempt = {0};

    *error = -EBADMSG;
    if (picture->info ? !import_find_parts(buffer, parts, &layout) ||
                            !import_find_planes(buffer, picture, &layout, &format)
                      : !import_find_payload(buffer, picture->text, parts, &format))
        return NULL;
    *error = -EAGAIN;
    attempt.import = import_of(imports, gst_buffer_peek_memory(buffer, 0));
    if (!attempt.import || !imports_can_take(imports, attempt.import, buffer))
        return NULL;
    *error = imports_begin_frame(imports, &attempt, parts, gst_buffer_n_memory(buffer), &format);
    if (*error == -EBUSY)
        *error = -EAGAIN;
    if (*error < 0)
        return NULL;
    g_mutex_lock(&imports->lock);
    attempt.import->published = gst_buffer_ref(buffer);
    attempt.import->number = ++imports->number;
    imports->published++;
    g_mutex_unlock(&imports->lock);
    return attempt.frame;
}

int imports_publish(struct imports *imports, struct framebus_frame *frame)
{
    return allocator_call(imports->allocator, writer_publish_and_release, frame);
}

/* ---- Beginning and end --------------------------------------------------------------------- */

struct imports *imports_new(GstFramebusAllocator *allocator)
{
    struct imports *imports = g_atomic_rc_box_new0(struct imports);

    GST_DEBUG_CATEGORY_INIT(framebus_import_debug, "framebusimport", 0,
                            "upstream's memory on a framebus bus");
    g_mutex_init(&imports->lock);
    imports->list = g_ptr_array_new();
    imports->allocator = gst_object_ref(allocator);
    return imports;
}

void imports_free(struct imports *imports)
{
    GPtrArray *list, *buffers;

    if (!imports)
        return;
    buffers = g_ptr_array_new();
    g_mutex_lock(&imports->lock);
    list = g_steal_pointer(&imports->list);
    for (guint i = 0; i < list->len; i++) {
        struct import *import = g_ptr_array_index(list, i);

        if (import->buffer)
            g_ptr_array_add(buffers, g_steal_pointer(&import->buffer));
    }
    g_mutex_unlock(&imports->lock);
    for (guint i = 0; i < buffers->len; i++)
        allocator_destroy_buffer(imports->allocator, g_ptr_array_index(buffers, i));
    g_ptr_array_unref(buffers);
    g_ptr_array_unref(list);
    g_atomic_rc_box_release_full(imports, imports_clear);
}
