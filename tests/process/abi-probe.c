/* SPDX-License-Identifier: MIT */
/* Compiled to see whether a compiler can make programs of some ABI, and has the kernel's headers for it. */
#include <errno.h>
#include <stdio.h>

int main(void)
{
    return puts("") < 0;
}
