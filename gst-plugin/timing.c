/* SPDX-License-Identifier: MIT */
#include "timing.h"

#include <string.h>
#include <time.h>

/* How late frames of a file may be. If so many are later, they are of now: their producer does not keep up.
 */
#define LATE_NS     ((gint64)(20 * GST_MSECOND))
#define LATE_FRAMES 4

/* How late pictures of an encoded file may be, which has no DTS: they wait for those that they depend on. */
#define REORDER_NS ((gint64)GST_SECOND)

/* How often two clocks are compared, unless one reading of both takes no longer than that. */
#define READINGS   4
#define READING_NS ((gint64)(20 * GST_USECOND))

/* How far apart the timestamps of a payload and its capture time may be. */
#define APART_NS ((gint64)(24 * 60 * 60 * GST_SECOND))

/* A frame older than this is shown as if it were of now, and no latency is longer. */
#define OLD_NS ((gint64)(10 * GST_SECOND))

/* The latency is a multiple of this, so that jitter does not change it again and again. */
#define STEP_NS (2 * GST_MSECOND)

/* What the way from there to the pipeline's sinks adds to the latency, which is no more than a wake-up: sinks
 * tell of the time that they take themselves. */
#define HANDOVER_NS GST_MSECOND

/* How many of the last frames may be later than the latency says. A machine that was busy for a moment is not
 * a reason to wait longer ever after: a pipeline that does needs room for more frames than the bus keeps. */
#define STRAGGLERS 2

/* When this many frames in a row came earlier by NEAR_NS, the latency is too long. */
#define CALM_FRAMES 256
#define NEAR_NS     (10 * GST_MSECOND)

gint64 monotonic_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (gint64)now.tv_sec * GST_SECOND + now.tv_nsec;
}

GstCaps *monotonic_reference(void)
{
    static GstStaticCaps caps = GST_STATIC_CAPS("timestamp/x-system-monotonic");

    return gst_static_caps_get(&caps);
}

/* Subclasses of the system clock (the network clocks) count differently, hence the exact type; and so does
 * one that is calibrated to follow another clock. */
static gboolean clock_is_monotonic(GstClock *clock)
{
    GstClockType type = GST_CLOCK_TYPE_OTHER;
    GstClockTime internal, external, numerator, denominator;

    gst_clock_get_calibration(clock, &internal, &external, &numerator, &denominator);
    if (G_OBJECT_TYPE(clock) != GST_TYPE_SYSTEM_CLOCK || internal != external || numerator != denominator)
        return FALSE;
    g_object_get(clock, "clock-type", &type, NULL);
    return type == GST_CLOCK_TYPE_MONOTONIC;
}

/* Returns how far CLOCK_MONOTONIC is ahead of another clock. Who is preempted between the readings knows only
 * to half of the time that they took: then they are taken again. */
static gint64 clock_distance(GstClock *clock)
{
    gint64 narrowest = G_MAXINT64, distance = 0;

    for (guint i = 0; i < READINGS && narrowest > READING_NS; i++) {
        const gint64 before = monotonic_now();
        const gint64 time = (gint64)gst_clock_get_time(clock);
        const gint64 window = monotonic_now() - before;

        if (window < narrowest) {
            narrowest = window;
            distance = before + window / 2 - time;
        }
    }
    return distance;
}

gboolean timebase_offset(struct timebase *timebase, GstElement *element, gint64 *offset)
{
    GstClock *clock;
    gboolean changed;

    GST_OBJECT_LOCK(element);
    clock = GST_ELEMENT_CLOCK(element);
    changed = clock != timebase->clock;
    if (changed)
        gst_object_replace((GstObject **)&timebase->clock, (GstObject *)clock);
    *offset = (gint64)element->base_time;
    GST_OBJECT_UNLOCK(element);
    if (!clock)
        return FALSE;
    if (changed)
        timebase->is_monotonic = clock_is_monotonic(clock);
    if (!timebase->is_monotonic)
        *offset += clock_distance(clock);
    return TRUE;
}

void timebase_finish(struct timebase *timebase)
{
    gst_clear_object(&timebase->clock);
}

/* ---- Departure ----------------------------------------------------------------------------- */

void departure_finish(struct departure *departure)
{
    timebase_finish(&departure->timebase);
    *departure = (struct departure){0};
}

/* Returns FALSE if there is none. It is negative for what comes before the segment. */
static gboolean running_time(GstBaseSink *sink, GstClockTime time, gint64 *running)
{
    guint64 distance;
    const int sign = gst_segment_to_running_time_full(&sink->segment, GST_FORMAT_TIME, time, &distance);

    *running = sign < 0 ? -(gint64)distance : (gint64)distance;
    return sign != 0;
}

