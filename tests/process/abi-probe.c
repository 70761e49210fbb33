/* SPDX-License-Identifier: MIT */
/* Compiled to see whether a compiler can make programs of some ABI. */
#include <stdio.h>

int main(void)
{
    return puts("") < 0;
}
