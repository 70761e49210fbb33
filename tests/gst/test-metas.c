/* SPDX-License-Identifier: MIT */
/* Each meta that travels: what a process attaches is what another one gets, and garbled blocks do no harm. */
#include "journey.h"
#include "meta.h"

#include <gst/app/app.h>
#include <gst/audio/audio.h>
#include <gst/check/gstharness.h>
#include <gst/video/gstvideoaffinetransformationmeta.h>
#include <gst/video/gstvideocodecalphameta.h>
#include <gst/video/video-sei.h>
#include <gst/video/video.h>
#include <string.h>

#define PICTURE "video/x-raw,format=NV12,width=64,height=32,framerate=30/1"
#define CODED   "video/x-vp8,width=64,height=32,framerate=30/1"
#define PLANES  "audio/x-raw,format=S16LE,rate=8000,channels=2,channel-mask=(bitmask)3,layout=non-interleaved"
#define SAMPLES "audio/x-raw,format=S16LE,rate=8000,channels=2,channel-mask=(bitmask)3,layout=interleaved"

#define PICTURE_SIZE (64 * 32 * 3 / 2)

static void attach_timecode(GstBuffer *buffer)
{
    GTimeZone *zone = g_time_zone_new_offset(5400);
    GDateTime *jam = g_date_time_new(zone, 2026, 2, 3, 4, 5, 6.25);

    gst_buffer_add_video_time_code_meta_full(buffer, 30000, 1001, jam, GST_VIDEO_TIME_CODE_FLAGS_DROP_FRAME,
                                             10, 20, 30, 7, 0);
    g_date_time_unref(jam);
    g_time_zone_unref(zone);
}

static void check_timecode(GstBuffer *buffer)
{
    const GstVideoTimeCodeMeta *meta = gst_buffer_get_video_time_code_meta(buffer);
    g_autofree char *text = NULL, *jam = NULL;

    fail_unless(meta != NULL);
    text = gst_video_time_code_to_string(&meta->tc);
    fail_unless_equals_string(text, "10:20:30;07");
    fail_unless_equals_int(meta->tc.config.fps_n, 30000);
    jam = g_date_time_format(meta->tc.config.latest_daily_jam, "%F %T.%f %z");
    fail_unless_equals_string(jam, "2026-02-03 04:05:06.250000 +0130");
}

static void use_timecode(GstBuffer *buffer)
{
    GstVideoTimeCodeMeta *meta = gst_buffer_get_video_time_code_meta(buffer);

    g_free(gst_video_time_code_to_string(&meta->tc));
    gst_video_time_code_increment_frame(&meta->tc);
}

static void attach_afd(GstBuffer *buffer)
{
    gst_buffer_add_video_afd_meta(buffer, 1, GST_VIDEO_AFD_SPEC_ATSC_A53, GST_VIDEO_AFD_GREATER_THAN_16_9);
}

static void check_afd(GstBuffer *buffer)
{
    const GstVideoAFDMeta *meta = gst_buffer_get_video_afd_meta(buffer);

    fail_unless(meta && meta->field == 1 && meta->spec == GST_VIDEO_AFD_SPEC_ATSC_A53 &&
                meta->afd == GST_VIDEO_AFD_GREATER_THAN_16_9);
}

static void attach_bar(GstBuffer *buffer)
{
    gst_buffer_add_video_bar_meta(buffer, 0, TRUE, 70, 650);
}

static void check_bar(GstBuffer *buffer)
{
    const GstVideoBarMeta *meta = gst_buffer_get_video_bar_meta(buffer);

    fail_unless(meta && meta->field == 0 && meta->is_letterbox && meta->bar_data1 == 70 &&
                meta->bar_data2 == 650);
}

static void attach_captions(GstBuffer *buffer)
{
    const guint8 data[] = {0x94, 0x2c, 0xff};

    gst_buffer_add_video_caption_meta(buffer, GST_VIDEO_CAPTION_TYPE_CEA708_RAW, data, sizeof(data));
    gst_buffer_add_video_caption_meta(buffer, GST_VIDEO_CAPTION_TYPE_CEA608_RAW, data, 2);
}

