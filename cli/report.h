/* SPDX-License-Identifier: MIT */
/* Messages for people, on standard error: whole lines that begin with the name of the program. Any thread. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#define REPORT_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Exit statuses of every program. */
enum {
    STATUS_DONE = 0,
    STATUS_FAILED = 1, /* the reason is on standard error */
    STATUS_USAGE = 2,  /* wrong command line */
};

/* Sets the name that every line begins with, such as "framebus ls"; not copied. main() does so first. */
void report_init(const char *speaker);
const char *report_speaker(void);

/* Says what went wrong. Returns STATUS_FAILED. */
int report_error(const char *text, ...) REPORT_PRINTF(1, 2);

/* Says what only those want to know who ask for it with --verbose: nothing before report_set_verbose(). */
void report_detail(const char *text, ...) REPORT_PRINTF(1, 2);
void report_set_verbose(void);

/* Says what is wrong with the command line, and where the help is. Returns STATUS_USAGE. */
int report_usage(const char *text, ...) REPORT_PRINTF(1, 2);

/* Says so and ends the program: for pieces of memory so small that nothing works without them. */
_Noreturn void report_out_of_memory(void);

#endif
