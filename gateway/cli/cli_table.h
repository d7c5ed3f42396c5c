/*
 * Rows of cells, aligned: a column is as wide as its widest cell. Where the terminal is too narrow, cells are cut, of
 * the last column first.
 */
#ifndef GATEWAY_CLI_CLI_TABLE_H
#define GATEWAY_CLI_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/cli/cli_style.h"

enum { CLI_TABLE_COLUMNS = 12 };

struct cli_column {
    const char *title;
    bool right;   /* aligned so, for numbers */
    size_t least; /* cells it may be cut to where the terminal is too narrow; 0: it is never cut */
};

struct cli_cell {
    size_t place; /* in the table's texts */
    enum cli_colour colour;
};

/* Init by cli_table_init. A cell that could not be added shows in cli_table_append. */
struct cli_table {
    const struct cli_column *columns;
    size_t column_count;
    struct cli_cell *cells;
    size_t cell_count;
    size_t cell_capacity;
    struct str texts; /* terminated, one behind the other */
    bool failed;
};

void cli_table_init(struct cli_table *table, const struct cli_column *columns, size_t count);
void cli_table_fini(struct cli_table *table);

/* The next cell, from left to right, row by row; a control character in it does not reach the terminal. */
void cli_table_add(struct cli_table *table, enum cli_colour colour, const char *text);

/* Appends the head and at most `rows` rows, each after `indent` spaces; false when out of memory. */
bool cli_table_append(const struct cli_table *table, const struct cli_style *style, size_t indent, size_t rows,
                      struct str *out);

#endif
