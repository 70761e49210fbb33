/* SPDX-License-Identifier: MIT */
/*
 * One pool after the other: publish, set_format, end and close in lib/writer/, next and
 * its move_on() in lib/reader/, with NEXT and POOL on a connection between them.
 *
 * One writer that publishes FRAMES frames in up to POOLS pools, LENDS of them begun ahead, ends its
 * stream at most ENDS times, and does all this in any order; one reader. LOSSLESS: the reader is; DEMOTE:
 * it may also be made live at any time that it is waited for. READER_DIES, WRITER_DIES: before any step.
 * Claims are left to claims.pml (a frame is there if it is among the last WINDOW), store buffers to
 * semaphores.pml.
 *
 * Checked:
 *   - frames come in order, and what is missed is told by exactly its number
 *   - a lossless reader misses nothing, whatever the pools do
 *   - nobody leaves a pool, or is told that the writer is gone, with frames left in it
 *   - nobody waits for ever: neither a reader that has something to come nor the writer
 *
 * Breaks, each of which must be caught: NO_STRAGGLERS, LATE_PUBLISH, NO_SECOND_LOOK, NO_RING, NEWEST_START,
 * NARROW_WINDOW, ONLY_PRESENT_POOL, NO_OFFER.
 */
#ifndef FRAMES
#define FRAMES 4
#endif
#ifndef POOLS
#define POOLS 3
#endif
#ifndef HISTORY
#define HISTORY 1
#endif
#ifndef LENDS
#define LENDS 1
#endif
#ifndef ENDS
#define ENDS 1
#endif
#if defined(LOSSLESS) && !defined(NARROW_WINDOW)
#define WINDOW (HISTORY + LENDS)
#else
#define WINDOW HISTORY
#endif
#define NONE 255

mtype = { LIVE, MOVED, ENDED, HELLO, NEXT };

/* ---- the pools, the reader's page in each, and what is between the two ---- */

byte head[POOLS];
mtype state[POOLS] = LIVE;
byte first_sequence[POOLS];
byte page_next[POOLS];
bool page_sleeps[POOLS];
bool bell;
chan to_writer = [2] of { mtype };
chan to_reader = [1] of { byte, byte }; /* POOL: which, and where to begin */

/* ---- for the checks ---- */

bool writer_gone, reader_gone;
bool lossless; /* the writer still thinks so */

/* ---- the writer's private memory ---- */

byte current = NONE, pools, begun, sequence, ends, published;
bool joined, moves;
byte stands = NONE; /* the peer's pool */

/* ---- the reader's ---- */

byte pool = NONE, next, expected = NONE;

#define lags_behind (joined && lossless && current != NONE && \
                     ((stands == current && head[current] - page_next[current] >= HISTORY) || \
                      (stands != current && OTHER_POOL_LAGS)))
#ifdef ONLY_PRESENT_POOL
#define OTHER_POOL_LAGS false
#else
#define OTHER_POOL_LAGS (head[current] >= HISTORY)
#endif
#define lags_a_pool (joined && lossless && current != NONE && stands != current)

inline offer()
{
    d_step {
        start = (moves -> WINDOW : 1);
#ifdef NEWEST_START
        start = 1;
#endif
        start = (head[current] > start -> head[current] - start : 0);
        page_next[current] = start;
        stands = current;
        moves = true
    };
    assert(nfull(to_reader)); /* at most one POOL is under way */
    to_reader!current, start;
    start = 0
}

inline hear()
{
    if
    :: to_writer?HELLO ->
       d_step {
           joined = true;
#ifdef LOSSLESS
           lossless = true
#endif
       };
       if :: current != NONE -> offer() :: else fi
    :: to_writer?NEXT ->
       assert(stands != current || stands == NONE);
       stands = NONE;
       if :: current != NONE -> offer() :: else fi
    :: empty(to_writer) && reader_gone -> d_step { joined = false; stands = NONE }
    fi
}

#define something_to_hear (nempty(to_writer) || (reader_gone && joined))

/* Until it does not lag; hears the reader meanwhile: a message, its page or its end makes it so. */
#define wait_while(lags)                        \
    do                                          \
    :: !(lags) -> break                         \
    :: (lags) && something_to_hear -> hear()    \
    :: (lags) && DEMOTABLE -> lossless = false  \
    od
#ifdef DEMOTE
#define DEMOTABLE true
#else
#define DEMOTABLE false
#endif

inline ring(which)
{
    if
    :: stands == which && page_sleeps[which] -> bell = true
    :: else
    fi
}

