/* SPDX-License-Identifier: MIT */
#include "arrival.h"

#include "frameinfo.h"

/* A frame older than this is shown as if it were of now, and no pipeline is told to wait longer. */
#define OLD_NS ((gint64)(10 * GST_SECOND))

/* The latency is told in such steps, so that jitter does not change it again and again. */
#define STEP_NS (2 * GST_MSECOND)

/* What a frame's duration adds to the latency at the most: a slide show is not to be waited for. */
#define FRAME_NS (100 * GST_MSECOND)

/* So many of the last frames may be later than the latency says. A machine that was busy for a moment is no
 * reason to wait for ever after: whoever waits longer needs room for more frames than the bus keeps. */
#define STRAGGLERS 2

/* When this many frames in a row came earlier by NEAR_NS, the latency was too long. */
#define CALM_FRAMES 256
#define NEAR_NS     (10 * GST_MSECOND)

void arrival_init(struct arrival *arrival)
{
    *arrival = (struct arrival){.last = GST_CLOCK_TIME_NONE};
}

GstClockTime arrival_duration(const struct framebus_frame *frame, const GstVideoInfo *info)
{
    if (frame->duration_ns > 0)
        return frame->duration_ns;
    if (frame->format->rate_num && frame->format->rate_den)
        return gst_util_uint64_scale(GST_SECOND, frame->format->rate_den, frame->format->rate_num);
    if (info->finfo && GST_VIDEO_INFO_FPS_N(info) > 0)
        return gst_util_uint64_scale(GST_SECOND, GST_VIDEO_INFO_FPS_D(info), GST_VIDEO_INFO_FPS_N(info));
    return GST_CLOCK_TIME_NONE;
}

void arrival_finish(struct arrival *arrival)
{
    timebase_finish(&arrival->timebase);
}

/* The longest that a frame of the last ones took, the stragglers left out once there are enough others. */
static GstClockTime usual_age(const struct arrival *arrival)
{
    const guint count = MIN(arrival->frames, ARRIVAL_WINDOW);
    GstClockTime most[STRAGGLERS + 1] = {0};

    for (guint i = 0; i < count; i++) {
        GstClockTime age = arrival->age[i];

        for (guint k = 0; k <= STRAGGLERS; k++) {
            GstClockTime smaller = MIN(most[k], age);

            most[k] = MAX(most[k], age);
            age = smaller;
        }
    }
    return most[count > 4 * STRAGGLERS ? STRAGGLERS : 0];
}

/* The age at publication, not at arrival: downstream that blocks would push up what it waits for itself. */
static gboolean learn_latency(struct arrival *arrival, const struct framebus_frame *frame,
                              GstClockTime duration)
{
    GstClockTime age, usual = 0;

    if (frame->publish_ns < frame->capture_ns || frame->publish_ns - frame->capture_ns > OLD_NS)
        return FALSE;
    age = frame->publish_ns - frame->capture_ns;
    if (GST_CLOCK_TIME_IS_VALID(duration))
        age += MIN(duration, FRAME_NS);
    age = (age + STEP_NS - 1) / STEP_NS * STEP_NS;
    arrival->age[arrival->frames++ % ARRIVAL_WINDOW] = age;

    if (age + NEAR_NS >= arrival->latency) {
        arrival->calm = arrival->calm_most = 0;
    } else {
        arrival->calm++;
        arrival->calm_most = MAX(arrival->calm_most, age);
    }
    if (age > arrival->latency) /* else nothing makes it longer */
        usual = usual_age(arrival);
    if (usual > arrival->latency)
        arrival->latency = usual;
    else if (arrival->calm == CALM_FRAMES)
        arrival->latency = arrival->calm_most;
    else
        return FALSE;
    arrival->calm = arrival->calm_most = 0;
    return TRUE;
}

/* Encoded pictures come in another order than they are shown: the frame carries how PTS and DTS differ. */
static gboolean stamp_encoded(const struct framebus_frame *frame, GstClockTime time, GstBuffer *buffer)
{
    const gint64 *after;
    gint64 pts;
    size_t size;

    after = framebus_frame_get_meta(frame, TAG_PTS_AFTER_DTS, 0, &size);
    if (!after || size != sizeof(*after))
        return FALSE;
    pts = (gint64)time + CLAMP(*after, -OLD_NS, OLD_NS);
    GST_BUFFER_DTS(buffer) = time;
    GST_BUFFER_PTS(buffer) = MAX(0, pts);
    return TRUE;
}

gboolean arrival_stamp(struct arrival *arrival, GstElement *element, const struct framebus_frame *frame,
                       const GstVideoInfo *info, GstBuffer *buffer)
{
    const gint64 now = monotonic_now();
    gboolean changes = FALSE;
    gint64 offset, running;
    GstClockTime time;

    if (!timebase_offset(&arrival->timebase, element, &offset))
        return FALSE;
    /* The writer may have told anything; what cannot be is of now. */
    running = MAX(0, now - offset);
    if (frame->capture_ns <= now && frame->capture_ns >= now - OLD_NS && frame->capture_ns >= offset) {
        running = frame->capture_ns - offset;
        changes = learn_latency(arrival, frame, arrival_duration(frame, info));
    }

    time = running;
    if (GST_CLOCK_TIME_IS_VALID(arrival->last) && time <= arrival->last)
        time = arrival->last + 1;
    if (info->finfo || !stamp_encoded(frame, time, buffer)) {
        /* Without a word on the order of an encoded stream its times are taken as they are. */
        if (!info->finfo)
            time = running;
        GST_BUFFER_PTS(buffer) = time;
    }
    arrival->last = time;
    return changes;
}

gboolean arrival_stamp_now(struct arrival *arrival, GstElement *element, GstBuffer *buffer)
{
    gint64 offset;

    if (!timebase_offset(&arrival->timebase, element, &offset))
        return FALSE;
    arrival->last = MAX(0, monotonic_now() - offset);
    GST_BUFFER_PTS(buffer) = arrival->last;
    return TRUE;
}
