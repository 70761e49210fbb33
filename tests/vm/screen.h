/* SPDX-License-Identifier: MIT */
/* What a display scans out, seen by a process that has nothing to do with it; and framebus display. */
#ifndef FRAMEBUS_TEST_SCREEN_H
#define FRAMEBUS_TEST_SCREEN_H

#include "guest.h"

#define SCREEN_WIDTH  640
#define SCREEN_HEIGHT 480
#define SCREEN_SIZE   (SCREEN_WIDTH * SCREEN_HEIGHT * 4)

/* Copies what is on the screen; *inode: what its memory is to the kernel. False: nothing of that size. */
bool screen_look(uint8_t *bytes, int64_t *inode);

/* Starts framebus display on the test's bus, and waits until it shows something. */
pid_t screen_start(void);

/* Ends it, and looks whether it gave the screen back and what it said has both words in it. */
void screen_end(pid_t pid, const char *one, const char *other);

#endif
