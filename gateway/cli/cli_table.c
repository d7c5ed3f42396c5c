#include "gateway/cli/cli_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { GAP = 2 };

void cli_table_init(struct cli_table *table, const struct cli_column *columns, size_t count)
{
    *table = (struct cli_table){.columns = columns, .column_count = count};
}

void cli_table_fini(struct cli_table *table)
{
    free(table->cells);
    str_fini(&table->texts);
}

void cli_table_add(struct cli_table *table, enum cli_colour colour, const char *text)
{
    if (mem_grow(&table->cells, &table->cell_capacity, table->cell_count + 1, sizeof *table->cells, NULL) != ERR_OK) {
        table->failed = true;
        return;
    }
    table->cells[table->cell_count++] = (struct cli_cell){.place = table->texts.length, .colour = colour};
    str_append(&table->texts, text, strlen(text) + 1);
}

static const char *cell_text(const struct cli_table *table, size_t cell)
{
    return table->texts.text + table->cells[cell].place;
}

static void measure(const struct cli_table *table, size_t cells, size_t *widths)
{
    for (size_t column = 0; column < table->column_count; column++)
        widths[column] = cli_style_width(table->columns[column].title);
    for (size_t i = 0; i < cells; i++) {
        size_t width = cli_style_width(cell_text(table, i));

        if (width > widths[i % table->column_count])
            widths[i % table->column_count] = width;
    }
}

static size_t line_width(const struct cli_table *table, size_t indent, const size_t *widths)
{
    size_t width = indent + GAP * (table->column_count - 1);

    for (size_t column = 0; column < table->column_count; column++)
        width += widths[column];
    return width;
}

/* The last column gives way to all others, then the widest that may; column_count: none. */
static size_t next_to_give_way(const struct cli_table *table, const size_t *widths)
{
    size_t last = table->column_count - 1;
    size_t widest = table->column_count;

    for (size_t column = 0; column < table->column_count; column++) {
        size_t least = table->columns[column].least;
        bool may = least > 0 && widths[column] > least;

        if (may && column == last)
            return last;
        if (may && (widest == table->column_count || widths[column] > widths[widest]))
            widest = column;
    }
    return widest;
}

/* A row is a line of the terminal, as far as that can be. */
static void fit(const struct cli_table *table, const struct cli_style *style, size_t indent, size_t *widths)
{
    size_t width = line_width(table, indent, widths);

    while (style->columns > 0 && width > (size_t)style->columns) {
        size_t column = next_to_give_way(table, widths);

        if (column == table->column_count)
            return;
        widths[column]--;
        width--;
    }
}

static void append_indent(struct str *out, size_t indent)
{
    for (size_t i = 0; i < indent; i++)
        str_append_char(out, ' ');
}

/* Without the spaces that would fill the last column up. */
static void append_cell(const struct cli_table *table, const struct cli_style *style, const size_t *widths,
                        size_t column, enum cli_colour colour, const char *text, struct str *out)
{
    bool last = column + 1 == table->column_count;
    size_t width = widths[column];

    if (last && !table->columns[column].right && cli_style_width(text) < width)
        width = cli_style_width(text);
    cli_style_append_cell(style, out, colour, text, width, table->columns[column].right);
    while (last && out->length > 0 && out->text[out->length - 1] == ' ') /* an empty cell, and the gap before it */
        out->text[--out->length] = '\0';
    if (last)
        str_append_char(out, '\n');
    else
        append_indent(out, GAP);
}

bool cli_table_append(const struct cli_table *table, const struct cli_style *style, size_t indent, size_t rows,
                      struct str *out)
{
    size_t widths[CLI_TABLE_COLUMNS];
    size_t cells = table->cell_count;

    if (table->failed || table->texts.failed || table->column_count > CLI_TABLE_COLUMNS)
        return false;
    if (rows < cells / table->column_count)
        cells = rows * table->column_count;
    measure(table, cells, widths);
    fit(table, style, indent, widths);
    append_indent(out, indent);
    for (size_t column = 0; column < table->column_count; column++)
        append_cell(table, style, widths, column, CLI_DIM, table->columns[column].title, out);
    for (size_t i = 0; i < cells; i++) {
        if (i % table->column_count == 0)
            append_indent(out, indent);
        append_cell(table, style, widths, i % table->column_count, table->cells[i].colour, cell_text(table, i), out);
    }
    return !out->failed;
}
