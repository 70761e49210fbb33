/* SPDX-License-Identifier: MIT */
/* What GStreamer's analytics library attaches to a buffer is what another process gets. */
#include "analytics/analytics.h"
#include "journey.h"
#include "meta.h"

#include <gst/app/app.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <string.h>

#define PICTURE      "video/x-raw,format=NV12,width=64,height=32,framerate=30/1"
#define PICTURE_SIZE (64 * 32 * 3 / 2)

#define CAR_PTS (100 * GST_SECOND) /* in the writer's pipeline */

/* 0: a car, 1: which is of two classes, 2: and is followed, 3: its wheel */
static void attach_relations(GstBuffer *buffer)
{
    GstAnalyticsRelationMeta *meta = gst_buffer_add_analytics_relation_meta(buffer);
    GQuark classes[] = {g_quark_from_static_string("red"), g_quark_from_static_string("old")};
    gfloat levels[] = {0.75F, 0.25F};
    GstAnalyticsMtd car, wheel, colour, track;

    GST_BUFFER_PTS(buffer) = CAR_PTS;
#if GST_CHECK_VERSION(1, 26, 0)
    gst_analytics_relation_meta_add_oriented_od_mtd(meta, g_quark_from_static_string("car"), 10, -2, 30, 20,
                                                    0.5F, 0.9F, &car);
#else
    gst_analytics_relation_meta_add_od_mtd(meta, g_quark_from_static_string("car"), 10, -2, 30, 20, 0.9F,
                                           &car);
#endif
    gst_analytics_relation_meta_add_cls_mtd(meta, 2, levels, classes, &colour);
    gst_analytics_relation_meta_add_tracking_mtd(meta, 77, CAR_PTS - GST_MSECOND, &track);
    gst_analytics_tracking_mtd_update_last_seen(&track, CAR_PTS + 3);
    gst_analytics_tracking_mtd_set_lost(&track);
    gst_analytics_relation_meta_add_od_mtd(meta, g_quark_from_static_string("wheel"), 11, 12, 5, 6, 0.5F,
                                           &wheel);
    gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, car.id, colour.id);
    gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO, car.id, track.id);
    gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_CONTAIN, car.id, wheel.id);
    gst_analytics_relation_meta_set_relation(
        meta, GST_ANALYTICS_REL_TYPE_IS_PART_OF | GST_ANALYTICS_REL_TYPE_RELATE_TO, wheel.id, car.id);
}

static void check_detections(GstAnalyticsRelationMeta *meta)
{
    gint x, y, width, height;
    gfloat confidence;
    GstAnalyticsMtd mtd;

    for (guint id = 0; id < 4; id += 3) {
        fail_unless(gst_analytics_relation_meta_get_od_mtd(meta, id, &mtd));
        fail_unless_equals_string(g_quark_to_string(gst_analytics_od_mtd_get_obj_type(&mtd)),
                                  id ? "wheel" : "car");
#if GST_CHECK_VERSION(1, 26, 0)
        gfloat rotation;

        fail_unless(gst_analytics_od_mtd_get_oriented_location(&mtd, &x, &y, &width, &height, &rotation,
                                                               &confidence));
        fail_unless(rotation == (id ? 0 : 0.5F));
#else
        fail_unless(gst_analytics_od_mtd_get_location(&mtd, &x, &y, &width, &height, &confidence));
#endif
        fail_unless(x == (id ? 11 : 10) && y == (id ? 12 : -2) && width == (id ? 5 : 30) &&
                    height == (id ? 6 : 20) && confidence == (id ? 0.5F : 0.9F));
    }
}