static void check_captions(GstBuffer *buffer)
{
    gpointer state = NULL;

    for (guint i = 0; i < 2; i++) {
        const GstVideoCaptionMeta *meta = (GstVideoCaptionMeta *)gst_buffer_iterate_meta_filtered(
            buffer, &state, GST_VIDEO_CAPTION_META_API_TYPE);

        fail_unless(meta && meta->size == 3 - i && memcmp(meta->data, "\x94\x2c\xff", meta->size) == 0);
        fail_unless_equals_int(meta->caption_type,
                               i ? GST_VIDEO_CAPTION_TYPE_CEA608_RAW : GST_VIDEO_CAPTION_TYPE_CEA708_RAW);
    }
}

static void attach_sei(GstBuffer *buffer)
{
    guint8 uuid[16] = "sixteen bytes..", data[] = "klv";

    gst_buffer_add_video_sei_user_data_unregistered_meta(buffer, uuid, data, sizeof(data));
}

static void check_sei(GstBuffer *buffer)
{
    const GstVideoSEIUserDataUnregisteredMeta *meta =
        gst_buffer_get_video_sei_user_data_unregistered_meta(buffer);

    fail_unless(meta && meta->size == 4 && memcmp(meta->data, "klv", 4) == 0 &&
                memcmp(meta->uuid, "sixteen bytes..", 16) == 0);
}

static void attach_transformation(GstBuffer *buffer)
{
    GstVideoAffineTransformationMeta *meta = gst_buffer_add_video_affine_transformation_meta(buffer);

    for (guint i = 0; i < 16; i++)
        meta->matrix[i] = 0.5F * (gfloat)i - 1;
}

static void check_transformation(GstBuffer *buffer)
{
    const GstVideoAffineTransformationMeta *meta = gst_buffer_get_video_affine_transformation_meta(buffer);

    fail_unless(meta != NULL);
    for (guint i = 0; i < 16; i++)
        fail_unless(meta->matrix[i] == 0.5F * (gfloat)i - 1);
}

