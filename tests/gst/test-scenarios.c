/* SPDX-License-Identifier: MIT */
/*
 * The scenarios of scenarios/ (seek, pause, flush, end, change of caps), with each element: they are in the
 * form of gst-validate-1.0, which Debian does not have. A file names its pipeline and the one at the other
 * end of the bus. After each action of a pipeline that plays, frames have to arrive, and nobody posts an
 * error or warning.
 */
#include "fixture.h"

#include <string.h>

static const char *const scenarios[] = {"sink-seek",  "sink-pause",  "sink-flush",   "sink-eos",
                                        "sink-caps",  "source-seek", "source-pause", "source-flush",
                                        "source-eos", "source-caps", "source-bus"};

struct scenario {
    GstElement *pipeline, *peer;
    GstElement *source; /* at whichever end */
    gboolean plays, has_ended;
    gint complaints; /* atomic */
};

static void scenario_wait_for_position(const struct scenario *scenario, gdouble seconds)
{
    const gint64 limit = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;
    gint64 position = -1;

    while (!gst_element_query_position(scenario->pipeline, GST_FORMAT_TIME, &position) ||
           position < seconds * GST_SECOND) {
        fail_unless(g_get_monotonic_time() < limit, "the position is %" G_GINT64_FORMAT " after 30 seconds",
                    position);
        g_usleep(5000);
    }
}

static GstElement *scenario_target(const struct scenario *scenario, const GstStructure *action)
{
    return child(scenario->pipeline, gst_structure_get_string(action, "target-element-name"));
}

/* What flushes makes sinks preroll anew; a bin that is flushed again meanwhile may stay in PAUSED for good.
 */
static void scenario_settle(const struct scenario *scenario)
{
    const GstStateChangeReturn r = gst_element_get_state(scenario->pipeline, NULL, NULL, 20 * GST_SECOND);

    fail_unless(r == GST_STATE_CHANGE_SUCCESS || r == GST_STATE_CHANGE_NO_PREROLL);
}

static void scenario_play(struct scenario *scenario, const GstStructure *action G_GNUC_UNUSED)
{
    pipeline_set_state(scenario->pipeline, GST_STATE_PLAYING);
    scenario->plays = TRUE;
}

static void scenario_pause(struct scenario *scenario, const GstStructure *action G_GNUC_UNUSED)
{
    pipeline_set_state(scenario->pipeline, GST_STATE_PAUSED);
    scenario->plays = FALSE;
}

static void scenario_stop(struct scenario *scenario, const GstStructure *action G_GNUC_UNUSED)
{
    pipeline_set_state(scenario->pipeline, GST_STATE_NULL);
    scenario->plays = FALSE;
}

static void scenario_seek(struct scenario *scenario, const GstStructure *action)
{
    GValue flags = G_VALUE_INIT;
    gboolean optional = FALSE, done;
    gdouble start;

    g_value_init(&flags, GST_TYPE_SEEK_FLAGS);
    fail_unless(gst_value_deserialize(&flags, gst_structure_get_string(action, "flags")));
    fail_unless(gst_structure_get_double(action, "start", &start));
    gst_structure_get_boolean(action, "optional", &optional);
    done = gst_element_seek_simple(scenario->pipeline, GST_FORMAT_TIME, g_value_get_flags(&flags),
                                   (gint64)(start * GST_SECOND));
    fail_unless(done || optional);
    scenario_settle(scenario);
    g_value_unset(&flags);
}

static void scenario_flush(struct scenario *scenario, const GstStructure *action)
{
    GstElement *target = scenario_target(scenario, action);
    gboolean reset = TRUE;

    gst_structure_get_boolean(action, "reset-time", &reset);
    fail_unless(gst_element_send_event(target, gst_event_new_flush_start()));
    fail_unless(gst_element_send_event(target, gst_event_new_flush_stop(reset)));
    scenario_settle(scenario);
}

static void scenario_eos(struct scenario *scenario, const GstStructure *action G_GNUC_UNUSED)
{
    fail_unless(gst_element_send_event(scenario->pipeline, gst_event_new_eos()));
    scenario->plays = FALSE;
    scenario->has_ended = TRUE;
}

static void scenario_wait(struct scenario *scenario, const GstStructure *action)
{
    GFlagsClass *types = g_type_class_ref(GST_TYPE_MESSAGE_TYPE);
    GFlagsValue *type = g_flags_get_value_by_nick(types, gst_structure_get_string(action, "message-type"));
    GstMessage *message;

    fail_unless(type != NULL);
    message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(scenario->pipeline), 20 * GST_SECOND, type->value);
    fail_unless(message != NULL, "no message %s in 20 seconds", type->value_nick);
    gst_message_unref(message);
    g_type_class_unref(types);
}

static void scenario_set_property(struct scenario *scenario, const GstStructure *action)
{
    gst_util_set_object_arg(G_OBJECT(scenario_target(scenario, action)),
                            gst_structure_get_string(action, "property-name"),
                            gst_structure_get_string(action, "property-value"));
}

static void scenario_check_caps(struct scenario *scenario, const GstStructure *action)
{
    GstPad *pad = gst_element_get_static_pad(scenario_target(scenario, action),
                                             gst_structure_get_string(action, "pad"));
    GstCaps *caps = gst_pad_get_current_caps(pad);

    fail_unless(caps && gst_caps_is_subset(
                            caps, gst_value_get_caps(gst_structure_get_value(action, "expected-caps"))));
    gst_caps_unref(caps);
    gst_object_unref(pad);
}

