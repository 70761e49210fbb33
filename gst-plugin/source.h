/* SPDX-License-Identifier: MIT */
/*
 * framebussrc from the inside, in three files of which each calls those behind it: src.c is the element,
 * source-frames.c turns frames into buffers, source-bus.c has the bus that is read.
 */
#ifndef GST_FRAMEBUS_SOURCE_H
#define GST_FRAMEBUS_SOURCE_H

#include "caps.h"
#include "dmabuf.h"
#include "element.h"
#include "meta.h"
#include "plugin.h"
#include "tags.h"
#include "timing.h"
#include "uri.h"
#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <framebus.h>
#include <gst/base/gstpushsrc.h>
#include <gst/video/video.h>
#include <unistd.h>

G_BEGIN_DECLS

/* Frames that downstream may hold in place unless it asks for more or `hold` says otherwise. */
#define HOLD_DEFAULT 3
#define HOLD_MOST    16

/* How long nothing comes before somebody is told. */
#define TELL_NS ((gint64)(2 * GST_SECOND))

/* There is nothing for downstream yet. */
#define AGAIN GST_FLOW_CUSTOM_SUCCESS

/* What to do when the writer goes without ending its stream. */
enum on_disconnect { ON_DISCONNECT_WAIT, ON_DISCONNECT_EOS, ON_DISCONNECT_ERROR };

/* What to do when no frame has come for as long as `timeout` says. */
enum on_timeout { ON_TIMEOUT_MESSAGE, ON_TIMEOUT_EOS, ON_TIMEOUT_ERROR };

/* Whether downstream gets DMA-BUFs. */
enum dmabuf_wish { DMABUF_AUTO, DMABUF_NEVER };

/* How long nothing has come; on CLOCK_MONOTONIC. */
struct silence {
    gint64 since;   /* when the last frame came, or waiting began */
    gint64 counted; /* what `timeout` is counted from: the same, or when it was over last */
    gint64 asked;   /* when downstream came for a buffer */
    gboolean told;  /* that it lasts */
};

struct src_settings {
    char *bus;
    gint fd; /* in place of `bus`; -1: none */
    enum framebus_delivery delivery;
    enum dmabuf_wish dmabuf;
    guint hold, max_rate, anticipate;
    enum on_disconnect on_disconnect;
    enum on_timeout on_timeout;
    bool forward_eos, keep_last, is_live;
    guint64 timeout;
};

#define GST_TYPE_FRAMEBUS_SRC gst_framebus_src_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusSrc, gst_framebus_src, GST, FRAMEBUS_SRC, GstPushSrc)

struct _GstFramebusSrc {
    GstPushSrc parent;

    struct src_settings settings; /* under the object lock */

    struct wake wake; /* unlocked or paused, or asked to look at the settings */
    gboolean ending;  /* an EOS event of the application is being handled; atomic */
    gint watches_end; /* src_watch_end() has added its probe; atomic */

    /* The streaming thread's. */
    char *name;                     /* the bus it is at, which `bus` may not name any more */
    gboolean is_given;              /* its connection came with `fd` */
    gint given;                     /* that fd, or another one of the same socket */
    struct framebus_reader *reader; /* set under the object lock, too: other threads ask it for key frames */
    GstAllocator *dmabufs;          /* of the memories that frames are in */
    gboolean has_dmabufs;           /* frames are in DMA-BUFs, as far as can be said */
    gboolean gives_dmabufs;         /* caps with DMA-BUFs were negotiated */
    guint alike;                    /* frames in a row that contradict these two */
    guint32 serial;                 /* the format_serial of `format`; 0: there is none yet */
    gboolean is_mixed; /* a frame of this format was interlaced, of which the bus has no caps text */
    struct buffer_format format;
    guint64 last_sequence;
    gboolean leaves_gaps; /* frames are left out on purpose: max-rate */
    gboolean has_sequence;
    guint64 writer;      /* which of the bus's writers so far the last frame is of */
    gint64 skips_since;  /* when frames began to be skipped; 0: they are not; -1: it was told */
    gboolean wants_key;  /* frames that depend on others are skipped until the next key frame */
    gboolean leaves_out; /* and somebody was told */
    gboolean takes_meta; /* downstream reads GstVideoMeta, */
    gboolean takes_crop; /* and GstVideoCropMeta */
    gboolean bus_full;   /* a larger quota was refused */
    gint64 ask_again;    /* time before which no larger one is asked for */
    guint wanted_hold;   /* what downstream asked for */
    struct arrival arrival;
    struct tags_heard tags;
    struct silence silence;
    gboolean is_connected; /* and the application was told */
    gint writer_pid;       /* of the writer of which it was told */
    gboolean has_ended;    /* the stream has, and the next one has not begun */
    gboolean repeats;      /* the last buffer was a repeated one */
    GstBuffer *last;       /* for keep-last; else NULL */
    GstBuffer *prepared;   /* for the next frame, made while it was waited for */

