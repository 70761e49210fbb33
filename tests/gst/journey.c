/* SPDX-License-Identifier: MIT */
#include "journey.h"

#include "meta.h"

#include <gst/app/app.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static GstBuffer *journey_buffer_new(const struct journey *journey)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, journey->size, NULL);

    gst_buffer_memset(buffer, 0, 0, journey->size);
    return buffer;
}

void journey_serve(int argc, char **argv, const struct journey *journeys)
{
    const struct journey *journey;
    g_autofree char *text = NULL;
    GstElement *pipeline, *source;
    GstBuffer *buffer;

    if (argc < 3 || strcmp(argv[1], "serve") != 0)
        return;
    journey = &journeys[atoi(argv[2])];
    gst_init(NULL, NULL);
    text = g_strdup_printf("appsrc name=in format=time is-live=true caps=\"%s\" ! framebussink bus=b "
                           "metadata-size=%d wait-for-connection=true sync=false",
                           journey->caps, FRAMEBUS_META_MAX);
    /* The library's checks are for the process that runs the test. */
    pipeline = gst_parse_launch(text, NULL);
    if (!pipeline || gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
        g_error("%s does not play", text);
    buffer = journey_buffer_new(journey);
    journey->attach(buffer);
    source = gst_bin_get_by_name(GST_BIN(pipeline), "in");
    if (gst_app_src_push_buffer(GST_APP_SRC(source), buffer) != GST_FLOW_OK)
        g_error("%s takes no buffer", text);
    for (;;)
        pause();
}

void journey_travel(const struct journey *journeys, guint index)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL),
                    *number = g_strdup_printf("%u", index),
                    *socket = g_build_filename(g_getenv("FRAMEBUS_DIR"), "b", NULL);
    char *arguments[] = {program, (char *)"serve", number, NULL};
    GstElement *reader = pipeline_play("framebussrc bus=b ! appsink name=out sync=false");
    GError *error = NULL;
    GstSample *sample;
    GPid writer;

    fail_unless(g_spawn_async(NULL, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &writer, &error),
                "%s", error ? error->message : "");
    sample = gst_app_sink_try_pull_sample(GST_APP_SINK(child(reader, "out")), 20 * GST_SECOND);
    kill(writer, SIGKILL);
    fail_unless_equals_int(waitpid(writer, NULL, 0), writer);
    fail_unless(sample != NULL);
    journeys[index].check(gst_sample_get_buffer(sample));
    gst_sample_unref(sample);
    pipeline_end(reader);
    fail_unless_equals_int(unlink(socket), 0);
}

/* Restores a block. Whatever it says, what comes of it can be used. */
static gboolean journey_restore(const struct journey *journey, const guint8 *data, gsize size,
                                const struct framebus_frame *frame, const GstAudioInfo *audio)
{
    GstBuffer *buffer = journey_buffer_new(journey);
    const struct framebus_rect cut = {0};
    const struct meta_target target = {buffer, frame, &cut, audio};
    const gboolean is_restored = meta_restore_block(journey->tag, data, size, &target);

    if (is_restored && journey->use)
        journey->use(buffer);
    gst_buffer_unref(buffer);
    return is_restored;
}

static void journey_garble_block(const struct journey *journey, const guint8 *block, gsize size,
                                 const struct framebus_frame *frame, const GstAudioInfo *audio)
{
    static const guint8 values[] = {0, 1, 4, 12, 0x7f, 0x80, 0xff};
    g_autofree guint8 *garbled = g_malloc(size);

    fail_unless(journey_restore(journey, block, size, frame, audio));
    for (gsize length = 0; length < size; length++) {
        g_autofree guint8 *cut = g_memdup2(block, MAX(length, 1)); /* whose end a sanitizer knows */

        journey_restore(journey, cut, length, frame, audio);
    }
    fail_if(journey_restore(journey, block, 3, frame, audio));
    for (gsize at = 0; at < size; at++) {
        for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
            for (guint width = 1; width <= 8 && at + width <= size; width *= 2) {
                memcpy(garbled, block, size);
                memset(garbled + at, values[i], width);
                journey_restore(journey, garbled, size, frame, audio);
            }
        }
    }
}