inline retire(how)
{
    if
    :: current != NONE ->
       old = current;
       d_step { sequence = sequence + head[old]; current = NONE };
       state[old] = how;
#ifndef NO_RING
       ring(old);
#endif
#ifndef LATE_PUBLISH
       begun = 0; /* publishing these is -ESTALE */
#endif
    :: else
    fi
}

inline renew()
{
    d_step { first_sequence[pools] = sequence + (current == NONE -> 0 : head[current]); pools++ };
    retire(MOVED);
    current = pools - 1;
#ifndef NO_OFFER
    if
    :: joined && stands == NONE -> offer()
    :: else
    fi
#endif
}

proctype writer()
{
    byte start, old = NONE;
    {
        do
        :: something_to_hear -> hear()
        :: published + begun < FRAMES && begun < LENDS && (current != NONE || pools < POOLS) -> /* begin */
           if :: current == NONE -> renew() :: else fi;
           wait_while(lags_behind);
           begun++
        :: begun > 0 -> /* publish */
#ifdef LATE_PUBLISH
           if :: current == NONE -> head[old]++ :: else -> old = current; head[old]++ fi;
#else
           old = current;
           head[old]++;
#endif
           ring(old);
           d_step { published++; begun--; old = NONE }
        :: current != NONE && pools < POOLS -> /* set_format */
#ifndef NO_STRAGGLERS
           wait_while(lags_a_pool);
#endif
           renew()
        :: current != NONE && ends < ENDS -> /* end */
#ifndef NO_STRAGGLERS
           wait_while(lags_a_pool);
#endif
           retire(ENDED);
           ends++
        :: begun == 0 && (published == FRAMES || (current == NONE && pools == POOLS)) -> break
        od;
        /* Serves on until the reader has all there is. */
        do
        :: something_to_hear -> hear()
        :: empty(to_writer) && (reader_gone || (joined && stands == current && empty(to_reader) && pool == current &&
           (current == NONE || next == head[current]))) -> break
        od
    } unless { writer_gone };
    writer_gone = true
}

inline move_on()
{
    left = false;
    if
    :: pool != NONE ->
       how = state[pool];
       if
       :: how != LIVE ->
#ifdef NO_SECOND_LOOK
          left = true
#else
          left = (head[pool] == next)
#endif
       :: else
       fi;
       if
       :: left ->
          assert(head[pool] == next && state[pool] != LIVE);
          if
          :: writer_gone
          :: !writer_gone && nfull(to_writer) -> to_writer!NEXT
          fi;
          d_step { pool = NONE; next = 0 }
       :: else
       fi;
       how = LIVE
    :: else
    fi
}

proctype reader()
{
    byte h, sequence_of;
    mtype how = LIVE;
    bool asleep, hung_up, left;
    {
        to_writer!HELLO;
        do
        :: /* take */
           h = 0;
           if
           :: pool != NONE -> h = head[pool] - next
           :: else
           fi;
           if
           :: h > 0 ->
              if :: h > WINDOW -> next = next + h - WINDOW :: else fi;
              d_step { /* slots_claim(): there, or overtaken */
                  if
                  :: head[pool] - next <= WINDOW ->
                     sequence_of = first_sequence[pool] + next;
                     assert(sequence_of >= expected);
                     assert(!lossless || sequence_of == expected);
                     expected = sequence_of + 1;
                     sequence_of = 0
                  :: else -> assert(!lossless)
                  fi;
                  next++
              };
              if
              :: page_sleeps[pool] -> page_sleeps[pool] = false
              :: else
              fi;
              page_next[pool] = next;
              asleep = false
           :: else ->
              move_on();
              if
              :: pool != NONE && !asleep && !hung_up && !left -> page_sleeps[pool] = true; asleep = true
              :: hung_up && !left -> assert(pool == NONE || head[pool] == next); break
              :: else ->
                 if
                 :: bell -> bell = false
                 :: nempty(to_reader)
                 :: writer_gone
                 fi;
                 do /* attach_poll() */
                 :: nempty(to_reader) ->
                    assert(pool == NONE);
                    to_reader?pool, next;
                    if :: expected == NONE -> expected = first_sequence[pool] + next :: else fi
                 :: empty(to_reader) && writer_gone -> hung_up = true; break
                 :: empty(to_reader) && !writer_gone -> break
                 od;
                 asleep = false
              fi
           fi
        od
    } unless { reader_gone };
    reader_gone = true
}

init
{
    atomic { run writer(); run reader() }
#ifdef READER_DIES
    if :: reader_gone = true :: skip fi;
#endif
#ifdef WRITER_DIES
    if :: writer_gone = true :: skip fi
#endif
}