static GstVideoOverlayRectangle *rectangle_new(guint8 pixel, GstVideoFormat format, gint x, guint scale)
{
    GstBuffer *pixels = gst_buffer_new_allocate(NULL, (gsize)8 * 4 * 4, NULL);
    GstVideoOverlayRectangle *rectangle;

    gst_buffer_memset(pixels, 0, pixel, (gsize)8 * 4 * 4);
    gst_buffer_add_video_meta(pixels, GST_VIDEO_FRAME_FLAG_NONE, format, 8, 4);
    rectangle = gst_video_overlay_rectangle_new_raw(pixels, x, 2, 8 * scale, 4 * scale,
                                                    GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
    gst_buffer_unref(pixels);
    return rectangle;
}

static void attach_overlay(GstBuffer *buffer)
{
    GstVideoOverlayRectangle *first = rectangle_new(0x40, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, -3, 1),
                             *second = rectangle_new(0x60, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_YUV, 20, 2);
    GstVideoOverlayComposition *composition = gst_video_overlay_composition_new(first);

    gst_video_overlay_rectangle_set_global_alpha(second, 0.5F);
    gst_video_overlay_composition_add_rectangle(composition, second);
    gst_buffer_add_video_overlay_composition_meta(buffer, composition);
    gst_video_overlay_composition_unref(composition);
    gst_video_overlay_rectangle_unref(first);
    gst_video_overlay_rectangle_unref(second);
}

static void check_overlay(GstBuffer *buffer)
{
    const GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta(buffer);

    fail_unless(meta != NULL);
    fail_unless_equals_int(gst_video_overlay_composition_n_rectangles(meta->overlay), 2);
    for (guint i = 0; i < 2; i++) {
        GstVideoOverlayRectangle *rectangle = gst_video_overlay_composition_get_rectangle(meta->overlay, i);
        const GstVideoOverlayFormatFlags flags = gst_video_overlay_rectangle_get_flags(rectangle);
        GstBuffer *pixels = gst_video_overlay_rectangle_get_pixels_unscaled_raw(
            rectangle, flags | GST_VIDEO_OVERLAY_FORMAT_FLAG_GLOBAL_ALPHA);
        guint8 expected[8 * 4 * 4];
        gint x, y;
        guint width, height;

        gst_video_overlay_rectangle_get_render_rectangle(rectangle, &x, &y, &width, &height);
        fail_unless(x == (i ? 20 : -3) && y == 2 && width == (i ? 16 : 8) && height == (i ? 8 : 4));
        fail_unless(gst_video_overlay_rectangle_get_global_alpha(rectangle) == (i ? 0.5F : 1.0F));
        fail_unless(flags & GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
        fail_unless_equals_int(gst_buffer_get_video_meta(pixels)->format,
                               i ? GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_YUV
                                 : GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB);
        memset(expected, i ? 0x60 : 0x40, sizeof(expected));
        fail_unless_equals_int(gst_buffer_memcmp(pixels, 0, expected, sizeof(expected)), 0);
    }
}

static void use_overlay(GstBuffer *buffer)
{
    GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta(buffer);
    GstVideoFrame picture;
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 64, 32);
    fail_unless(gst_video_frame_map(&picture, &info, buffer, GST_MAP_READWRITE));
    gst_video_overlay_composition_blend(meta->overlay, &picture);
    gst_video_frame_unmap(&picture);
}

static void attach_alpha(GstBuffer *buffer)
{
    GstBuffer *alpha = gst_buffer_new_memdup("alpha", 5);

    GST_BUFFER_FLAG_SET(alpha, GST_BUFFER_FLAG_DELTA_UNIT);
    gst_buffer_add_video_codec_alpha_meta(buffer, alpha);
}

static void check_alpha(GstBuffer *buffer)
{
    const GstVideoCodecAlphaMeta *meta = gst_buffer_get_video_codec_alpha_meta(buffer);

    fail_unless(meta && gst_buffer_get_size(meta->buffer) == 5 &&
                gst_buffer_memcmp(meta->buffer, 0, "alpha", 5) == 0);
    fail_unless(GST_BUFFER_FLAG_IS_SET(meta->buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    fail_unless(GST_BUFFER_PTS_IS_VALID(buffer));
    fail_unless_equals_uint64(GST_BUFFER_PTS(meta->buffer), GST_BUFFER_PTS(buffer));
}

/* The second plane is before the first. */
static void attach_planes(GstBuffer *buffer)
{
    GstCaps *caps = gst_caps_from_string(PLANES);
    gsize offsets[] = {100, 10};
    GstAudioInfo info;

    gst_audio_info_from_caps(&info, caps);
    gst_buffer_add_audio_meta(buffer, &info, 40, offsets);
    gst_buffer_memset(buffer, 10, 0x22, 80);
    gst_buffer_memset(buffer, 100, 0x11, 80);
    gst_caps_unref(caps);
}

static void use_planes(GstBuffer *buffer)
{
    GstCaps *caps = gst_caps_from_string(PLANES);
    GstAudioBuffer audio;
    GstAudioInfo info;

    fail_unless(gst_audio_info_from_caps(&info, caps));
    fail_unless(gst_audio_buffer_map(&audio, &info, buffer, GST_MAP_READ));
    for (gint plane = 0; plane < 2; plane++) {
        g_autofree guint8 *copy = g_memdup2(audio.planes[plane], GST_AUDIO_BUFFER_PLANE_SIZE(&audio));

        fail_unless(copy != NULL);
    }
    gst_audio_buffer_unmap(&audio);
    gst_caps_unref(caps);
}

static void check_planes(GstBuffer *buffer)
{
    const GstAudioMeta *meta = gst_buffer_get_audio_meta(buffer);
    guint8 bytes[2] = {0};

    fail_unless(meta && meta->samples == 40 && meta->offsets[0] == 100 && meta->offsets[1] == 10);
    fail_unless_equals_int(GST_AUDIO_INFO_RATE(&meta->info), 8000);
    gst_buffer_extract(buffer, 179, bytes, 1);
    gst_buffer_extract(buffer, 89, bytes + 1, 1);
    fail_unless(bytes[0] == 0x11 && bytes[1] == 0x22);
    use_planes(buffer);
}

static void attach_sound(GstBuffer *buffer)
{
    const GstAudioChannelPosition from[] = {GST_AUDIO_CHANNEL_POSITION_FRONT_LEFT,
                                            GST_AUDIO_CHANNEL_POSITION_FRONT_RIGHT},
                                  to[] = {GST_AUDIO_CHANNEL_POSITION_MONO};
    const gfloat row[] = {0.25F, 0.75F}, *matrix[] = {row};

    gst_buffer_add_audio_downmix_meta(buffer, from, 2, to, 1, (const gfloat **)matrix);
    gst_buffer_add_audio_level_meta(buffer, 42, TRUE);
    gst_buffer_add_audio_clipping_meta(buffer, GST_FORMAT_DEFAULT, 3, G_GUINT64_CONSTANT(1) << 40);
}

static void check_sound(GstBuffer *buffer)
{
    const GstAudioDownmixMeta *downmix = gst_buffer_get_audio_downmix_meta(buffer);
    const GstAudioLevelMeta *level = gst_buffer_get_audio_level_meta(buffer);
    const GstAudioClippingMeta *clipping = gst_buffer_get_audio_clipping_meta(buffer);

    fail_unless(downmix && downmix->from_channels == 2 && downmix->to_channels == 1);
    fail_unless(downmix->from_position[1] == GST_AUDIO_CHANNEL_POSITION_FRONT_RIGHT &&
                downmix->to_position[0] == GST_AUDIO_CHANNEL_POSITION_MONO);
    fail_unless(downmix->matrix[0][0] == 0.25F && downmix->matrix[0][1] == 0.75F);
    fail_unless(level && level->level == 42 && level->voice_activity);
    fail_unless(clipping && clipping->format == GST_FORMAT_DEFAULT && clipping->start == 3 &&
                clipping->end == G_GUINT64_CONSTANT(1) << 40);
}

static GstCaps *reference_new(void)
{
    return gst_caps_new_simple("timestamp/x-drone", "unit", G_TYPE_INT, 7, NULL);
}

static void attach_reference(GstBuffer *buffer)
{
    GstCaps *caps = reference_new();
    GstReferenceTimestampMeta *meta G_GNUC_UNUSED =
        gst_buffer_add_reference_timestamp_meta(buffer, caps, 123456789, 40);

#if GST_CHECK_VERSION(1, 28, 0)
    meta->info = gst_structure_new("accuracy", "ns", G_TYPE_INT, 250, NULL);
#endif
    gst_caps_unref(caps);
}

static void check_reference(GstBuffer *buffer)
{
    GstCaps *caps = reference_new();
    const GstReferenceTimestampMeta *meta = gst_buffer_get_reference_timestamp_meta(buffer, caps);

    fail_unless(meta && meta->timestamp == 123456789 && meta->duration == 40);
#if GST_CHECK_VERSION(1, 28, 0)
    int ns = 0;

    fail_unless(meta->info && gst_structure_get_int(meta->info, "ns", &ns) && ns == 250);
#endif
    gst_caps_unref(caps);
}

static void attach_region(GstBuffer *buffer)
{
    GstVideoRegionOfInterestMeta *meta =
        gst_buffer_add_video_region_of_interest_meta(buffer, "face", 10, 9, 3, 4);

    meta->id = 5;
    meta->parent_id = -6;
    gst_video_region_of_interest_meta_add_param(
        meta, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.5, NULL));
}

static void check_region(GstBuffer *buffer)
{
    GstVideoRegionOfInterestMeta *meta = gst_buffer_get_video_region_of_interest_meta_id(buffer, 5);
    double confidence = 0;

    fail_unless(meta && meta->parent_id == -6 && meta->x == 10 && meta->y == 9 && meta->w == 3 &&
                meta->h == 4);
    fail_unless_equals_string(g_quark_to_string(meta->roi_type), "face");
    fail_unless(gst_structure_get_double(gst_video_region_of_interest_meta_get_param(meta, "detection"),
                                         "confidence", &confidence) &&
                confidence == 0.5);
}

/* Both processes register it. */
static void label_register(void)
{
    static const char *tags[] = {NULL};

    if (!gst_meta_get_info("TestLabel"))
        gst_meta_register_custom("TestLabel", tags, NULL, NULL, NULL);
}

static void attach_label(GstBuffer *buffer)
{
    GstCustomMeta *meta;

    label_register();
    meta = gst_buffer_add_custom_meta(buffer, "TestLabel");
    gst_structure_set(gst_custom_meta_get_structure(meta), "weight", G_TYPE_INT, 42, "text", G_TYPE_STRING,
                      "a \"b\" c", NULL);
}

static void check_label(GstBuffer *buffer)
{
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, "TestLabel");
    const GstStructure *fields;
    int weight = 0;

    fail_unless(meta != NULL);
    fields = gst_custom_meta_get_structure(meta);
    fail_unless(gst_structure_get_int(fields, "weight", &weight) && weight == 42);
    fail_unless_equals_string(gst_structure_get_string(fields, "text"), "a \"b\" c");
}

#if GST_CHECK_VERSION(1, 24, 0)
static void attach_ancillary(GstBuffer *buffer)
{
    GstAncillaryMeta *meta = gst_buffer_add_ancillary_meta(buffer);
    const guint16 words[] = {0x296, 0x169, 0x152};

    meta->field = GST_ANCILLARY_META_FIELD_INTERLACED_SECOND;
    meta->c_not_y_channel = TRUE;
    meta->line = 9;
    meta->offset = 300;
    meta->DID = 0x161;
    meta->SDID_block_number = 0x101;
    meta->data_count = 0x203;
    meta->data = g_memdup2(words, sizeof(words));
    meta->checksum = 0x1a7;
}

/* The macro that gets it lacks a parenthesis. */
static void check_ancillary(GstBuffer *buffer)
{
    const GstAncillaryMeta *meta =
        (GstAncillaryMeta *)gst_buffer_get_meta(buffer, GST_ANCILLARY_META_API_TYPE);

    fail_unless(meta && meta->field == GST_ANCILLARY_META_FIELD_INTERLACED_SECOND && meta->c_not_y_channel &&
                meta->line == 9 && meta->offset == 300 && meta->DID == 0x161 &&
                meta->SDID_block_number == 0x101 && meta->data_count == 0x203 && meta->checksum == 0x1a7);
    fail_unless(meta->data[0] == 0x296 && meta->data[2] == 0x152);
}
#endif

#define TAG(a, b) FRAMEBUS_TAG('f', 'b', a, b)

static const struct journey journeys[] = {
    {PICTURE, PICTURE_SIZE, attach_timecode, check_timecode, use_timecode, TAG('t', 'c')},
    {PICTURE, PICTURE_SIZE, attach_afd, check_afd, NULL, TAG('a', 'f')},
    {PICTURE, PICTURE_SIZE, attach_bar, check_bar, NULL, TAG('b', 'a')},
    {PICTURE, PICTURE_SIZE, attach_captions, check_captions, NULL, TAG('c', 'c')},
    {CODED, 1000, attach_sei, check_sei, NULL, TAG('s', 'e')},
    {PICTURE, PICTURE_SIZE, attach_transformation, check_transformation, NULL, TAG('t', 'r')},
    {PICTURE, PICTURE_SIZE, attach_overlay, check_overlay, use_overlay, TAG('o', 'v')},
    {CODED, 1000, attach_alpha, check_alpha, NULL, TAG('c', 'a')},
    {PLANES, 200, attach_planes, check_planes, use_planes, TAG('a', 'u')},
    {SAMPLES, 200, attach_sound, check_sound, NULL, TAG('a', 'l')},
    {SAMPLES, 200, attach_sound, check_sound, NULL, TAG('a', 'c')},
    {SAMPLES, 200, attach_sound, check_sound, NULL, TAG('d', 'm')},
    {PICTURE, PICTURE_SIZE, attach_reference, check_reference, NULL, TAG('r', 't')},
    {PICTURE, PICTURE_SIZE, attach_region, check_region, NULL, TAG('r', 'i')},
    {PICTURE, PICTURE_SIZE, attach_label, check_label, NULL, TAG('c', 'm')},
#if GST_CHECK_VERSION(1, 24, 0)
    {PICTURE, PICTURE_SIZE, attach_ancillary, check_ancillary, NULL, TAG('a', 'n')},
#endif
};

GST_START_TEST(a_meta_travels)
{
    label_register();
    journey_travel(journeys, __i__);
}
GST_END_TEST

GST_START_TEST(a_garbled_block_does_no_harm)
{
    meta_register();
    label_register();
    journey_garble(&journeys[__i__]);
}
GST_END_TEST

GST_START_TEST(a_writer_of_garbled_blocks_stops_no_reader)
{
    meta_register();
    label_register();
    journey_deceive(journeys, G_N_ELEMENTS(journeys));
}
GST_END_TEST

/* What does not fit is counted, and told once. The time of a payload is not lost because of it. */
GST_START_TEST(what_does_not_fit_is_told)
{
    GstElement *writer = pipeline_play("appsrc name=in format=time caps=\"" CODED
                                       "\" ! framebussink name=sink bus=b sync=false metadata-size=1000"),
               *reader = pipeline_play("framebussrc bus=b ! appsink name=out sync=false");
    GstBus *bus = gst_element_get_bus(writer);
    GstMessage *message;
    GstSample *sample;
    char *debug;

    for (guint i = 0; i < 2; i++) {
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, 1000, NULL);

        attach_captions(buffer);
        gst_buffer_add_video_codec_alpha_meta(buffer, gst_buffer_new_allocate(NULL, 800, NULL));
        gst_buffer_add_video_codec_alpha_meta(buffer, gst_buffer_new_allocate(NULL, FRAMEBUS_META_MAX, NULL));
        attach_captions(buffer);
        GST_BUFFER_PTS(buffer) = i * GST_SECOND;
        fail_unless_equals_int(gst_app_src_push_buffer(GST_APP_SRC(child(writer, "in")), buffer),
                               GST_FLOW_OK);
    }
    sample = gst_app_sink_try_pull_sample(GST_APP_SINK(child(reader, "out")), 20 * GST_SECOND);
    fail_unless(sample != NULL);
    check_captions(gst_sample_get_buffer(sample));
    fail_unless_equals_int(
        gst_buffer_get_n_meta(gst_sample_get_buffer(sample), GST_VIDEO_CODEC_ALPHA_META_API_TYPE), 1);
    wait_for_stat(child(writer, "sink"), "published", 2);
    fail_unless_equals_uint64(stat_of(child(writer, "sink"), "metas-left-out"), 2);
    message = gst_bus_timed_pop_filtered(bus, 10 * GST_SECOND, GST_MESSAGE_WARNING);
    fail_unless(message != NULL);
    gst_message_parse_warning(message, NULL, &debug);
    fail_unless(strstr(debug, "GstVideoCodecAlphaMeta") != NULL, "%s", debug);
    g_free(debug);
    gst_message_unref(message);
    fail_unless(gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING) == NULL);
    gst_sample_unref(sample);
    gst_object_unref(bus);
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

