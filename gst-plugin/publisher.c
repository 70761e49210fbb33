/* SPDX-License-Identifier: MIT */
#include "publisher.h"

#include "caps.h"
#include "frameinfo.h"

#include <errno.h>
#include <string.h>

/* Room for a payload at first; one that is larger makes the bus begin a larger pool. */
#define FIRST_GUESS_MIN (64 * 1024)

/* How often a pool that upstream starts at the same moment may come between before we give up. */
#define TRIES 8

static void describe(struct publisher *publisher, struct framebus_frame *frame, GstBuffer *buffer,
                     gint64 capture_ns)
{
    frame_from_buffer(frame, buffer);
    frame->capture_ns = capture_ns;
    if (!publisher->is_picture && GST_BUFFER_DTS_IS_VALID(buffer) && GST_BUFFER_PTS_IS_VALID(buffer)) {
        gint64 after = GST_CLOCK_DIFF(GST_BUFFER_DTS(buffer), GST_BUFFER_PTS(buffer));

        framebus_frame_add_meta(frame, TAG_PTS_AFTER_DTS, &after, sizeof(after));
    }
}

/* True if a slot is for frames of our caps: the bus may have got another format, or none yet. */
static gboolean is_ours(const struct publisher *publisher, const struct framebus_frame *frame)
{
    return frame->format->caps && strcmp(frame->format->caps, publisher->text) == 0;
}

/* The buffer's memory, if it is a slot of ours that lies as the buffer says. */
static GstMemory *slot_of(struct publisher *publisher, GstFramebusLender *lender, GstBuffer *buffer)
{
    const GstVideoInfo *info = &publisher->info;
    const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    struct framebus_frame *frame;
    GstMemory *memory;
    gboolean lies;

    if (!publisher->is_picture || gst_buffer_n_memory(buffer) != 1)
        return NULL;
    memory = gst_buffer_peek_memory(buffer, 0);
    frame = lender_frame(lender, memory);
    if (!frame || lender_is_published(lender, memory) || memory->size < GST_VIDEO_INFO_SIZE(info) ||
        !is_ours(publisher, frame))
        return NULL;
    if (meta)
        lies = meta->format == GST_VIDEO_INFO_FORMAT(info) && meta->width == frame->format->width &&
               meta->height == frame->format->height &&
               format_has_layout(frame->format, meta->n_planes, meta->offset, meta->stride);
    else
        lies = format_has_layout(frame->format, GST_VIDEO_INFO_N_PLANES(info), info->offset, info->stride);
    return lies ? memory : NULL;
}

static int set_format(struct publisher *publisher, GstFramebusLender *lender, guint64 size)
{
    struct framebus_format format;
    int r = 0;

    if (publisher->is_picture)
        format_from_info(&format, &publisher->info, publisher->text);
    else
        r = framebus_format_init_opaque(&format, publisher->text, MAX(2 * size, FIRST_GUESS_MIN));
    return r < 0 ? r : lender_set_format(lender, LENDER_FOR_RENDER, &format);
}

static gboolean fill(struct publisher *publisher, struct framebus_frame *frame, GstBuffer *buffer)
{
    struct framebus_plane planes[FRAMEBUS_PLANES_MAX] = {0};
    GstVideoFrame picture;
    gboolean upright;

    if (!publisher->is_picture) {
        frame->size = gst_buffer_extract(buffer, 0, frame->data, frame->capacity);
        return frame->size == gst_buffer_get_size(buffer);
    }
    if (!gst_video_frame_map(&picture, &publisher->info, buffer, GST_MAP_READ))
        return FALSE;
    upright = planes_of_frame(planes, &picture);
    if (upright)
        format_copy_picture(frame->format, frame->plane, planes);
    gst_video_frame_unmap(&picture);
    return upright;
}

/* -ESTALE: worth another try, the bus has got our format only now. */
static int copy_and_publish(struct publisher *publisher, GstFramebusLender *lender, GstBuffer *buffer,
                            gint64 capture_ns)
{
    const gsize size = gst_buffer_get_size(buffer);
    struct framebus_frame *frame;
    GstMemory *memory;
    int r;

    memory = lender_lend(lender, LENDER_FOR_RENDER, publisher->is_picture ? 0 : MAX(size, 1), NULL, &r);
    if (!memory && r != -ENODATA && r != -EMSGSIZE)
        return r;
    if (!memory || !is_ours(publisher, lender_frame(lender, memory))) {
        g_clear_pointer(&memory, gst_memory_unref);
        r = set_format(publisher, lender, size);
        return r < 0 ? r : -ESTALE;
    }
    frame = lender_frame(lender, memory);
    if (!fill(publisher, frame, buffer)) {
        r = -EBADMSG;
    } else {
        describe(publisher, frame, buffer, capture_ns);
        r = lender_publish(lender, memory);
    }
    gst_memory_unref(memory);
    return r;
}

static gboolean publish_foreign(struct publisher *publisher, GstFramebusLender *lender,
                                struct foreign *foreign, GstBuffer *buffer, gint64 capture_ns)
{
    struct framebus_frame *frame;

    if (!foreign || !publisher->is_picture || gst_buffer_n_memory(buffer) == 0 ||
        lender_has(lender, gst_buffer_peek_memory(buffer, 0)))
        return FALSE;
    frame = foreign_begin(foreign, buffer, &publisher->info, publisher->text);
    if (!frame)
        return FALSE;
    describe(publisher, frame, buffer, capture_ns);
    return foreign_publish(foreign, frame) == 0;
}

int publisher_publish(struct publisher *publisher, GstFramebusLender *lender, struct foreign *foreign,
                      GstBuffer *buffer, gint64 capture_ns)
{
    GstMemory *memory = slot_of(publisher, lender, buffer);
    int r = -ESTALE;

    if (memory) {
        describe(publisher, lender_frame(lender, memory), buffer, capture_ns);
        if (lender_publish(lender, memory) == 0)
            return PUBLISHED_IN_PLACE;
        /* Somebody still writes to it, or its pool has ended meanwhile. */
    }
    if (publish_foreign(publisher, lender, foreign, buffer, capture_ns))
        return PUBLISHED_FOREIGN;
    for (guint i = 0; r == -ESTALE && i < TRIES; i++)
        r = copy_and_publish(publisher, lender, buffer, capture_ns);
    return r < 0 ? r : PUBLISHED_COPY;
}

void publisher_set_caps(struct publisher *publisher, GstCaps *caps, char *text)
{
    publisher_finish(publisher);
    publisher->text = text;
    publisher->is_picture = caps_are_picture(caps, &publisher->info);
}

void publisher_finish(struct publisher *publisher)
{
    g_clear_pointer(&publisher->text, g_free);
}
