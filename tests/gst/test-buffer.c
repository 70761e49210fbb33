/* SPDX-License-Identifier: MIT */
/* What a buffer has beside its memory, on its way from one element to the other. */
#include "fixture.h"

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#define CAPS "video/x-raw, format=(string)NV12, width=(int)64, height=(int)32, framerate=(fraction)50/1"

GST_START_TEST(metas_travel)
{
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstCaps *clock = gst_caps_new_empty_simple("timestamp/x-ptp");
    GstCaps *unix_time = gst_caps_new_empty_simple("timestamp/x-unix");
    guint references = 0;
    GstVideoRegionOfInterestMeta *region;
    GstReferenceTimestampMeta *reference;
    const GstStructure *param;
    GstVideoCropMeta *crop;
    gpointer state = NULL;
    GstBuffer *buffer;

    gst_harness_use_systemclock(source);
    gst_harness_add_propose_allocation_meta(source, GST_VIDEO_CROP_META_API_TYPE, NULL);
    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    gst_harness_play(source);

    buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    for (guint i = 0; i < 3; i++) {
        region = gst_buffer_add_video_region_of_interest_meta(buffer, i ? "face" : "plate", 1 + i, 2, 3, 4);
        region->id = 10 + i;
        region->parent_id = i;
        if (i == 2) {
            gst_video_region_of_interest_meta_add_param(
                region, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.5, NULL));
            gst_video_region_of_interest_meta_add_param(
                region, gst_structure_new("tracker", "track", G_TYPE_INT, 77, NULL));
        }
    }
    crop = gst_buffer_add_video_crop_meta(buffer);
    crop->x = 4;
    crop->y = 2;
    crop->width = 32;
    crop->height = 16;
    gst_buffer_add_reference_timestamp_meta(buffer, clock, 123456789, 40);
    gst_buffer_add_reference_timestamp_meta(buffer, unix_time, 1700000000 * GST_SECOND, GST_CLOCK_TIME_NONE);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);

    buffer = gst_harness_pull(source);
    fail_unless(buffer != NULL);
    for (guint i = 0; i < 3; i++) {
        region = (GstVideoRegionOfInterestMeta *)gst_buffer_iterate_meta_filtered(
            buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
        fail_unless(region != NULL);
        fail_unless_equals_string(g_quark_to_string(region->roi_type), i ? "face" : "plate");
        fail_unless_equals_int(region->x, 1 + i);
        fail_unless_equals_int(region->h, 4);
        fail_unless_equals_int(region->id, 10 + i);
        fail_unless_equals_int(region->parent_id, i);
    }
    fail_unless_equals_int(g_list_length(region->params), 2);
    param = gst_video_region_of_interest_meta_get_param(region, "tracker");
    fail_unless(gst_structure_has_field_typed(param, "track", G_TYPE_INT));
    fail_unless(
        gst_buffer_iterate_meta_filtered(buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE) == NULL);
    crop = gst_buffer_get_video_crop_meta(buffer);
    fail_unless(crop && crop->x == 4 && crop->y == 2 && crop->width == 32 && crop->height == 16);
    reference = gst_buffer_get_reference_timestamp_meta(buffer, clock);
    fail_unless(reference != NULL);
    fail_unless_equals_uint64(reference->timestamp, 123456789);
    fail_unless_equals_uint64(reference->duration, 40);
    reference = gst_buffer_get_reference_timestamp_meta(buffer, unix_time);
    fail_unless(reference && reference->timestamp == 1700000000 * GST_SECOND);
    for (state = NULL; gst_buffer_iterate_meta_filtered(buffer, &state, reference->parent.info->api);)
        references++;
    fail_unless_equals_int(references, 3); /* with the time of capture: each once */

    gst_buffer_unref(buffer);
    gst_caps_unref(clock);
    gst_caps_unref(unix_time);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

/* What a reader in C and an application are told of a buffer with these flags. */
static void send_flags(const char *caps, guint buffer_flags, guint32 frame_flags)
{
    const guint all = GST_VIDEO_BUFFER_FLAG_INTERLACED | GST_VIDEO_BUFFER_FLAG_TFF |
                      GST_VIDEO_BUFFER_FLAG_RFF | GST_VIDEO_BUFFER_FLAG_ONEFIELD |
                      GST_VIDEO_BUFFER_FLAG_MULTIPLE_VIEW | GST_VIDEO_BUFFER_FLAG_FIRST_IN_BUNDLE |
                      GST_VIDEO_BUFFER_FLAG_MARKER;
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    struct framebus_reader *reader;
    struct framebus_frame *frame;

    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, caps);
    gst_harness_play(sink);
    gst_harness_play(source);
    reader = reader_new(NULL);
    GST_BUFFER_FLAG_SET(buffer, buffer_flags);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    fail_unless_equals_int(frame->flags & ~(guint32)FRAMEBUS_FRAME_DISCONT, frame_flags);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    buffer = gst_harness_pull(source);
    fail_unless_equals_int(GST_BUFFER_FLAGS(buffer) & all, frame_flags ? buffer_flags : 0);
    gst_buffer_unref(buffer);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}

