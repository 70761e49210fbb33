/* SPDX-License-Identifier: MIT */
/*
 * The claim protocol of lib/shared/slots.c, step for step: W1-W6, R1-R6 are the names used there.
 *
 * One writer; READERS readers, each of which takes in one thread and releases in another. The first KILLS
 * readers may die before any step, with WRITER_DIES the writer may; with HOSTILE the last reader writes
 * whatever it likes into its page. Memory is sequentially consistent here: order.c is about what it really is.
 *
 * Checked:
 *   - a reader never owns a slot that is being written, and what it owns is whole
 *   - the writer always finds a slot if SLOTS = HISTORY + LENDS + READERS * QUOTA, the slot that it is
 *     looking for being one of the LENDS; the code asks for one more than that
 *   - no frame among the last HISTORY is ever missed
 *   - a reader that keeps the protocol is never thrown out
 *   - in the end, whoever died, the writer can lend every slot that is not history
 *
 * Breaks, each of which must be caught: NO_W3, NO_R4, W2_LATE, R3_LATE, W6_EARLY, NO_HISTORY, NO_EXPEL,
 * NO_REAP, UNCOUNTED_TRY, COUNT_EXPELLED, LATE_FRAME, and SLOTS one less than the bound.
 */
#ifndef READERS
#define READERS 1
#endif
#ifndef QUOTA
#define QUOTA 1
#endif
#ifndef HISTORY
#define HISTORY 1
#endif
#ifndef LENDS
#define LENDS 1
#endif
#ifndef FRAMES
#define FRAMES 4
#endif
#ifndef SLOTS
#define SLOTS (HISTORY + LENDS + READERS * QUOTA)
#endif
#ifndef BITS
#define BITS 8 /* claims in a word: 32 in the code */
#endif
#define WORDS ((SLOTS + BITS - 1) / BITS)
#define RING  (2 * HISTORY)
#define LOOKS 2 /* STEADY_LOOKS */
#define NONE  255
#define HALF  254
#ifdef HOSTILE
#define HONEST (READERS - 1)
#else
#define HONEST READERS
#endif
#ifdef UNCOUNTED_TRY
#define HELD_MAX (QUOTA + 1)
#else
#define HELD_MAX QUOTA
#endif

#define bit(i)     (1 << (i))
#define claim_of(r, i) claims[(r) * WORDS + (i) / BITS]
#define count(x) (((x) & 1) + ((x) >> 1 & 1) + ((x) >> 2 & 1) + ((x) >> 3 & 1) + ((x) >> 4 & 1) + \
                  ((x) >> 5 & 1) + ((x) >> 6 & 1) + ((x) >> 7 & 1))

/* ---- shared memory ---- */

byte version[SLOTS]; /* number of the frame + 1; 0 is VERSION_NONE */
byte ring[RING];
byte head;
byte claims[READERS * WORDS]; /* bit i of a reader's words: slot i */
byte pixels[SLOTS];           /* the frame whose bytes are in the slot; HALF: being written */

/* ---- what the processes are up to, for the checks ---- */

bool done;            /* the writer has published its last, or is dead */
bool writer_dead;
bool dead[READERS];
byte owned[READERS];  /* slots that R4 has found good, until release */
byte mine[READERS];   /* slots that next has returned */
byte held[READERS];   /* the reader's own count */
bool taking[READERS]; /* the reader's taking thread still runs */

/* ---- the writer's private memory ---- */

bool out[READERS];     /* thrown out, or its hang-up was seen */
byte blocked[READERS];
byte lent;
byte filled[SLOTS];    /* head after the frame in it was published; 0: holds none */

#define in_history(i) (filled[i] && head - filled[i] < HISTORY)

inline throw_out(r)
{
    assert(r >= HONEST); /* whoever keeps the protocol stays */
#ifndef NO_EXPEL
    out[r] = true;
#endif
}

inline load_claims(r, words)
{
    words = 0;
    w = 0;
    do
    :: w < WORDS -> d_step { words = words | claims[r * WORDS + w]; w++ }
    :: else -> break
    od;
    w = 0
}

/* Only a reader that holds more than its quota in two equal looks does so for certain. */
inline holds_too_much(r)
{
    steady = false;
    look = 0;
    do
    :: !steady && look < LOOKS && count(seen) > QUOTA ->
       load_claims(r, again);
       d_step { steady = (again == seen); seen = again; again = 0; look++ }
    :: else -> break
    od;
    look = 0
}

