/* SPDX-License-Identifier: MIT */
#include "options.h"
#include "cli/clock.h"
#include "cli/options.h"
#include "cli/values.h"
#include "framebus.h"

#include <string.h>

#define SCREENSHOT_TIMEOUT_NS (10 * NS_PER_S)
#define FPS_MAX               1000

static const char *parse_geometry(const char *text, void *field)
{
    struct window_options *window = field;
    return geometry_parse(text, &window->size, &window->x, &window->y)
               ? NULL
               : "is not of the form WIDTHxHEIGHT or WIDTHxHEIGHT+X+Y";
}

static const char *parse_title(const char *text, void *field)
{
    *(const char **)field = text; /* may be empty */
    return NULL;
}

static const char *parse_scale(const char *text, void *field)
{
    static const char *const names[] = {"linear", "nearest"};
    int choice = value_choice(text, names, 2);
    *(bool *)field = choice == 1;
    return choice >= 0 ? NULL : "is not linear or nearest";
}

static const char *parse_fps(const char *text, void *field)
{
    double fps;
    if (value_factor(text, &fps) || fps > FPS_MAX)
        return "is not a number of frames a second above 0 and up to 1000";
    *(double *)field = fps;
    return NULL;
}

static const char *parse_vsync(const char *text, void *field)
{
    (void)text;
    *(bool *)field = false; /* of no_vsync */
    return NULL;
}

static const char *parse_dmabuf(const char *text, void *field)
{
    static const char *const names[] = {
        [WINDOW_DMABUF_AUTO] = "auto",
        [WINDOW_DMABUF_ALWAYS] = "always",
        [WINDOW_DMABUF_NO] = "no",
    };
    int choice = value_choice(text, names, 3);
    if (choice < 0)
        return "is not auto, always or no";
    *(enum window_dmabuf *)field = (enum window_dmabuf)choice;
    return NULL;
}

#define FIELD(name) offsetof(struct options, name)

static const struct option_row view_options[] = {
    {.help = "Window"},
    {"fullscreen", 'f', NULL, NULL, FIELD(window.fullscreen), "begin in full screen"},
    {"geometry", 'g', "WxH[+X+Y]", parse_geometry, FIELD(window),
     "size and place of the window [the size of the picture, until somebody changes that of the window]"},
    {"title", 't', "TEXT", parse_title, FIELD(window.title), "title of the window [the name of the bus]"},
    {"overlay", 'i', NULL, NULL, FIELD(info), "begin with the information overlay"},
    {"scale", 0, "HOW", parse_scale, FIELD(nearest), "how pictures are enlarged: linear or nearest [linear]"},
    {"fps-limit", 0, "RATE", parse_fps, FIELD(fps_limit),
     "show at most RATE frames a second [as many as the display can]"},
    {"vsync", 0, NULL, parse_vsync, FIELD(window.no_vsync),
     "wait for the refresh of the display, which is the default. Software drawing on X11 cannot"},
    {"no-vsync", 0, NULL, NULL, FIELD(window.no_vsync), "do not wait for it"},
    {"latest", 0, NULL, NULL, FIELD(latest),
     "show the newest frame, not every one in turn. The viewer always does; scripts may say so"},
    {"driver", 0, "NAME", value_text, FIELD(window.driver),
     "the video driver of SDL: x11, wayland, KMSDRM (a bare console), offscreen, dummy"},
    {"renderer", 0, "NAME", value_text, FIELD(window.renderer),
     "the render driver of SDL: opengl, opengles2, software [OpenGL ES or OpenGL, if a graphics card does "
     "the work]"},
    {"dmabuf", 0, "HOW", parse_dmabuf, FIELD(window.dmabuf),
     "whether the graphics processor reads frames that are in DMA-BUFs where they are, without an upload: "
     "auto, no, or "
     "always, which tries it with an OpenGL that runs on the CPU, too, and may crash [auto]"},
    {.help = "Scripts"},
    {"screenshot", 's', "FILE", value_text, FIELD(screenshot),
     "write the window after the first frame (after the last one with --frames) as a PNG file and exit; "
     "works without "
     "a display; - is standard output"},
    {"frames", 'n', "N", value_count, FIELD(frames), "exit after N frames of each bus"},
    {"exit-on-eos", 0, NULL, NULL, FIELD(exit_on_eos), "exit when the stream ends or its writer goes away"},
    {"timeout", 0, "SECONDS", value_duration, FIELD(timeout_ns),
     "give up when no frame comes within SECONDS [wait without limit; 10 with --screenshot]"},
    {"stats", 0, NULL, NULL, FIELD(statistics),
     "at the end print a line for each bus on standard error: frames shown and missed; rates, age and jitter "
     "of the "
     "last three seconds; frames that came by DMA-BUF and by upload"},
    {.help = "Other"},
    {0},
};

