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
    int bell;        /* eventfd in the set of framebus_writer_fd() */
    bool wanted;     /* some reader does, and the program was not told yet */
    bool rung;       /* the bell has been, for that */
    bool rings;      /* the bell is readable */
    int64_t next_at; /* when the program may be told */
};

/* Come before server_open(), and after server_close(). */
void key_frames_init(struct framebus_writer *w);
void key_frames_close(struct framebus_writer *w);

/* Opens the bell. */
bool key_frames_open(struct framebus_writer *w);

/* A reader has come, and sees its first frame. */
void key_frames_want(struct framebus_writer *w);

/* Looks whether a reader in a pool of payloads has missed something since, or has asked. */
void key_frames_look(struct framebus_writer *w, struct peer *peer);

/* A frame was published: a key frame is what all were waiting for. Else rings if it is time. */
void key_frames_note(struct framebus_writer *w, uint32_t flags, int64_t now);

/* Makes the bell fall silent. Unless its program `heard` it, it is rung again. */
void key_frames_silence(struct framebus_writer *w, bool heard);

/* Returns true once for each wish, or for all that come within a second. */
bool key_frames_take(struct framebus_writer *w, int64_t now);

#endif
