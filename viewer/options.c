/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framebus.h"

#define SCREENSHOT_TIMEOUT_NS 10000000000ll

static const char usage[] = "Usage: framebus-view [OPTION...] [BUS...]\n";

static const char help[] = "Shows what is published on a framebus, several buses side by side. Waits for\n"
                           "writers that are not there yet, and goes on with the next one when one leaves.\n"
                           "\n"
                           "Window\n"
                           "  -f, --fullscreen       begin in full screen\n"
                           "  -g, --geometry WxH[+X+Y]\n"
                           "                         size and place of the window (default: the picture's)\n"
                           "  -t, --title TEXT       title of the window (default: the bus's name)\n"
                           "  -i, --overlay          begin with the information overlay\n"
                           "      --scale HOW        enlarge pictures 'linear' (default) or 'nearest'\n"
                           "      --fps-limit RATE   show at most so many frames a second\n"
                           "      --vsync, --no-vsync\n"
                           "                         wait for the display's refresh (default), or do not\n"
                           "      --latest           show the newest frame; it always does\n"
                           "      --driver NAME      SDL video driver: x11, wayland, KMSDRM, dummy, ...\n"
                           "      --renderer NAME    SDL render driver: opengl, opengles2, software\n"
                           "      --dmabuf HOW       let the graphics processor read frames where they are:\n"
                           "                         'auto' (default), 'no', or 'always', in software too\n"
                           "\n"
                           "Scripts\n"
                           "  -s, --screenshot FILE  write what the window shows after the first frame (or\n"
                           "                         after --frames N) as PNG and exit; works without a\n"
                           "                         display; - is standard output\n"
                           "  -n, --frames N         exit after N frames\n"
                           "      --exit-on-eos      exit when the stream ends or its writer goes away\n"
                           "      --timeout SECONDS  give up when no frame comes for so long\n"
                           "                         (default: never; with --screenshot: 10)\n"
                           "      --stats            when it exits, tell on standard error how many frames\n"
                           "                         were shown and missed, rates, age and jitter\n"
                           "\n"
                           "  -h, --help             this text\n"
                           "  -V, --version          the version\n"
                           "\n"
                           "Keys\n"
                           "  q, Esc  quit            Space, p  pause           i, Tab  information\n"
                           "  f       full screen     .         next frame      h, ?    keys\n"
                           "  1, 2    100 %, 200 %    r         turn            s       save as PNG\n"
                           "  0       fit             m         mirror          o       hide the pointer\n"
                           "  +, -    zoom            g         all, or one     [, ]    choose a bus\n"
                           "  x       pixel values at the pointer, and a histogram\n"
                           "The wheel zooms at the pointer, dragging moves it, a double click is f.\n"
                           "\n"
                           "Exit status: 0 all went well, 1 an error, 2 wrong arguments, 3 no frame within\n"
                           "--timeout, 4 the writer vanished without an end of stream (--exit-on-eos).\n";

enum {
    OPTION_SCALE = 256,
    OPTION_FPS_LIMIT,
    OPTION_NO_VSYNC,
    OPTION_VSYNC,
    OPTION_LATEST,
    OPTION_DMABUF,
    OPTION_DRIVER,
    OPTION_RENDERER,
    OPTION_EXIT_ON_EOS,
    OPTION_TIMEOUT,
    OPTION_STATS,
};

static const struct option long_options[] = {
    {"fullscreen", no_argument, NULL, 'f'},
    {"geometry", required_argument, NULL, 'g'},
    {"title", required_argument, NULL, 't'},
    {"overlay", no_argument, NULL, 'i'},
    {"scale", required_argument, NULL, OPTION_SCALE},
    {"fps-limit", required_argument, NULL, OPTION_FPS_LIMIT},
    {"no-vsync", no_argument, NULL, OPTION_NO_VSYNC},
    {"vsync", no_argument, NULL, OPTION_VSYNC},
    {"latest", no_argument, NULL, OPTION_LATEST},
    {"dmabuf", required_argument, NULL, OPTION_DMABUF},
    {"driver", required_argument, NULL, OPTION_DRIVER},
    {"renderer", required_argument, NULL, OPTION_RENDERER},
    {"screenshot", required_argument, NULL, 's'},
    {"frames", required_argument, NULL, 'n'},
    {"exit-on-eos", no_argument, NULL, OPTION_EXIT_ON_EOS},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"stats", no_argument, NULL, OPTION_STATS},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

__attribute__((format(printf, 1, 2))) static bool wrong(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "framebus-view: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry 'framebus-view --help'.\n");
    return false;
}

