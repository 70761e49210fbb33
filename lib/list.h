/* SPDX-License-Identifier: MIT */
#ifndef FRAMEBUS_LIST_H
#define FRAMEBUS_LIST_H

#include "protocol.h"

/* Turns an INFO_REPLY (of head.size bytes) into the public struct, whose texts and readers are then
 * the caller's. Name, path, state, pid and uid are not in the message. -EBADMSG: nonsense. */
int info_load(struct framebus_bus_info *info, const struct message_info_reply *reply);

/* Text for a label: the one given, or the process's name. */
void label_fill(char *label, const char *wanted);

#endif
