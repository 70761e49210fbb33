/* SPDX-License-Identifier: MIT */
/* The module with GStreamer in it: the functions behind mkv.h. */
#ifndef MKV_MODULE_H
#define MKV_MODULE_H

#include "media/media.h"

struct mkv_functions {
    struct sink *(*sink_open)(int fd);
    struct source *(*source_open)(const char *path, int interrupts, bool payload);
};

/* Starts GStreamer; false, and reported, if it does not. */
bool mkv_module_start(void);

/* See mkv.h. */
struct sink *mkv_module_sink_open(int fd);
struct source *mkv_module_source_open(const char *path, int interrupts, bool payload);

#endif
