/* SPDX-License-Identifier: MIT */
/* `bus` of framebussrc while it plays: from one camera to another, and back. */
#include "fixture.h"

#include <gst/app/gstappsink.h>
#include <poll.h>
#include <string.h>

/* A writer of a bus that publishes as long as it is there. The first byte of each frame tells which it is. */
struct camera {
    const char *bus;
    guint width; /* 0: not pictures, but packets */
    guint8 value;
    gint key_frames_wanted; /* packets that do not depend on others; atomic */
    gint ends, stops;       /* atomic */
    struct framebus_writer *writer;
    GThread *thread;
};

static void camera_publish(struct camera *camera)
{
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_writer_begin(camera->writer, &frame), 0);
    memset(frame->data, camera->value, frame->capacity);
    if (!camera->width) {
        const gint wanted = g_atomic_int_get(&camera->key_frames_wanted);

        frame->size = frame->capacity;

        if (wanted)
            g_atomic_int_add(&camera->key_frames_wanted, -1);
        else
            frame->flags = FRAMEBUS_FRAME_DELTA;
    }
    fail_unless_equals_int(framebus_writer_publish(camera->writer, frame), 0);
    framebus_writer_release(camera->writer, frame);
}

static gpointer camera_run(gpointer user)
{
    struct camera *camera = user;

    while (!g_atomic_int_get(&camera->stops)) {
        struct pollfd wait = {.fd = framebus_writer_fd(camera->writer), .events = POLLIN};

        if (g_atomic_int_get(&camera->ends) == 1) {
            fail_unless_equals_int(framebus_writer_end(camera->writer), 0);
            g_atomic_int_set(&camera->ends, 2);
        }
        if (!g_atomic_int_get(&camera->ends))
            camera_publish(camera);
        poll(&wait, 1, 2);
        fail_unless_equals_int(framebus_writer_dispatch(camera->writer), 0);
    }
    return NULL;
}

static void camera_start(struct camera *camera)
{
    const struct framebus_writer_options options = {.max_slots = 128};
    struct framebus_format format;

    if (camera->width) {
        fail_unless_equals_int(framebus_format_init_name(&format, "GRAY8", camera->width, 32), 0);
    } else {
        fail_unless_equals_int(framebus_format_init_opaque(&format, "video/x-test", 64), 0);
    }
    g_atomic_int_set(&camera->stops, FALSE);
    fail_unless_equals_int(framebus_writer_open(&camera->writer, camera->bus, &format, &options), 0);
    camera->thread = g_thread_new(camera->bus, camera_run, camera);
}

static void camera_stop(struct camera *camera)
{
    g_atomic_int_set(&camera->stops, TRUE);
    g_thread_join(camera->thread);
    framebus_writer_close(camera->writer);
}

static void camera_end(struct camera *camera)
{
    g_atomic_int_set(&camera->ends, 1);
    while (g_atomic_int_get(&camera->ends) != 2)
        g_thread_yield();
}

static GstElement *viewer_new(const char *properties)
{
    g_autofree char *text = g_strdup_printf(
        "framebussrc name=r %s ! appsink name=out sync=false max-buffers=1 drop=true", properties);

    return pipeline_new(text);
}

