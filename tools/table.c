/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "text.h"

/* In characters: printf would count bytes. */
static size_t text_width(const char *text)
{
    size_t width = mbstowcs(NULL, text, 0);

    return width == (size_t)-1 ? strlen(text) : width;
}

static void widen(struct table *table, size_t column, const char *text)
{
    if (text_width(text) > table->width[column])
        table->width[column] = text_width(text);
}

void table_add(struct table *table, char *text)
{
    char **cell = realloc(table->cell, (table->cells + 1) * sizeof(*cell));

    if (!cell)
        errx(STATUS_FAILED, "out of memory");
    table->cell = cell;
    cell[table->cells] = printable(text ? text : "-");
    widen(table, table->cells % table->columns, cell[table->cells]);
    table->cells++;
    free(text);
}

static void print_cell(const struct table *table, size_t column, const char *text)
{
    int padding = (int)(table->width[column] - text_width(text));
    bool last = column + 1 == table->columns;

    if (table->column[column].right)
        printf("%*s%s", padding, "", text);
    else
        printf("%s%*s", text, last ? 0 : padding, "");
    fputs(last ? "\n" : "  ", stdout);
}

void table_print(struct table *table, const char *indent)
{
    fputs(indent, stdout);
    for (size_t i = 0; i < table->columns; i++)
        widen(table, i, table->column[i].head);
    for (size_t i = 0; i < table->columns; i++)
        print_cell(table, i, table->column[i].head);
    for (size_t i = 0; i < table->cells; i++) {
        if (i % table->columns == 0)
            fputs(indent, stdout);
        print_cell(table, i % table->columns, table->cell[i]);
        free(table->cell[i]);
    }
    free(table->cell);
    table->cell = NULL;
    table->cells = 0;
}
