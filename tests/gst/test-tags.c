/* SPDX-License-Identifier: MIT */
/* What a stream says once, its tags and table of contents, reaches readers that come later, and hurts none.
 */
#include "fixture.h"

#include "meta.h"
#include "tags.h"

#include <gst/check/gstharness.h>
#include <string.h>

#define CAPS "video/x-raw, format=(string)GRAY8, width=(int)64, height=(int)32, framerate=(fraction)30/1"

static GstHarness *writer_new(const char *caps)
{
    GstHarness *harness = gst_harness_new_parse("framebussink bus=b sync=false");

    gst_harness_set_src_caps_str(harness, caps);
    gst_harness_play(harness);
    return harness;
}

static void writer_push(GstHarness *writer)
{
    fail_unless_equals_int(gst_harness_push(writer, gst_buffer_new_allocate(NULL, 64 * 32, NULL)),
                           GST_FLOW_OK);
}

static void writer_say(GstHarness *writer, const char *text, GstTagScope scope)
{
    GstTagList *list = gst_tag_list_new_from_string(text);

    fail_unless(list != NULL);
    gst_tag_list_set_scope(list, scope);
    fail_unless(gst_harness_push_event(writer, gst_event_new_tag(list)));
}

static GstHarness *reader_new_harness(void)
{
    GstHarness *harness = gst_harness_new_parse("framebussrc bus=b");

    gst_harness_play(harness);
    return harness;
}

static void reader_pull(GstHarness *reader, GstHarness *writer)
{
    GstBuffer *buffer = NULL;

    for (guint i = 0; i < 2000 && !buffer; i++) {
        writer_push(writer);
        g_usleep(5000);
        buffer = gst_harness_try_pull(reader);
    }
    fail_unless(buffer != NULL);
    gst_buffer_unref(buffer);
}

/* The tags of that scope that hold now, as text; NULL: none. */
static char *reader_tags(GstHarness *reader, GstTagScope scope)
{
    GstTagList *list = NULL;
    GstEvent *event;
    char *text = NULL;

    for (guint i = 0; !text && (event = gst_pad_get_sticky_event(reader->sinkpad, GST_EVENT_TAG, i)); i++) {
        gst_event_parse_tag(event, &list);
        if (gst_tag_list_get_scope(list) == scope)
            text = gst_tag_list_to_string(list);
        gst_event_unref(event);
    }
    return text;
}

#define expect_tags(reader, scope, expected)                                                                 \
    do {                                                                                                     \
        char *text_ = reader_tags(reader, scope);                                                            \
        fail_unless(g_strcmp0(text_, expected) == 0, "%s, not %s", text_, expected);                         \
        g_free(text_);                                                                                       \
    } while (0)

static GstEvent *reader_toc(GstHarness *reader)
{
    return gst_pad_get_sticky_event(reader->sinkpad, GST_EVENT_TOC, 0);
}

#define TITLE                                                                                                \
    "taglist, title=(string)\"The \\\"bus\\\"\", artist=(string){ One, \"Two\\ {\" }, bitrate=(uint)12000"
#define GLOBAL "taglist, container-format=(string)Matroska"
#define NEXT   "taglist, title=(string)Next"

GST_START_TEST(tags_reach_readers_that_come_late)
{
    GstHarness *writer = writer_new(CAPS), *early = reader_new_harness(), *late;
    GstTagList *expected = gst_tag_list_new_from_string(TITLE);
    g_autofree char *title = gst_tag_list_to_string(expected);
    GstEvent *event;

    gst_tag_list_unref(expected);
    reader_pull(early, writer);
    expect_tags(early, GST_TAG_SCOPE_STREAM, NULL);
    writer_say(writer, TITLE, GST_TAG_SCOPE_STREAM);
    writer_say(writer, GLOBAL, GST_TAG_SCOPE_GLOBAL);
    for (guint i = 0; i < 20; i++)
        reader_pull(early, writer);
    expect_tags(early, GST_TAG_SCOPE_STREAM, title);

    late = reader_new_harness();
    reader_pull(late, writer);
    expect_tags(late, GST_TAG_SCOPE_STREAM, title);
    g_free(title);
    title = reader_tags(late, GST_TAG_SCOPE_GLOBAL);
    fail_unless(title && strstr(title, "Matroska"));

    writer_say(writer, NEXT, GST_TAG_SCOPE_STREAM);
    for (guint i = 0; i < 20; i++)
        reader_pull(late, writer);
    g_free(title);
    title = reader_tags(late, GST_TAG_SCOPE_STREAM);
    fail_unless(strstr(title, "Next") && !strstr(title, "bitrate"), "%s", title);
    while ((event = gst_harness_try_pull_event(late)))
        gst_event_unref(event);
    for (guint i = 0; i < 20; i++)
        reader_pull(late, writer);
    fail_unless_equals_int(gst_harness_events_in_queue(late), 0); /* nothing is said again and again */
    gst_harness_teardown(late);
    gst_harness_teardown(early);
    gst_harness_teardown(writer);
}
GST_END_TEST

