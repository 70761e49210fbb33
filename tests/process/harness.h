/* SPDX-License-Identifier: MIT */
/*
 * What the tests with real processes share. Every test has a runtime directory of its own, starts
 * its writers and readers by fork(), never waits without a limit, and is looked over when it ends:
 * no process, no file, no shared memory, no file descriptor and no mapping may be left.
 */
#ifndef FRAMEBUS_TEST_HARNESS_H
#define FRAMEBUS_TEST_HARNESS_H

#include "reason.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framebus.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

/* ---- a test ---- */

/* In the table of main(). */
#define PROCESS_TEST(function)                                                                               \
    {                                                                                                        \
#function, harness_run, harness_prepare, harness_clean, (void *)(uintptr_t)function                  \
    }

int harness_prepare(void **state);
void harness_run(void **state);
int harness_clean(void **state);

/* The test's runtime directory; FRAMEBUS_DIR says the same. */
extern char directory[64];

/* A path in it, in one of a few static buffers. */
const char *path_of(const char *name);

/* ---- checks, in the test and in its children alike ---- */

_Noreturn void check_failed(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define check(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            check_failed(__FILE__, __LINE__, "not so: %s", #condition);                                      \
    } while (0)

#define check_equal(a, b)                                                                                    \
    do {                                                                                                     \
        long long value_a = (long long)(a), value_b = (long long)(b);                                        \
        if (value_a != value_b)                                                                              \
            check_failed(__FILE__, __LINE__, "%s is %lld, not %lld (%s)", #a, value_a, value_b, #b);         \
    } while (0)

/* The call fails with this errno and leaves a sentence with this word in it. */
#define check_fails(call, error, word)                                                                       \
    do {                                                                                                     \
        check_equal(call, -(error));                                                                         \
        if (!strstr(framebus_last_error(), (word)))                                                          \
            check_failed(__FILE__, __LINE__, "no \"%s\" in the error of %s", (word), #call);                 \
    } while (0)

/* Becomes true within a limit that no working machine reaches. */
#define check_soon(condition)                                                                                \
    do {                                                                                                     \
        int64_t limit_ = now_ns() + 20 * S;                                                                  \
        while (!(condition)) {                                                                               \
            if (now_ns() > limit_)                                                                           \
                check_failed(__FILE__, __LINE__, "never came true: %s", #condition);                         \
            sleep_ns(MS);                                                                                    \
        }                                                                                                    \
    } while (0)

/* For a test that needs more than the usual, before it starts anybody. */
void allow_seconds(unsigned seconds);

int64_t now_ns(void);
void sleep_ns(int64_t ns);

/* Prints a remark for whoever reads the log. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- processes ---- */

/* Starts a child that runs the role and exits with 0. The argument is copied with the memory. */
pid_t spawn(void (*role)(const void *argument), const void *argument);

/* The child ends by itself, successfully. */
#define join(pid) join_at(__FILE__, __LINE__, pid)
void join_at(const char *file, int line, pid_t pid);

/* SIGKILL, and waits for the end. */
void kill_now(pid_t pid);

/* SIGSTOP, and waits until it has stopped. */
void stop_now(pid_t pid);

/* Waits for the end and returns the status of waitpid(). */
int status_of(pid_t pid);

/* Returns whether it has ended, without waiting. */
bool has_ended(pid_t pid);

/* fork(), for those that come by the thousand: the caller sees to their end. */
pid_t fork_child(void);

/* A forked child of the caller that only sits there, for at most two minutes. */
pid_t fork_idler(void);

#define NOBODY 65534

/* In a child: another user from now on, with no rights. Only where the test can be several users: it is root,
 * and not of a user namespace that knows nobody else. */
void become_nobody(void);
bool can_be_several_users(void);

/* In a child: puts a tmpfs of its own over a directory, or skips the test where it may not mount. */
void mount_tmpfs(const char *where, const char *options);

/* Returns the number of times that the process's first thread has gone to sleep. */
uint64_t sleeps_of(pid_t pid);

unsigned count_fds(void);
unsigned count_fds_of(pid_t pid);

/* Names in /dev/shm that belong to buses in the test's directory. */
unsigned count_posix(void);

/* A System V segment, as the kernel lists it. */
struct segment {
    unsigned key, mode, attached, gid;
    int id;
    pid_t maker;
    long long changed_s; /* CLOCK_REALTIME */
};

/* Those of the whole system that `counts`, which is given `user`, says yes to. */
unsigned count_segments(bool (*counts)(const struct segment *segment, void *user), void *user);

/* Says yes to those that a process of this test has made. */
bool is_ours(const struct segment *segment, void *unused);

/* Mappings of frame memory or reader pages in this process. */
unsigned count_mappings(void);

/* Shared between the test and its children, zero at its beginning. */
struct tally {
    _Atomic int ready;       /* 1: open; negative: why not */
    _Atomic int result;      /* what ended it; 0: nothing, or that it was told to */
    _Atomic uint32_t stop;   /* the test asks it to end */
    _Atomic uint64_t frames; /* published or delivered */
    _Atomic uint64_t missed;
    _Atomic uint64_t wrong;     /* frames torn, mixed up or out of order */
    _Atomic uint64_t last;      /* number of the last frame */
    _Atomic int64_t longest_ns; /* of a writer's begin and publish together */
    _Atomic int pid;
    _Atomic int delivery; /* as it is at present */
};

struct shared {
    struct tally writer, other, reader[16];
    _Atomic uint32_t go, done;
    _Atomic int64_t value[16]; /* with a meaning of each test's own */
};

extern struct shared *shared;

/* ---- frames ---- */

/* A picture of a format named as in GStreamer. */
struct framebus_format picture(const char *name, uint32_t width, uint32_t height);

/* A small one: GRAY8 160x120. */
struct framebus_format small(void);

/* Fills all bytes of a frame with a pattern made of this number, and notes the number in a block of
 * metadata. */
void fill_frame(struct framebus_frame *frame, uint64_t number);

/* The number of an unspoilt frame; -1 if any of its bytes is wrong. */
int64_t frame_number(const struct framebus_frame *frame);

/* begin, fill, publish, release. */
int publish_one(struct framebus_writer *writer, uint64_t number);

/* next, with ten seconds' patience, check, release: the frame has this number and as many were missed. */
void expect_frame(struct framebus_reader *reader, uint64_t number, uint64_t missed);

/* Serves readers for `ns`, or until the flag is set. */
void serve(struct framebus_writer *writer, int64_t ns, const _Atomic uint32_t *stop);

/* ---- roles ---- */

struct writing {
    const char *bus;               /* ["bus"] */
    struct framebus_format format; /* [small()] */
    struct framebus_writer_options options;
    uint64_t frames;     /* number after which it only serves, until told to stop [no limit] */
    uint64_t first;      /* number of the first frame */
    int64_t interval_ns; /* between frames */
    bool waits;          /* for shared->go before the first frame */
    bool leaves;         /* after the last frame, instead of serving */
    bool catches_up;     /* after a delay, so that the rate is right in the long run */
    struct tally *tally; /* [shared->writer] */
};

void write_frames(const void *writing);

struct reading {
    const char *bus; /* ["bus"] */
    struct framebus_reader_options options;
    uint64_t frames;     /* then it ends [only by an error or when told to] */
    int64_t hold_ns;     /* time for which each frame is kept */
    int64_t timeout_ns;  /* for a frame [20 s] */
    bool mixed;          /* the frames' numbers are in no order: several threads write them */
    struct tally *tally; /* [shared->reader[0]] */
};

void read_frames(const void *reading);

/* A writer that does one thing after the other, each when the test says so: it calls step() when all
 * so far is done, which serves readers until the test calls go_on(), which waits for the next step().
 * w may be NULL. */
pid_t start_script(void (*script)(const void *argument), const void *argument);
void step(struct framebus_writer *w);
void go_on(void);
#define end_script(pid) end_script_at(__FILE__, __LINE__, pid)
void end_script_at(const char *file, int line, pid_t pid);

/* Both start the role and wait until it is open. */
pid_t start_writer(const struct writing *plan);
pid_t start_reader(const struct reading *plan);

/* Tells a role to stop and waits for its end. */
#define finish(pid, tally) finish_at(__FILE__, __LINE__, pid, tally)
void finish_at(const char *file, int line, pid_t pid, struct tally *tally);

#endif
