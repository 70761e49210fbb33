/* SPDX-License-Identifier: MIT */
/* A table for standard output, which is aligned once all its cells are known. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table_column {
    const char *head;
    bool right; /* aligned to the right, as figures are */
};

struct table_cell {
    char *text;
    const char *style;
};

#define TABLE_COLUMNS_MAX 12

struct table {
    const struct table_column *column;
    size_t columns;
    struct table_cell *cell; /* row by row */
    size_t cells;
    size_t width[TABLE_COLUMNS_MAX];
};

/* Adds the next cell. The text was allocated and becomes the table's; NULL is printed as "-". */
void table_add(struct table *table, char *text);

/* The same in a style of terminal.h. */
void table_add_styled(struct table *table, char *text, const char *style);

/* Prints the table to standard output, each line after `indent`, and empties it. */
void table_print(struct table *table, const char *indent);

#endif
