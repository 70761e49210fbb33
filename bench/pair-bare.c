/* SPDX-License-Identifier: MIT */
#include "pair-bare.h"

#include <gst/base/gstbasesink.h>
#include <gst/base/gstpushsrc.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

static struct {
    int fd;
    const _Atomic int64_t *newest;
    atomic_int flushing;
} bare;

/* ---- baresink ---- */

typedef GstBaseSink BareSink;
typedef GstBaseSinkClass BareSinkClass;
GType bare_sink_get_type(void);
G_DEFINE_TYPE(BareSink, bare_sink, GST_TYPE_BASE_SINK)

static GstFlowReturn sink_render(GstBaseSink *sink G_GNUC_UNUSED, GstBuffer *buffer G_GNUC_UNUSED)
{
    return eventfd_write(bare.fd, 1) ? GST_FLOW_ERROR : GST_FLOW_OK;
}

static void bare_sink_class_init(BareSinkClass *class)
{
    static GstStaticPadTemplate any =
        GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

    gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(class), "Bell", "Sink", "Rings an eventfd",
                                          "framebus");
    gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(class), &any);
    class->render = sink_render;
}

static void bare_sink_init(BareSink *sink)
{
    gst_base_sink_set_sync(sink, FALSE);
}

/* ---- baresrc ---- */

typedef GstPushSrc BareSrc;
typedef GstPushSrcClass BareSrcClass;
GType bare_src_get_type(void);
G_DEFINE_TYPE(BareSrc, bare_src, GST_TYPE_PUSH_SRC)

static GstFlowReturn src_create(GstPushSrc *src G_GNUC_UNUSED, GstBuffer **buffer)
{
    struct pollfd wait = {.fd = bare.fd, .events = POLLIN};
    eventfd_t rings;
    int64_t frame;

    *buffer = gst_buffer_new_allocate(NULL, sizeof frame, NULL); /* while there is time */
    while (poll(&wait, 1, 100) < 1)
        if (atomic_load(&bare.flushing))
            goto flushing;
    if (!eventfd_read(bare.fd, &rings)) {
        frame = atomic_load(bare.newest);
        gst_buffer_fill(*buffer, 0, &frame, sizeof frame);
        return GST_FLOW_OK;
    }

flushing:
    gst_clear_buffer(buffer);
    return GST_FLOW_FLUSHING;
}

static gboolean src_unlock(GstBaseSrc *src G_GNUC_UNUSED)
{
    atomic_store(&bare.flushing, TRUE);
    return TRUE;
}

static void bare_src_class_init(BareSrcClass *class)
{
    static GstStaticPadTemplate any =
        GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

    gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(class), "Ear", "Source", "Waits for an eventfd",
                                          "framebus");
    gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(class), &any);
    GST_BASE_SRC_CLASS(class)->unlock = src_unlock;
    class->create = src_create;
}

static void bare_src_init(BareSrc *src)
{
    gst_base_src_set_live(GST_BASE_SRC(src), TRUE);
}

void pair_bare_register(int fd, const _Atomic int64_t *newest)
{
    bare.fd = fd;
    bare.newest = newest;
    gst_element_register(NULL, "baresink", GST_RANK_NONE, bare_sink_get_type());
    gst_element_register(NULL, "baresrc", GST_RANK_NONE, bare_src_get_type());
}
