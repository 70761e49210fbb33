/* SPDX-License-Identifier: MIT */
/* Frames of the bus as buffers of framebussrc: caps, allocation, formats, metadata. */
#include "source.h"

#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_src_debug

/* Frames in a row whose memory is of one kind, after which the caps of DMA-BUFs are tried again, or a format
 * that begins without them is believed to have none. */
#define FRAMES_ALIKE 60

/* What the spare latency may differ by until the pipeline is told: durations of frames are rounded. */
#define SPARE_NS ((gint64)GST_MSECOND)

/* ---- Caps and allocation ------------------------------------------------------------------- */

GstCaps *src_get_caps(GstBaseSrc *base, GstCaps *filter)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);
    GstCaps *caps, *both;

    GST_OBJECT_LOCK(src);
    caps = src->caps ? gst_caps_ref(src->caps) : gst_caps_new_any();
    if (src->dmabuf_caps)
        caps = gst_caps_merge(gst_caps_ref(src->dmabuf_caps), caps);
    GST_OBJECT_UNLOCK(src);
    if (!filter)
        return caps;
    both = gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(caps);
    return both;
}

gboolean src_negotiate(GstBaseSrc *base)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);
    GstPad *pad = GST_BASE_SRC_PAD(base);
    GstCaps *dmabuf_caps =
        src->has_dmabufs && !src->format.is_tiled ? caps_asked_for_in_dmabufs(src->caps, pad) : NULL;
    GstCaps *current;
    gboolean done;

    GST_OBJECT_LOCK(src);
    gst_caps_take(&src->dmabuf_caps, dmabuf_caps);
    GST_OBJECT_UNLOCK(src);
    done = GST_BASE_SRC_CLASS(SOURCE_PARENT_CLASS)->negotiate(base);
    current = gst_pad_get_current_caps(pad);
    src->gives_dmabufs = current && caps_in_dmabufs(current, 0);
    gst_clear_caps(&current);
    return done;
}

gboolean src_decide_allocation(GstBaseSrc *base, GstQuery *query)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);
    guint min, hold = 0;

    src->takes_meta = gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    src->takes_crop = gst_query_find_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, NULL);
    /* Frames come in the writer's memory, so no pool is used; but its size tells how many will be held. */
    while (gst_query_get_n_allocation_pools(query) > 0) {
        gst_query_parse_nth_allocation_pool(query, 0, NULL, NULL, &min, NULL);
        hold = MAX(hold, min + 2);
        gst_query_remove_nth_allocation_pool(query, 0);
    }
    src->wanted_hold = CLAMP(hold, HOLD_DEFAULT, HOLD_MOST);
    if (src->reader && src->wanted_hold + 1 > src->stats.quota)
        src_ask_for_hold(src, src->wanted_hold);
    return TRUE;
}

static GstFlowReturn src_renegotiate(GstFramebusSrc *src)
{
    g_autofree char *text = NULL;

    if (gst_base_src_negotiate(GST_BASE_SRC(src)) || GST_PAD_IS_FLUSHING(GST_BASE_SRC_PAD(src)))
        return GST_FLOW_OK;
    text = gst_caps_to_string(src->caps);
    GST_ELEMENT_ERROR(
        src, STREAM, FORMAT,
        ("What comes after %s does not take what bus %s carries: %s", GST_OBJECT_NAME(src), src->name, text),
        ("%s in between may help.", src->format.is_tiled ? "A vapostproc or glupload" : "A videoconvert"));
    return GST_FLOW_NOT_NEGOTIATED;
}

/* Returns how many pixels in a row, or rows, share their colour, less one. */
static guint src_shared_pixels(const struct framebus_frame *frame, gboolean rows)
{
    const struct framebus_format_info *row = framebus_format_find(frame->format->fourcc);
    const GstVideoFormat format = row ? gst_video_format_from_string(row->name) : GST_VIDEO_FORMAT_UNKNOWN;
    const GstVideoFormatInfo *info = gst_video_format_get_info(format);
    guint most = 0;

    if (format == GST_VIDEO_FORMAT_UNKNOWN || GST_VIDEO_FORMAT_INFO_IS_COMPLEX(info))
        return 3;
    for (guint i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(info); i++)
        most = MAX(most, rows ? GST_VIDEO_FORMAT_INFO_H_SUB(info, i) : GST_VIDEO_FORMAT_INFO_W_SUB(info, i));
    if (rows && (frame->flags & FRAMEBUS_FRAME_INTERLACED)) /* those of a field */
        most++;
    return (1U << most) - 1;
}

