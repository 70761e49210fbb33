/* SPDX-License-Identifier: MIT */
/* Properties of both elements: what they do, and what they say when they cannot. */
#include "fixture.h"

#include "../sanitized.h"

#include <gst/check/gstharness.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static GstMessage *wait_for(GstElement *pipeline, GstMessageType type)
{
    GstMessage *message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(pipeline), 20 * GST_SECOND, type);

    fail_unless(message != NULL, "no %s", gst_message_type_get_name(type));
    return message;
}

/* Waits for a warning or an error with these words. */
static void expect_words(GstElement *pipeline, GstMessageType type, const char *words)
{
    GstMessage *message = wait_for(pipeline, type);
    GError *error = NULL;

    if (type == GST_MESSAGE_WARNING)
        gst_message_parse_warning(message, &error, NULL);
    else if (type == GST_MESSAGE_INFO)
        gst_message_parse_info(message, &error, NULL);
    else
        gst_message_parse_error(message, &error, NULL);
    fail_unless(strstr(error->message, words) != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
}

/* ---- What can be changed when ---- */

GST_START_TEST(what_cannot_be_changed_now_stays_and_says_so)
{
    GstElement *writer = pipeline_play("videotestsrc is-live=true ! framebussink name=s bus=b history=7");
    GstElement *reader = pipeline_play("framebussrc name=r bus=b ! fakesink");
    guint history, hold;

    pipeline_set_state(writer, GST_STATE_PLAYING);
    pipeline_set_state(reader, GST_STATE_PLAYING);
    g_object_set(child(writer, "s"), "history", 7, "max-slots", 128,
                 NULL); /* as they are: no word about it */
    g_object_set(child(writer, "s"), "history", 9, NULL);
    expect_words(writer, GST_MESSAGE_WARNING, "history of s stays 7");
    g_object_get(child(writer, "s"), "history", &history, NULL);
    fail_unless_equals_int(history, 7);
    g_object_set(child(writer, "s"), "group", "0", NULL);
    expect_words(writer, GST_MESSAGE_WARNING, "group of s stays");
    g_object_set(child(writer, "s"), "max-slots", 64, NULL);
    expect_words(writer, GST_MESSAGE_WARNING, "max-slots of s stays 128");
    g_object_set(child(reader, "r"), "hold", 5, NULL);
    expect_words(reader, GST_MESSAGE_WARNING, "hold of r stays 0");

    pipeline_set_state(reader, GST_STATE_READY);
    g_object_set(child(reader, "r"), "hold", 5, NULL);
    g_object_get(child(reader, "r"), "hold", &hold, NULL);
    fail_unless_equals_int(hold, 5);
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

/* It has its bus, and so its settings, before it has its first buffer. */
GST_START_TEST(a_sink_that_waits_for_its_first_buffer_has_its_settings)
{
    GstElement *writer = pipeline_play("appsrc ! framebussink name=s bus=b");

    g_object_set(child(writer, "s"), "history", 9, NULL);
    expect_words(writer, GST_MESSAGE_WARNING, "history of s stays 4");
    pipeline_end(writer);
}
GST_END_TEST

/* ---- Memory ---- */

/* Of this process, in kB. */
static gulong locked_memory(void)
{
    g_autofree char *text = NULL;
    const char *line;

    fail_unless(g_file_get_contents("/proc/self/status", &text, NULL, NULL));
    line = strstr(text, "VmLck:");
    fail_unless(line != NULL);
    return strtoul(line + strlen("VmLck:"), NULL, 10);
}

GST_START_TEST(slots_are_locked_if_asked_for)
{
    static const char *const texts[] = {
        "videotestsrc ! video/x-raw,format=GRAY8,width=64,height=64 ! framebussink name=s bus=b",
        "videotestsrc ! video/x-raw,format=GRAY8,width=64,height=64 ! framebussink name=s bus=b locked=true"};
    GstElement *writer = pipeline_play(texts[__i__]);

    wait_for_stat(child(writer, "s"), "published", 3);
    fail_unless_equals_int(locked_memory() > 0, __i__);
    pipeline_end(writer);
}
GST_END_TEST

static gulong free_huge_pages(void)
{
    g_autofree char *text = NULL;
    const char *line = NULL;

    if (g_file_get_contents("/proc/meminfo", &text, NULL, NULL))
        line = strstr(text, "HugePages_Free:");
    return line ? strtoul(line + strlen("HugePages_Free:"), NULL, 10) : 0;
}

/* Its bus ends with it, although it has never come to PAUSED: the fixture finds nothing. */
GST_START_TEST(a_sink_whose_first_buffer_fails_lets_go_of_its_bus)
{
    GstElement *writer = pipeline_new("appsrc name=in ! framebussink name=s bus=b");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 10, NULL);
    GstCaps *caps = gst_caps_from_string("video/x-raw,format=GRAY8,width=64,height=64,framerate=25/1");
    GstFlowReturn flow;

    g_object_set(child(writer, "in"), "caps", caps, NULL);
    gst_caps_unref(caps);
    gst_element_set_state(writer, GST_STATE_PAUSED);
    g_signal_emit_by_name(child(writer, "in"), "push-buffer", buffer, &flow);
    gst_buffer_unref(buffer);
    expect_words(writer, GST_MESSAGE_ERROR, "does not hold what its caps promise");
    fail_if(gst_element_get_state(child(writer, "s"), NULL, NULL, 20 * GST_SECOND) == GST_STATE_CHANGE_ASYNC);
    pipeline_end(writer);
}
GST_END_TEST

/* Most machines have none set aside. */
GST_START_TEST(huge_pages_are_used_or_missed_in_words)
{
    GstElement *writer = pipeline_new("videotestsrc ! video/x-raw,format=GRAY8,width=64,height=64 ! "
                                      "framebussink name=s bus=b huge-pages=true");

    gst_element_set_state(writer, GST_STATE_PLAYING);
    if (free_huge_pages())
        wait_for_stat(child(writer, "s"), "published", 3);
    else
        expect_words(writer, GST_MESSAGE_ERROR, "vm.nr_hugepages");
    pipeline_end(writer);
}
GST_END_TEST

/* ---- Waiting ---- */

static struct framebus_writer *writer_new(const char *caps)
{
    struct framebus_format format;
    struct framebus_writer *writer;

    if (caps) {
        fail_unless_equals_int(framebus_format_init_opaque(&format, caps, 64), 0);
    } else {
        fail_unless_equals_int(framebus_format_init_name(&format, "GRAY8", 64, 32), 0);
    }
    fail_unless_equals_int(framebus_writer_open(&writer, "b", &format, NULL), 0);
    return writer;
}

static void publish(struct framebus_writer *writer, guint8 value, guint32 flags)
{
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    memset(frame->data, value, frame->capacity);
    frame->size = frame->capacity;
    frame->flags = flags;
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
}

/* Lets readers in and out until the element has delivered so many frames. */
static void serve_until_delivered(struct framebus_writer *writer, GstElement *source, guint64 frames)
{
    const gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    while (stat_of(source, "delivered") < frames) {
        fail_unless_equals_int(framebus_writer_dispatch(writer), 0);
        fail_unless(g_get_monotonic_time() < deadline);
        g_usleep(1000);
    }
}

/* 0: its writer goes after that; 1: it stays. */
GST_START_TEST(the_last_frame_is_kept_after_an_end_in_good_order)
{
    GstHarness *harness = gst_harness_new_parse("framebussrc name=s bus=b keep-last=true");
    GstElement *source = gst_bin_get_by_name(GST_BIN(harness->element), "s");
    struct framebus_writer *writer = writer_new(NULL);
    guint8 value;

    gst_harness_use_systemclock(harness);
    gst_harness_play(harness);
    for (guint round = 1; round <= 2; round++) {
        GstBuffer *buffer;
        guint repeated = 0;

        publish(writer, round, 0);
        serve_until_delivered(writer, source, round);
        fail_unless_equals_int(framebus_writer_end(writer), 0);
        if (!__i__)
            framebus_writer_close(writer);
        while (repeated < 3) {
            buffer = gst_harness_pull(harness);
            fail_unless(buffer != NULL);
            fail_unless_equals_int(gst_buffer_extract(buffer, 0, &value, 1), 1);
            if (value == round)
                repeated += GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP);
            gst_buffer_unref(buffer);
        }
        if (!__i__)
            writer = writer_new(NULL);
    }
    framebus_writer_close(writer);
    gst_object_unref(source);
    gst_harness_teardown(harness);
}
GST_END_TEST

