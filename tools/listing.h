/* SPDX-License-Identifier: MIT */
/* All buses at one moment, for commands that compare two of them. */
#ifndef LISTING_H
#define LISTING_H

#include "framebus.h"

struct listing {
    struct framebus_bus_info *bus;
    size_t count;
    int64_t at_ns;
};

/* 0, or what framebus_list() returned. */
int listing_read(struct listing *listing);

/* The bus of that name, NULL if there was none. */
const struct framebus_bus_info *listing_find(const struct listing *listing, const char *name);

void listing_finish(struct listing *listing);

#endif
