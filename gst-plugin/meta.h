/* SPDX-License-Identifier: MIT */
/* What travels beside the pixels: flags, crop, duration and metas. Timestamps are in timing.h. */
#ifndef GST_FRAMEBUS_META_H
#define GST_FRAMEBUS_META_H

#include "metas/carrier.h"

G_BEGIN_DECLS

/*
 * An application's own block is a custom meta of this name, with the fields "tag" (a string of four
 * characters, not beginning with "fb") and "data" (GBytes). In C a reader finds it by
 * framebus_frame_get_meta() with that tag.
 */
#define FRAMEBUS_BLOCK_META "GstFramebusBlock"

/* Registers that meta, and the types of the metas that travel. To be called before the others. */
void meta_register(void);

/* Adds carriers, before any meta travels. They stay. */
void meta_add_carriers(const struct meta_carriers *carriers);

/* Adds those of plugins of ours that depend on more than the elements do. To be called before any meta
 * travels, not while a plugin is loaded; does it once. */
void meta_load_plugins(void);

/*
 * Describes a frame to be published as the buffer is described. Metas that do not fit are left out. Returns
 * their number; if there are any and *why is NULL, *why becomes a sentence about the first of them. What
 * `scratch` holds does not matter, neither before nor after.
 */
guint meta_to_frame(struct framebus_frame *frame, GstBuffer *buffer, GByteArray *scratch, char **why);

/* Describes a buffer, which has its timestamps, as the frame is described. `cut` is the part of the picture
 * that the buffer has, of no width if that is all of it; `audio` describes raw audio, and else nothing. */
void meta_to_buffer(const struct framebus_frame *frame, GstBuffer *buffer, const struct framebus_rect *cut,
                    const GstAudioInfo *audio);

/* Adds what a block of metadata says to the buffer. Returns FALSE if it makes no sense. */
gboolean meta_restore_block(guint32 tag, gconstpointer data, gsize size, const struct meta_target *target);

G_END_DECLS

#endif
