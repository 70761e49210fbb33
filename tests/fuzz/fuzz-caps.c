/* SPDX-License-Identifier: MIT */
/* Caps text of a foreign writer, on its way into GStreamer. */
#include "fuzz.h"

#include "caps.h"

/* GStreamer has a warning for each caps text that is none. */
static void say_nothing(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer user)
{
    (void)domain;
    (void)level;
    (void)text;
    (void)user;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static bool prepared;
    if (!prepared) {
        gst_init(NULL, NULL);
        gst_debug_remove_log_function(NULL);
        g_log_set_default_handler(say_nothing, NULL);
        fuzz_prepare();
    }
    prepared = true;

    uint8_t how = take_byte(&in);
    struct framebus_format format;
    uint32_t width = 1 + take_byte(&in), height = 1 + take_byte(&in);
    if (how & 1) {
        if (framebus_format_init(&format, framebus_format_by_name("I420")->fourcc, width, height))
            return 0;
        take_bytes(&in, &format.color, sizeof format.color);
        take_bytes(&in, &format.rate_num, sizeof format.rate_num);
        take_bytes(&in, &format.rate_den, sizeof format.rate_den);
        take_bytes(&in, &format.aspect_num, sizeof format.aspect_num);
        take_bytes(&in, &format.aspect_den, sizeof format.aspect_den);
        if (how & 2) /* tiles */
            take_bytes(&in, &format.modifier, sizeof format.modifier);
    }
    size_t left = in.left < 4000 ? in.left : 4000;
    char *caps = malloc(left + 1);
    must(caps);
    take_bytes(&in, caps, left);
    caps[left] = '\0';
    if (!(how & 1) && framebus_format_init_opaque(&format, caps, 1000)) {
        free(caps);
        return 0;
    }
    format.caps = caps;
    if (!framebus_format_check(&format)) { /* as a reader does before anybody else sees it */
        GstVideoInfo info;
        char *why = NULL;
        GstCaps *made = caps_from_format(&format, &info, &why);
        must(made || why);
        if (made) {
            must(gst_caps_is_fixed(made));
            gst_caps_unref(made);
        }
        g_free(why);
    }
    free(caps);
    return 0;
}
