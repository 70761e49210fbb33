/* SPDX-License-Identifier: MIT */
/*
 * The messages on a bus's socket (SOCK_SEQPACKET, so a message arrives whole or not at all).
 *
 *   reader                        writer
 *   HELLO                    ->                      who I am, what I want
 *                            <-   WELCOME            one fd: the bell
 *                            <-   MEMORY ...         fds: DMA-BUFs of slots, imports
 *                            <-   POOL               fds: region (not sysv), reader page
 *                            <-   MEMORY             an import that came later
 *   NEXT                     ->                      I take no more from that pool; imports that I hold
 *                                                    there stay mine until I release them
 *                            <-   POOL               the present one, or the next when there is one
 *   QUOTA                    ->   QUOTA              a new quota; the one that holds
 *   BELL                     ->                      I gave something back that you wait for
 *                            <-   DELIVERY           you were too slow, you are live now
 *                            <-   REFUSED            no, and why; the socket is closed
 *   INFO                     ->   INFO_REPLY         about the bus, without attaching
 *   WATCH                    ->   INFO_REPLY         the same, once there is news, see below
 *
 * A monitor is sent one INFO_REPLY for each WATCH, when format or readers are not those of the last one. So
 * one that does not ask costs nothing.
 *
 * At most one POOL is under way to a reader. The end of a stream is not a message: it stands in the
 * pool, behind the last frame. Only the writer sends fds.
 */
#ifndef FRAMEBUS_PROTOCOL_H
#define FRAMEBUS_PROTOCOL_H

#include "shared/layout.h"

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
    MESSAGE_MEMORY,
    MESSAGE_WATCH,
    MESSAGE_TYPES,
};

/* Head and REFUSED are the same in every version, so that one version can tell another why it refuses. */
struct message_head {
    uint32_t magic;
    uint16_t abi;
    uint16_t type;
    uint32_t size;  /* of the whole message */
    uint32_t flags; /* of HELLO and WATCH; else 0 */
};

#define HELLO_WANTS_DMABUFS (1u << 0)
#define WATCH_AT_ONCE       (1u << 0) /* answer whether anything has changed or not */

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

/* Memory of one slot, in as many parts as the message says. */
struct message_slot_memory {
    uint32_t slot;
    uint32_t serial; /* 0: the slot's own memory as DMA-BUF */
    struct message_part part[FRAMEBUS_PLANES_MAX];
};

/* Followed by message_slot_memory [count]. The fds are those of the parts, in this order. */
struct message_memory {
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

/* NEXT, BELL, INFO, WATCH */
struct message_plain {
    struct message_head head;
};

struct message_peer {
    int32_t pid;
    uint32_t uid;
    char label[FRAMEBUS_LABEL_MAX + 1];
    uint32_t delivery, quota, held;
    uint32_t padding;
    uint64_t id;
    uint64_t taken, missed;
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
    uint32_t rate_millihertz;
    uint32_t readers;
    uint32_t readers_told; /* at most INFO_PEERS_MAX */
    uint32_t padding;
};

#define QUOTA_MAX        256
#define INFO_PEERS_MAX   512
#define MESSAGE_SIZE_MAX (128 * 1024)
/* Room for any message. */
union message {
    struct message_head head;
    struct message_refused refused;
    struct message_hello hello;
    struct message_welcome welcome;
    struct message_pool pool;
    struct message_quota quota;
    struct message_delivery delivery;
    struct message_info_reply info;
    struct message_memory buffers;
    uint8_t bytes[MESSAGE_SIZE_MAX];
};

#define MESSAGE_FDS_MAX 128 /* in MEMORY; 2 in any other */

/* Fills in the head of a message of this type and size. */
void message_init(void *message, enum message_type type, size_t size);

/* Looks whether `size` bytes that were received are a message. Returns its type; -EPROTONOSUPPORT: it is of
 * another version, and its head is valid; -EPROTO, with a sentence: wrong magic, size or type. */
int message_check(const struct message_head *head, size_t size);

/* Copies a text field of a message that somebody else wrote: printable and terminated. */
void message_text(char *to, const char *from, size_t room);

_Static_assert(sizeof(struct message_head) == 16, "message_head");
_Static_assert(sizeof(struct message_refused) == 208, "message_refused");
_Static_assert(sizeof(struct message_hello) == 56, "message_hello");
_Static_assert(sizeof(struct message_welcome) == 48, "message_welcome");
_Static_assert(sizeof(struct message_pool) == 48, "message_pool");
_Static_assert(sizeof(struct message_slot_memory) == 72, "message_buffer");
_Static_assert(sizeof(struct message_memory) == 32, "message_buffers");
_Static_assert(sizeof(struct message_peer) == 80, "message_peer");
_Static_assert(sizeof(struct message_info_reply) == 232, "message_info_reply");
_Static_assert(sizeof(struct message_info_reply) + FRAMEBUS_CAPS_MAX +
                       INFO_PEERS_MAX * sizeof(struct message_peer) <=
                   MESSAGE_SIZE_MAX,
               "largest message");

#endif