GST_START_TEST(tags_are_those_of_the_present_writer)
{
    GstHarness *writer = writer_new(CAPS), *reader = reader_new_harness();
    char *text;

    writer_say(writer, NEXT, GST_TAG_SCOPE_STREAM);
    reader_pull(reader, writer);
    gst_harness_teardown(writer);
    text = reader_tags(reader, GST_TAG_SCOPE_STREAM);
    fail_unless(strstr(text, "Next") != NULL);
    g_free(text);

    writer = writer_new(CAPS);
    for (guint i = 0; i < 20; i++)
        reader_pull(reader, writer);
    text = reader_tags(reader, GST_TAG_SCOPE_STREAM);
    fail_unless(text && !strstr(text, "Next"), "%s", text);
    g_free(text);
    gst_harness_teardown(reader);
    gst_harness_teardown(writer);
}
GST_END_TEST

static GstToc *toc_new(void)
{
    GstToc *toc = gst_toc_new(GST_TOC_SCOPE_GLOBAL);
    GstTocEntry *edition = gst_toc_entry_new(GST_TOC_ENTRY_TYPE_EDITION, "edition");

    for (guint i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("chapter %u", i);
        GstTocEntry *chapter = gst_toc_entry_new(GST_TOC_ENTRY_TYPE_CHAPTER, name);

        gst_toc_entry_set_start_stop_times(chapter, i * GST_SECOND, (i + 1) * GST_SECOND);
        gst_toc_entry_set_tags(chapter, gst_tag_list_new(GST_TAG_TITLE, name, NULL));
        gst_toc_entry_append_sub_entry(edition, chapter);
    }
    gst_toc_append_entry(toc, edition);
    gst_toc_append_entry(toc, gst_toc_entry_new(GST_TOC_ENTRY_TYPE_EDITION, "another"));
    gst_toc_set_tags(toc, gst_tag_list_new(GST_TAG_TITLE, "the whole", NULL));
    return toc;
}

GST_START_TEST(a_table_of_contents_reaches_readers_that_come_late)
{
    GstHarness *writer = writer_new(CAPS), *reader;
    GstToc *toc = toc_new();
    GstTocEntry *chapter;
    GstEvent *event;
    gint64 start, stop;
    char *title;

    fail_unless(gst_harness_push_event(writer, gst_event_new_toc(toc, FALSE)));
    gst_toc_unref(toc);
    for (guint i = 0; i < 20; i++)
        writer_push(writer);
    reader = reader_new_harness();
    reader_pull(reader, writer);
    event = reader_toc(reader);
    fail_unless(event != NULL);
    gst_event_parse_toc(event, &toc, NULL);
    gst_event_unref(event);

    fail_unless_equals_int(gst_toc_get_scope(toc), GST_TOC_SCOPE_GLOBAL);
    fail_unless_equals_int(g_list_length(gst_toc_get_entries(toc)), 2);
    fail_unless(gst_toc_find_entry(toc, "another") != NULL);
    chapter = gst_toc_find_entry(toc, "chapter 2");
    fail_unless(chapter != NULL);
    fail_unless_equals_string(gst_toc_entry_get_uid(gst_toc_entry_get_parent(chapter)), "edition");
    fail_unless_equals_int(gst_toc_entry_get_entry_type(chapter), GST_TOC_ENTRY_TYPE_CHAPTER);
    fail_unless(gst_toc_entry_get_start_stop_times(chapter, &start, &stop));
    fail_unless(start == 2 * GST_SECOND && stop == 3 * GST_SECOND);
    fail_unless(gst_tag_list_get_string(gst_toc_entry_get_tags(chapter), GST_TAG_TITLE, &title));
    fail_unless_equals_string(title, "chapter 2");
    g_free(title);
    gst_toc_unref(toc);
    gst_harness_teardown(reader);
    gst_harness_teardown(writer);
}
GST_END_TEST