/* Returns the part of a picture that downstream gets: all (of no width) if it crops the picture itself. */
static struct framebus_rect src_cut_of(const GstFramebusSrc *src, const struct framebus_frame *frame)
{
    struct framebus_rect cut = frame->crop;

    if (src->takes_crop || !frame->format->fourcc || frame->format->modifier || !cut.width || !cut.height)
        return (struct framebus_rect){0};
    cut.x &= ~src_shared_pixels(frame, FALSE);
    cut.y &= ~src_shared_pixels(frame, TRUE);
    cut.width += frame->crop.x - cut.x;
    cut.height += frame->crop.y - cut.y;
    return cut;
}

/* Returns TRUE for an interlaced picture of a writer that describes it by its flags alone. */
static gboolean src_is_mixed(const struct framebus_frame *frame)
{
    return frame->format->fourcc && (frame->flags & FRAMEBUS_FRAME_INTERLACED) &&
           !(frame->format->caps && frame->format->caps[0]);
}

static GstFlowReturn src_set_format(GstFramebusSrc *src, const struct framebus_frame *frame,
                                    gboolean in_dmabuf)
{
    g_autofree char *why = NULL;
    GstVideoInfo info;
    GstCaps *caps = caps_from_format(frame->format, &info, &why);
    const struct framebus_rect cut = src_cut_of(src, frame);
    const gboolean had_dmabufs = src->has_dmabufs;
    gboolean changed;

    if (!caps) {
        GST_ELEMENT_ERROR(src, STREAM, FORMAT, ("Bus %s: %s.", src->name, why), (NULL));
        return GST_FLOW_NOT_NEGOTIATED;
    }
    src->is_mixed = src_is_mixed(frame) || (src->is_mixed && src->serial == frame->format_serial);
    if (src->is_mixed)
        gst_caps_set_simple(caps, "interlace-mode", G_TYPE_STRING, "mixed", NULL);
    if (cut.width) {
        caps = gst_caps_make_writable(caps);
        gst_caps_set_simple(caps, "width", G_TYPE_INT, (int)cut.width, "height", G_TYPE_INT, (int)cut.height,
                            NULL);
        gst_video_info_from_caps(&info, caps);
    }
    buffer_format_init(&src->format, caps, &info, frame->format, &cut);
    if (gst_structure_has_name(gst_caps_get_structure(caps, 0), "audio/x-raw") &&
        !gst_audio_info_from_caps(&src->format.audio, caps))
        src->format.audio.finfo = NULL;
    gst_clear_buffer(&src->prepared);
    src->serial = frame->format_serial;
    src->has_dmabufs = in_dmabuf;
    src->alike = 0;

    GST_OBJECT_LOCK(src);
    src->spare_latency = GST_CLOCK_TIME_NONE;
    changed = !src->caps || !gst_caps_is_equal(src->caps, caps);
    if (changed)
        gst_caps_replace(&src->caps, caps);
    GST_OBJECT_UNLOCK(src);
    if (changed) {
        GST_INFO_OBJECT(src, "the bus carries %" GST_PTR_FORMAT "%s", caps,
                        src->has_dmabufs ? " in DMA-BUFs" : "");
        gst_clear_buffer(&src->last);
    }
    gst_caps_unref(caps);
    return changed || had_dmabufs != src->has_dmabufs ? src_renegotiate(src) : GST_FLOW_OK;
}

/* Leaves a frame out that downstream cannot have: one such frame is no end of the stream. */
static void src_leave_out(GstFramebusSrc *src, const struct framebus_frame *frame, const char *why)
{
    GST_INFO_OBJECT(src, "frame %" G_GUINT64_FORMAT " is left out: %s", frame->sequence, why);
    src->wants_key = TRUE;
    GST_OBJECT_LOCK(src);
    src->missed++;
    GST_OBJECT_UNLOCK(src);
    if (!src->leaves_out)
        GST_ELEMENT_WARNING(src, STREAM, FAILED,
                            ("%s leaves frames of bus %s out, and counts them as missed: %s.",
                             GST_OBJECT_NAME(src), src->name, why),
                            (NULL));
    src->leaves_out = TRUE;
}

