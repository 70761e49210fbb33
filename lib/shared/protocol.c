/* SPDX-License-Identifier: MIT */
#include "shared/protocol.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

/* The size of each message, and whether more may follow it (a tail). */
static const struct {
    uint16_t size;
    bool tail;
} message_shapes[MESSAGE_TYPES] = {
    [MESSAGE_HELLO] = {sizeof(struct message_hello), false},
    [MESSAGE_WELCOME] = {sizeof(struct message_welcome), false},
    [MESSAGE_POOL] = {sizeof(struct message_pool), false},
    [MESSAGE_NEXT] = {sizeof(struct message_plain), false},
    [MESSAGE_QUOTA] = {sizeof(struct message_quota), false},
    [MESSAGE_BELL] = {sizeof(struct message_plain), false},
    [MESSAGE_DELIVERY] = {sizeof(struct message_delivery), false},
    [MESSAGE_REFUSED] = {sizeof(struct message_refused), false},
    [MESSAGE_INFO] = {sizeof(struct message_plain), false},
    [MESSAGE_INFO_REPLY] = {sizeof(struct message_info_reply), true},
    [MESSAGE_MEMORY] = {sizeof(struct message_memory), true},
    [MESSAGE_WATCH] = {sizeof(struct message_plain), false},
};

void message_init(void *message, enum message_type type, size_t size)
{
    memset(message, 0, size);
    *(struct message_head *)message = (struct message_head){
        .magic = PROTOCOL_MAGIC,
        .abi = LAYOUT_ABI,
        .type = (uint16_t)type,
        .size = (uint32_t)size,
    };
}

int message_check(const struct message_head *head, size_t size)
{
    if (size >= sizeof *head && head->magic == __builtin_bswap32(PROTOCOL_MAGIC))
        return fail(-EPROTO,
                    "a message in the other byte order: only machines of the same order share a bus");
    if (size < sizeof *head || head->magic != PROTOCOL_MAGIC)
        return fail(-EPROTO, "%zu bytes that are not a framebus message", size);
    if (head->abi != LAYOUT_ABI)
        return -EPROTONOSUPPORT;
    if (head->type >= MESSAGE_TYPES || !message_shapes[head->type].size)
        return fail(-EPROTO, "a message of unknown type %u", head->type);
    if (head->size != size || size < message_shapes[head->type].size ||
        (size > message_shapes[head->type].size && !message_shapes[head->type].tail))
        return fail(-EPROTO, "a message of type %u with %zu bytes in place of %u", head->type, size,
                    message_shapes[head->type].size);
    return head->type;
}

void message_text(char *to, const char *from, size_t room)
{
    size_t i;
    for (i = 0; i < room - 1 && from[i]; i++)
        to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
    to[i] = '\0';
}
