/* SPDX-License-Identifier: MIT */
/* A writer made by hand, and tricks that it plays on readers. */
#ifndef FRAMEBUS_TEST_FAKE_WRITER_H
#define FRAMEBUS_TEST_FAKE_WRITER_H

#include "harness.h"

#include "base/region.h"
#include "base/socket.h"
#include "shared/slots.h"

#define FAKE_SLOTS 8
#define FAKE_META  16384 /* bytes of metadata in a frame */

/* A writer made by hand, of good parts until a test spoils some. */
struct fake {
    int listener, peer;
    int event, bell;
    struct region region;
    void *page;
    int page_fd;
    struct layout_header *header;
    struct layout_index *index;
    struct layout_slot *table;
    struct slots slots;
    struct slot_note notes[FAKE_SLOTS];
    struct message_welcome welcome;
    struct message_pool pool;
    int fds[8]; /* that go with POOL */
    unsigned fd_count;
};

/* Its parts. The fake in play_all() has listened and prepared, and has met its reader when a trick is
 * played. */
void fake_listen(struct fake *f, const char *name);
void fake_meet(struct fake *f);
void fake_seal(struct fake *f);
void fake_welcome(struct fake *f);
void fake_offer(struct fake *f);
void fake_send(struct fake *f, const void *bytes, size_t size, const int *fds, unsigned fd_count);

struct trick {
    const char *name;
    void (*before)(struct fake *f); /* the pool is made, and not sealed yet */
    void (*play)(struct fake *f);   /* in place of sealing, WELCOME and POOL */
    int error;                      /* of open, or of the first next that says anything */
    const char *word;
    /* A field to overwrite, of what `of` returns [the header], when `before` is done. */
    void *(*of)(struct fake *f);
    size_t offset, size;
    uint64_t value;
};

/* That field, in a trick. */
#define SPOIL(of_what, type, field, bad)                                                                     \
    .name = #field " = " #bad, .of = of_what, .offset = offsetof(struct type, field),                        \
    .size = sizeof(((struct type *)0)->field), .value = (uint64_t)(bad)

/* Plays each to a reader of its own, and checks what the reader makes of it. */
void play_all(const struct trick *tricks, size_t count);

#define PLAY(tricks) play_all(tricks, sizeof(tricks) / sizeof *(tricks))

/* For spawn(): one trick. */
void play_one(const void *trick);

#endif