/* Repeated frames are no sign of life. */
GST_START_TEST(what_is_repeated_does_not_put_off_the_timeout)
{
    GstElement *reader =
        pipeline_play("framebussrc name=r bus=b keep-last=true timeout=700000000 on-timeout=eos ! fakesink");
    struct framebus_writer *writer = writer_new(NULL);

    publish(writer, 1, 0);
    serve_until_delivered(writer, child(reader, "r"), 1);
    framebus_writer_close(writer);
    gst_message_unref(wait_for(reader, GST_MESSAGE_EOS));
    pipeline_end(reader);
}
GST_END_TEST

GST_START_TEST(who_waits_long_says_for_what)
{
    GstElement *reader = pipeline_play("framebussrc name=r bus=b ! fakesink");
    struct framebus_writer *writer;
    GstMessage *message;

    expect_words(reader, GST_MESSAGE_INFO, "bus b has no writer yet");
    writer = writer_new(NULL);
    publish(writer, 1, 0);
    serve_until_delivered(writer, child(reader, "r"), 1);
    /* A camera may be slow. */
    message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(reader), 3 * GST_SECOND, GST_MESSAGE_INFO);
    fail_unless(message == NULL);
    framebus_writer_close(writer);
    expect_words(reader, GST_MESSAGE_INFO, "bus b has no writer yet");
    pipeline_end(reader);
}
GST_END_TEST

