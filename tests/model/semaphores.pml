/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking of lib/shared/semaphore.h under store buffers (TSO, one store deep): S1-S4, P1-P3. An ordered load
 * comes after an ordered store of its thread has left the buffer. That takes both: C11 promises it to no other load,
 * and machines may have the fence that does it behind such stores or before such loads.
 *
 * FILLED   a reader sleeps, the writer posts: framebus_reader_next() against framebus_writer_publish().
 *          The bell is an eventfd in an edge-triggered epoll set. With LOOKS the sleep may end early, so many times:
 *          the reader takes S1 back and looks, as look_ahead() does, before it sleeps again
 * LEVEL    the same for a caller that polls, by lib/reader/readiness.h: one next for each time that the fd is
 *          readable, and one at a moment of its own choice
 * FREE     SLEEPERS threads of a lossless writer sleep, POSTERS threads of a reader post:
 *          wait_for_lossless() and wait_for_readers() against next and release. The bell is a message
 *
 * With DIES the posting process dies before any step; its hang-up rings too. (That the sleeping one dies
 * is no matter: posting never waits.) One TIMEOUT a sleeper: a call may give up, and leaves its flag
 * standing.
 *
 * Checked: nobody sleeps for ever while there is something for it (that would be an invalid end state).
 *
 * Breaks, each of which must be caught: P1_RELAXED, S1_RELAXED, P2_ACQUIRE, S2_ACQUIRE, P2_EARLY, NO_S2, ONE_SLEEP
 * (all sleeps have the same number), RUNG_LATE (the sleep is noted as rung for only after ringing, by what the word
 * says then), SLEEPS_ON (of LOOKS: after looking it waits without a new S1), NO_BROADCAST (threads that wait for the one that polls are not told). Of LEVEL: EVEN (taking a frame ends
 * the sleep), DRAIN_LATE (after the new number), DRAIN_ALWAYS (also by a next that finds a frame), NO_RING (for what
 * remains after the look).
 */
#ifndef POSTERS
#define POSTERS 1
#endif
#ifndef SLEEPERS
#define SLEEPERS 1
#endif
#ifndef POSTS
#define POSTS 3 /* by each poster */
#endif
#define ALL (POSTERS * POSTS)

/* ---- shared memory, and what has not reached it yet ---- */

byte posted[POSTERS];
byte sleeps;
bool buffered[POSTERS];
byte buffer[POSTERS];
bool sleeps_buffered, sleeps_ordered;
byte sleeps_buffer;

bool bell;
bool dead; /* the posting process; its hang-up rings as long as it is not seen */

/* ---- the posting process ---- */

byte rung;

/* ---- the sleeping process, under its lock ---- */

bool lock, polling, seen_dead;
byte waiting;
bool asleep[SLEEPERS]; /* in pthread_cond_wait() */
byte my_sleeps;        /* what it stored last: only its own threads write the word */

proctype drain_poster(byte k)
{
end:
    do
    :: atomic { buffered[k] -> posted[k] = buffer[k]; buffered[k] = false }
    od
}

proctype drain_sleeper()
{
end:
    do
    :: atomic { sleeps_buffered -> sleeps = sleeps_buffer; sleeps_buffered = false }
    od
}

proctype poster(byte k)
{
    byte n, sleep;
    {
        do
        :: n < POSTS ->
           n++;
#ifdef P2_EARLY
           sleep = sleeps;
#endif
           atomic { !buffered[k] -> buffer[k] = n; buffered[k] = true }; /* P1 */
#if !defined(P1_RELAXED) && !defined(P2_ACQUIRE)
           !buffered[k];
#endif
#ifndef P2_EARLY
           sleep = sleeps; /* P2 */
#endif
           if
           :: (sleep & 1) && sleep != rung ->
#ifdef RUNG_LATE
              bell = true;
              rung = sleeps
#else
              rung = sleep;
              bell = true /* P3 */
#endif
           :: else
           fi
        :: else -> break
        od
    } unless { dead }
}

inline store_sleeps(value, ordered)
{
    atomic {
        !sleeps_buffered -> my_sleeps = value;
        sleeps_buffer = value;
        sleeps_buffered = true;
        sleeps_ordered = ordered
    }
}

inline look()
{
#ifndef S2_ACQUIRE
    !(sleeps_buffered && sleeps_ordered);
#endif
    sum = 0;
    p = 0;
    do
    :: p < POSTERS -> d_step { sum = sum + posted[p]; p++ }
    :: else -> break
    od;
    p = 0
}

