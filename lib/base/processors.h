/* SPDX-License-Identifier: MIT */
#ifndef FRAMEBUS_BASE_PROCESSORS_H
#define FRAMEBUS_BASE_PROCESSORS_H

#include <stdint.h>

/* How many processors threads like this one may keep busy and leave one for everybody else: all but one of
 * the machine's, no more than this thread may run on, and all but one of those that its control group (cgroup
 * v2) grants. 0: none. Reads a few files of /proc and /sys; where it may not, they say nothing. */
uint32_t processors_to_spare(void);

#endif