GST_START_TEST(who_waits_long_for_a_key_frame_says_so)
{
    GstElement *reader = pipeline_play("framebussrc name=r bus=b ! fakesink");
    struct framebus_writer *writer = writer_new("video/x-test");
    GstMessage *message = NULL;
    GError *error = NULL;

    while (!message) {
        publish(writer, 1, FRAMEBUS_FRAME_DELTA);
        fail_unless_equals_int(framebus_writer_dispatch(writer), 0);
        message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(reader), 10 * GST_MSECOND, GST_MESSAGE_WARNING);
        fail_unless(stat_of(child(reader, "r"), "skipped") < 10000);
    }
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(strstr(error->message, "waits for a key frame on bus b") != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
    publish(writer, 1, 0);
    serve_until_delivered(writer, child(reader, "r"), 1);
    framebus_writer_close(writer);
    pipeline_end(reader);
}
GST_END_TEST

/* ---- Writers that come and go ---- */

/* Waits for a message of that name about that bus. */
static void expect_news(GstElement *pipeline, const char *name, const char *bus, const char *reason)
{
    for (;;) {
        GstMessage *message = wait_for(pipeline, GST_MESSAGE_ELEMENT);
        const GstStructure *fields = gst_message_get_structure(message);
        gint pid = 0;

        if (strcmp(gst_structure_get_name(fields), name) == 0) {
            fail_unless_equals_string(gst_structure_get_string(fields, "bus"), bus);
            fail_unless_equals_string(gst_structure_get_string(fields, "reason"), reason);
            fail_unless(gst_structure_get_int(fields, "writer-pid", &pid));
            fail_unless_equals_int(pid, getpid());
            gst_message_unref(message);
            return;
        }
        fail_if(g_str_has_prefix(gst_structure_get_name(fields), "framebussrc-"), "%s",
                gst_structure_get_name(fields));
        gst_message_unref(message);
    }
}

GST_START_TEST(writers_that_come_and_go_are_told)
{
    GstElement *reader = pipeline_play("framebussrc name=r bus=b ! fakesink");

    for (guint round = 1; round <= 3; round++) {
        struct framebus_writer *writer = writer_new(NULL);

        publish(writer, 1, 0);
        serve_until_delivered(writer, child(reader, "r"), round);
        expect_news(reader, "framebussrc-connected", "b", NULL);
        if (round == 3) {
            g_object_set(child(reader, "r"), "bus", "nowhere", NULL);
            expect_news(reader, "framebussrc-disconnected", "b", "left");
        }
        framebus_writer_close(writer);
        if (round < 3)
            expect_news(reader, "framebussrc-disconnected", "b", "gone");
    }
    pipeline_end(reader);
}
GST_END_TEST

/* ---- Files ---- */

#define ROOM                                                                                                 \
    " ! framebussink name=s bus=b sync=false lossless=true lossless-timeout=-1 wait-for-connection=true"

/* Pictures and payloads, one each 20 ms. */
static const char *const films[] = {
    "videotestsrc num-buffers=120 ! video/x-raw,format=GRAY8,width=64,height=32,framerate=50/1" ROOM,
    "audiotestsrc num-buffers=120 samplesperbuffer=882 ! audio/x-raw,rate=44100,channels=1" ROOM};

struct film {
    guint frames, wrong;
};

/* Slower than the film: it is a second behind before the end. */
static void note_frame(GstElement *sink G_GNUC_UNUSED, GstBuffer *buffer, GstPad *pad G_GNUC_UNUSED,
                       struct film *film)
{
    if (GST_BUFFER_PTS(buffer) != film->frames * 20 * GST_MSECOND)
        film->wrong++;
    film->frames++;
    g_usleep(32000);
}

static gboolean is_live(GstElement *pipeline)
{
    GstQuery *query = gst_query_new_latency();
    gboolean live;

    fail_unless(gst_element_query(pipeline, query));
    gst_query_parse_latency(query, &live, NULL, NULL);
    gst_query_unref(query);
    return live;
}

