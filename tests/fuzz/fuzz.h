/* SPDX-License-Identifier: MIT */
/* What the fuzzers share. Each is a libFuzzer target: LLVMFuzzerTestOneInput(). */
#ifndef FRAMEBUS_FUZZ_H
#define FRAMEBUS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input that is used up from its beginning; zeros when there is no more. */
struct input {
    const uint8_t *data;
    size_t left;
};

static inline void take_bytes(struct input *in, void *to, size_t size)
{
    size_t n = size < in->left ? size : in->left;
    memset(to, 0, size);
    if (n)
        memcpy(to, in->data, n);
    in->data += n;
    in->left -= n;
}

static inline uint8_t take_byte(struct input *in)
{
    uint8_t byte;
    take_bytes(in, &byte, sizeof byte);
    return byte;
}

/* Not assert(): it must hold in every build. */
#define must(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                          \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* A runtime directory of its own that goes when the program ends, and no log. */
void fuzz_prepare(void);

/* To be called after each input, looks now and then: fds must not pile up. */
void fuzz_look_for_fds(void);

#endif