/* Returns TRUE if downstream takes frames that are not in DMA-BUFs. */
static gboolean src_may_give_plain(GstFramebusSrc *src, gboolean is_new)
{
    GstPad *pad = GST_BASE_SRC_PAD(src);
    GstCaps *taken;
    gboolean may;

    if (!is_new)
        return gst_pad_peer_query_accept_caps(pad, src->caps);
    taken = gst_pad_peer_query_caps(pad, NULL);
    may = gst_caps_is_any(taken);
    for (guint i = 0; !may && i < gst_caps_get_size(taken); i++)
        may = !caps_in_dmabufs(taken, i);
    gst_caps_unref(taken);
    return may;
}

/* Returns TRUE for a frame that the writer had to copy, of which downstream, which can use nothing but
 * DMA-BUFs, does without. The next one may be in a DMA-BUF again, unless another format has begun, of which
 * there were none for a while. */
static gboolean src_does_without(GstFramebusSrc *src, const struct framebus_frame *frame, gboolean in_dmabuf)
{
    const gboolean is_new = !src->caps || src->serial != frame->format_serial;

    if (in_dmabuf || (!is_new && !src->gives_dmabufs) || src_may_give_plain(src, is_new) ||
        (is_new && ++src->alike > FRAMES_ALIKE))
        return FALSE;
    src_leave_out(src, frame, "downstream takes DMA-BUFs only, and the writer had to copy them");
    return TRUE;
}

/* Tries caps with DMA-BUFs once more, when frames have been in such for a while. */
static GstFlowReturn src_try_dmabufs(GstFramebusSrc *src, gboolean in_dmabuf)
{
    if (src->has_dmabufs)
        return GST_FLOW_OK;
    src->alike = in_dmabuf ? src->alike + 1 : 0;
    if (src->alike < FRAMES_ALIKE)
        return GST_FLOW_OK;
    src->alike = 0;
    src->has_dmabufs = TRUE;
    return src_renegotiate(src);
}

/* Follows the bus to another format, which the first frame has too, and into and out of DMA-BUFs. AGAIN: this
 * frame is not for downstream. */
static GstFlowReturn src_follow_format(GstFramebusSrc *src, const struct framebus_frame *frame,
                                       gboolean in_dmabuf)
{
    GstFlowReturn flow = GST_FLOW_OK;
    struct framebus_rect cut;
    struct framebus_dmabuf dmabuf;

    if (frame->format->modifier && !in_dmabuf) {
        framebus_frame_dmabuf(frame, &dmabuf); /* says why */
        GST_ELEMENT_ERROR(src, RESOURCE, READ,
                          ("Bus %s carries pictures in tiles, which only devices can read: %s", src->name,
                           framebus_last_error()),
                          (NULL));
        return GST_FLOW_ERROR;
    }
    if (src_does_without(src, frame, in_dmabuf))
        return AGAIN;
    if (!src->caps || src->serial != frame->format_serial)
        flow = src_set_format(src, frame, in_dmabuf);
    if (flow == GST_FLOW_OK && !src->is_mixed && src_is_mixed(frame))
        flow = src_set_format(src, frame, in_dmabuf);
    cut = src_cut_of(src, frame); /* downstream may just have said whether it crops */
    if (flow == GST_FLOW_OK && memcmp(&cut, &src->format.cut, sizeof(cut)) != 0)
        flow = src_set_format(src, frame, in_dmabuf);
    if (flow == GST_FLOW_OK)
        flow = src_try_dmabufs(src, in_dmabuf);
    if (flow != GST_FLOW_OK || in_dmabuf || !src->gives_dmabufs)
        return flow;
    /* The writer had to copy this frame: DMA-BUFs cannot be promised for now. */
    src->has_dmabufs = FALSE;
    src->alike = 0;
    return src_renegotiate(src);
}

/* ---- Frames to buffers --------------------------------------------------------------------- */

/* Learns how long downstream may wait for more than a frame before frames are missed: the least that was so
 * in this format. Returns TRUE if that is another time than was told. With the object lock held. */
static gboolean src_learn_spare_latency(GstFramebusSrc *src, GstClockTime duration)
{
    GstClockTime spare;

    if (src->stats.delivery == FRAMEBUS_DELIVERY_LOSSLESS || !src->stats.history ||
        !GST_CLOCK_TIME_IS_VALID(duration))
        return FALSE;
    spare = src->stats.delivery == FRAMEBUS_DELIVERY_LATEST ? 0 : (src->stats.history - 1) * duration;
    if (GST_CLOCK_TIME_IS_VALID(src->spare_latency) && GST_CLOCK_DIFF(spare, src->spare_latency) <= SPARE_NS)
        return FALSE;
    src->spare_latency = spare;
    return TRUE;
}