GST_START_TEST(a_film_is_read_as_a_film)
{
    GstElement *reader = pipeline_new("framebussrc name=r bus=b is-live=false delivery=lossless ! "
                                      "fakesink name=out sync=false signal-handoffs=true");
    struct film film = {0};
    GstElement *writer;

    g_signal_connect(child(reader, "out"), "handoff", G_CALLBACK(note_frame), &film);
    fail_unless_equals_int(gst_element_set_state(reader, GST_STATE_PAUSED), GST_STATE_CHANGE_ASYNC);
    writer = pipeline_play(films[__i__]);
    fail_unless_equals_int(gst_element_get_state(reader, NULL, NULL, 20 * GST_SECOND),
                           GST_STATE_CHANGE_SUCCESS);
    fail_if(is_live(reader));
    pipeline_set_state(reader, GST_STATE_PLAYING);
    gst_message_unref(wait_for(reader, GST_MESSAGE_EOS));
    pipeline_end(reader);
    pipeline_end(writer);
    fail_unless_equals_int(film.frames, 120);
    fail_unless_equals_int(film.wrong, 0);
}
GST_END_TEST

/* Nothing keeps it from ending while it waits for a writer, or for the next frame. */
GST_START_TEST(who_reads_a_film_can_be_stopped)
{
    GstElement *reader =
        pipeline_new("framebussrc name=r bus=b is-live=false delivery=lossless ! fakesink sync=false");

    for (guint i = 0; i < 3; i++) {
        gst_element_set_state(reader, i == 1 ? GST_STATE_PAUSED : GST_STATE_PLAYING);
        expect_words(reader, GST_MESSAGE_INFO, "bus b has no writer yet");
        pipeline_set_state(reader, GST_STATE_READY);
    }
    pipeline_end(reader);
}
GST_END_TEST

/* ---- Connections of others ---- */

static gint connect_to(const char *bus)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    gint fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", g_getenv("FRAMEBUS_DIR"), bus);
    fail_unless(fd >= 0);
    fail_unless_equals_int(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* A broker has connected, and this process may not even know the directory. */
GST_START_TEST(a_connection_is_read)
{
    GstElement *writer = pipeline_play("videotestsrc is-live=true ! framebussink name=s bus=b");
    GstElement *reader = pipeline_new("framebussrc name=r ! fakesink");

    pipeline_set_state(writer, GST_STATE_PLAYING);
    for (guint i = 0; i < 3; i++) { /* each time over another one */
        gint fd = connect_to("b");

        g_object_set(child(reader, "r"), "fd", fd, NULL);
        fail_if(gst_element_set_state(reader, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
        close(fd);
        wait_for_stat(child(reader, "r"), "delivered", 3);
        g_object_set(child(reader, "r"), "bus", "b", NULL);
        expect_words(reader, GST_MESSAGE_WARNING, "one bus alone");
        pipeline_set_state(reader, GST_STATE_READY);
    }
    g_object_set(child(reader, "r"), "fd", connect_to("b"), NULL);
    pipeline_set_state(reader, GST_STATE_PLAYING);
    pipeline_set_state(writer, GST_STATE_READY);
    expect_words(reader, GST_MESSAGE_ERROR, "is gone");
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

GST_START_TEST(what_is_no_connection_is_refused)
{
    static const struct {
        const char *properties, *words;
    } wrong[] = {{"fd=9999", "fd 9999 cannot be duplicated"},
                 {"fd=0", "not a Unix socket"},
                 {"bus=b fd=9999", "Both bus=b and fd=9999 are set"}};

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *text = g_strdup_printf("framebussrc name=r %s ! fakesink", wrong[i].properties);
        GstElement *reader = pipeline_new(text);

        fail_unless_equals_int(gst_element_set_state(reader, GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
        expect_words(reader, GST_MESSAGE_ERROR, wrong[i].words);
        pipeline_end(reader);
    }
}
GST_END_TEST

static Suite *settings_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *tests = tcase_create("tests");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, what_cannot_be_changed_now_stays_and_says_so);
    tcase_add_test(tests, a_sink_that_waits_for_its_first_buffer_has_its_settings);
    if (!SANITIZED) /* which makes nothing of mlock() */
        tcase_add_loop_test(tests, slots_are_locked_if_asked_for, 0, 2);
    tcase_add_loop_test(tests, a_sink_whose_first_buffer_fails_lets_go_of_its_bus, 0, 20);
    tcase_add_test(tests, huge_pages_are_used_or_missed_in_words);
    tcase_add_loop_test(tests, the_last_frame_is_kept_after_an_end_in_good_order, 0, 2);
    tcase_add_test(tests, what_is_repeated_does_not_put_off_the_timeout);
    tcase_add_test(tests, who_waits_long_says_for_what);
    tcase_add_test(tests, who_waits_long_for_a_key_frame_says_so);
    tcase_add_test(tests, writers_that_come_and_go_are_told);
    tcase_add_loop_test(tests, a_film_is_read_as_a_film, 0, G_N_ELEMENTS(films));
    tcase_add_test(tests, who_reads_a_film_can_be_stopped);
    tcase_add_test(tests, a_connection_is_read);
    tcase_add_test(tests, what_is_no_connection_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, settings_suite);
}
