/* SPDX-License-Identifier: MIT */
/*
 * What is said on a bus's socket (SOCK_SEQPACKET, so a message arrives whole or not at all).
 *
 *   reader                        writer
 *   HELLO                    ->                      who I am, what I want
 *                            <-   WELCOME            one fd: the bell
 *                            <-   BUFFERS ...        fds: DMA-BUFs of slots, foreign buffers
 *                            <-   POOL               fds: region (not sysv), reader page
 *                            <-   BUFFERS            a foreign buffer that came later
 *   NEXT                     ->                      I am done with that pool
 *                            <-   POOL               the present one, or the next when there is one
 *   QUOTA                    ->   QUOTA              a new quota; the one that holds
 *   BELL                     ->                      I gave something back that you wait for
 *                            <-   DELIVERY           you were too slow, you are live now
 *                            <-   REFUSED            no, and why; the socket is closed
 *   INFO                     ->   INFO_REPLY         about the bus, without attaching
 *
 * At most one POOL is under way to a reader. That the stream has ended is not a message: it stands
 * in the pool, behind the last frame. Only the writer sends fds.
 */
#ifndef FRAMEBUS_PROTOCOL_H
#define FRAMEBUS_PROTOCOL_H

#include "layout.h"

#define PROTOCOL_MAGIC 0x73626266u /* "fbbs" */

enum message_type {
    MESSAGE_HELLO = 1,
    MESSAGE_WELCOME,
    MESSAGE_POOL,
    MESSAGE_NEXT,
    MESSAGE_QUOTA,
    MESSAGE_BELL,
    MESSAGE_DELIVERY,
    MESSAGE_REFUSED,
    MESSAGE_INFO,
    MESSAGE_INFO_REPLY,
    MESSAGE_BUFFERS,
    MESSAGE_TYPES,
};

/* Head and REFUSED are the same in every version, so that versions can refuse each other in words. */
struct message_head {
    uint32_t magic;
    uint16_t abi;
    uint16_t type;
    uint32_t size;  /* of the whole message */
    uint32_t flags; /* HELLO's; else 0 */
};

#define HELLO_KNOWS_BUFFERS (1u << 0) /* may be sent BUFFERS */
#define HELLO_WANTS_DMABUFS (1u << 1)

struct message_refused {
    struct message_head head;
    int32_t error; /* positive errno of Linux's generic table */
    char text[188];
};

struct message_hello {
    struct message_head head;
    uint32_t quota;
    uint32_t delivery;
    char label[FRAMEBUS_LABEL_MAX + 1];
};

struct message_welcome {
    struct message_head head;
    char label[FRAMEBUS_LABEL_MAX + 1];
};

struct message_pool {
    struct message_head head;
    uint32_t memory; /* enum framebus_memory */
    int32_t id;      /* sysv */
    uint64_t region_size;
    uint64_t cookie;
    uint64_t start; /* frame of the pool to begin with */
};

struct message_part {
    uint64_t offset, size;
};

/* Memory for one slot, in as many parts as the message says. */
struct message_buffer {
    uint32_t slot;
    uint32_t serial; /* 0: the slot's own memory as DMA-BUF */
    struct message_part part[FRAMEBUS_PLANES_MAX];
};

/* Followed by message_buffer [count]; its fds are those of their parts, in this order. */
struct message_buffers {
    struct message_head head;
    uint64_t cookie; /* of the pool that they belong to */
    uint32_t count, parts;
};

struct message_quota {
    struct message_head head;
    uint32_t quota;
    uint32_t padding;
};

struct message_delivery {
    struct message_head head;
    uint32_t delivery;
    uint32_t padding;
};

/* NEXT, BELL, INFO */
struct message_plain {
    struct message_head head;
};

struct message_peer {
    int32_t pid;
    uint32_t uid;
    char label[FRAMEBUS_LABEL_MAX + 1];
    uint32_t delivery, quota, held;
    uint32_t taken, missed;
    uint32_t padding;
};

/* Followed by caps text (format.caps_size bytes) and message_peer [readers_told]. */
struct message_info_reply {
    struct message_head head;
    uint32_t has_format;
    uint32_t lossless;
    struct layout_format format;
    char label[FRAMEBUS_LABEL_MAX + 1];
    uint32_t memory;
    uint32_t history, max_slots, max_lends, lent, slots_used;
    uint64_t memory_bytes;
    uint64_t published;
    uint64_t evicted;
    int64_t last_publish_ns;
    uint32_t rate_mhz;
    uint32_t readers;
    uint32_t readers_told; /* at most INFO_PEERS_MAX */
    uint32_t padding;
};

#define QUOTA_MAX        256
#define INFO_PEERS_MAX   512
#define MESSAGE_SIZE_MAX (64 * 1024)
/* A buffer for any of them. */
union message {
    struct message_head head;
    struct message_refused refused;
    struct message_hello hello;
    struct message_welcome welcome;
    struct message_pool pool;
    struct message_quota quota;
    struct message_delivery delivery;
    struct message_info_reply info;
    struct message_buffers buffers;
    uint8_t bytes[MESSAGE_SIZE_MAX];
};

#define MESSAGE_FDS_MAX 128 /* in BUFFERS; 2 in any other */

_Static_assert(sizeof(struct message_head) == 16, "message_head");
_Static_assert(sizeof(struct message_refused) == 208, "message_refused");
_Static_assert(sizeof(struct message_hello) == 56, "message_hello");
_Static_assert(sizeof(struct message_welcome) == 48, "message_welcome");
_Static_assert(sizeof(struct message_pool) == 48, "message_pool");
_Static_assert(sizeof(struct message_buffer) == 72, "message_buffer");
_Static_assert(sizeof(struct message_buffers) == 32, "message_buffers");
_Static_assert(sizeof(struct message_peer) == 64, "message_peer");
_Static_assert(sizeof(struct message_info_reply) == 232, "message_info_reply");
_Static_assert(sizeof(struct message_info_reply) + FRAMEBUS_CAPS_MAX +
                       INFO_PEERS_MAX * sizeof(struct message_peer) <=
                   MESSAGE_SIZE_MAX,
               "largest message");

#endif