static void src_stamp(GstFramebusSrc *src, const struct framebus_frame *frame, GstBuffer *buffer)
{
    const GstClockTime duration = arrival_duration(frame, &src->format.info);
    gboolean changed;

    GST_BUFFER_DURATION(buffer) = duration;
    if (gst_base_src_get_do_timestamp(GST_BASE_SRC(src)))
        return;
    changed = arrival_stamp(&src->arrival, GST_ELEMENT(src), frame, &src->format.info, buffer);
    GST_OBJECT_LOCK(src);
    if (changed)
        src->latency = src->arrival.latency;
    changed |= src_learn_spare_latency(src, duration);
    GST_OBJECT_UNLOCK(src);
    if (changed && gst_base_src_is_live(GST_BASE_SRC(src)))
        gst_element_post_message(GST_ELEMENT(src), gst_message_new_latency(GST_OBJECT(src)));
}

static void src_count_missed(GstFramebusSrc *src, const struct framebus_frame *frame)
{
    if (!frame->missed)
        return;
    GST_INFO_OBJECT(src, "missed %" G_GUINT64_FORMAT " frames before %" G_GUINT64_FORMAT, frame->missed,
                    frame->sequence);
    src->wants_key = TRUE;
    GST_OBJECT_LOCK(src);
    src->missed += frame->missed;
    GST_OBJECT_UNLOCK(src);
}

/* A frame was skipped. */
static void src_note_skipped(GstFramebusSrc *src)
{
    const gint64 now = monotonic_now();
    guint64 skipped;

    GST_OBJECT_LOCK(src);
    skipped = ++src->skipped;
    GST_OBJECT_UNLOCK(src);
    if (!src->skips_since)
        src->skips_since = now;
    if (src->skips_since < 0 || now - src->skips_since < TELL_NS)
        return;
    src->skips_since = -1;
    GST_ELEMENT_WARNING(
        src, STREAM, DECODE,
        ("%s waits for a key frame on bus %s, and has skipped %" G_GUINT64_FORMAT
         " frames that depend on one. Does the encoder make key frames when it is asked to, or "
         "often (key-int-max of x264enc)?",
         GST_OBJECT_NAME(src), src->name, skipped),
        (NULL));
}

/* Returns TRUE for a frame of an encoded stream that cannot be decoded before the next key frame. */
static gboolean src_must_skip(GstFramebusSrc *src, const struct framebus_frame *frame)
{
    const guint32 flags = frame->flags & (FRAMEBUS_FRAME_DELTA | FRAMEBUS_FRAME_HEADER);

    /* Headers are not pictures, even where their encoder marks them as dependent on others. */
    if (frame->format->fourcc == 0 && src->wants_key && flags == FRAMEBUS_FRAME_DELTA) {
        src_note_skipped(src);
        return TRUE;
    }
    if (!(frame->flags & FRAMEBUS_FRAME_HEADER)) {
        src->wants_key = FALSE;
        src->skips_since = 0;
    }
    return FALSE;
}

void src_prepare_buffer(GstFramebusSrc *src)
{
    if (!src->prepared)
        src->prepared = buffer_prepare(&src->format);
}

/* Returns a buffer with the frame itself, which is given back with it. NULL: its memory cannot be had. */
static GstBuffer *src_wrap(GstFramebusSrc *src, struct framebus_frame *frame, struct dmabuf_entry *entry)
{
    const GstVideoInfo *info = &src->format.info;
    gsize size = frame->size;
    struct frame_hold hold;

    if (!entry)
        return NULL;
    /* Some elements expect a picture to be no larger than it has to be. */
    if (info->finfo && buffer_format_is_default(&src->format, frame))
        size = GST_VIDEO_INFO_SIZE(info);
    src_prepare_buffer(src);
    hold = frame_hold_begin(src->reader, frame, src->held);
    dmabuf_entry_wrap(entry, src->prepared, &hold, size);
    buffer_set_capture_time(src->prepared, frame);
    return g_steal_pointer(&src->prepared);
}