static bool parse_positive(const char *option, const char *text, const char *unit, double most, double *value)
{
    char *end;

    errno = 0;
    *value = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(*value) || *value <= 0 || *value > most)
        return wrong("--%s '%s' is not a number of %s above 0 and up to %.0f", option, text, unit, most);
    return true;
}

static bool parse_count(const char *text, uint64_t *count)
{
    char *end;

    errno = 0;
    *count = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || !*count)
        return wrong("--frames '%s' is not a whole number above 0", text);
    return true;
}

static bool parse_scale(const char *text, bool *nearest)
{
    *nearest = strcmp(text, "nearest") == 0;
    return *nearest || strcmp(text, "linear") == 0 ||
           wrong("--scale '%s' is neither linear nor nearest", text);
}

static bool parse_dmabuf(const char *text, enum window_dmabuf *dmabuf)
{
    static const char *const names[] = {
        [WINDOW_DMABUF_AUTO] = "auto",
        [WINDOW_DMABUF_ALWAYS] = "always",
        [WINDOW_DMABUF_NO] = "no",
    };

    for (unsigned i = 0; i < SDL_arraysize(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *dmabuf = (enum window_dmabuf)i;
            return true;
        }
    }
    return wrong("--dmabuf '%s' is none of auto, always and no", text);
}

static bool parse_timeout(const char *text, int64_t *ns)
{
    double seconds;

    if (!parse_positive("timeout", text, "seconds", 1e9, &seconds))
        return false;
    *ns = (int64_t)(seconds * 1e9);
    return *ns > 0 || wrong("--timeout '%s' is too short", text);
}

static bool parse_option(struct options *options, int option, const char *text)
{
    struct window_options *window = &options->window;

    switch (option) {
    case 'f':
        return window->fullscreen = true;
    case 'g':
        return geometry_parse(text, &window->size, &window->x, &window->y) ||
               wrong("--geometry '%s' is not of the form WIDTHxHEIGHT or WIDTHxHEIGHT+X+Y", text);
    case 't':
        window->title = text;
        return true;
    case 'i':
        return options->info = true;
    case 's':
        options->screenshot = text;
        return *text || wrong("--screenshot needs the name of a file");
    case 'n':
        return parse_count(text, &options->frames);
    case OPTION_SCALE:
        return parse_scale(text, &options->nearest);
    case OPTION_FPS_LIMIT:
        return parse_positive("fps-limit", text, "frames a second", 1000, &options->fps_limit);
    case OPTION_NO_VSYNC:
        return window->no_vsync = true;
    case OPTION_VSYNC:
        window->no_vsync = false;
        return true;
    case OPTION_LATEST:
        return true; /* it never shows another */
    case OPTION_DMABUF:
        return parse_dmabuf(text, &window->dmabuf);
    case OPTION_DRIVER:
        window->driver = text;
        return true;
    case OPTION_RENDERER:
        window->renderer = text;
        return true;
    case OPTION_EXIT_ON_EOS:
        return options->exit_on_eos = true;
    case OPTION_TIMEOUT:
        return parse_timeout(text, &options->timeout_ns);
    case OPTION_STATS:
        return options->statistics = true;
    }
    return false;
}

bool options_parse(struct options *options, int argc, char **argv, int *status)
{
    int option;

    *options = (struct options){.window = {.x = SDL_WINDOWPOS_UNDEFINED, .y = SDL_WINDOWPOS_UNDEFINED}};
    *status = EXIT_USAGE;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":fg:t:is:n:hV", long_options, NULL)) != -1) {
        const char *given = argv[optind - 1];
        if (option == 'h' || option == 'V') {
            *status = EXIT_OK;
            if (option == 'h')
                printf("%s%s", usage, help);
            else
                printf("framebus-view %s\n", framebus_version());
            return false;
        }
        if (option == ':')
            return wrong("%s needs a value", given);
        if (option == '?')
            return strncmp(given, "--", 2) ? wrong("there is no option -%c", optopt)
                                           : wrong("%s is no option, or takes no value", given);
        if (!parse_option(options, option, optarg))
            return false;
    }
    if (optind == argc && (options->screenshot || options->frames || options->exit_on_eos))
        return wrong("which bus? 'framebus ls' lists those that are live");

    options->name = argv + optind;
    options->names = argc - optind;
    options->window.no_display = options->screenshot != NULL;
    if (options->screenshot && !options->timeout_ns)
        options->timeout_ns = SCREENSHOT_TIMEOUT_NS;
    if (options->screenshot && !options->frames)
        options->frames = 1;
    return true;
}