inline S1()
{
#ifdef ONE_SLEEP
    store_sleeps(1, true)
#else
#ifdef S1_RELAXED
    store_sleeps((my_sleeps + 1) | 1, false)
#else
    store_sleeps((my_sleeps + 1) | 1, true)
#endif
#endif
}

inline S4()
{
    store_sleeps((my_sleeps + 1) & ~1, false)
}

#ifdef FILLED

/* take() and the loop of framebus_reader_next() */
proctype sleeper(byte k)
{
    byte taken, sum, p, looks;
    bool sleeping, tired;
    do
    :: look();
       if
       :: sum > taken ->
          taken++;
          if
          :: my_sleeps & 1 -> S4()
          :: else
          fi;
          sleeping = false
       :: sum == taken && (taken == ALL || seen_dead) -> break
       :: sum == taken && taken < ALL && !seen_dead && !sleeping ->
          S1();
          sleeping = true;
#ifdef NO_S2
          goto wait
#endif
       :: sum == taken && taken < ALL && !seen_dead && sleeping ->
#if defined(NO_S2) || defined(SLEEPS_ON)
wait:
#endif
          if
          :: atomic { bell -> bell = false } /* S3 */
          :: dead -> seen_dead = true
#ifdef TIMEOUT
          :: !tired -> tired = true
#endif
#ifdef LOOKS
          :: looks < LOOKS ->
             looks++;
             S4();
             look(); /* what it sees here, the next round sees */
#ifdef SLEEPS_ON
             if
             :: sum == taken -> goto wait
             :: else
             fi
#endif
#endif
          fi;
          sleeping = false
       fi
    od
}

#elif defined(LEVEL)

/* reader_next() with a timeout of 0, reader_settle(), and the caller's poll */
proctype sleeper(byte k)
{
    byte taken, sum, p;
    bool ring, eager;
    S1();
    look();
    ring = sum > taken;
    do
    :: taken == ALL || seen_dead -> break
    :: taken < ALL && !seen_dead ->
       if
       :: (bell || ring || dead)
       :: !eager -> eager = true
       fi;
       look();
#ifdef DRAIN_ALWAYS
       bell = false;
       ring = false;
#endif
       if
       :: sum > taken ->
          taken++;
#ifdef EVEN
          S4()
#endif
       :: else ->
          seen_dead = dead;
#ifndef DRAIN_LATE
          bell = false;
          ring = false;
#endif
          S1();
#ifdef DRAIN_LATE
          bell = false;
          ring = false;
#endif
#ifndef NO_S2
          look();
          if
          :: sum > taken -> taken++; seen_dead = false
          :: else
          fi;
#ifndef NO_RING
          look();
          ring = ring || sum > taken
#endif
#endif
       fi
    od;
    taken == ALL || dead
}

#else

/* wait_for_lossless() and wait_for_readers(), called again and again for one more post */
proctype sleeper(byte k)
{
    byte want = 1, sum, p;
    do
    :: want <= ALL && !seen_dead ->
       atomic { !lock -> lock = true };
       do
       :: look();
          if
          :: sum >= want || seen_dead -> break
          :: else
          fi;
          S1();
#ifndef NO_S2
          look(); /* S2 */
#endif
          if
          :: sum < want && !seen_dead ->
             waiting++;
             if
             :: polling ->
                atomic { lock = false; asleep[k] = true };
                atomic { !asleep[k] && !lock -> lock = true }
             :: else ->
                polling = true;
                lock = false;
                (bell || dead); /* S3 */
                atomic { !lock -> lock = true };
                polling = false;
                seen_dead = dead;
                bell = false;
#ifndef NO_BROADCAST
                d_step {
                    do
                    :: p < SLEEPERS -> asleep[p] = false; p++
                    :: else -> break
                    od;
                    p = 0
                }
#endif
             fi;
             waiting--
          :: else
          fi;
          if
          :: waiting == 0 -> S4()
          :: else
          fi
       od;
       want++;
       lock = false
    :: else -> break
    od
}

#endif

init
{
    byte k;
    atomic {
        run drain_sleeper();
        do
        :: k < POSTERS -> run poster(k); run drain_poster(k); k++
        :: else -> break
        od;
        k = 0;
        do
        :: k < SLEEPERS -> run sleeper(k); k++
        :: else -> break
        od;
        k = 0;
    }
#ifdef DIES
    if
    :: dead = true
    :: skip
    fi
#endif
}