/* Returns how long after its running time the base class gives a buffer to the sink. */
static gint64 departure_delay(GstBaseSink *sink)
{
    return (gint64)gst_base_sink_get_latency(sink) - (gint64)gst_base_sink_get_render_delay(sink) +
           gst_base_sink_get_ts_offset(sink);
}

/* Returns 0 for a picture of a file that comes too late, if others before it did, too. */
static gint64 departure_if_in_time(struct departure *departure, gint64 capture, gint64 late)
{
    if (late > LATE_NS)
        departure->late = MIN(departure->late + 1, LATE_FRAMES);
    else if (late < LATE_NS / 2)
        departure->late = 0;
    return departure->late == LATE_FRAMES ? 0 : capture;
}

/* Makes times of running times that have nothing to do with the time of day: those of payloads are of now, as
 * good as that can be. */
static gint64 departure_anchor(struct departure *departure, gint64 running, gint64 now)
{
    const gint64 before = departure->anchor;

    if (!before || (!departure->is_picture && before + running < now - REORDER_NS))
        departure->anchor = now - running;
    if (before)
        departure->shift += departure->anchor - before;
    return departure->anchor;
}

/* Adds the timestamps of a buffer; `base` is what makes times of its running times, 0: nothing does. */
static void departure_add_order(struct departure *departure, GstBaseSink *sink, GstBuffer *buffer,
                                gint64 base, gint64 now, struct departure_times *times)
{
    gint64 running;

    if (!times->capture_ns)
        times->capture_ns = now;
    if (!base) {
        if (!running_time(sink, GST_BUFFER_DTS_OR_PTS(buffer), &running))
            return;
        base = departure_anchor(departure, running, now);
        times->shift_ns = departure->shift;
    }
    times->has_pts = running_time(sink, GST_BUFFER_PTS(buffer), &running);
    times->pts_after_ns = base + running - times->capture_ns;
    times->has_dts = running_time(sink, GST_BUFFER_DTS(buffer), &running);
    times->dts_after_ns = base + running - times->capture_ns;
}

struct departure_times departure_times(struct departure *departure, GstBaseSink *sink, GstBuffer *buffer,
                                       gboolean is_timed, gboolean is_live)
{
    const GstReferenceTimestampMeta *reference =
        gst_buffer_get_reference_timestamp_meta(buffer, monotonic_reference());
    const GstClockTime time = departure->is_picture && GST_BUFFER_PTS_IS_VALID(buffer)
                                  ? GST_BUFFER_PTS(buffer)
                                  : GST_BUFFER_DTS_OR_PTS(buffer);
    const gboolean has_times = sink->segment.format == GST_FORMAT_TIME;
    const gint64 now = monotonic_now();
    struct departure_times times = {.rate = ABS(sink->segment.rate)};
    gint64 running, capture = 0, base = 0;

    if (has_times && is_timed && running_time(sink, time, &running) &&
        timebase_offset(&departure->timebase, GST_ELEMENT(sink), &base)) {
        base += is_live ? 0 : departure_delay(sink);
        capture = base + running;
        if (!is_live && departure->is_picture)
            capture = departure_if_in_time(departure, capture, now - capture);
        else if (!is_live && capture < now - REORDER_NS)
            base = 0;
        if (!is_live && !departure->is_picture && capture < now - LATE_NS)
            capture = 0;
    }
    /* The buffer came from another bus, or its source knows better than any timestamp. */
    if (reference)
        capture = (gint64)MIN(reference->timestamp, (guint64)G_MAXINT64);
    times.capture_ns = CLAMP(capture, 0, now);
    /* Pictures that nobody shows in time are in order, but how far apart they are is known from this alone.
     */
    if (has_times && (!departure->is_picture || !capture))
        departure_add_order(departure, sink, buffer, base, now, &times);
    return times;
}

/* ---- Arrival ------------------------------------------------------------------------------- */

