/* SPDX-License-Identifier: MIT */
/* What order.c has and memory.c runs. */
#ifndef ORDER_H
#define ORDER_H

#include "memory.h"

struct scenario {
    const char *name;
    void (*prepare)(void); /* by thread 0, before all */
    void (*thread[THREADS_MAX])(void);
};

extern const struct scenario scenarios[], *scenario;

#endif