/* Makes the block of a journey, as a writer of its own does. */
static GBytes *journey_block(const struct journey *journey)
{
    GstBuffer *buffer = journey_buffer_new(journey);
    GByteArray *scratch = g_byte_array_new();
    struct framebus_format format;
    struct framebus_writer *writer;
    struct framebus_frame *frame;
    char *why = NULL;
    const void *data;
    GBytes *block;
    size_t size;

    fail_unless_equals_int(framebus_format_init_opaque(&format, journey->caps, journey->size), 0);
    fail_unless_equals_int(framebus_writer_open(&writer, "block", &format, NULL), 0);
    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    journey->attach(buffer);
    fail_unless_equals_int(meta_to_frame(frame, buffer, scratch, &why), 0);
    data = framebus_frame_get_meta(frame, journey->tag, 0, &size);
    fail_unless(data != NULL);
    block = g_bytes_new(data, size);
    framebus_writer_release(writer, frame);
    framebus_writer_close(writer);
    g_byte_array_unref(scratch);
    gst_buffer_unref(buffer);
    return block;
}

void journey_garble(const struct journey *journey)
{
    const struct framebus_format format = {.width = 64, .height = 32};
    const struct framebus_frame frame = {.format = &format};
    GstCaps *caps = gst_caps_from_string(journey->caps);
    GBytes *block = journey_block(journey);
    gconstpointer data;
    GstAudioInfo audio;
    gsize size;

    gst_audio_info_init(&audio);
    if (gst_structure_has_name(gst_caps_get_structure(caps, 0), "audio/x-raw"))
        fail_unless(gst_audio_info_from_caps(&audio, caps));
    else
        audio.finfo = NULL;
    data = g_bytes_get_data(block, &size);
    journey_garble_block(journey, data, size, &frame, &audio);
    g_bytes_unref(block);
    gst_caps_unref(caps);
}

/* Publishes a frame with all blocks, in each of which some bytes may be changed, or missing. */
static void journey_publish(struct framebus_writer *writer, const struct journey *journeys,
                            GBytes *const *blocks, guint count, GRand *chance)
{
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    for (guint i = 0; i < count; i++) {
        gsize size = g_bytes_get_size(blocks[i]);
        g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(blocks[i], NULL), size);

        for (guint changes = g_rand_int_range(chance, 0, 4); changes > 0; changes--)
            copy[g_rand_int_range(chance, 0, (gint32)size)] = (guint8)g_rand_int(chance);
        if (g_rand_int_range(chance, 0, 4) == 0)
            size = (gsize)g_rand_int_range(chance, 0, (gint32)size);
        fail_unless_equals_int(framebus_frame_add_meta(frame, journeys[i].tag, copy, size), 0);
    }
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
}

void journey_deceive(const struct journey *journeys, guint count)
{
    const struct framebus_writer_options options = {.meta_size = FRAMEBUS_META_MAX};
    GRand *chance = g_rand_new_with_seed(4);
    GBytes **blocks = g_new(GBytes *, count);
    struct framebus_format format;
    struct framebus_writer *writer;
    GstElement *reader;

    for (guint i = 0; i < count; i++)
        blocks[i] = journey_block(&journeys[i]);
    fail_unless_equals_int(framebus_format_init(&format, framebus_format_by_name("NV12")->fourcc, 64, 32), 0);
    fail_unless_equals_int(framebus_writer_open(&writer, "b", &format, &options), 0);
    reader = pipeline_play("framebussrc bus=b ! appsink name=out sync=false");
    for (guint delivered = 0, published = 0; delivered < 1000;) {
        GstSample *sample;

        journey_publish(writer, journeys, blocks, count, chance);
        fail_unless(published++ < 100000);
        framebus_writer_dispatch(writer);
        sample = gst_app_sink_try_pull_sample(GST_APP_SINK(child(reader, "out")),
                                              delivered ? 0 : 10 * GST_MSECOND);
        delivered += sample != NULL;
        if (sample)
            gst_sample_unref(sample);
    }
    pipeline_end(reader);
    framebus_writer_close(writer);
    for (guint i = 0; i < count; i++)
        g_bytes_unref(blocks[i]);
    g_free(blocks);
    g_rand_free(chance);
}