/* The bus says it to programs without GStreamer, and readers say it downstream. */
GST_START_TEST(pictures_are_turned_as_their_tags_say)
{
    static const guint turns[] = {FRAMEBUS_ORIENTATION_MIRROR_90, FRAMEBUS_ORIENTATION_180, 0};
    static const char *const names[] = {"flip-rotate-90", "rotate-180", "rotate-0"};
    GstHarness *writer = writer_new(CAPS), *reader = reader_new_harness();
    struct framebus_bus_info *info;

    reader_pull(reader, writer);
    expect_tags(reader, GST_TAG_SCOPE_STREAM, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(turns); i++) {
        g_autofree char *text = g_strdup_printf("taglist, image-orientation=(string)%s", names[i]);
        g_autofree char *told = NULL;

        writer_say(writer, text, GST_TAG_SCOPE_STREAM);
        for (guint k = 0; k < 20; k++)
            reader_pull(reader, writer);
        fail_unless_equals_int(framebus_query("b", &info), 0);
        fail_unless_equals_int(info->format.orientation, turns[i]);
        framebus_info_free(info, 1);
        told = reader_tags(reader, GST_TAG_SCOPE_STREAM);
        fail_unless(told && strstr(told, names[i]), "%s", told);
    }
    gst_harness_teardown(reader);
    gst_harness_teardown(writer);
}
GST_END_TEST

/* Upstream goes on to write into slots. */
GST_START_TEST(turned_pictures_are_not_copied)
{
    GstElement *pipeline = pipeline_play("videotestsrc ! " CAPS " ! taginject name=t tags="
                                         "\"image-orientation=rotate-90\""
                                         " ! framebussink name=s bus=b");
    GstElement *sink = child(pipeline, "s");
    struct framebus_bus_info *info;
    guint64 copied;

    wait_for_stat(sink, "published", 10);
    fail_unless_equals_int(framebus_query("b", &info), 0);
    fail_unless_equals_int(info->format.orientation, FRAMEBUS_ORIENTATION_90);
    framebus_info_free(info, 1);
    copied = stat_of(sink, "copied");
    wait_for_stat(sink, "published", 40);
    fail_unless_equals_uint64(stat_of(sink, "copied"), copied);
    pipeline_end(pipeline);
}
GST_END_TEST

/* ---- Blocks of a hostile writer ------------------------------------------------------------ */

/* Publishes a frame with such a block and lets a reader find out what it says. */
static GSList *hear(struct framebus_writer *writer, struct framebus_reader *reader, guint32 tag,
                    const void *block, gsize size)
{
    struct tags_heard heard = {.writer = 1};
    struct framebus_frame *frame;
    GSList *events;

    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    fail_unless_equals_int(framebus_frame_add_meta(frame, tag, block, size), 0);
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
    framebus_writer_dispatch(writer);
    while (framebus_reader_next(reader, &frame, 0) < 0)
        framebus_writer_dispatch(writer);
    events = tags_heard_in(&heard, frame, 1);
    framebus_reader_release(reader, frame);
    tags_heard_finish(&heard);
    return events;
}

static void free_events(GSList *events)
{
    g_slist_free_full(events, (GDestroyNotify)gst_event_unref);
}

static void hear_text(struct framebus_writer *writer, struct framebus_reader *reader, const char *text,
                      const char *expected)
{
    const guint32 kind = TAGS_STREAM;
    GByteArray *block = g_byte_array_new();
    GSList *events;
    GstTagList *list;
    char *told;

    g_byte_array_append(block, (const guint8 *)&kind, sizeof(kind));
    g_byte_array_append(block, (const guint8 *)text, strlen(text) + 1);
    events = hear(writer, reader, TAG_TAGS, block->data, block->len);
    g_byte_array_unref(block);
    fail_unless((events != NULL) == (expected != NULL), "%s", text);
    if (expected) {
        gst_event_parse_tag(events->data, &list);
        told = gst_tag_list_to_string(list);
        fail_unless(strstr(told, expected) && !strstr(told, "no-such") && !strstr(told, "image"), "%s: %s",
                    text, told);
        g_free(told);
    }
    free_events(events);
}

static void *serve(void *writer)
{
    while (!g_atomic_int_get((gint *)((void **)writer)[1])) {
        framebus_writer_dispatch(((void **)writer)[0]);
        g_usleep(1000);
    }
    return NULL;
}

static void open_both(struct framebus_writer **writer, struct framebus_reader **reader)
{
    struct framebus_format format;
    const struct framebus_writer_options options = {.meta_size = 32768};
    gint stop = FALSE;
    void *serving[2] = {NULL, &stop};
    GThread *server;

    framebus_format_init_name(&format, "GRAY8", 64, 32);
    fail_unless_equals_int(framebus_writer_open(writer, "b", &format, &options), 0);
    serving[0] = *writer;
    server = g_thread_new("server", serve, serving);
    *reader = reader_new(NULL);
    g_atomic_int_set(&stop, TRUE);
    g_thread_join(server);
}