static void check_relations(GstBuffer *buffer)
{
    static const guint relations[4][4] = {
        {0, GST_ANALYTICS_REL_TYPE_RELATE_TO, GST_ANALYTICS_REL_TYPE_RELATE_TO,
         GST_ANALYTICS_REL_TYPE_CONTAIN},
        {0},
        {0},
        {GST_ANALYTICS_REL_TYPE_IS_PART_OF | GST_ANALYTICS_REL_TYPE_RELATE_TO}};
    GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta(buffer);
    GstClockTime begin, end;
    GstAnalyticsMtd mtd;
    gboolean is_lost;
    guint64 id;

    fail_unless(meta != NULL);
    fail_unless_equals_int(gst_analytics_relation_get_length(meta), 4);
    check_detections(meta);
    fail_unless(gst_analytics_relation_meta_get_cls_mtd(meta, 1, &mtd));
    fail_unless_equals_int(gst_analytics_cls_mtd_get_length(&mtd), 2);
    fail_unless_equals_string(g_quark_to_string(gst_analytics_cls_mtd_get_quark(&mtd, 1)), "old");
    fail_unless(gst_analytics_cls_mtd_get_level(&mtd, 0) == 0.75F &&
                gst_analytics_cls_mtd_get_level(&mtd, 1) == 0.25F);
    fail_unless(gst_analytics_relation_meta_get_tracking_mtd(meta, 2, &mtd));
    fail_unless(gst_analytics_tracking_mtd_get_info(&mtd, &id, &begin, &end, &is_lost));
    fail_unless(id == 77 && is_lost);
    /* The reader's pipeline may not have run for a millisecond yet. */
    fail_unless_equals_uint64(begin,
                              GST_BUFFER_PTS(buffer) - MIN(GST_BUFFER_PTS(buffer), (guint64)GST_MSECOND));
    fail_unless_equals_uint64(end, GST_BUFFER_PTS(buffer) + 3);
    for (guint from = 0; from < 4; from++) {
        for (guint to = 0; to < 4; to++)
            fail_unless_equals_int(gst_analytics_relation_meta_get_relation(meta, from, to),
                                   relations[from][to]);
    }
}

static void use_relations(GstBuffer *buffer)
{
    GstBuffer *copy = gst_buffer_copy(buffer);
    GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta(copy);
    GstAnalyticsMtd mtd;

    fail_unless(meta != NULL);
    for (guint id = 0; id < gst_analytics_relation_get_length(meta); id++) {
        fail_unless(gst_analytics_relation_meta_get_mtd(meta, id, GST_ANALYTICS_MTD_TYPE_ANY, &mtd));
        gst_analytics_relation_meta_exist(meta, 0, id, GST_INF_RELATION_SPAN, GST_ANALYTICS_REL_TYPE_ANY,
                                          NULL);
    }
    gst_buffer_unref(copy);
}

#if GST_CHECK_VERSION(1, 26, 0)
static void attach_mask(GstBuffer *buffer)
{
    GstAnalyticsRelationMeta *meta = gst_buffer_add_analytics_relation_meta(buffer);
    GstBuffer *mask = gst_buffer_new_allocate(NULL, (gsize)3 * 64, NULL);
    const gsize offset[4] = {0};
    const gint stride[4] = {64};
    guint regions[] = {0, 7, 12};
    GstAnalyticsMtd mtd;

    gst_buffer_memset(mask, 0, 0xee, (gsize)3 * 64);
    for (guint row = 0; row < 3; row++)
        gst_buffer_memset(mask, (gsize)row * 64, (guint8)row, 10);
    gst_buffer_add_video_meta_full(mask, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, 10, 3, 1, offset,
                                   stride);
    gst_analytics_relation_meta_add_segmentation_mtd(meta, mask, GST_SEGMENTATION_TYPE_INSTANCE, 3, regions,
                                                     4, 5, 50, 15, &mtd);
}

static void check_mask(GstBuffer *buffer)
{
    GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta(buffer);
    guint width, height;
    GstVideoFrame picture;
    GstAnalyticsMtd mtd;
    GstVideoInfo info;
    GstBuffer *mask;
    gint x, y;

    fail_unless(meta && gst_analytics_relation_meta_get_segmentation_mtd(meta, 0, &mtd));
    fail_unless_equals_int(gst_analytics_segmentation_mtd_get_region_count(&mtd), 3);
    fail_unless_equals_int(gst_analytics_segmentation_mtd_get_region_id(&mtd, 2), 12);
    mask = gst_analytics_segmentation_mtd_get_mask(&mtd, &x, &y, &width, &height);
    fail_unless(mask && x == 4 && y == 5 && width == 50 && height == 15);
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, 10, 3);
    fail_unless(gst_video_frame_map(&picture, &info, mask, GST_MAP_READ));
    for (guint i = 0; i < 30; i++)
        fail_unless_equals_int(((guint8 *)GST_VIDEO_FRAME_PLANE_DATA(
                                   &picture, 0))[i / 10 * GST_VIDEO_FRAME_PLANE_STRIDE(&picture, 0) + i % 10],
                               i / 10);
    gst_video_frame_unmap(&picture);
    gst_buffer_unref(mask);
}