/* Places on a picture are places on the part of it that downstream gets. */
GST_START_TEST(overlays_move_with_the_part_of_a_picture)
{
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false"),
               *source = gst_harness_new_parse("framebussrc bus=b");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, PICTURE_SIZE, NULL);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
    const GstVideoOverlayCompositionMeta *meta;
    gint x, y;

    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, PICTURE);
    gst_harness_play(sink);
    gst_harness_play(source);
    crop->x = 8;
    crop->y = 4;
    crop->width = 32;
    crop->height = 16;
    attach_overlay(buffer);
    attach_region(buffer);
    attach_bar(buffer);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull(source);
    fail_unless(buffer && !gst_buffer_get_video_crop_meta(buffer) && !gst_buffer_get_video_bar_meta(buffer));
    meta = gst_buffer_get_video_overlay_composition_meta(buffer);
    fail_unless(meta != NULL);
    gst_video_overlay_rectangle_get_render_rectangle(
        gst_video_overlay_composition_get_rectangle(meta->overlay, 1), &x, &y, NULL, NULL);
    fail_unless(x == 12 && y == -2);
    fail_unless_equals_int(gst_buffer_get_video_region_of_interest_meta_id(buffer, 5)->x, 2);
    gst_buffer_unref(buffer);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

/* A name that nobody here has registered, and one that is not an application's. */
GST_START_TEST(only_registered_metas_are_taken)
{
    static const struct {
        const char *name, *text;
        gboolean is_taken;
    } blocks[] = {
        {"TestLabel", "TestLabel, a=(int)1;", TRUE},
        {"TestLabel", "TestLabel, a=[[[[[[[[[[[[[[", FALSE},
        {"TestLabel", "1, a=(int)1;", FALSE},
        {"TestOther", "TestOther, a=(int)1;", FALSE},
        {"GstVideoMeta", "GstVideoMeta, a=(int)1;", FALSE},
        {"GstFramebusBlock", "GstFramebusBlock, a=(int)1;", FALSE},
    };
    const struct framebus_rect cut = {0};
    GByteArray *bytes = g_byte_array_new();
    GstBuffer *buffer = gst_buffer_new();
    const struct meta_target target = {.buffer = buffer, .cut = &cut};

    meta_register();
    label_register();
    gst_video_meta_get_info();
    block_put_u32(bytes, 1);
    block_put_text(bytes, blocks[__i__].name);
    block_put_text(bytes, blocks[__i__].text);
    fail_unless_equals_int(meta_restore_block(TAG('c', 'm'), bytes->data, bytes->len, &target),
                           blocks[__i__].is_taken);
    gst_buffer_unref(buffer);
    g_byte_array_unref(bytes);
}
GST_END_TEST