inline look_at_claims()
{
    taken = 0;
    r = 0;
    do
    :: r < READERS ->
       if
       :: !out[r] ->
          load_claims(r, seen);
          holds_too_much(r);
          d_step {
              blocked[r] = 0;
              i = 0;
              do
              :: i < SLOTS ->
                 if
                 :: (seen & bit(i)) && !(lent & bit(i)) && !in_history(i) -> blocked[r] = blocked[r] | bit(i)
                 :: else
                 fi;
                 i++
              :: else -> break
              od;
              if
              :: steady || count(blocked[r]) > QUOTA ->
                 throw_out(r);
#ifdef COUNT_EXPELLED
                 if :: !steady -> taken = taken | seen :: else fi
#endif
              :: else
              fi;
              if :: !out[r] -> taken = taken | seen :: else fi;
              i = 0;
              seen = 0;
              steady = false
          }
       :: else
       fi;
       r++
    :: else -> break
    od;
    r = 0
}

inline best_candidate()
{
    d_step {
        best = NONE;
        i = 0;
        do
        :: i < SLOTS ->
           if
#ifdef NO_HISTORY
           :: !(lent & bit(i)) && !(taken & bit(i)) && (best == NONE || filled[i] > filled[best]) -> best = i
#else
           :: !(lent & bit(i)) && !in_history(i) && !(taken & bit(i)) &&
              (best == NONE || filled[i] > filled[best]) -> best = i
#endif
           :: else
           fi;
           i++
        :: else -> break
        od;
        i = 0
    }
}

inline look_at_claims_on_best()
{
    claimed = false;
    r = 0;
#ifndef NO_W3
    do
    :: r < READERS ->
       d_step {
           if
           :: !out[r] && (claim_of(r, best) & bit(best)) ->
              blocked[r] = blocked[r] | bit(best);
              if :: count(blocked[r]) > QUOTA -> throw_out(r) :: else fi;
              claimed = claimed || !out[r]
           :: else
           fi;
           r++
       }
    :: else -> break
    od;
#endif
    r = 0
}

inline take()
{
    look_at_claims(); /* W1 */
    do
    :: best_candidate();
       assert(best != NONE); /* the writer always finds a slot */
#ifdef W2_LATE
       look_at_claims_on_best();
       version[best] = 0;
#else
       version[best] = 0; /* W2 */
       look_at_claims_on_best(); /* W3 */
#endif
       if
       :: !claimed -> break
       :: else -> d_step { version[best] = filled[best]; taken = taken | bit(best) } /* W4: filled is number + 1 */
       fi
    od;
    claimed = false;
    d_step {
        r = 0;
        do
        :: r < HONEST -> assert(dead[r] || !(owned[r] & bit(best))); r++
        :: else -> break
        od;
        r = 0;
        taken = 0;
        filled[best] = 0;
        lent = lent | bit(best);
        pixels[best] = HALF
    }
}

/* A hang-up is seen now, or some other time. */
inline look_at_sockets()
{
    r = 0;
    do
    :: r < READERS ->
       if
       :: dead[r] && !out[r] -> out[r] = true
       :: true
       fi;
       r++
    :: else -> break
    od;
    r = 0
}

inline publish(slot)
{
#ifndef LATE_FRAME
    pixels[slot] = head; /* ... write the frame ... */
#endif
    version[slot] = head + 1; /* W5 */
    filled[slot] = head + 1;
#ifdef W6_EARLY
    head++;
    ring[(head - 1) % RING] = slot;
#else
    ring[head % RING] = slot;
    head++; /* W6 */
#endif
#ifdef LATE_FRAME
    pixels[slot] = head - 1;
#endif
}