static const struct usage_term view_keys[] = {
    {NULL, "Keys"},
    {"q, Esc", "quit"},
    {"f, double click", "full screen"},
    {"Space, p", "pause"},
    {".", "next frame, and pause"},
    {"1, 2", "100 %, 200 %"},
    {"0", "fit the window"},
    {"+, -, wheel", "zoom; the wheel zooms at the pointer"},
    {"drag", "move a picture that is zoomed"},
    {"r, m", "turn clockwise, mirror"},
    {"g", "all buses, or the chosen one alone"},
    {"[, ], click", "choose a bus"},
    {"s", "save the picture as BUS-DATE-TIME-FRAME.png"},
    {"i, Tab", "information"},
    {"x", "pixel values at the pointer, and a histogram"},
    {"o", "hide or show the pointer"},
    {"h, ?", "show the keys"},
    {"Backspace", "back to the list of buses, if the viewer began with it"},
    {0},
};

static const struct usage_term view_statuses[] = {
    {"0", "all went well; also when the viewer was closed by hand"},
    {"1", "an error: no display, a file that cannot be written, a picture that cannot be shown"},
    {"2", "wrong command line"},
    {"3", "no frame within --timeout"},
    {"4", "the writer vanished without an end of stream (--exit-on-eos)"},
    {0},
};

static const struct usage view_usage = {
    .name = "framebus-view",
    .arguments = "[OPTION]... [BUS]...",
    .summary = "show what is published on a framebus",
    .text = "Opens a window with the live picture of a bus, or of several side by side. A BUS is a name as "
            "'framebus "
            "ls' lists it, or the path of its socket. Without one, the viewer lists the buses, follows as "
            "they come "
            "and go, and shows the one that is chosen.\n"
            "\n"
            "It waits for writers that are not there yet, and goes on with the next one when one leaves.",
    .terms = view_keys,
    .options = view_options,
    .statuses = view_statuses,
    .examples = "framebus-view cam0 cam1 cam2 cam3\n"
                "framebus-view cam0 --screenshot now.png\n"
                "framebus-view cam0 --driver dummy --frames 1 --timeout 2\n",
    .more = true,
    .version = framebus_version,
};

bool options_parse(struct options *options, int argc, char **argv, int *status)
{
    *options = (struct options){.window = {.x = SDL_WINDOWPOS_UNDEFINED, .y = SDL_WINDOWPOS_UNDEFINED}};
    if (!options_read(&view_usage, argc, argv, options, status))
        return false;
    if (optind == argc && (options->screenshot || options->frames || options->exit_on_eos)) {
        *status = report_usage("which bus? 'framebus ls' lists those that are live");
        return false;
    }
    options->name = argv + optind;
    options->names = (unsigned)(argc - optind);
    options->window.no_display = options->screenshot != NULL;
    if (options->screenshot && !options->timeout_ns)
        options->timeout_ns = SCREENSHOT_TIMEOUT_NS;
    if (options->screenshot && !options->frames)
        options->frames = 1;
    return true;
}
