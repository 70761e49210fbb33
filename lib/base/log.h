/* SPDX-License-Identifier: MIT */
/* The log, and the sentence that every failure leaves for framebus_last_error(). */
#ifndef FRAMEBUS_LOG_H
#define FRAMEBUS_LOG_H

#include "framebus.h"

/* Writes one line to the log. Any thread, any lock held. */
void log_line(enum framebus_log_level level, const char *text, ...) FRAMEBUS_PRINTF(2, 3);

/* Keeps a sentence for framebus_last_error(), logs it at debug level, and returns `error` (a negative
 * errno): `return fail(-EINVAL, "history %u is more than 256", n);`. Leaves errno alone. */
int fail(int error, const char *text, ...) FRAMEBUS_PRINTF(2, 3);

/* Around fork(): the child must not inherit a lock that nobody there unlocks. */
void log_before_fork(void);
void log_after_fork(void);

#endif