proctype writer()
{
    byte best, i, r, w, seen, again, taken, look, n;
    byte waits[LENDS]; /* lent and not published, in the order of begin */
    bool claimed, steady;
    {
        do
        :: n < FRAMES ->
           /* as many begins before a publish as may be lent; an upstream with a queue does that */
           look_at_sockets();
           take();
           waits[n % LENDS] = best;
           n++;
           if
           :: n >= LENDS ->
              publish(waits[n % LENDS]);
              lent = lent & ~bit(waits[n % LENDS])
           :: else
           fi
        :: else -> break
        od;
        lent = 0; /* those not published are cancelled */
        done = true;

        /* Whoever is left ends. Then nothing is claimed but by the dead, and that counts no more. */
        r = 0;
        do
        :: r < HONEST -> (!taking[r] && (dead[r] || held[r] == 0)); r++
        :: else -> break
        od;
#ifndef NO_REAP
        r = 0;
        do
        :: r < READERS -> out[r] = out[r] || dead[r]; r++
        :: else -> break
        od;
#endif
        r = 0;
        n = 0;
        do
#ifdef HOSTILE
        :: n < SLOTS - HISTORY - QUOTA -> take(); n++
#else
        :: n < SLOTS - HISTORY -> take(); n++
#endif
        :: else -> break
        od
    } unless { writer_dead };
    done = true
}

proctype reader(byte me)
{
    byte next, h, s;
    bool good;
    {
        do
        :: held[me] < HELD_MAX && head != next ->
           h = head; /* R1 */
           if :: h - next > HISTORY -> next = h - HISTORY :: else fi;
           s = ring[next % RING]; /* R2 */
#ifndef R3_LATE
           d_step { assert(!(claim_of(me, s) & bit(s))); claim_of(me, s) = claim_of(me, s) | bit(s) } /* R3 */
#endif
           d_step { /* R4 */
#ifdef NO_R4
               good = true;
#else
               good = (version[s] == next + 1);
#endif
               if
               :: good -> owned[me] = owned[me] | bit(s); assert(pixels[s] == next)
               :: else -> assert(head > next + HISTORY)
               fi
           };
#ifdef R3_LATE
           claim_of(me, s) = claim_of(me, s) | bit(s);
#endif
           if
           :: good -> d_step { held[me]++; mine[me] = mine[me] | bit(s) }
           :: else -> claim_of(me, s) = claim_of(me, s) & ~bit(s) /* R5 */
           fi;
           d_step { next++; h = 0; s = 0; good = false }
        :: done && head == next -> break
        od
    } unless { dead[me] };
    taking[me] = false
}

/* Releases in any order, while the other thread takes. */
proctype releaser(byte me)
{
    byte s;
    {
        do
        :: atomic {
               mine[me] -> /* any of them */
               do
               :: mine[me] & bit(s) -> break
               :: mine[me] >> (s + 1) -> s++
               od;
               mine[me] = mine[me] & ~bit(s);
               owned[me] = owned[me] & ~bit(s)
           };
           claim_of(me, s) = claim_of(me, s) & ~bit(s); /* R6 */
           atomic { held[me]--; s = 0 }
        :: !taking[me] && held[me] == 0 -> break
        od
    } unless { dead[me] }
}

#ifdef HOSTILE
proctype hostile(byte me)
{
    do
    :: claim_of(me, 0) = claim_of(me, 0) ^ bit(0)
    :: claim_of(me, 1) = claim_of(me, 1) ^ bit(1)
    :: claim_of(me, 2) = claim_of(me, 2) ^ bit(2)
#if SLOTS > 3
    :: claim_of(me, 3) = claim_of(me, 3) ^ bit(3)
#endif
#if SLOTS > 4
    :: claim_of(me, 4) = claim_of(me, 4) ^ bit(4)
#endif
#if SLOTS > 5
#error a hostile reader knows five slots
#endif
    :: done -> break
    od
}
#endif

#if defined(KILLS) || defined(WRITER_DIES)
#ifndef KILLS
#define KILLS 0
#endif
/* Kills some of the readers, or the writer, each at any time. */
proctype killer()
{
    byte r;
#ifdef WRITER_DIES
    if
    :: writer_dead = true
    :: skip
    fi;
#endif
    do
    :: r < KILLS ->
       if
       :: dead[r] = true
       :: skip
       fi;
       r++
    :: else -> break
    od
}
#endif

init
{
    byte r;
    d_step {
        do
        :: r < SLOTS -> pixels[r] = NONE; r++
        :: else -> break
        od;
        r = 0;
        do
        :: r < HONEST -> taking[r] = true; r++
        :: else -> break
        od;
        r = 0
    }
    atomic {
        run writer();
        do
        :: r < HONEST -> run reader(r); run releaser(r); r++
        :: else -> break
        od;
#ifdef HOSTILE
        run hostile(READERS - 1);
#endif
#if defined(KILLS) || defined(WRITER_DIES)
        run killer();
#endif
        r = 0
    }
}
