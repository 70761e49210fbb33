/* SPDX-License-Identifier: MIT */
#include "listing.h"
#include "cli/clock.h"

#include <string.h>

int listing_read(struct listing *listing)
{
    int r = framebus_list(&listing->bus, &listing->count);
    listing->at_ns = clock_now();
    return r;
}

const struct framebus_bus_info *listing_find(const struct listing *listing, const char *name)
{
    for (size_t i = 0; i < listing->count; i++)
        if (strcmp(listing->bus[i].name, name) == 0)
            return &listing->bus[i];
    return NULL;
}

void listing_finish(struct listing *listing)
{
    framebus_info_free(listing->bus, listing->count);
    *listing = (struct listing){0};
}