static void attach_tensors(GstBuffer *buffer)
{
    GstTensor **tensors = g_new(GstTensor *, 2);
    gsize dimensions[] = {1, 2, 3};

    for (guint i = 0; i < 2; i++) {
        GstBuffer *data = gst_buffer_new_allocate(NULL, i ? 3 : 24, NULL);

        gst_buffer_memset(data, 0, (guint8)(i + 5), i ? 3 : 24);
        tensors[i] = gst_tensor_new_simple(g_quark_from_string(i ? "scores" : "boxes"),
                                           i ? GST_TENSOR_DATA_TYPE_UINT4 : GST_TENSOR_DATA_TYPE_FLOAT32,
                                           data, GST_TENSOR_DIM_ORDER_ROW_MAJOR, 3, dimensions);
    }
    gst_tensor_meta_set(gst_buffer_add_tensor_meta(buffer), 2, tensors);
}

static void check_tensors(GstBuffer *buffer)
{
    GstTensorMeta *meta = gst_buffer_get_tensor_meta(buffer);

    fail_unless(meta && meta->num_tensors == 2);
    for (guint i = 0; i < 2; i++) {
        const GstTensor *tensor = gst_tensor_meta_get(meta, i);
        const guint8 expected[24] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5};

        fail_unless_equals_string(g_quark_to_string(tensor->id), i ? "scores" : "boxes");
        fail_unless_equals_int(tensor->data_type,
                               i ? GST_TENSOR_DATA_TYPE_UINT4 : GST_TENSOR_DATA_TYPE_FLOAT32);
        fail_unless(tensor->num_dims == 3 && tensor->dims[2] == 3);
        fail_unless_equals_int(gst_buffer_get_size(tensor->data), i ? 3 : 24);
        fail_unless_equals_int(gst_buffer_memcmp(tensor->data, 0, i ? "\6\6\6" : (const char *)expected,
                                                 gst_buffer_get_size(tensor->data)),
                               0);
    }
}
#endif

#if GST_CHECK_VERSION(1, 28, 0)
static void attach_tensor_record(GstBuffer *buffer)
{
    GstAnalyticsRelationMeta *meta = gst_buffer_add_analytics_relation_meta(buffer);
    gsize dimensions[] = {2, 3};
    GstAnalyticsMtd mtd;

    gst_analytics_relation_meta_add_tensor_mtd_simple(
        meta, g_quark_from_static_string("scores"), GST_TENSOR_DATA_TYPE_UINT8,
        gst_buffer_new_memdup("abcdef", 6), GST_TENSOR_DIM_ORDER_COL_MAJOR, 2, dimensions, &mtd);
}

static void check_tensor_record(GstBuffer *buffer)
{
    GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta(buffer);
    const GstTensor *tensor;
    GstAnalyticsMtd mtd;

    fail_unless(meta && gst_analytics_relation_meta_get_tensor_mtd(meta, 0, &mtd));
    tensor = gst_analytics_tensor_mtd_get_tensor(&mtd);
    fail_unless_equals_string(g_quark_to_string(tensor->id), "scores");
    fail_unless(tensor->data_type == GST_TENSOR_DATA_TYPE_UINT8 &&
                tensor->dims_order == GST_TENSOR_DIM_ORDER_COL_MAJOR && tensor->num_dims == 2 &&
                tensor->dims[0] == 2 && tensor->dims[1] == 3);
    fail_unless(gst_buffer_get_size(tensor->data) == 6 &&
                gst_buffer_memcmp(tensor->data, 0, "abcdef", 6) == 0);
}
#endif