void arrival_init(struct arrival *arrival, gboolean is_live)
{
    *arrival = (struct arrival){.is_live = is_live, .last = GST_CLOCK_TIME_NONE};
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

/* Returns the highest age of the last frames, without the stragglers once there are enough other frames. */
static GstClockTime arrival_usual_age(const struct arrival *arrival)
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

/* Learns from the age at publication, not at arrival: a downstream that blocks would raise the latency that
 * it waits for itself. `before`: how long before its capture time the frame is to be shown. Returns TRUE if
 * the latency has changed. */
static gboolean arrival_learn_latency(struct arrival *arrival, const struct framebus_frame *frame,
                                      gint64 before)
{
    GstClockTime age, usual = 0;

    if (frame->publish_ns < frame->capture_ns || before > OLD_NS ||
        frame->publish_ns - frame->capture_ns > OLD_NS - before)
        return FALSE;
    age = frame->publish_ns - frame->capture_ns + before + HANDOVER_NS;
    age = (age + STEP_NS - 1) / STEP_NS * STEP_NS;
    arrival->age[arrival->frames++ % ARRIVAL_WINDOW] = age;

    if (age + NEAR_NS >= arrival->latency) {
        arrival->calm = arrival->calm_most = 0;
    } else {
        arrival->calm++;
        arrival->calm_most = MAX(arrival->calm_most, age);
    }
    if (age > arrival->latency) /* else this frame does not make it longer */
        usual = arrival_usual_age(arrival);
    if (usual > arrival->latency)
        arrival->latency = usual;
    else if (arrival->calm == CALM_FRAMES)
        arrival->latency = arrival->calm_most;
    else
        return FALSE;
    arrival->calm = arrival->calm_most = 0;
    return TRUE;
}

/* Returns FALSE if the frame does not say how long after its capture time that timestamp is. */
static gboolean arrival_after(const struct framebus_frame *frame, guint32 tag, gint64 *after)
{
    size_t size;
    const void *block = framebus_frame_get_meta(frame, tag, 0, &size);

    if (!block || size != sizeof(*after))
        return FALSE;
    memcpy(after, block, sizeof(*after));
    *after = CLAMP(*after, -APART_NS, APART_NS);
    return TRUE;
}

/* Returns FALSE if the frame does not say when, for its capture time `running`, that timestamp is. */
static gboolean arrival_time_of(const struct framebus_frame *frame, guint32 tag, gint64 running,
                                GstClockTime *time)
{
    gint64 after;

    if (!arrival_after(frame, tag, &after))
        return FALSE;
    *time = MAX(0, running + after);
    return TRUE;
}

/* Stamps a buffer of a payload. Returns how long before its capture time `running` it is to be shown. */
static gint64 arrival_stamp_payload(const struct framebus_frame *frame, gint64 running, GstBuffer *buffer)
{
    if (!arrival_time_of(frame, TAG_PTS, running, &GST_BUFFER_PTS(buffer)))
        GST_BUFFER_PTS(buffer) = running;
    arrival_time_of(frame, TAG_DTS, running, &GST_BUFFER_DTS(buffer));
    return MAX(0, running - (gint64)GST_BUFFER_PTS(buffer));
}

/* Makes sure that timestamps of pictures rise. */
static void arrival_order(struct arrival *arrival, GstBuffer *buffer)
{
    if (GST_CLOCK_TIME_IS_VALID(arrival->last) && GST_BUFFER_PTS(buffer) <= arrival->last)
        GST_BUFFER_PTS(buffer) = arrival->last + 1;
    arrival->last = GST_BUFFER_PTS(buffer);
}

/* Stamps a buffer of a stream that has nothing to do with the time of day: the first frame, with whatever
 * timestamp of it is the earlier one, is at 0. */
static void arrival_stamp_offline(struct arrival *arrival, const struct framebus_frame *frame,
                                  const GstVideoInfo *info, GstBuffer *buffer)
{
    const gint64 capture = CLAMP(frame->capture_ns, 0, G_MAXINT64 / 4);
    gint64 running, shift = 0, pts = 0, dts;

    arrival_after(frame, TAG_SHIFT, &shift);
    if (!arrival->has_begun) {
        arrival_after(frame, TAG_PTS, &pts);
        dts = pts;
        arrival_after(frame, TAG_DTS, &dts);
        arrival->beginning = capture - shift + MIN(pts, dts);
        arrival->has_begun = TRUE;
    }
    running = capture - shift - arrival->beginning;
    if (!arrival_time_of(frame, TAG_PTS, running, &GST_BUFFER_PTS(buffer)))
        GST_BUFFER_PTS(buffer) = MAX(0, running);
    if (info->finfo)
        arrival_order(arrival, buffer);
    else
        arrival_time_of(frame, TAG_DTS, running, &GST_BUFFER_DTS(buffer));
}

gboolean arrival_stamp(struct arrival *arrival, GstElement *element, const struct framebus_frame *frame,
                       const GstVideoInfo *info, GstBuffer *buffer)
{
    const gint64 now = monotonic_now();
    gint64 offset, running, before = 0;
    gboolean possible;

    if (!arrival->is_live) {
        arrival_stamp_offline(arrival, frame, info, buffer);
        return FALSE;
    }
    if (!timebase_offset(&arrival->timebase, element, &offset))
        return FALSE;
    /* The writer may have said anything: a frame with an impossible capture time is of now. */
    possible = frame->capture_ns <= now && frame->capture_ns >= now - OLD_NS && frame->capture_ns >= offset;
    running = possible ? frame->capture_ns - offset : MAX(0, now - offset);
    if (info->finfo) {
        GST_BUFFER_PTS(buffer) = running;
        arrival_order(arrival, buffer);
    } else {
        before = arrival_stamp_payload(frame, running, buffer);
    }
    return possible && arrival_learn_latency(arrival, frame, before);
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
