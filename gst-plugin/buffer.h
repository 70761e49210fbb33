/* SPDX-License-Identifier: MIT */
/* A reader's frame as a GstBuffer, in place or copied, with its capture time as GstReferenceTimestampMeta. */
#ifndef GST_FRAMEBUS_BUFFER_H
#define GST_FRAMEBUS_BUFFER_H

#include <framebus.h>
#include <gst/audio/audio.h>
#include <gst/gst.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* What all buffers of one format of the bus have in common. */
struct buffer_format {
    struct framebus_rect cut; /* the part of each picture that is in the buffers; of no width: all of it */
    GstVideoInfo info;        /* in GStreamer's default layout; finfo is NULL for payloads */
    GstVideoInfo layout;      /* the same with the strides and offsets of the bus */
    guint planes;             /* of the layout */
    gboolean is_default;      /* the two layouts are the same */
    gboolean is_tiled;        /* neither is the layout: see tiled.h */
    GstVideoInfo each;        /* one of several pictures in a payload; finfo is NULL if there are none */
    GstAudioInfo audio;       /* finfo is NULL for anything but raw audio */
};

/* `caps` and `info` are what caps_from_format() made of the bus's format, with the size of `cut` if that has
 * one. */
void buffer_format_init(struct buffer_format *format, const GstCaps *caps, const GstVideoInfo *info,
                        const struct framebus_format *bus, const struct framebus_rect *cut);

/* Returns TRUE if the frame is what downstream takes a buffer without GstVideoMeta for. */
gboolean buffer_format_is_default(const struct buffer_format *format, const struct framebus_frame *frame);

/* Returns a buffer without memory for a frame to come, made while nobody waits for it. */
GstBuffer *buffer_prepare(struct buffer_format *format);

/* A frame that downstream has. */
struct frame_hold {
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    gint *count; /* number of such frames: a g_atomic_rc_box */
};

/* Counts the frame and takes a reference to the count. */
struct frame_hold frame_hold_begin(struct framebus_reader *reader, struct framebus_frame *frame, gint *count);

/* Gives the frame back to the reader. Any thread. */
void frame_hold_end(const struct frame_hold *hold);

/* Tells where in a payload that holds several pictures each of them is. */
void buffer_add_each(GstBuffer *buffer, const struct buffer_format *format);

/* Tells a prepared buffer when the frame was captured. */
void buffer_set_capture_time(GstBuffer *buffer, const struct framebus_frame *frame);

/* Returns a buffer with a copy of the frame in ordinary memory and the default layout; the frame remains the
 * caller's. NULL: there is no memory. */
GstBuffer *buffer_copy(const struct buffer_format *format, const struct framebus_frame *frame);

G_END_DECLS

#endif