static const struct journey journeys[] = {
    {PICTURE, PICTURE_SIZE, attach_relations, check_relations, use_relations,
     FRAMEBUS_TAG('f', 'b', 'a', 'r')},
#if GST_CHECK_VERSION(1, 26, 0)
    {PICTURE, PICTURE_SIZE, attach_mask, check_mask, use_relations, FRAMEBUS_TAG('f', 'b', 'a', 'r')},
    {PICTURE, PICTURE_SIZE, attach_tensors, check_tensors, NULL, FRAMEBUS_TAG('f', 'b', 't', 'e')},
#endif
#if GST_CHECK_VERSION(1, 28, 0)
    {PICTURE, PICTURE_SIZE, attach_tensor_record, check_tensor_record, use_relations,
     FRAMEBUS_TAG('f', 'b', 'a', 'r')},
#endif
};

GST_START_TEST(analytics_travel)
{
    journey_travel(journeys, __i__);
}
GST_END_TEST

GST_START_TEST(a_garbled_block_does_no_harm)
{
    meta_register();
    meta_add_carriers(&analytics_carriers);
    journey_garble(&journeys[__i__]);
}
GST_END_TEST

GST_START_TEST(a_writer_of_garbled_blocks_stops_no_reader)
{
    meta_register();
    meta_add_carriers(&analytics_carriers);
    journey_deceive(journeys, G_N_ELEMENTS(journeys));
}
GST_END_TEST

/* Restores a block of one record, or several blocks of them. */
static gboolean restore_record(GstBuffer *buffer, const char *name, const char *label, guint32 count)
{
    const struct framebus_rect cut = {0};
    const struct meta_target target = {.buffer = buffer, .cut = &cut};
    GByteArray *bytes = g_byte_array_new();
    gboolean is_restored;

    block_put_u32(bytes, 1);
    block_put_u32(bytes, count);
    for (guint32 i = 0; i < count; i++) {
        block_put_text(bytes, name);
        block_put_u32(bytes, (guint32)strlen(label) + 1 + 24);
        block_put_text(bytes, label);
        for (guint k = 0; k < 6; k++)
            block_put_u32(bytes, 1);
    }
    block_put_u32(bytes, 0);
    is_restored = meta_restore_block(FRAMEBUS_TAG('f', 'b', 'a', 'r'), bytes->data, bytes->len, &target);
    g_byte_array_unref(bytes);
    return is_restored;
}

/* A record of a type that is not known here keeps its place only. */
GST_START_TEST(records_are_limited)
{
    GstBuffer *buffer = gst_buffer_new();

    meta_register();
    meta_add_carriers(&analytics_carriers);
    fail_if(restore_record(buffer, "object-detection", "a", 1025));
    fail_unless(gst_buffer_get_analytics_relation_meta(buffer) == NULL);
    fail_unless(restore_record(buffer, "object-detection", "a", 1024));
    fail_unless_equals_int(gst_analytics_relation_get_length(gst_buffer_get_analytics_relation_meta(buffer)),
                           1024);
    fail_if(restore_record(buffer, "object-detection", "a", 1));
    gst_buffer_unref(buffer);
    buffer = gst_buffer_new();
    fail_unless(restore_record(buffer, "something-else", "a", 10));
    fail_unless_equals_int(gst_analytics_relation_get_length(gst_buffer_get_analytics_relation_meta(buffer)),
                           0);
    gst_buffer_unref(buffer);
}
GST_END_TEST

GST_START_TEST(labels_are_not_kept_without_limit)
{
    guint kept = 0;

    meta_register();
    meta_add_carriers(&analytics_carriers);
    for (guint i = 0; i < 10000; i++) {
        GstBuffer *buffer = gst_buffer_new();
        g_autofree char *label = g_strdup_printf("label %u", i);

        fail_unless(restore_record(buffer, "object-detection", label, 1));
        kept += g_quark_try_string(label) != 0;
        gst_buffer_unref(buffer);
    }
    fail_unless(kept >= 1000 && kept < 9000, "%u", kept);
}
GST_END_TEST