static GstBuffer *gradient_new(void)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    GstMapInfo map;

    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
    for (guint y = 0; y < 48; y++) {
        for (guint x = 0; x < 64; x++)
            map.data[y * 64 + x] = y * 5 + x;
    }
    gst_buffer_unmap(buffer, &map);
    return buffer;
}

/* Downstream that does not crop gets the part alone: by GstVideoMeta (1), or as a copy (0). */
GST_START_TEST(a_picture_is_cropped_for_who_cannot)
{
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstBuffer *buffer = gradient_new();
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
    GstVideoRegionOfInterestMeta *region;
    GstVideoFrame picture;
    GstVideoInfo info;
    GstCaps *caps;

    gst_harness_use_systemclock(source);
    if (__i__)
        gst_harness_add_propose_allocation_meta(source, GST_VIDEO_META_API_TYPE, NULL);
    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    gst_harness_play(source);
    crop->x = 8;
    crop->y = 4;
    crop->width = 32;
    crop->height = 16;
    gst_buffer_add_video_region_of_interest_meta(buffer, "face", 10, 9, 3, 4)->id = 1;
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);

    buffer = gst_harness_pull(source);
    fail_unless(buffer != NULL);
    caps = gst_pad_get_current_caps(source->sinkpad);
    fail_unless(gst_video_info_from_caps(&info, caps));
    fail_unless_equals_int(GST_VIDEO_INFO_WIDTH(&info), 32);
    fail_unless_equals_int(GST_VIDEO_INFO_HEIGHT(&info), 16);
    fail_unless(gst_buffer_get_video_crop_meta(buffer) == NULL);
    region = gst_buffer_get_video_region_of_interest_meta_id(buffer, 1);
    fail_unless(region && region->x == 2 && region->y == 5);
    fail_unless(gst_video_frame_map(&picture, &info, buffer, GST_MAP_READ));
    for (guint y = 0; y < 24; y++) {
        const guint plane = y >= 16, row = plane ? y - 16 : y;
        const guint8 *data = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&picture, plane) +
                             row * GST_VIDEO_FRAME_PLANE_STRIDE(&picture, plane);

        for (guint x = 0; x < 32; x++)
            fail_unless_equals_int(data[x], (guint8)((plane ? 32 + 2 + row : 4 + row) * 5 + 8 + x));
    }
    gst_video_frame_unmap(&picture);
    gst_buffer_unref(buffer);
    gst_caps_unref(caps);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

/* Pixels that share no colour are cut where the crop says; those of NV12 at the next even one. */
GST_START_TEST(a_crop_is_as_narrow_as_the_format_allows)
{
    static const struct {
        const char *format;
        gint width, height;
        guint8 corner;
    } cases[] = {{"GRAY8", 7, 9, 4 * 5 + 3}, {"NV12", 8, 9, 4 * 5 + 2}};
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    g_autofree char *caps =
        g_strdup_printf("video/x-raw, format=%s, width=64, height=32, framerate=50/1", cases[__i__].format);
    GstBuffer *buffer = gradient_new();
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
    GstCaps *got;
    GstVideoInfo info;
    guint8 corner;

    if (__i__ == 0)
        gst_buffer_set_size(buffer, 64 * 32);
    crop->x = 3;
    crop->y = 4;
    crop->width = 7;
    crop->height = 9;
    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, caps);
    gst_harness_play(sink);
    gst_harness_play(source);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull(source);
    got = gst_pad_get_current_caps(source->sinkpad);
    fail_unless(gst_video_info_from_caps(&info, got));
    fail_unless_equals_int(GST_VIDEO_INFO_WIDTH(&info), cases[__i__].width);
    fail_unless_equals_int(GST_VIDEO_INFO_HEIGHT(&info), cases[__i__].height);
    fail_unless_equals_int(gst_buffer_extract(buffer, 0, &corner, 1), 1);
    fail_unless_equals_int(corner, cases[__i__].corner);
    gst_caps_unref(got);
    gst_buffer_unref(buffer);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

