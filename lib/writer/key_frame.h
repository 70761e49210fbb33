/* SPDX-License-Identifier: MIT */
/* Who needs a key frame: readers that came, missed something or asked for one; and when the writer's program
 * is told. */
#ifndef FRAMEBUS_WRITER_KEY_FRAME_H
#define FRAMEBUS_WRITER_KEY_FRAME_H

#include <stdbool.h>
#include <stdint.h>

struct framebus_writer;
struct peer;

struct key_frames {
    bool wanted;     /* some reader does, and the program was not told yet */
    bool noticed;    /* the program has been woken for that */
    int64_t next_at; /* when it may be told */
};

/* A reader has come, and sees its first frame. */
void key_frames_want(struct framebus_writer *w);

/* Looks whether a reader in a pool of payloads has missed something since, or has asked. */
void key_frames_look(struct framebus_writer *w, struct peer *peer);

/* A frame was published: a key frame is what all were waiting for. Else wakes the program if it is time. */
void key_frames_note(struct framebus_writer *w, uint32_t flags, int64_t now);

/* Another thread than the program's has heard the notice. */
void key_frames_unheard(struct framebus_writer *w);

/* Returns true once for each wish, or for all that come within a second. */
bool key_frames_take(struct framebus_writer *w, int64_t now);

#endif
