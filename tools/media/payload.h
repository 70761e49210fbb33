/* SPDX-License-Identifier: MIT */
/* Formats of frames that are not pictures, from caps as GStreamer writes them. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include "framebus.h"

/*
 * Makes a format of caps such as "image/jpeg, framerate=25/1": any media type but video/x-raw, with what they
 * say about size, rate and shape of pixels. Returns NULL, or what is wrong. The text must outlive *format.
 */
const char *payload_format(const char *caps, struct framebus_format *format);

#endif