/* Of a latest daily jam whose time zone is `offset` seconds from UTC. */
static gboolean restore_jam(gint32 offset)
{
    static const guint32 code[] = {1, 25, 1, 0, 10, 20, 30, 7, 0};
    const struct framebus_rect cut = {0};
    GByteArray *bytes = g_byte_array_new();
    GstBuffer *buffer = gst_buffer_new();
    const struct meta_target target = {.buffer = buffer, .cut = &cut};
    gboolean is_restored;

    for (guint i = 0; i < G_N_ELEMENTS(code); i++)
        block_put_u32(bytes, code[i]);
    block_put_u8(bytes, 1);
    block_put_u64(bytes, 1700000000);
    block_put_u32(bytes, 0);
    block_put_u32(bytes, (guint32)offset);
    is_restored = meta_restore_block(TAG('t', 'c'), bytes->data, bytes->len, &target);
    gst_buffer_unref(buffer);
    g_byte_array_unref(bytes);
    return is_restored;
}

GST_START_TEST(a_time_zone_is_less_than_a_day_away)
{
    meta_register();
    fail_unless(restore_jam(14 * 3600) && restore_jam(-12 * 3600));
    fail_if(restore_jam(24 * 3600) || restore_jam(-24 * 3600) || restore_jam(G_MININT32));
}
GST_END_TEST

