/* SPDX-License-Identifier: MIT */
/* framebus display: shows a bus on a screen without a window system. */
#include "display/display.h"
#include "cli/values.h"
#include "command.h"
#include "interrupts.h"
#include "module.h"

#include <dlfcn.h>

static int display_run(int argc, char **argv)
{
    struct display_settings settings = {0};
    int status;
    if (!options_read(&command_display.usage, argc, argv, &settings, &status))
        return status;
    const struct display_functions *functions = module_open("framebus-display.so");
    if (!functions)
        return report_error(
            "this needs a module with libdrm: %s; in a window 'framebus-view %s' shows the bus", dlerror(),
            argv[optind]);
    return functions->run(&settings, argv[optind], interrupts_open(0, STATUS_FAILED));
}

#define DISPLAY_FIELD(name) offsetof(struct display_settings, name)

static const struct option_row display_options[] = {
    {"device", 'd', "FILE", value_text, DISPLAY_FIELD(device),
     "the display driver [the first /dev/dri/card* with a screen]"},
    {"frames", 'n', "N", value_count, DISPLAY_FIELD(frames), "end after N frames"},
    {"copy", 'c', NULL, NULL, DISPLAY_FIELD(copy), "copy each frame, also where it could be shown in place"},
    {0},
};

static const struct usage_term display_statuses[] = {
    {"0", "the writer closed the bus, the last frame was shown, or a signal came"},
    {"1", "it failed; the reason is on standard error"},
    {"2", "wrong command line"},
    {0},
};

const struct command command_display = {
    .usage =
        {
            .name = "framebus display",
            .arguments = "[OPTION]... NAME",
            .summary = "show a bus on a screen without a window system",
            .text =
                "Shows a bus on a screen without X or Wayland, at the rate of the screen; Ctrl-C gives the "
                "screen back as it was. Where the frames are DMA-BUFs that the display driver takes, as "
                "'framebus "
                "camera' makes them, they are shown in place; else each frame is copied once, if it is BGRx "
                "or "
                "BGRA. Which of the two is said at the beginning, and at the end how many were copied.",
            .options = display_options,
            .statuses = display_statuses,
            .examples = "framebus display cam0\n"
                        "framebus display --device /dev/dri/card1 cam0\n",
            .operand = {"the name of a bus"},
        },
    .run = display_run,
};