static void scenario_describe(struct scenario *scenario G_GNUC_UNUSED, const GstStructure *action)
{
    fail_unless(gst_structure_has_field(action, "summary"));
}

static const struct {
    const char *name;
    void (*run)(struct scenario *scenario, const GstStructure *action);
} actions[] = {
    {"meta", scenario_describe},
    {"play", scenario_play},
    {"pause", scenario_pause},
    {"stop", scenario_stop},
    {"seek", scenario_seek},
    {"flush", scenario_flush},
    {"eos", scenario_eos},
    {"wait", scenario_wait},
    {"set-property", scenario_set_property},
    {"check-current-pad-caps", scenario_check_caps},
};

static void scenario_act(struct scenario *scenario, const GstStructure *action)
{
    const guint64 delivered = stat_of(scenario->source, "delivered");
    gboolean is_known = FALSE;
    gdouble position;

    gst_println("# %" GST_PTR_FORMAT, action); /* what a failure came from */
    if (gst_structure_get_double(action, "playback-time", &position))
        scenario_wait_for_position(scenario, position);
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (gst_structure_has_name(action, actions[i].name)) {
            actions[i].run(scenario, action);
            is_known = TRUE;
        }
    }
    fail_unless(is_known, "no action %s", gst_structure_get_name(action));
    if (scenario->plays)
        wait_for_stat(scenario->source, "delivered", delivered + 3);
}

/* Called in the thread that posts. */
static GstBusSyncReply pipeline_said(GstBus *bus G_GNUC_UNUSED, GstMessage *message, gpointer data)
{
    gint *complaints = data;

    if (GST_MESSAGE_TYPE(message) & (GST_MESSAGE_ERROR | GST_MESSAGE_WARNING)) {
        gst_println("# complaint: %" GST_PTR_FORMAT, message);
        g_atomic_int_inc(complaints);
    }
    return GST_BUS_PASS;
}

static void pipeline_listen(GstElement *pipeline, gint *complaints)
{
    gst_bus_set_sync_handler(GST_ELEMENT_BUS(pipeline), pipeline_said, complaints, NULL);
}

/* What stands behind such a word in a comment. */
static const char *scenario_head(char **lines, const char *word)
{
    for (guint i = 0; lines[i]; i++) {
        if (g_str_has_prefix(lines[i], word))
            return lines[i] + strlen(word);
    }
    fail("no line %s", word);
    return NULL;
}

/* The end of a writer is that of its readers, but not the other way round. */
static void scenario_check_end(const struct scenario *scenario, gboolean is_of_sink)
{
    GstMessage *message;
    GstElement *sink;

    if (is_of_sink) {
        message =
            gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(scenario->peer), 20 * GST_SECOND, GST_MESSAGE_EOS);
        fail_unless(message != NULL);
        gst_message_unref(message);
    } else {
        sink = child(scenario->peer, "s");
        wait_for_stat(sink, "published", stat_of(sink, "published") + 3);
    }
}

GST_START_TEST(the_pair_plays_a_scenario)
{
    g_autofree char *path = g_strdup_printf("%s/%s.scenario", SCENARIOS, scenarios[__i__]);
    g_autofree char *text = NULL;
    struct scenario scenario = {NULL};
    gboolean is_of_sink = g_str_has_prefix(scenarios[__i__], "sink-");
    char **lines;

    fail_unless(g_file_get_contents(path, &text, NULL, NULL), "cannot read %s", path);
    lines = g_strsplit(text, "\n", -1);
    scenario.pipeline = pipeline_new(scenario_head(lines, "# pipeline: "));
    scenario.peer = pipeline_new(scenario_head(lines, "# beside it: "));
    pipeline_listen(scenario.pipeline, &scenario.complaints);
    pipeline_listen(scenario.peer, &scenario.complaints);
    fail_if(gst_element_set_state(scenario.peer, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    scenario.source = child(is_of_sink ? scenario.peer : scenario.pipeline, "r");
    for (guint i = 0; lines[i]; i++) {
        GstStructure *action;

        if (lines[i][0] == '#' || !lines[i][0])
            continue;
        action = gst_structure_from_string(lines[i], NULL);
        fail_unless(action != NULL, "%s", lines[i]);
        scenario_act(&scenario, action);
        gst_structure_free(action);
        fail_unless_equals_int(g_atomic_int_get(&scenario.complaints), 0);
    }
    if (scenario.has_ended)
        scenario_check_end(&scenario, is_of_sink);
    g_strfreev(lines);
    pipeline_end(scenario.pipeline);
    pipeline_end(scenario.peer);
}
GST_END_TEST

GST_START_TEST(no_scenario_is_left_out)
{
    GDir *dir = g_dir_open(SCENARIOS, 0, NULL);
    guint count = 0;

    fail_unless(dir != NULL);
    while (g_dir_read_name(dir))
        count++;
    g_dir_close(dir);
    fail_unless_equals_int(count, G_N_ELEMENTS(scenarios));
}
GST_END_TEST

static Suite *scenarios_suite(void)
{
    Suite *suite = suite_create("scenarios");
    TCase *tests = tcase_create("scenarios");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 150);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_loop_test(tests, the_pair_plays_a_scenario, 0, G_N_ELEMENTS(scenarios));
    tcase_add_test(tests, no_scenario_is_left_out);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, scenarios_suite);
}
