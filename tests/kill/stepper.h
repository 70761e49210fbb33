/* SPDX-License-Identifier: MIT */
/*
 * Kills a process after each instruction of a call. The victim is a fresh process for every point: it
 * sets up what it needs at full speed, then says victim_call(), and its parent leads it by single steps
 * from there to the point where it dies.
 */
#ifndef FRAMEBUS_TEST_STEPPER_H
#define FRAMEBUS_TEST_STEPPER_H

#include "../process/harness.h"

/* A piece of the heap that is too small to be split goes out whole. What is lost each time exceeds this soon.
 */
#define HEAP_NOISE 1024

/* Call first in main(): lazy binding would put the dynamic linker into the calls. */
void stepper_start(char **argv);

/* NULL, or why no process can be stepped here. */
const char *stepper_objection(void);

/* In the victim. The call under test goes between the two; _end() does not return. */
void victim_begin(void);
_Noreturn void victim_end(void);

struct killing {
    void (*victim)(void);
    void (*look_after)(void); /* after each kill: everything is as it should be */
    void (*idle)(void);       /* the victim sleeps in a system call: make it go on; may be NULL */
    unsigned sample;          /* points, evenly spread, and those around system calls; 0: every instruction */
};

/* Kills at point after point; returns how many there were. *instructions is the length of the call. */
unsigned stepper_kill(const struct killing *killing, unsigned *instructions);

#endif
