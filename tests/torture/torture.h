/* SPDX-License-Identifier: MIT */
/*
 * Random writers and readers of a few buses, each a process of its own, and a supervisor that stops and
 * kills them and moves their directory about.
 *
 *   test-torture.c   the supervisor: test-torture SECONDS [SEED]
 *   peer.c           what it executes: torture-peer writer|reader SEED BUS PLACE LEDGER-FD
 *   peer-writer.c    a writer, as its seed will have it
 *   peer-reader.c    a reader; it checks every frame
 *   common.c         what supervisor and peers share
 *   frames.c         frames that show which they are and whether they are whole
 *
 * All share a ledger, in which each notes what it does before and after it does it; so it holds the truth
 * also about those that were killed. A seed stands for the same peers and the same blows in the same order;
 * what meets when is the machine's.
 */
#ifndef FRAMEBUS_TORTURE_H
#define FRAMEBUS_TORTURE_H

#include "../process/harness.h"

#include <inttypes.h>

#define BUSES  4
#define PLACES 28   /* for processes that run at the same time */
#define LIVES  4096 /* of the last writers something is known */

enum figure {
    PUBLISHED,
    CHECKED, /* frames delivered, and found whole or counted below */
    CHECKED_BYTES,
    MISSED,
    POOLS, /* formats changed, larger payloads */
    ENDED, /* streams, seen by a reader */
    FOLLOWED,
    DEMOTED,
    REFUSED, /* opens and knocks, for a reason that may be */
    KEPT,    /* frames looked at after close */
    CLOCKS,  /* peers with another one */
    TORN,
    DISORDERED,
    UNTOLD, /* missed by another number than was told, or without need */
    FIGURES,
};

struct life {
    _Atomic uint32_t number; /* of this life, to be sure */
    _Atomic uint32_t history;
    _Atomic uint64_t begun;      /* frames that are published, perhaps */
    _Atomic uint64_t published;  /* for certain */
    _Atomic uint64_t pool_first; /* number of the present pool's first frame */
};

struct place {
    _Atomic uint32_t turn;       /* how many have had this place */
    _Atomic uint32_t demoted_in; /* the last life in which its reader was made live */
    _Atomic uint64_t progress;   /* rises with everything that is not waiting */
    _Atomic int result;          /* of the last call */
};

struct ledger {
    _Atomic uint64_t figure[FIGURES];
    _Atomic uint32_t lives;
    struct life life[LIVES];
    struct place place[PLACES];
};

static inline struct life *life_at(struct ledger *ledger, uint32_t number)
{
    return &ledger->life[number % LIVES];
}

const char *bus_name(unsigned bus);

/* ---- chance ---- */

uint64_t mix(uint64_t x);
uint64_t dice(void); /* 64 bits */
void dice_seed(uint64_t seed);
uint64_t below(uint64_t n);
bool one_in(uint64_t n);

/* ---- frames ---- */

struct stamp {
    uint32_t bus, life;
    uint64_t number; /* of the frame in this life: its sequence */
};

/* The smallest frame in which there is room. */
#define FRAME_MIN 1024

/* Fills in bytes, metadata and capture time. */
void frame_stamp(struct framebus_frame *frame, const struct stamp *stamp);

/* False if anything in the frame is not what frame_stamp() wrote. */
bool frame_verify(const struct framebus_frame *frame, struct stamp *stamp);

/* ---- a peer ---- */

extern struct ledger *ledger;
extern unsigned my_bus;
extern struct place *my_place;
extern struct life *my_life;  /* a writer's */
extern _Atomic bool stopping; /* asked to by SIGTERM ... */
extern int stop_fd;           /* ... and readable then */

void count(enum figure figure, uint64_t n);
static inline void progress(int result)
{
    my_place->result = result;
    my_place->progress++;
}

/* Tells what is wrong, counts it unless it is FIGURES, and ends the process without success. */
_Noreturn void wrong(enum figure figure, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define expect(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            wrong(FIGURES, "%s:%d: not so: %s (%s)", __FILE__, __LINE__, #condition, framebus_last_error()); \
    } while (0)

void run_writer(void);
void run_reader(void);

#endif
