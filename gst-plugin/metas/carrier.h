/* SPDX-License-Identifier: MIT */
/*
 * A kind of meta that travels: how it becomes a block of a frame's metadata, and a meta again in another
 * process. Each is one of the files beside this one, or comes with a plugin of its own:
 *
 *   caption, ancillary  closed captions; ancillary data, AFD, bars, SEI messages
 *   reference, timecode times
 *   region, overlay     parts of the picture, pictures over it
 *   transformation      how it is to be turned
 *   alpha               its coded alpha channel
 *   audio               planes, levels, clipping, downmix
 *   custom              what applications have registered
 *   block               the bytes
 */
#ifndef GST_FRAMEBUS_CARRIER_H
#define GST_FRAMEBUS_CARRIER_H

#include "block.h"

#include <framebus.h>
#include <gst/audio/audio.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define FRAMEBUS_TAG(a, b, c, d) ((guint32)(a) | (guint32)(b) << 8 | (guint32)(c) << 16 | (guint32)(d) << 24)

/* What a meta is written to. */
struct meta_output {
    struct framebus_frame *frame;
    const GstBuffer *buffer; /* that has the meta */
    GByteArray *bytes;
    guint32 tag;         /* the carrier's */
    const char *why_not; /* to be set where a meta cannot travel that could have been expected to */
};

/* Of meta.c, for all that is said of metas. */
GST_DEBUG_CATEGORY_EXTERN(framebus_meta_debug);

/* What a meta is restored for. */
struct meta_target {
    GstBuffer *buffer; /* with its timestamps */
    const struct framebus_frame *frame;
    const struct framebus_rect *cut; /* the part of the picture that the buffer has; of no width: all of it */
    const GstAudioInfo *audio;       /* of the caps; finfo is NULL for anything but raw audio */
};

struct meta_carrier {
    guint32 tag; /* of the block, in which a number stands for `version`, if that is not zero, and then what
                    write() puts there; a reader leaves out blocks of another version */
    guint32 version;
    GType (*api)(void);

    /* Puts the meta into output->bytes. Returns FALSE if no block is needed. */
    gboolean (*write)(const GstMeta *meta, struct meta_output *output);

    /* Adds a meta to the buffer. Returns FALSE if the block makes no sense. */
    gboolean (*restore)(struct block *block, const struct meta_target *target);
};

struct meta_carriers {
    const struct meta_carrier *const *carrier;
    guint count;
};

/* Of this name a plugin has its carriers as data of its GstPlugin. The number changes when these structs do.
 */
#define META_CARRIERS_KEY "framebus-meta-carriers-1"

extern const struct meta_carrier caption_carrier;
extern const struct meta_carrier afd_carrier;
extern const struct meta_carrier bar_carrier;
extern const struct meta_carrier ancillary_carrier;
extern const struct meta_carrier sei_carrier;
extern const struct meta_carrier reference_carrier;
extern const struct meta_carrier timecode_carrier;
extern const struct meta_carrier region_carrier;
extern const struct meta_carrier overlay_carrier;
extern const struct meta_carrier transformation_carrier;
extern const struct meta_carrier alpha_carrier;
extern const struct meta_carrier audio_carrier;
extern const struct meta_carrier audio_level_carrier;
extern const struct meta_carrier audio_clipping_carrier;
extern const struct meta_carrier audio_downmix_carrier;
extern const struct meta_carrier own_block_carrier; /* without tag and API: see FRAMEBUS_BLOCK_META */
extern const struct meta_carrier custom_carrier;    /* without API: all that applications have registered */

/* Adds the times that a program in C has told, of which no meta of the buffer tells more. */
void reference_restore_clock_times(GstBuffer *buffer, const struct framebus_frame *frame);

/* Makes a block of an application's own a custom meta. */
void own_block_restore(GstBuffer *buffer, guint32 tag, gconstpointer data, gsize size);

G_END_DECLS

#endif
