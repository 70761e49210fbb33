/* SPDX-License-Identifier: MIT */
/* Matroska files, through GStreamer, which is loaded when the first one is opened. */
#ifndef MKV_H
#define MKV_H

#include "media/media.h"

/* Writes to `fd`, the caller's. Pictures are compressed without loss, JPEG and H.264 stored as they are. NULL
 * once the reason is reported: framebus was built without GStreamer, or plugins are missing. */
struct sink *mkv_sink_open(int fd);

/* Reads pictures; with `payload` JPEG, H.264 and the like as they are stored. */
struct source *mkv_source_open(const char *path, int interrupts, bool payload);

#endif