GST_START_TEST(a_turned_bus_of_another_program_has_tags)
{
    struct framebus_writer *writer;
    struct framebus_reader *reader;
    struct framebus_format format;
    struct framebus_frame *frame;
    struct tags_heard heard = {0};
    GstTagList *list;
    GSList *events;
    char *told;

    open_both(&writer, &reader);
    framebus_format_init_name(&format, "GRAY8", 64, 32);
    format.orientation = FRAMEBUS_ORIENTATION_270;
    fail_unless_equals_int(framebus_writer_set_format(writer, &format), 0);
    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
    while (framebus_reader_next(reader, &frame, 0) < 0)
        framebus_writer_dispatch(writer);
    events = tags_heard_in(&heard, frame, 1);
    fail_unless(events != NULL);
    gst_event_parse_tag(events->data, &list);
    fail_unless(gst_tag_list_get_string(list, GST_TAG_IMAGE_ORIENTATION, &told));
    fail_unless_equals_string(told, "rotate-270");
    g_free(told);
    free_events(events);
    framebus_reader_release(reader, frame);
    tags_heard_finish(&heard);
    framebus_reader_close(reader);
    framebus_writer_close(writer);
}
GST_END_TEST

GST_START_TEST(tags_that_make_no_sense_are_not_passed_on)
{
    struct framebus_writer *writer;
    struct framebus_reader *reader;
    char *nested;

    open_both(&writer, &reader);
    hear_text(writer, reader, NEXT, "title=(string)Next");
    hear_text(writer, reader, "", "taglist");
    hear_text(writer, reader, "taglist, title=(string)Next, no-such-tag=(string)x", "title=(string)Next");
    hear_text(writer, reader, "taglist, title=(string)Next, artist=(int)5, bitrate=(string)x",
              "title=(string)Next");
    hear_text(writer, reader, "taglist, title=(string)Next, image=(structure)\"a;\"", "title=(string)Next");
    hear_text(writer, reader, "taglist, title=(string){ Next, 5 }, artist=(string)\"\"", "taglist");
    hear_text(writer, reader, "taglist, title=", NULL);
    hear_text(writer, reader, "something, title=(string)Next, a=[1,2", NULL);
    nested = g_strdup_printf("taglist, title=(string)Next, a=%s",
                             "{{{{{{{{{{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}}}}}}}}}");
    hear_text(writer, reader, nested, NULL);
    g_free(nested);
    nested = g_strdup_printf("taglist, title=(string)%020000d", 1);
    hear_text(writer, reader, nested, NULL);
    g_free(nested);
    framebus_reader_close(reader);
    framebus_writer_close(writer);
}
GST_END_TEST

/* Every byte of a table is another one, and every length is tried. */
GST_START_TEST(a_broken_table_of_contents_hurts_nobody)
{
    struct tags_said said = {0};
    struct framebus_writer *writer;
    struct framebus_reader *reader;
    GstToc *toc = toc_new();
    GstEvent *event = gst_event_new_toc(toc, FALSE);
    GByteArray *block;

    tags_said_note(&said, event);
    block = said.block[TAGS_TOC];
    open_both(&writer, &reader);
    for (guint size = 0; size < block->len; size++)
        free_events(hear(writer, reader, TAG_TOC, block->data, size));
    for (guint i = 0; i < block->len; i++) {
        const guint8 was = block->data[i];

        for (guint bit = 0; bit < 8; bit++) {
            block->data[i] = was ^ 1U << bit;
            free_events(hear(writer, reader, TAG_TOC, block->data, block->len));
        }
        block->data[i] = was;
    }
    gst_event_unref(event);
    gst_toc_unref(toc);
    tags_said_finish(&said);
    framebus_reader_close(reader);
    framebus_writer_close(writer);
}
GST_END_TEST

static Suite *tags_suite(void)
{
    Suite *suite = suite_create("tags");
    TCase *tests = tcase_create("tags");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, tags_reach_readers_that_come_late);
    tcase_add_test(tests, tags_are_those_of_the_present_writer);
    tcase_add_test(tests, a_table_of_contents_reaches_readers_that_come_late);
    tcase_add_test(tests, pictures_are_turned_as_their_tags_say);
    tcase_add_test(tests, turned_pictures_are_not_copied);
    tcase_add_test(tests, a_turned_bus_of_another_program_has_tags);
    tcase_add_test(tests, tags_that_make_no_sense_are_not_passed_on);
    tcase_add_test(tests, a_broken_table_of_contents_hurts_nobody);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, tags_suite);
}
