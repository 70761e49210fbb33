/* SPDX-License-Identifier: MIT */
/* Metas that travel from a process into another one, and what happens if their blocks are garbled on the way.
 */
#ifndef GST_FRAMEBUS_JOURNEY_H
#define GST_FRAMEBUS_JOURNEY_H

#include "fixture.h"

struct journey {
    const char *caps;
    gsize size;                        /* of the buffer */
    void (*attach)(GstBuffer *buffer); /* in the writer's process, without checks */
    void (*check)(GstBuffer *buffer);  /* that has arrived */
    void (*use)(
        GstBuffer *buffer); /* as an element would that trusts what is there; NULL: it is enough to free it */
    guint32 tag;            /* of its block */
};

/* If the arguments are those of a writer that journey_travel() has started, writes and does not return. */
void journey_serve(int argc, char **argv, const struct journey *journeys);

/* Starts this program as the writer of a journey, and checks in this process what arrives. */
void journey_travel(const struct journey *journeys, guint index);

/* Cuts the block of the journey, changes each of its bytes, and reads it each time. */
void journey_garble(const struct journey *journey);

/* Reads a bus whose frames have all blocks, with bytes of them changed, by a pipeline of the elements: each
 * frame arrives. */
void journey_deceive(const struct journey *journeys, guint count);

#endif