    /* Under the object lock. */
    GstCaps *caps;        /* NULL until the first frame */
    GstCaps *dmabuf_caps; /* the same in DMA-BUFs; NULL unless downstream asks for those */
    GstClockTime latency;
    GstClockTime
        spare_latency; /* how long frames stay on the bus beyond that; GST_CLOCK_TIME_NONE: not known */
    guint64 delivered, missed, copied, in_dmabufs, skipped, posted;
    gint *held; /* frames that downstream has in place; NULL without a reader */
    struct framebus_reader_stats stats;
};

/* For functions of the class that go on in the parent's. */
#define SOURCE_PARENT_CLASS g_type_class_peek(GST_TYPE_PUSH_SRC)

GST_DEBUG_CATEGORY_EXTERN(framebus_src_debug);

/* ---- The bus: its reader, statistics, waiting ---- */

GstStructure *src_stats_new(GstFramebusSrc *src);

/* Called at the end of the stream and of each run, so that `gst-launch-1.0 -m` shows the statistics. */
void src_post_stats(GstFramebusSrc *src);

/* Posts the statistics when the stream's end leaves. To be called when that is near: a probe, of whatever
 * kind, makes GStreamer look for it at each buffer. */
void src_watch_end(GstFramebusSrc *src);

/* The base class ends the stream by itself, too. */
gboolean src_has_num_buffers(GstFramebusSrc *src);

/* Not to be called for each frame: the library asks the kernel who the writer is. */
void src_update_stats(GstFramebusSrc *src);

/* A frame has come, or waiting begins anew. */
void src_break_silence(GstFramebusSrc *src);

/* Returns how long to wait for a frame now: until `timeout` is over, the last frame is to be repeated, or
 * somebody should hear of it. -1: without limit. */
gint64 src_wait_ns(GstFramebusSrc *src);

/* Tells the application that there is a writer, once. */
void src_post_connected(GstFramebusSrc *src);

/* Opens a reader of that bus, or of `fd` if it is NULL, which is not the element's yet. is_full: only the
 * least quota was to be had. */
int src_open_reader(GstFramebusSrc *src, const char *name, gint64 wait_ns, struct framebus_reader **reader,
                    gboolean *is_full);

/* Makes a reader that was opened the element's. */
void src_take_reader(GstFramebusSrc *src, struct framebus_reader *reader, gboolean is_full);

/* Both at once, for the bus that it is at. Returns 0 or the error of framebus_reader_open(). */
int src_connect(GstFramebusSrc *src, gint64 wait_ns);

/* Leaves the bus. */
void src_close_reader(GstFramebusSrc *src);

/* Does what was asked for meanwhile. Returns TRUE if it is at another bus now. */
gboolean src_heed(GstFramebusSrc *src);

/* Asks for room for so many frames in place, unless the user has said how many or the bus has no more. */
void src_ask_for_hold(GstFramebusSrc *src, guint hold);

/* Does what has to be done after an error of framebus_reader_open() or framebus_reader_next(). AGAIN: go on.
 * GST_FLOW_OK: *buffer is the last one once more. */
GstFlowReturn src_handle_error(GstFramebusSrc *src, int error, GstBuffer **buffer);

/* ---- Caps and buffers ---- */

/* What the class is made of. */
GstCaps *src_get_caps(GstBaseSrc *base, GstCaps *filter);
gboolean src_decide_allocation(GstBaseSrc *base, GstQuery *query);

/* Most elements import the DMA-BUFs that they find in plain buffers, or map them if they cannot; so caps with
 * DMA-BUFs are only for elements that ask for them. */
gboolean src_negotiate(GstBaseSrc *base);

/* Makes the buffer for the next frame while there is time. */
void src_prepare_buffer(GstFramebusSrc *src);

/* Makes a buffer of a frame, which is given back with it or here. AGAIN: there is nothing for downstream. */
GstFlowReturn src_deliver(GstFramebusSrc *src, struct framebus_frame *frame, GstBuffer **buffer);

G_END_DECLS

#endif