static void viewer_start(GstElement *viewer)
{
    fail_if(gst_element_set_state(viewer, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
}

static GstElement *viewer_play(const char *properties)
{
    GstElement *viewer = viewer_new(properties);

    viewer_start(viewer);
    return viewer;
}

static guint8 value_of(GstSample *sample)
{
    guint8 value;

    fail_unless_equals_int(gst_buffer_extract(gst_sample_get_buffer(sample), 0, &value, 1), 1);
    return value;
}

/* Waits for the first sample of a camera; those of others that come before are of no interest. */
static GstSample *pull_from(GstElement *pipeline, const struct camera *camera)
{
    const gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    GstSample *sample;

    for (;;) {
        sample = gst_app_sink_try_pull_sample(GST_APP_SINK(child(pipeline, "out")), 10 * GST_SECOND);
        fail_unless(sample != NULL, "nothing comes from %s", camera->bus);
        if (value_of(sample) == camera->value)
            return sample;
        gst_sample_unref(sample);
        fail_unless(g_get_monotonic_time() < deadline, "it does not go over to %s", camera->bus);
    }
}

static void expect_from(GstElement *pipeline, const struct camera *camera)
{
    gst_sample_unref(pull_from(pipeline, camera));
}

static void expect_bus(GstElement *pipeline, const char *bus)
{
    g_autofree char *name = NULL;

    g_object_get(child(pipeline, "r"), "bus", &name, NULL);
    fail_unless_equals_string(name, bus);
}

/* Keeps the first buffer of each camera that comes by. */
struct firsts {
    GMutex lock;
    guint8 last; /* value of the camera that the last buffer was from; 0: there was none */
    guint buffers, joints, discont;
    GstClockTime pts;
    gboolean backwards;
};

static GstPadProbeReturn note_buffer(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, gpointer user)
{
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    struct firsts *firsts = user;
    guint8 value = 0;

    gst_buffer_extract(buffer, 0, &value, 1);
    g_mutex_lock(&firsts->lock);
    if (value != firsts->last) {
        firsts->joints++;
        firsts->discont += GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    }
    firsts->backwards |= firsts->buffers && GST_BUFFER_PTS(buffer) <= firsts->pts;
    firsts->pts = GST_BUFFER_PTS(buffer);
    firsts->last = value;
    firsts->buffers++;
    g_mutex_unlock(&firsts->lock);
    return GST_PAD_PROBE_OK;
}

static void firsts_watch(struct firsts *firsts, GstElement *pipeline)
{
    GstPad *pad = gst_element_get_static_pad(child(pipeline, "r"), "src");

    g_mutex_init(&firsts->lock);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, note_buffer, firsts, NULL);
    gst_object_unref(pad);
}

GST_START_TEST(the_other_camera_is_seen)
{
    struct camera a = {.bus = "a", .width = 64, .value = 1}, c = {.bus = "c", .width = 80, .value = 2};
    struct firsts firsts = {.last = 0};
    GstElement *viewer;
    GstSample *sample;
    gint width = 0;

    camera_start(&a);
    camera_start(&c);
    viewer = viewer_new("bus=a");
    firsts_watch(&firsts, viewer);
    viewer_start(viewer);
    expect_from(viewer, &a);
    g_object_set(child(viewer, "r"), "bus", "c", NULL);
    expect_bus(viewer, "c");
    sample = pull_from(viewer, &c);
    fail_unless(
        gst_structure_get_int(gst_caps_get_structure(gst_sample_get_caps(sample), 0), "width", &width));
    fail_unless_equals_int(width, 80);
    gst_sample_unref(sample);
    g_object_set(child(viewer, "r"), "bus", "a", NULL);
    expect_from(viewer, &a);
    pipeline_end(viewer);
    fail_unless_equals_int(firsts.joints, 3);
    fail_unless_equals_int(firsts.discont, 3);
    fail_if(firsts.backwards);
    camera_stop(&c);
    camera_stop(&a);
}
GST_END_TEST

static GstPadProbeReturn count_caps(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, gpointer user)
{
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_CAPS)
        g_atomic_int_inc((gint *)user);
    return GST_PAD_PROBE_OK;
}

