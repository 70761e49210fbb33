/* SPDX-License-Identifier: MIT */
#include "table.h"
#include "cli/report.h"
#include "terminal.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Characters: printf would count bytes. */
static size_t text_width(const char *text)
{
    size_t width = mbstowcs(NULL, text, 0);
    return width == (size_t)-1 ? strlen(text) : width;
}

static void table_widen(struct table *table, size_t column, const char *text)
{
    if (text_width(text) > table->width[column])
        table->width[column] = text_width(text);
}

void table_add_styled(struct table *table, char *text, const char *style)
{
    struct table_cell *cell = realloc(table->cell, (table->cells + 1) * sizeof *cell);
    if (!cell)
        report_out_of_memory();
    table->cell = cell;
    cell[table->cells] = (struct table_cell){.text = text_printable(text ? text : "-"), .style = style};
    table_widen(table, table->cells % table->columns, cell[table->cells].text);
    table->cells++;
    free(text);
}

void table_add(struct table *table, char *text)
{
    table_add_styled(table, text, NULL);
}

static void print_cell(const struct table *table, size_t column, const char *text, const char *style)
{
    int padding = (int)(table->width[column] - text_width(text));
    bool last = column + 1 == table->columns;
    if (table->column[column].right)
        printf("%*s", padding, "");
    print_styled(text, style);
    if (!table->column[column].right && !last)
        printf("%*s", padding, "");
    fputs(last ? "\n" : "  ", stdout);
}

void table_print(struct table *table, const char *indent)
{
    fputs(indent, stdout);
    for (size_t i = 0; i < table->columns; i++)
        table_widen(table, i, table->column[i].head);
    for (size_t i = 0; i < table->columns; i++)
        print_cell(table, i, table->column[i].head, STYLE_BOLD);
    for (size_t i = 0; i < table->cells; i++) {
        if (i % table->columns == 0)
            fputs(indent, stdout);
        print_cell(table, i % table->columns, table->cell[i].text, table->cell[i].style);
        free(table->cell[i].text);
    }
    free(table->cell);
    table->cell = NULL;
    table->cells = 0;
}
