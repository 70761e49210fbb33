/* SPDX-License-Identifier: MIT */
/* In what qemu-user, under which programs for other processors run, differs from kernel and processor. */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

/* Whether madvise() does what it says. qemu-user says that it did, of any advice: even of this, which none
 * is. */
static inline bool heeds_advice(void)
{
    return madvise(NULL, 0, -1) < 0;
}

/* Whether a load waits for the seq_cst stores before it. qemu-aarch64 on x86 lets it overtake one in a
 * million. */
static inline bool orders_loads(void)
{
#ifdef __aarch64__
    return heeds_advice();
#else
    return true;
#endif
}

#endif
