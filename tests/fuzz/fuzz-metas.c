/* SPDX-License-Identifier: MIT */
/* Blocks of metadata of a foreign writer, on their way into GStreamer's metas, and into what elements do with
 * them. An input is the tag of a block, what the buffer is of, and the block. */
#include "fuzz.h"

#include "meta.h"

#include <gst/video/video.h>
#if FUZZ_ANALYTICS
#include "analytics/analytics.h"
#endif

#define WIDTH  64
#define HEIGHT 32
#define BYTES  (WIDTH * HEIGHT * 3 / 2)

/* Texts that are none. */
static void say_nothing(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer user)
{
    (void)domain;
    (void)level;
    (void)text;
    (void)user;
}

static void prepare(void)
{
    static const char *tags[] = {NULL};
    static bool prepared;
    if (prepared)
        return;
    prepared = true;
    gst_init(NULL, NULL);
    gst_debug_remove_log_function(NULL);
    g_log_set_default_handler(say_nothing, NULL);
    meta_register();
#if FUZZ_ANALYTICS
    meta_add_carriers(&analytics_carriers);
#endif
    gst_meta_register_custom("TestLabel", tags, NULL, NULL, NULL);
    fuzz_prepare();
}

static void draw_overlay(GstBuffer *buffer)
{
    GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta(buffer);
    GstVideoFrame picture;
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT);
    if (!meta || !gst_video_frame_map(&picture, &info, buffer, GST_MAP_READWRITE))
        return;
    gst_video_overlay_composition_blend(meta->overlay, &picture);
    gst_video_frame_unmap(&picture);
}

static void hear_planes(GstBuffer *buffer, const GstAudioInfo *info)
{
    GstAudioBuffer audio;
    if (!gst_buffer_get_audio_meta(buffer))
        return;
    must(gst_audio_buffer_map(&audio, info, buffer, GST_MAP_READWRITE));
    for (int i = 0; i < GST_AUDIO_BUFFER_N_PLANES(&audio); i++)
        memset(audio.planes[i], 1, GST_AUDIO_BUFFER_PLANE_SIZE(&audio));
    gst_audio_buffer_unmap(&audio);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    prepare();

    char tag[4];
    take_bytes(&in, tag, sizeof tag);
    uint8_t how = take_byte(&in);
    struct framebus_format format = {.fourcc = how & 1 ? 0 : 1, .width = WIDTH, .height = HEIGHT};
    struct framebus_frame frame = {.format = &format};
    struct framebus_rect cut = {0};
    if (how & 2)
        cut = (struct framebus_rect){8, 4, WIDTH - 8, HEIGHT - 4};
    GstAudioInfo audio;
    gst_audio_info_init(&audio);
    audio.finfo = NULL;
    if (how & 4)
        gst_audio_info_set_format(&audio, GST_AUDIO_FORMAT_S16, 8000, 2, NULL);
    if (how & 8)
        audio.layout = GST_AUDIO_LAYOUT_NON_INTERLEAVED;

    GstBuffer *buffer = gst_buffer_new_allocate(NULL, BYTES, NULL);
    must(buffer);
    gst_buffer_memset(buffer, 0, 0, BYTES);
    if (how & 16)
        GST_BUFFER_PTS(buffer) = GST_SECOND;
    const struct meta_target target = {buffer, &frame, &cut, &audio};
    meta_restore_block(FRAMEBUS_TAG((guint8)tag[0], (guint8)tag[1], (guint8)tag[2], (guint8)tag[3]), in.data,
                       in.left, &target);
    draw_overlay(buffer);
    hear_planes(buffer, &audio);
    GstBuffer *copy = gst_buffer_copy(buffer);
    gst_buffer_unref(copy);
    gst_buffer_unref(buffer);
    return 0;
}
