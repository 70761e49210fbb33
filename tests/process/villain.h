/* SPDX-License-Identifier: MIT */
/* Readers made by hand, to misbehave, and the good ones that must not notice. */
#ifndef FRAMEBUS_TEST_VILLAIN_H
#define FRAMEBUS_TEST_VILLAIN_H

#include "harness.h"

#include "connection.h"
#include "region.h"
#include "slots.h"

/* Good readers may be kept from running for 2 s without missing anything. */
static const struct writing calm = {.options = {.history = 100, .max_slots = 200}, .interval_ns = 20 * MS};

/* What is thrown out, and how often, as the writer's log says. */
#define THROWN_OUT (shared->value[0])

/* write_frames(), with a log that counts. */
void write_and_count(const void *writing);

struct good {
    pid_t writer, reader;
    unsigned fds; /* the writer's */
};

/* Starts a writer and a good reader. */
struct good begin_well(const struct writing *plan);

/* They have noticed nothing, and go on until they are told to stop. */
void end_well(const struct good *good);

/* A reader made by hand that stands in the pool. */
struct villain {
    int socket, bell;
    struct layout_reader *page;
};

struct villain villain_attach(uint32_t quota, uint32_t delivery);

/* Its socket is closed by whoever hangs up. */
void villain_detach(struct villain *villain);

int villain_connect(void);
struct message_hello villain_hello(uint32_t quota, uint32_t delivery);

/* The next message, with twenty seconds' patience; 0 is the end. */
int villain_hear(int fd, union message *message, int *fds, unsigned *fd_count);

/* The writer says no, in these words, and hangs up. Closes the socket. */
void villain_expect_refusal(int fd, int error, const char *word);

#endif
