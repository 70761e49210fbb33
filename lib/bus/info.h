/* SPDX-License-Identifier: MIT */
/* What programs that do not attach are told of a bus: INFO_REPLY, written and read, and lists of buses. */
#ifndef FRAMEBUS_INFO_H
#define FRAMEBUS_INFO_H

#include "shared/protocol.h"

/* Writes an INFO_REPLY with what its writer knows of a bus, of the format only if it has one. Name, path,
 * state, pid and uid are not in the message, and readers are added one by one. */
void info_store(struct message_info_reply *reply, const struct framebus_bus_info *info);

/* Adds a reader; beyond INFO_PEERS_MAX it is only counted. */
void info_store_reader(struct message_info_reply *reply, const struct framebus_peer_info *reader);

/* Turns an INFO_REPLY (of head.size bytes) into the public struct, whose texts and readers are then
 * the caller's. -EBADMSG: it makes no sense. */
int info_load(struct framebus_bus_info *info, const struct message_info_reply *reply);

/* Looks at the reserved fields of options. -ENOTSUP: one of them is not zero. */
int options_check(const uint64_t *reserved, size_t count);

/* Fills in a label: the one that is wanted, or else the process's name. */
void label_fill(char *label, const char *wanted);

#endif