GST_START_TEST(the_same_caps_are_not_told_again)
{
    struct camera a = {.bus = "a", .width = 64, .value = 1}, c = {.bus = "c", .width = 64, .value = 2};
    GstElement *viewer;
    gint caps = 0;
    GstPad *pad;

    camera_start(&a);
    camera_start(&c);
    viewer = viewer_new("bus=a");
    pad = gst_element_get_static_pad(child(viewer, "r"), "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, count_caps, &caps, NULL);
    gst_object_unref(pad);
    viewer_start(viewer);
    expect_from(viewer, &a);
    g_object_set(child(viewer, "r"), "bus", "c", NULL);
    expect_from(viewer, &c);
    pipeline_end(viewer);
    fail_unless_equals_int(caps, 1);
    camera_stop(&c);
    camera_stop(&a);
}
GST_END_TEST

GST_START_TEST(who_waits_in_vain_is_called_away)
{
    struct camera a = {.bus = "a", .width = 64, .value = 1};
    GstElement *viewer;
    GstMessage *message;

    camera_start(&a);
    viewer = viewer_play(__i__ ? "bus=nowhere on-disconnect=error timeout=100000000"
                               : "bus=nowhere timeout=100000000");
    message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(viewer), 10 * GST_SECOND, GST_MESSAGE_ELEMENT);
    fail_unless(message && gst_message_has_name(message, "framebussrc-timeout"));
    gst_message_unref(message);
    g_object_set(child(viewer, "r"), "timeout", G_GUINT64_CONSTANT(0), NULL); /* waits without limit by now */
    g_object_set(child(viewer, "r"), "bus", "a", NULL);
    expect_from(viewer, &a);
    pipeline_end(viewer);
    camera_stop(&a);
}
GST_END_TEST

