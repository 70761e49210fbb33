/* SPDX-License-Identifier: MIT */
/* Readers made by hand, to misbehave, and the good ones that must not notice. */
#ifndef FRAMEBUS_TEST_FAKE_READER_H
#define FRAMEBUS_TEST_FAKE_READER_H

#include "harness.h"

#include "base/region.h"
#include "base/socket.h"
#include "shared/slots.h"

/* Good readers may be kept from running for 2 s without missing anything. */
static const struct writing calm = {.options = {.history = 100, .max_slots = 200}, .interval_ns = 20 * MS};

/* Readers that were evicted, counted by the writer's log. */
#define THROWN_OUT (shared->value[0])

/* write_frames(), with a log that counts. */
void write_and_count(const void *writing);

struct good {
    pid_t writer, reader;
    unsigned fds; /* the writer's */
};

/* Starts a writer and a good reader. */
struct good begin_well(const struct writing *plan);

/* Checks that they have noticed nothing. They go on until they are told to stop. */
void end_well(const struct good *good);

/* A reader made by hand that has been given a pool. */
struct fake_reader {
    int socket, bell;
    struct layout_reader *page;
};

struct fake_reader fake_reader_attach(uint32_t quota, uint32_t delivery);

/* The caller closes its socket. */
void fake_reader_detach(struct fake_reader *reader);

/* sendmsg() with these file descriptors, at most 253, without a signal and without waiting. */
ssize_t send_fds(int socket, const void *bytes, size_t size, const int *fds, unsigned count);

int fake_reader_connect(void);
struct message_hello fake_reader_hello(uint32_t quota, uint32_t delivery);

/* Receives the next message, within twenty seconds. Returns its type; 0: the writer hung up. */
int fake_reader_hear(int fd, union message *message, int *fds, unsigned *fd_count);

/* Checks that the writer refuses in these words and hangs up. Closes the socket. */
void fake_reader_expect_refusal(int fd, int error, const char *word);

#endif
