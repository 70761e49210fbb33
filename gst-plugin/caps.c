/* SPDX-License-Identifier: MIT */
#include "caps.h"

#include <string.h>

/* What a bare `videotestsrc ! framebussink` tries first, in this order; all others follow. */
static const char *const common[] = {"NV12", "I420", "YUY2", "UYVY", "BGRx", "RGBx",
                                     "BGRA", "RGBA", "RGB",  "BGR",  "GRAY8"};

static GstVideoFormat video_format(const struct framebus_format_info *row)
{
    return gst_video_format_from_string(row->name);
}

static const struct framebus_format_info *row_of(GstVideoFormat video)
{
    const struct framebus_format_info *row;
    const char *name = gst_video_format_to_string(video);

    for (size_t i = 0; (row = framebus_format_at(i)); i++) {
        if (name && strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

static void append_format(GValue *list, const char *name)
{
    GValue value = G_VALUE_INIT;

    if (gst_video_format_from_string(name) == GST_VIDEO_FORMAT_UNKNOWN)
        return;
    g_value_init(&value, G_TYPE_STRING);
    g_value_set_string(&value, name);
    gst_value_list_append_and_take_value(list, &value);
}

GstCaps *caps_of_pictures(void)
{
    const struct framebus_format_info *row;
    GValue formats = G_VALUE_INIT;
    GstCaps *caps;

    g_value_init(&formats, GST_TYPE_LIST);
    for (size_t i = 0; i < G_N_ELEMENTS(common); i++) {
        if (framebus_format_by_name(common[i]))
            append_format(&formats, common[i]);
    }
    for (size_t i = 0; (row = framebus_format_at(i)); i++) {
        gboolean had = FALSE;

        for (size_t k = 0; k < G_N_ELEMENTS(common); k++)
            had |= strcmp(common[k], row->name) == 0;
        if (!had)
            append_format(&formats, row->name);
    }
    caps = gst_caps_new_simple("video/x-raw", "width", GST_TYPE_INT_RANGE, 1, FRAMEBUS_SIDE_MAX, "height",
                               GST_TYPE_INT_RANGE, 1, FRAMEBUS_SIDE_MAX, "framerate", GST_TYPE_FRACTION_RANGE,
                               0, 1, G_MAXINT, 1, NULL);
    gst_caps_set_value(caps, "format", &formats);
    g_value_unset(&formats);
    return caps;
}

gboolean caps_are_picture(const GstCaps *caps, GstVideoInfo *info)
{
    /* The two fields of an alternating stream come in buffers of half the height. */
    return gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw") &&
           gst_video_info_from_caps(info, caps) && row_of(GST_VIDEO_INFO_FORMAT(info)) &&
           GST_VIDEO_INFO_INTERLACE_MODE(info) != GST_VIDEO_INTERLACE_MODE_ALTERNATE;
}

static void color_from_info(struct framebus_color *color, const GstVideoColorimetry *from)
{
    static const guint8 ranges[] = {
        [GST_VIDEO_COLOR_RANGE_0_255] = 2,
        [GST_VIDEO_COLOR_RANGE_16_235] = 1,
    };

    if (from->primaries != GST_VIDEO_COLOR_PRIMARIES_UNKNOWN)
        color->primaries = gst_video_color_primaries_to_iso(from->primaries);
    if (from->transfer != GST_VIDEO_TRANSFER_UNKNOWN)
        color->transfer = gst_video_transfer_function_to_iso(from->transfer);
    if (from->matrix != GST_VIDEO_COLOR_MATRIX_UNKNOWN)
        color->matrix = gst_video_color_matrix_to_iso(from->matrix);
    color->range = (guint)from->range < G_N_ELEMENTS(ranges) ? ranges[from->range] : 0;
}

/* What the bus does not know stays as GStreamer guesses it from format and size. */
static void color_to_info(const struct framebus_color *color, gboolean yuv, GstVideoColorimetry *to)
{
    GstVideoColorPrimaries primaries = gst_video_color_primaries_from_iso(color->primaries);
    GstVideoTransferFunction transfer = gst_video_transfer_function_from_iso(color->transfer);
    GstVideoColorMatrix matrix = gst_video_color_matrix_from_iso(color->matrix);

    if (color->primaries && primaries != GST_VIDEO_COLOR_PRIMARIES_UNKNOWN)
        to->primaries = primaries;
    if (color->transfer && transfer != GST_VIDEO_TRANSFER_UNKNOWN)
        to->transfer = transfer;
    if (color->matrix && yuv && matrix != GST_VIDEO_COLOR_MATRIX_UNKNOWN)
        to->matrix = matrix;
    if (color->range)
        to->range = color->range == 2 ? GST_VIDEO_COLOR_RANGE_0_255 : GST_VIDEO_COLOR_RANGE_16_235;
}

void format_from_info(struct framebus_format *format, const GstVideoInfo *info, const char *text)
{
    *format = (struct framebus_format){
        .fourcc = row_of(GST_VIDEO_INFO_FORMAT(info))->fourcc,
        .width = GST_VIDEO_INFO_WIDTH(info),
        .height = GST_VIDEO_INFO_HEIGHT(info),
        .rate_num = GST_VIDEO_INFO_FPS_N(info),
        .rate_den = GST_VIDEO_INFO_FPS_D(info),
        .aspect_num = GST_VIDEO_INFO_PAR_N(info),
        .aspect_den = GST_VIDEO_INFO_PAR_D(info),
        .size = GST_VIDEO_INFO_SIZE(info),
        .planes = GST_VIDEO_INFO_N_PLANES(info),
        .caps = text,
    };
    for (guint i = 0; i < format->planes; i++) {
        format->stride[i] = GST_VIDEO_INFO_PLANE_STRIDE(info, i);
        format->offset[i] = GST_VIDEO_INFO_PLANE_OFFSET(info, i);
    }
    color_from_info(&format->color, &info->colorimetry);
}

/* The caps text, if it is one and tells of the picture that the format describes. */
static GstCaps *caps_from_text(const struct framebus_format *format, GstVideoInfo *info, char **why)
{
    GstCaps *caps = gst_caps_from_string(format->caps);
    const struct framebus_format_info *row = framebus_format_find(format->fourcc);

    if (!caps || gst_caps_is_any(caps) || !gst_caps_is_fixed(caps)) {
        *why = g_strdup_printf("the bus's caps text is not one format: %.200s", format->caps);
        gst_clear_caps(&caps);
    } else if (row && (!caps_are_picture(caps, info) || GST_VIDEO_INFO_FORMAT(info) != video_format(row) ||
                       GST_VIDEO_INFO_WIDTH(info) != (int)format->width ||
                       GST_VIDEO_INFO_HEIGHT(info) != (int)format->height)) {
        *why = g_strdup_printf("the bus's caps text does not tell of its pictures: %.200s", format->caps);
        gst_clear_caps(&caps);
    }
    return caps;
}

GstCaps *caps_from_format(const struct framebus_format *format, GstVideoInfo *info, char **why)
{
    const struct framebus_format_info *row = framebus_format_find(format->fourcc);
    GstVideoFormat video = row ? video_format(row) : GST_VIDEO_FORMAT_UNKNOWN;
    GstCaps *caps;
    char text[128];

    *why = NULL;
    gst_video_info_init(info);
    if (format->fourcc && (video == GST_VIDEO_FORMAT_UNKNOWN || format->modifier)) {
        *why = g_strdup_printf("this GStreamer has no name for the bus's pictures: %s%s",
                               framebus_format_describe(format, text, sizeof(text)),
                               format->modifier ? ", not linear" : "");
        return NULL;
    }
    if (format->caps && format->caps[0]) {
        caps = caps_from_text(format, info, why);
        if (!row)
            info->finfo = NULL;
        if (caps || !row)
            return caps;
        g_clear_pointer(why, g_free);
    }
    if (!row) {
        *why = g_strdup("the bus does not say what its payloads are: it has no caps text");
        info->finfo = NULL;
        return NULL;
    }

    if (!gst_video_info_set_format(info, video, format->width, format->height)) {
        *why = g_strdup_printf("GStreamer cannot describe %s",
                               framebus_format_describe(format, text, sizeof(text)));
        return NULL;
    }
    if (format->rate_den) {
        GST_VIDEO_INFO_FPS_N(info) = format->rate_num;
        GST_VIDEO_INFO_FPS_D(info) = format->rate_den;
    }
    if (format->aspect_num && format->aspect_den) {
        GST_VIDEO_INFO_PAR_N(info) = format->aspect_num;
        GST_VIDEO_INFO_PAR_D(info) = format->aspect_den;
    }
    color_to_info(&format->color, row->yuv, &info->colorimetry);
    return gst_video_info_to_caps(info);
}

gboolean format_has_layout(const struct framebus_format *format, guint planes, const gsize *offset,
                           const gint *stride)
{
    if (planes != format->planes)
        return FALSE;
    for (guint i = 0; i < planes; i++) {
        if (offset[i] != format->offset[i] || stride[i] < 0 || (guint)stride[i] != format->stride[i])
            return FALSE;
    }
    return TRUE;
}

void format_copy_picture(const struct framebus_format *format, const struct framebus_plane *to,
                         const struct framebus_plane *from)
{
    for (guint i = 0; i < format->planes; i++) {
        const gsize rows = framebus_format_rows(format, i);
        const gsize length = MIN(framebus_format_row_bytes(format, i), MIN(to[i].stride, from[i].stride));
        guint8 *target = to[i].data;
        const guint8 *source = from[i].data;

        if (to[i].stride == from[i].stride && rows > 0) {
            memcpy(target, source, to[i].stride * (rows - 1) + length);
            continue;
        }
        for (gsize row = 0; row < rows; row++)
            memcpy(target + row * to[i].stride, source + row * from[i].stride, length);
    }
}

gboolean planes_of_frame(struct framebus_plane *planes, const GstVideoFrame *frame)
{
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(frame); i++) {
        if (GST_VIDEO_FRAME_PLANE_STRIDE(frame, i) < 0)
            return FALSE;
        planes[i].data = GST_VIDEO_FRAME_PLANE_DATA(frame, i);
        planes[i].stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, i);
    }
    return TRUE;
}