/* While it stands still, and more than once: it is where it was told to go last. */
GST_START_TEST(what_is_asked_in_a_pause_is_done_after_it)
{
    struct camera a = {.bus = "a", .width = 64, .value = 1}, c = {.bus = "c", .width = 80, .value = 2};
    GstElement *viewer;

    camera_start(&a);
    camera_start(&c);
    viewer = viewer_play("bus=a");
    for (guint i = 0; i < 5; i++) {
        expect_from(viewer, &a);
        pipeline_set_state(viewer, GST_STATE_PAUSED);
        g_object_set(child(viewer, "r"), "bus", "nowhere", NULL);
        g_object_set(child(viewer, "r"), "bus", "c", NULL);
        fail_if(gst_element_set_state(viewer, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
        expect_from(viewer, &c);
        g_object_set(child(viewer, "r"), "bus", "a", NULL);
        pipeline_set_state(viewer, GST_STATE_READY); /* with that on its way */
        expect_bus(viewer, "a");
        fail_if(gst_element_set_state(viewer, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    }
    pipeline_end(viewer);
    camera_stop(&c);
    camera_stop(&a);
}
GST_END_TEST

GST_START_TEST(an_absent_camera_is_waited_for)
{
    struct camera a = {.bus = "a", .width = 64, .value = 1}, c = {.bus = "c", .width = 64, .value = 2};
    const GstStructure *fields;
    GstElement *viewer;
    GstMessage *message;

    camera_start(&a);
    viewer = viewer_play("bus=a timeout=300000000");
    expect_from(viewer, &a);
    g_object_set(child(viewer, "r"), "bus", "c", NULL);
    do {
        message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(viewer), 10 * GST_SECOND, GST_MESSAGE_ELEMENT);
        fail_unless(message != NULL);
        fields = gst_message_get_structure(message);
        if (gst_structure_has_name(fields, "framebussrc-timeout") &&
            strcmp(gst_structure_get_string(fields, "bus"), "c") == 0)
            break;
        gst_message_unref(message);
    } while (TRUE);
    gst_message_unref(message);
    camera_start(&c);
    expect_from(viewer, &c);
    pipeline_end(viewer);
    camera_stop(&c);
    camera_stop(&a);
}
GST_END_TEST

/* Held up in a push, where it cannot see what happens to the bus. */
struct barrier {
    GMutex lock;
    GCond moved;
    gboolean closed, reached;
};

static GstPadProbeReturn wait_at_barrier(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info G_GNUC_UNUSED,
                                         gpointer user)
{
    struct barrier *barrier = user;

    g_mutex_lock(&barrier->lock);
    while (barrier->closed) {
        barrier->reached = TRUE;
        g_cond_broadcast(&barrier->moved);
        g_cond_wait(&barrier->moved, &barrier->lock);
    }
    g_mutex_unlock(&barrier->lock);
    return GST_PAD_PROBE_OK;
}

GST_START_TEST(the_end_of_the_old_stream_is_not_passed_on)
{
    struct camera a = {.bus = "a", .width = 64, .value = 1}, c = {.bus = "c", .width = 64, .value = 2};
    struct barrier barrier = {.closed = TRUE};
    GstElement *viewer;
    GstPad *pad;

    g_mutex_init(&barrier.lock);
    g_cond_init(&barrier.moved);
    camera_start(&a);
    camera_start(&c);
    viewer = viewer_new("bus=a");
    pad = gst_element_get_static_pad(child(viewer, "r"), "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, wait_at_barrier, &barrier, NULL);
    gst_object_unref(pad);
    viewer_start(viewer);

    g_mutex_lock(&barrier.lock);
    while (!barrier.reached)
        g_cond_wait(&barrier.moved, &barrier.lock);
    camera_end(&a);
    g_object_set(child(viewer, "r"), "bus", "c", NULL);
    barrier.closed = FALSE;
    g_cond_broadcast(&barrier.moved);
    g_mutex_unlock(&barrier.lock);

    expect_from(viewer, &c);
    fail_if(gst_app_sink_is_eos(GST_APP_SINK(child(viewer, "out"))));
    pipeline_end(viewer);
    camera_stop(&c);
    camera_stop(&a);
}
GST_END_TEST

static void expect_refusal(GstElement *pipeline, const char *words)
{
    GstMessage *message =
        gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(pipeline), 10 * GST_SECOND, GST_MESSAGE_WARNING);
    GError *error = NULL;

    fail_unless(message != NULL, "no warning with %s", words);
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(strstr(error->message, words) != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
}

GST_START_TEST(a_name_that_is_refused_leaves_the_old_one)
{
    static const struct {
        const char *name, *words;
    } wrong[] = {{"no name", "\"no name\""}, {"", "no other one is named"}, {NULL, "no other one is named"}};
    struct camera a = {.bus = "a", .width = 64, .value = 1};
    GstElement *viewer;

    camera_start(&a);
    viewer = viewer_play("bus=a");
    expect_from(viewer, &a);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_object_set(child(viewer, "r"), "bus", wrong[i].name, NULL);
        expect_refusal(viewer, wrong[i].words);
        expect_bus(viewer, "a");
        expect_from(viewer, &a);
    }
    fail_unless_equals_uint64(stat_of(child(viewer, "r"), "writers"), 1);
    pipeline_end(viewer);
    camera_stop(&a);
}
GST_END_TEST

GST_START_TEST(a_bus_that_refuses_leaves_the_old_one)
{
    const struct framebus_writer_options lossless = {.lossless = true, .lossless_timeout_ns = -1};
    struct camera c = {.bus = "c", .width = 64, .value = 2};
    struct framebus_format format;
    struct framebus_writer *a;
    GstElement *viewer;

    fail_unless_equals_int(framebus_format_init_name(&format, "GRAY8", 64, 32), 0);
    fail_unless_equals_int(framebus_writer_open(&a, "a", &format, &lossless), 0);
    camera_start(&c);
    viewer = viewer_play("bus=a delivery=lossless");
    g_object_set(child(viewer, "r"), "bus", "c", NULL); /* its writer is not lossless */
    expect_refusal(viewer, "lossless");
    expect_bus(viewer, "a");
    pipeline_end(viewer);
    camera_stop(&c);
    framebus_writer_close(a);
}
GST_END_TEST

GST_START_TEST(a_device_is_put_in_place_of_another)
{
    struct camera a = {.bus = "a", .width = 64, .value = 1}, c = {.bus = "c", .width = 80, .value = 2};
    GstDeviceProvider *provider = gst_device_provider_factory_get_by_name("framebusdeviceprovider");
    GstElement *viewer;
    GList *devices;

    camera_start(&a);
    camera_start(&c);
    viewer = viewer_play("bus=a");
    expect_from(viewer, &a);
    devices = gst_device_provider_get_devices(provider); /* in the order of their names */
    fail_unless_equals_int(g_list_length(devices), 2);
    fail_unless(gst_device_reconfigure_element(devices->next->data, child(viewer, "r")));
    expect_from(viewer, &c);
    g_list_free_full(devices, gst_object_unref);
    gst_object_unref(provider);
    pipeline_end(viewer);
    camera_stop(&c);
    camera_stop(&a);
}
GST_END_TEST

GST_START_TEST(an_encoded_stream_begins_with_a_key_frame)
{
    struct camera a = {.bus = "a", .width = 64, .value = 1}, c = {.bus = "c", .value = 2};
    GstElement *viewer;
    GstSample *sample;

    camera_start(&a);
    camera_start(&c);
    viewer = viewer_play("bus=a");
    expect_from(viewer, &a);
    g_object_set(child(viewer, "r"), "bus", "c", NULL);
    wait_for_stat(child(viewer, "r"), "skipped", 3);
    g_atomic_int_set(&c.key_frames_wanted, 1);
    g_object_set(child(viewer, "out"), "drop", FALSE, NULL);
    sample = pull_from(viewer, &c);
    fail_if(GST_BUFFER_FLAG_IS_SET(gst_sample_get_buffer(sample), GST_BUFFER_FLAG_DELTA_UNIT));
    gst_sample_unref(sample);
    pipeline_end(viewer);
    camera_stop(&c);
    camera_stop(&a);
}
GST_END_TEST

static guint open_fds(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    guint count = 0;

    while (g_dir_read_name(dir))
        count++;
    g_dir_close(dir);
    return count;
}

GST_START_TEST(a_thousand_times)
{
    struct camera cameras[] = {{.bus = "a", .width = 64, .value = 1},
                               {.bus = "c", .width = 80, .value = 2},
                               {.bus = "d", .width = 64, .value = 3}};
    struct firsts firsts = {.last = 0};
    GstElement *viewer;
    guint fds = 0;

    for (guint i = 0; i < G_N_ELEMENTS(cameras); i++)
        camera_start(&cameras[i]);
    viewer = viewer_new("bus=a");
    firsts_watch(&firsts, viewer);
    viewer_start(viewer);
    for (guint i = 1; i <= 1000; i++) {
        const struct camera *camera = &cameras[i % G_N_ELEMENTS(cameras)];

        g_object_set(child(viewer, "r"), "bus", camera->bus, NULL);
        if (i % 10 != 0) /* else the next one comes before this one is reached */
            expect_from(viewer, camera);
        if (i == 100)
            fds = open_fds();
    }
    fail_unless(open_fds() < fds + 20, "%u file descriptors, and %u before", open_fds(), fds);
    fail_unless_equals_uint64(stat_of(child(viewer, "r"), "copied"), 0);
    pipeline_end(viewer);
    fail_unless(firsts.joints >= 900);
    fail_unless_equals_int(firsts.joints, firsts.discont);
    fail_if(firsts.backwards);
    for (guint i = 0; i < G_N_ELEMENTS(cameras); i++)
        camera_stop(&cameras[i]);
}
GST_END_TEST

static Suite *switch_suite(void)
{
    Suite *suite = suite_create("switch");
    TCase *tests = tcase_create("tests");

    tcase_set_timeout(tests, 170);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, the_other_camera_is_seen);
    tcase_add_test(tests, the_same_caps_are_not_told_again);
    tcase_add_loop_test(tests, who_waits_in_vain_is_called_away, 0, 2);
    tcase_add_test(tests, what_is_asked_in_a_pause_is_done_after_it);
    tcase_add_test(tests, an_absent_camera_is_waited_for);
    tcase_add_test(tests, the_end_of_the_old_stream_is_not_passed_on);
    tcase_add_test(tests, a_name_that_is_refused_leaves_the_old_one);
    tcase_add_test(tests, a_bus_that_refuses_leaves_the_old_one);
    tcase_add_test(tests, a_device_is_put_in_place_of_another);
    tcase_add_test(tests, an_encoded_stream_begins_with_a_key_frame);
    tcase_add_test(tests, a_thousand_times);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, switch_suite);
}
