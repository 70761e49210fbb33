/* SPDX-License-Identifier: MIT */
/* What a bus carries, sent as web browsers do: two webrtcbin in one process, without a network. */
#include "fixture.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPS    "video/x-raw, format=(string)NV12, width=(int)160, height=(int)120, framerate=(fraction)30/1"
#define PACKETS 30

static gint arrived;

struct call {
    GstElement *near, *far;
};

/* Each hands the description of the session that it has made to the other one. */
static void exchange(GstPromise *promise, const char *name, GstElement *from, GstElement *to)
{
    const GValue *value;

    fail_unless_equals_int(gst_promise_wait(promise), GST_PROMISE_RESULT_REPLIED);
    value = gst_structure_get_value(gst_promise_get_reply(promise), name);
    fail_unless(value != NULL);
    g_signal_emit_by_name(from, "set-local-description", g_value_get_boxed(value), NULL);
    g_signal_emit_by_name(to, "set-remote-description", g_value_get_boxed(value), NULL);
    gst_promise_unref(promise);
}

static void answered(GstPromise *promise, gpointer user)
{
    struct call *call = user;

    exchange(promise, "answer", call->far, call->near);
}

static void offered(GstPromise *promise, gpointer user)
{
    struct call *call = user;

    exchange(promise, "offer", call->near, call->far);
    g_signal_emit_by_name(call->far, "create-answer", NULL,
                          gst_promise_new_with_change_func(answered, call, NULL));
}

static void call(GstElement *near G_GNUC_UNUSED, struct call *call)
{
    g_signal_emit_by_name(call->near, "create-offer", NULL,
                          gst_promise_new_with_change_func(offered, call, NULL));
}

static void tell(GstElement *peer G_GNUC_UNUSED, guint line, const char *candidate, GstElement *other)
{
    g_signal_emit_by_name(other, "add-ice-candidate", line, candidate);
}

static GstPadProbeReturn count(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info G_GNUC_UNUSED,
                               gpointer user G_GNUC_UNUSED)
{
    g_atomic_int_inc(&arrived);
    return GST_PAD_PROBE_DROP;
}

static void pad_added(GstElement *far G_GNUC_UNUSED, GstPad *pad, gpointer user G_GNUC_UNUSED)
{
    if (GST_PAD_IS_SRC(pad))
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, count, NULL, NULL);
}

GST_START_TEST(a_bus_is_seen_by_a_web_browser)
{
    GstElement *writer = pipeline_new("videotestsrc is-live=true ! " CAPS " ! framebussink bus=b");
    GstElement *reader = pipeline_new("framebussrc bus=b ! videoconvert ! vp8enc deadline=1 ! rtpvp8pay ! "
                                      "application/x-rtp, media=video, encoding-name=VP8, payload=96 ! "
                                      "webrtcbin name=near webrtcbin name=far");
    struct call both = {gst_bin_get_by_name(GST_BIN(reader), "near"),
                        gst_bin_get_by_name(GST_BIN(reader), "far")};

    arrived = 0;
    g_signal_connect(both.near, "on-negotiation-needed", G_CALLBACK(call), &both);
    g_signal_connect(both.near, "on-ice-candidate", G_CALLBACK(tell), both.far);
    g_signal_connect(both.far, "on-ice-candidate", G_CALLBACK(tell), both.near);
    g_signal_connect(both.far, "pad-added", G_CALLBACK(pad_added), NULL);
    gst_element_set_state(writer, GST_STATE_PLAYING);
    gst_element_set_state(reader, GST_STATE_PLAYING);

    for (guint i = 0; i < 6000 && g_atomic_int_get(&arrived) < PACKETS; i++)
        g_usleep(10000);
    fail_unless(g_atomic_int_get(&arrived) >= PACKETS, "only %d packets arrived", arrived);

    gst_element_set_state(reader, GST_STATE_NULL);
    gst_element_set_state(writer, GST_STATE_NULL);
    gst_object_unref(both.near);
    gst_object_unref(both.far);
    gst_object_unref(reader);
    gst_object_unref(writer);
}
GST_END_TEST

/* ICE leaves the loopback interface out. */
static gboolean has_network(void)
{
    struct ifaddrs *list = NULL;
    gboolean found = FALSE;

    if (getifaddrs(&list) == 0) {
        for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next)
            found |= entry->ifa_addr && entry->ifa_addr->sa_family == AF_INET &&
                     (entry->ifa_flags & IFF_UP) && !(entry->ifa_flags & IFF_LOOPBACK);
        freeifaddrs(list);
    }
    return found;
}

/* NULL, or why the test cannot run here. */
static const char *what_is_missing(void)
{
    static const char *const needed[] = {"webrtcbin", "nicesink", "vp8enc",
                                         "rtpvp8pay", "dtlsenc",  "srtpenc"};

    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        GstElementFactory *factory = gst_element_factory_find(needed[i]);

        if (!factory)
            return needed[i];
        gst_object_unref(factory);
    }
    return has_network() ? NULL : "network interface but loopback";
}

static Suite *webrtc_suite(void)
{
    Suite *suite = suite_create("webrtc");
    TCase *tests = tcase_create("webrtc");
    const char *missing = what_is_missing();

    if (missing) {
        g_print("1..0 # SKIP no %s here\n", missing);
        exit(EXIT_SUCCESS);
    }
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, a_bus_is_seen_by_a_web_browser);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, webrtc_suite);
}