/* Times, flags and metas. */
static void src_describe(GstFramebusSrc *src, const struct framebus_frame *frame, GstBuffer *buffer)
{
    buffer_add_each(buffer, &src->format);
    src_stamp(src, frame, buffer);
    meta_to_buffer(frame, buffer, &src->format.cut, &src->format.audio);
    if (!src->has_sequence || (frame->sequence != src->last_sequence + 1 && !src->leaves_gaps))
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    src->has_sequence = TRUE;
    src->last_sequence = frame->sequence;
}

/* Tells downstream what the bus says of the stream as a whole, if that is new. */
static void src_tell_tags(GstFramebusSrc *src, const struct framebus_frame *frame)
{
    GSList *events = tags_heard_in(&src->tags, frame, src->writer);

    for (GSList *item = events; item; item = item->next) {
        GST_DEBUG_OBJECT(src, "the bus says %" GST_PTR_FORMAT, item->data);
        /* The base class sends tags after the segment, before this frame. (gst_element_send_event() would
         * wait for a change of state, which waits for this thread.) */
        if (GST_EVENT_TYPE(item->data) == GST_EVENT_TAG)
            GST_ELEMENT_CLASS(SOURCE_PARENT_CLASS)->send_event(GST_ELEMENT(src), item->data);
        else
            gst_pad_push_event(GST_BASE_SRC_PAD(src), item->data);
    }
    g_slist_free(events);
}

/* Counts a buffer and keeps it if it may be repeated. */
static void src_note_delivered(GstFramebusSrc *src, GstBuffer *buffer, gboolean copied, gboolean in_dmabuf)
{
    gboolean keeps;

    GST_OBJECT_LOCK(src);
    src->delivered++;
    src->copied += copied;
    src->in_dmabufs += in_dmabuf && !copied;
    keeps = src->settings.keep_last && src->format.info.finfo; /* nothing else can be shown twice */
    GST_OBJECT_UNLOCK(src);
    gst_buffer_replace(&src->last, keeps ? buffer : NULL);
}

/* To be called for a frame of another format, whose writer may be another one, too. That one's stream has a
 * beginning of its own. */
static void src_look_at_writer(GstFramebusSrc *src)
{
    src_update_stats(src);
    if (src->stats.writers == src->writer)
        return;
    src->writer = src->stats.writers;
    src_post_connected(src);
    src->has_sequence = FALSE;
    src->wants_key = TRUE;
}

GstFlowReturn src_deliver(GstFramebusSrc *src, struct framebus_frame *frame, GstBuffer **buffer)
{
    struct dmabuf_entry *entry = dmabuf_entry_of(src->dmabufs, frame);
    const gboolean in_dmabuf = dmabuf_entry_is_dmabuf(entry);
    const gboolean is_picture = frame->format->fourcc != 0; /* nothing else has caps of its own in DMA-BUFs */
    GstFlowReturn flow = AGAIN;
    gboolean is_full, copies;

    src->has_ended = FALSE;
    src_count_missed(src, frame);
    if (src->serial != frame->format_serial)
        src_look_at_writer(src);
    if (!src_must_skip(src, frame))
        flow = src_follow_format(src, frame, in_dmabuf && is_picture);
    if (flow != GST_FLOW_OK) {
        framebus_reader_release(src->reader, frame);
        return flow;
    }

    /* One frame of the quota is always left for the next frame to look at. But a copy is not in a DMA-BUF. */
    is_full = (guint)g_atomic_int_get(src->held) + 1 >= src->stats.quota;
    copies = !src->gives_dmabufs && !src->format.is_tiled &&
             (is_full || (!src->takes_meta && !buffer_format_is_default(&src->format, frame)));
    *buffer = copies ? buffer_copy(&src->format, frame) : src_wrap(src, frame, entry);
    if (*buffer) {
        src_describe(src, frame, *buffer);
        src_tell_tags(src, frame);
        src_note_delivered(src, *buffer, copies, in_dmabuf);
    } else {
        src_leave_out(src, frame,
                      frame->data ? framebus_last_error() : "they have to be copied, and cannot be mapped");
    }
    if (copies || !*buffer)
        framebus_reader_release(src->reader, frame);
    if (*buffer && is_full && src->stats.quota <= HOLD_MOST)
        src_ask_for_hold(src, MIN(2 * src->stats.quota, HOLD_MOST));
    return *buffer ? GST_FLOW_OK : AGAIN;
}