/* One that has more records than can travel is told. */
GST_START_TEST(too_many_records_are_told)
{
    GstHarness *sink = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, PICTURE_SIZE, NULL);
    GstAnalyticsRelationMeta *meta = gst_buffer_add_analytics_relation_meta(buffer);
    GstElement *element = gst_harness_find_element(sink, "framebussink");
    GstAnalyticsMtd mtd;

    for (guint i = 0; i < 1025; i++)
        gst_analytics_relation_meta_add_od_mtd(meta, 0, 1, 2, 3, 4, 0.5F, &mtd);
    gst_harness_set_src_caps_str(sink, PICTURE);
    gst_harness_play(sink);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    fail_unless_equals_uint64(stat_of(element, "metas-left-out"), 1);
    gst_object_unref(element);
    gst_harness_teardown(sink);
}
GST_END_TEST

GST_START_TEST(detections_move_with_the_part_of_a_picture)
{
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false"),
               *source = gst_harness_new_parse("framebussrc bus=b");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, PICTURE_SIZE, NULL);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
    gint x, y, width, height;
    GstAnalyticsMtd mtd;

    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, PICTURE);
    gst_harness_play(sink);
    gst_harness_play(source);
    crop->x = 8;
    crop->y = 4;
    crop->width = 32;
    crop->height = 16;
    attach_relations(buffer);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull(source);
    fail_unless(
        gst_analytics_relation_meta_get_od_mtd(gst_buffer_get_analytics_relation_meta(buffer), 3, &mtd));
    fail_unless(gst_analytics_od_mtd_get_location(&mtd, &x, &y, &width, &height, NULL));
    fail_unless(x == 3 && y == 8 && width == 5);
    gst_buffer_unref(buffer);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

#if GST_CHECK_VERSION(1, 26, 0)
GST_START_TEST(a_tensor_may_be_empty)
{
    static const guint32 numbers[] = {GST_TENSOR_DATA_TYPE_INT8, GST_TENSOR_DIM_ORDER_ROW_MAJOR, 1, 0, 0, 0};
    const struct framebus_rect cut = {0};
    GByteArray *bytes = g_byte_array_new();
    GstBuffer *buffer = gst_buffer_new();
    const struct meta_target target = {.buffer = buffer, .cut = &cut};

    meta_register();
    meta_add_carriers(&analytics_carriers);
    block_put_u32(bytes, 1);
    block_put_u32(bytes, 1);
    block_put_text(bytes, "empty");
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) /* the dimension has two of them */
        block_put_u32(bytes, numbers[i]);
    fail_unless(meta_restore_block(FRAMEBUS_TAG('f', 'b', 't', 'e'), bytes->data, bytes->len, &target));
    fail_unless_equals_int(
        gst_buffer_get_size(gst_tensor_meta_get(gst_buffer_get_tensor_meta(buffer), 0)->data), 0);
    gst_buffer_unref(buffer);
    g_byte_array_unref(bytes);
}
GST_END_TEST
#endif

static Suite *analytics_suite(void)
{
    Suite *suite = suite_create("analytics");
    TCase *tests = tcase_create("analytics");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_loop_test(tests, analytics_travel, 0, G_N_ELEMENTS(journeys));
    tcase_add_loop_test(tests, a_garbled_block_does_no_harm, 0, G_N_ELEMENTS(journeys));
    tcase_add_test(tests, a_writer_of_garbled_blocks_stops_no_reader);
    tcase_add_test(tests, records_are_limited);
#if GST_CHECK_VERSION(1, 26, 0)
    tcase_add_test(tests, a_tensor_may_be_empty);
#endif
    tcase_add_test(tests, labels_are_not_kept_without_limit);
    tcase_add_test(tests, too_many_records_are_told);
    tcase_add_test(tests, detections_move_with_the_part_of_a_picture);
    return suite;
}

int main(int argc, char **argv)
{
    journey_serve(argc, argv, journeys);
    return tap_main(argc, argv, analytics_suite);
}