/* What a plugin that is not here would understand is no block of an application's. */
GST_START_TEST(blocks_of_other_carriers_are_passed_over)
{
    const struct framebus_rect cut = {0};
    GstBuffer *buffer = gst_buffer_new();
    const struct meta_target target = {.buffer = buffer, .cut = &cut};
    gpointer state = NULL;

    meta_register();
    meta_restore_block(TAG('a', 'r'), "anything", 8, &target);
    fail_unless(gst_buffer_iterate_meta(buffer, &state) == NULL);
    gst_buffer_unref(buffer);
}
GST_END_TEST

static Suite *metas_suite(void)
{
    Suite *suite = suite_create("metas");
    TCase *tests = tcase_create("metas");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_loop_test(tests, a_meta_travels, 0, G_N_ELEMENTS(journeys));
    tcase_add_loop_test(tests, a_garbled_block_does_no_harm, 0, G_N_ELEMENTS(journeys));
    tcase_add_test(tests, a_writer_of_garbled_blocks_stops_no_reader);
    tcase_add_test(tests, a_time_zone_is_less_than_a_day_away);
    tcase_add_test(tests, blocks_of_other_carriers_are_passed_over);
    tcase_add_test(tests, what_does_not_fit_is_told);
    tcase_add_test(tests, overlays_move_with_the_part_of_a_picture);
    tcase_add_loop_test(tests, only_registered_metas_are_taken, 0, 6);
    return suite;
}

int main(int argc, char **argv)
{
    journey_serve(argc, argv, journeys);
    return tap_main(argc, argv, metas_suite);
}
