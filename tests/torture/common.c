/* SPDX-License-Identifier: MIT */
/* What supervisor and peers share. */
#include "torture.h"

const char *bus_name(unsigned bus)
{
    static const char *const names[BUSES] = {"bus0", "bus1", "bus2", "bus3"};
    return names[bus];
}

static uint64_t state;

void dice_seed(uint64_t seed)
{
    state = seed;
}

uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t dice(void)
{
    return mix(state += UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t below(uint64_t n)
{
    return dice() % n;
}

bool one_in(uint64_t n)
{
    return below(n) == 0;
}
