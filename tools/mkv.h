/* SPDX-License-Identifier: MIT */
/* Matroska files, through GStreamer. */
#ifndef MKV_H
#define MKV_H

#include "shot.h"

/* Writes to `fd`, the caller's. Pictures are compressed without loss, JPEG and H.264 stored as they are. NULL
 * once the reason is said: framebus was built without GStreamer, or plugins are missing. */
struct sink *mkv_sink(int fd);

/* Reads pictures; with `payload` JPEG, H.264 and the like as they are stored. */
struct source *mkv_source(const char *path, int interrupts, bool payload);

#endif