GST_START_TEST(captions_travel)
{
    const guint8 data[] = {0x94, 0x2c, 0xff};
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    const GstVideoCaptionMeta *captions;

    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    gst_harness_play(source);
    gst_buffer_add_video_caption_meta(buffer, GST_VIDEO_CAPTION_TYPE_CEA708_RAW, data, sizeof(data));
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull(source);
    fail_unless(buffer != NULL);
    captions = gst_buffer_get_video_caption_meta(buffer);
    fail_unless(captions != NULL);
    fail_unless_equals_int(captions->caption_type, GST_VIDEO_CAPTION_TYPE_CEA708_RAW);
    fail_unless(captions->size == sizeof(data) && memcmp(captions->data, data, sizeof(data)) == 0);
    gst_buffer_unref(buffer);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

GST_START_TEST(fields_and_views_travel)
{
    send_flags(CAPS, GST_VIDEO_BUFFER_FLAG_INTERLACED | GST_VIDEO_BUFFER_FLAG_TFF | GST_VIDEO_BUFFER_FLAG_RFF,
               FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF | FRAMEBUS_FRAME_RFF);
    send_flags(CAPS, GST_VIDEO_BUFFER_FLAG_INTERLACED | GST_VIDEO_BUFFER_FLAG_BOTTOM_FIELD,
               FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_ONE_FIELD);
    send_flags(CAPS ",multiview-mode=frame-by-frame",
               GST_VIDEO_BUFFER_FLAG_MULTIPLE_VIEW | GST_VIDEO_BUFFER_FLAG_FIRST_IN_BUNDLE,
               FRAMEBUS_FRAME_MULTIVIEW | FRAMEBUS_FRAME_FIRST_IN_BUNDLE);
    send_flags("video/x-h264,stream-format=byte-stream", GST_VIDEO_BUFFER_FLAG_INTERLACED,
               FRAMEBUS_FRAME_INTERLACED);
    send_flags("audio/x-raw,format=S16LE,rate=8000,channels=1,layout=interleaved",
               GST_VIDEO_BUFFER_FLAG_INTERLACED, 0); /* some other flag, in this medium */
}
GST_END_TEST

static void add_block(GstBuffer *buffer, const char *tag, const char *text)
{
    GstCustomMeta *meta = gst_buffer_add_custom_meta(buffer, "GstFramebusBlock");
    GBytes *bytes = g_bytes_new(text, strlen(text));

    gst_structure_set(gst_custom_meta_get_structure(meta), "tag", G_TYPE_STRING, tag, "data", G_TYPE_BYTES,
                      bytes, NULL);
    g_bytes_unref(bytes);
}

/* From an application through the bus to a reader in C, and to another application. */
GST_START_TEST(blocks_of_an_application_travel)
{
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    guint blocks = 0;
    gpointer state = NULL;
    const char *data;
    GstBuffer *buffer;
    GstMeta *meta;
    size_t size;

    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    gst_harness_play(source);
    reader = reader_new(NULL);

    buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    add_block(buffer, "GPS1", "48.2N 16.4E");
    add_block(buffer, "GPS1", "48.3N 16.5E");
    add_block(buffer, "note", "");
    add_block(buffer, "fbxx", "not an application's tag");
    add_block(buffer, "toolong", "nor is this one");
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);

    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    data = framebus_frame_get_meta(frame, 'G' | 'P' << 8 | 'S' << 16 | '1' << 24, 1, &size);
    fail_unless(data && size == 11 && memcmp(data, "48.3N 16.5E", size) == 0);
    fail_unless(framebus_frame_get_meta(frame, 'f' | 'b' << 8 | 'x' << 16 | 'x' << 24, 0, &size) == NULL);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);

    buffer = gst_harness_pull(source);
    while ((meta = gst_buffer_iterate_meta(buffer, &state))) {
        GstStructure *fields;
        GBytes *bytes;

        if (!gst_meta_info_is_custom(meta->info))
            continue;
        fail_unless(gst_custom_meta_has_name((GstCustomMeta *)meta, "GstFramebusBlock"));
        fields = gst_custom_meta_get_structure((GstCustomMeta *)meta);
        fail_unless_equals_string(gst_structure_get_string(fields, "tag"), blocks < 2 ? "GPS1" : "note");
        fail_unless(gst_structure_get(fields, "data", G_TYPE_BYTES, &bytes, NULL));
        fail_unless_equals_int(g_bytes_get_size(bytes), blocks < 2 ? 11 : 0);
        g_bytes_unref(bytes);
        blocks++;
    }
    fail_unless_equals_int(blocks, 3);
    gst_buffer_unref(buffer);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

/* Returns how many of a thousand regions a reader finds. */
static guint regions_through(const char *sink_text)
{
    const guint32 tag = 'f' | 'b' << 8 | 'r' << 16 | 'i' << 24;
    GstHarness *sink = gst_harness_new_parse(sink_text);
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    GstBuffer *buffer;
    guint regions = 0;
    size_t size;

    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    reader = reader_new(NULL);
    buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    for (guint i = 0; i < 1000; i++)
        gst_buffer_add_video_region_of_interest_meta(buffer, "face", i, 2, 3, 4);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    while (framebus_frame_get_meta(frame, tag, regions, &size))
        regions++;
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    gst_harness_teardown(sink);
    return regions;
}

GST_START_TEST(metas_that_do_not_fit_are_left_out)
{
    fail_unless_equals_int(regions_through("framebussink name=s bus=b sync=false metadata-size=4096"), 102);
    fail_unless_equals_int(regions_through("framebussink name=s bus=b sync=false"), 1000);
}
GST_END_TEST

static Suite *buffer_suite(void)
{
    Suite *suite = suite_create("buffer");
    TCase *tests = tcase_create("buffer");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, metas_travel);
    tcase_add_test(tests, fields_and_views_travel);
    tcase_add_loop_test(tests, a_picture_is_cropped_for_who_cannot, 0, 2);
    tcase_add_loop_test(tests, a_crop_is_as_narrow_as_the_format_allows, 0, 2);
    tcase_add_test(tests, captions_travel);
    tcase_add_test(tests, blocks_of_an_application_travel);
    tcase_add_test(tests, metas_that_do_not_fit_are_left_out);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, buffer_suite);
}
