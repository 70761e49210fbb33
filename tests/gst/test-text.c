/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "text.h"

/* What GStreamer itself writes: into caps, and as parameters of a region of interest. */
static const char *const usual[] = {
    "video/x-raw(memory:DMABuf, meta:Other), format=(string)NV12, width=(int)64, framerate=(fraction)30/1",
    "audio/x-vorbis, streamheader=(buffer)< 01766f72, 03766f72, 05766f72 >",
    "audio/x-raw, mix-matrix=(float)< < 0.5, 0.5 >, < 0.5, 0.5 > >, channel-mask=(bitmask)0x3",
    "video/x-h264, codec_data=(buffer)0142c01e, profile=(string)\"constrained-baseline\"",
    "application/x-rtp, a-framerate=(string)\"25 [Hz]\", sprop=(string)\"Z0LAHtkA\\,aMuDyyA\\=\"",
    "hand, points=(GstValueArray)< < 1, 2 >, < 3, 4 >, < 5, 6 >, < 7, 8 >, < 9, 10 >, < 11, 12 > >",
    "hand, label=(string)\"left \\[1\\] \\<of two\\> \\{a\\} \\{b\\} \\{c\\} \\{d\\}\"",
    "detection, box=(structure)\"box\\,\\ x\\=\\(int\\)1\\;\", confidence=(double)0.5;",
};

GST_START_TEST(usual_text_is_harmless)
{
    fail_unless(text_is_harmless(usual[__i__]), "%s", usual[__i__]);
}
GST_END_TEST

GST_START_TEST(what_gstreamer_writes_is_harmless)
{
    GstStructure *inner = gst_structure_new("in-ner", "a b", G_TYPE_STRING, "x [y], \"z\" <", NULL);
    GstStructure *outer = gst_structure_new("outer", "s", GST_TYPE_STRUCTURE, inner, "text", G_TYPE_STRING,
                                            "<<[[{{ }}]]>> \\ \" ", NULL);
    g_autofree char *text = gst_structure_to_string(outer);

    fail_unless(text_is_harmless(text), "%s", text);
    gst_structure_free(outer);
    gst_structure_free(inner);
}
GST_END_TEST

/* Each begins a level; GStreamer takes seconds for twenty of the first. */
static const char *const nests[] = {
    "[s,b=", "[[", "<", "{", "[s,b=(structure)\"s,c=\"", "s,a=(structure)\"[", "[s,b=\\]", "[s,b=>",
};

GST_START_TEST(nested_text_is_not_harmless)
{
    GString *text = g_string_new("video/x-raw,a=");

    for (guint i = 0; i < 40; i++)
        g_string_append(text, nests[__i__]);
    fail_if(text_is_harmless(text->str), "%s", text->str);
    g_string_free(text, TRUE);
}
GST_END_TEST

/* The worst that passes does not keep GStreamer busy for long: as large as a caps text can be. */
GST_START_TEST(harmless_text_is_parsed_soon)
{
    GString *text = g_string_new("video/x-raw");
    const gint64 begun = g_get_monotonic_time();
    GstCaps *caps;

    for (guint i = 0; text->len < FRAMEBUS_CAPS_MAX - 64; i++)
        g_string_append_printf(text, ",f%u=[s,b=[s,b=[s,b=[s,b=[s,b=x]]]]]", i % 100);
    fail_unless(text_is_harmless(text->str));
    caps = gst_caps_from_string(text->str);
    fail_unless(g_get_monotonic_time() - begun < 20 * G_USEC_PER_SEC);
    gst_clear_caps(&caps);
    g_string_free(text, TRUE);
}
GST_END_TEST

/* Each place where a text may have a name that GStreamer keeps for good. */
static const char *const places[] = {
    "%s, a=(int)1",
    "a, %s=(int)1",
    "a, %s = 1",
    "a, a=(%s)1",
    "a(memory:%s), b=(int)1",
    "a(memory:x, meta:%s), b=(int)1",
    "a(memory:x, meta:%s, meta:y), b=(int)1",
    "a, b=(int)1; %s",
    "a, b=[ %s, c=(int)1 ]",
    "a, b=(structure)\"%s\\,\\ c\\=\\(int\\)1\\;\"",
    "a, b=(structure)\"a\\,\\ %s\\=\\(int\\)1\\;\"",
};

GST_START_TEST(names_are_not_kept_without_limit)
{
    guint taken = 0;

    fail_unless(text_is_harmless("video/x-raw, width=(int)1, value=(string)seen-before"));
    for (guint i = 0; i < 10000; i++) {
        g_autofree char *name = g_strdup_printf("name%d.%u", __i__, i);
        g_autofree char *text = g_strdup_printf(places[__i__], name); /* NOLINT: a format of this file */

        if (text_is_harmless(text))
            taken++;
        else
            fail_unless_equals_int(g_quark_try_string(name), 0);
    }
    fail_unless(taken >= 100 && taken < 9000, "%u", taken);
    fail_unless(text_is_harmless("video/x-raw, width=(int)1, value=(string)never-seen-before"));
}
GST_END_TEST

static Suite *text_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_loop_test(tests, usual_text_is_harmless, 0, G_N_ELEMENTS(usual));
    tcase_add_test(tests, what_gstreamer_writes_is_harmless);
    tcase_add_loop_test(tests, nested_text_is_not_harmless, 0, G_N_ELEMENTS(nests));
    tcase_add_test(tests, harmless_text_is_parsed_soon);
    tcase_add_loop_test(tests, names_are_not_kept_without_limit, 0, G_N_ELEMENTS(places));
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, text_suite);
}
