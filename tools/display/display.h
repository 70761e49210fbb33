/* SPDX-License-Identifier: MIT */
/* The module with libdrm in it, framebus-display.so: shows a bus on a screen. */
#ifndef DISPLAY_H
#define DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct display_settings {
    const char *device; /* of the display driver; NULL: the first one with a screen */
    uint64_t frames;    /* 0: no end */
    bool copy;          /* each frame, also where that is not needed */
};

struct display_functions {
    /* Shows a bus until its writer closes it or `interrupts` can be read. Returns an exit status. */
    int (*run)(const struct display_settings *settings, const char *name, int interrupts);
};

#endif
