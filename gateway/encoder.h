/* SPDX-License-Identifier: MIT */
/* The encoders that GStreamer may have, the ones to prefer first. */
#ifndef GATEWAY_ENCODER_H
#define GATEWAY_ENCODER_H

#include <stdbool.h>

struct encoder;

/* The encoder with this name, NULL if there is none. */
const struct encoder *encoder_find(const char *name);

const char *encoder_name(const struct encoder *encoder);

/* True if it encodes a few pictures here; takes a moment. *why otherwise is a sentence, to be freed. */
bool encoder_works(const struct encoder *encoder, char **why);

/* The first one that works, NULL if none does. */
const struct encoder *encoder_choose(void);

/* Tells on standard output which work. Returns how many do. */
int encoder_list(void);

/* What the pictures must be that it is given, as fields of caps. */
const char *encoder_caps(const struct encoder *encoder);

/* The elements from a raw picture to RTP packets, the last one called pay0; to be freed. A key frame is made
 * every `interval` frames. */
char *encoder_launch(const struct encoder *encoder, unsigned kbit, unsigned interval);

#endif
