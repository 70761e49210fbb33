/* SPDX-License-Identifier: MIT */
/*
 * What a program or command says of itself, with its options: one table, from which its command line is read,
 * --help is printed and its man page is made (docs/man/from-usage.py reads the source: texts are literals).
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <getopt.h> /* optind */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* An option, or a heading above those that follow, which has `help` alone. A table ends with an empty row;
 * --help and --version need none. */
struct option_row {
    const char *name;
    char letter;       /* 0: none */
    const char *value; /* what its value is called; in brackets if it may be left out; NULL: it takes none */
    const char *(*parse)(const char *text, void *field); /* one of values.h; NULL: sets a bool */
    size_t field;                                        /* offset in the values */
    const char *help;
};

/* A word and what it means, or a heading, which has `text` alone. A table ends with an empty row. */
struct usage_term {
    const char *term, *text;
};

#define USAGE_OPERANDS_MAX 2

struct usage {
    const char *name;               /* "framebus check" */
    const char *arguments;          /* "[OPTION]... NAME" */
    const char *summary;            /* one line */
    const char *text;               /* paragraphs, an empty line between them */
    const struct usage_term *terms; /* words of the output; NULL: none */
    const struct option_row *options;
    const char *notes;                       /* paragraphs after the options; NULL: none */
    const struct usage_term *statuses;       /* NULL: usage_statuses, which --help does not repeat */
    const char *examples;                    /* a command on each line; NULL: none */
    const char *operand[USAGE_OPERANDS_MAX]; /* what must follow the options: "the name of a bus" */
    bool more;                               /* any number of further operands may follow */
    const char *(*version)(void);            /* NULL: there is no --version */
};

extern const struct usage_term usage_statuses[];

/* What a row's function returns that has done all that was asked for: the program ends with STATUS_DONE. */
extern const char options_done[];

void usage_print(const struct usage *usage, FILE *file);

/*
 * Reads the command line into `values` and leaves optind at the first operand. False: that was all, because
 * of --help or of a mistake, which is reported; *status is what to exit with.
 */
bool options_read(const struct usage *usage, int argc, char **argv, void *values, int *status);

#endif
