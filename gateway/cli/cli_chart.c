#include "gateway/cli/cli_chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_CELLS = 11, LEVELS = 8, WIDE = 3, MOST_CELLS = 66 };

struct range {
    double low;
    double high;
};

static struct range measure(const double *values, size_t count)
{
    struct range range = {.low = values[0], .high = values[0]};

    for (size_t i = 1; i < count; i++) {
        range.low = fmin(range.low, values[i]);
        range.high = fmax(range.high, values[i]);
    }
    return range;
}

/* How high a value stands, in eighths of a row; the least still shows. */
static int height(double value, struct range range)
{
    double span = range.high - range.low;
    double part = span > 0 ? (value - range.low) / span : 1;

    return 1 + (int)(part * (CLI_CHART_ROWS * LEVELS - 1) + 0.5);
}

/* One column of one row: full, empty, or the eighths that are left. */
static void append_block(const struct cli_style *style, struct str *out, int eighths, size_t cells)
{
    static const char *const blocks[LEVELS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[LEVELS + 1] = {" ", ".", ".", ".", ":", ":", ":", "#", "#"};
    int level = eighths < 0 ? 0 : eighths;

    level = level > LEVELS ? LEVELS : level;
    for (size_t i = 0; i < cells; i++)
        str_append_text(out, style->utf8 ? blocks[level] : plain[level]);
}

/* The place among the values of a point of the chart. */
static size_t place_of(size_t point, size_t points, size_t count)
{
    return points > 1 ? point * (count - 1) / (points - 1) : 0;
}

static void append_label(const struct cli_style *style, struct str *out, int row, struct range range, size_t indent)
{
    char label[32] = "";

    if (row == CLI_CHART_ROWS - 1)
        (void)snprintf(label, sizeof label, "%.5g", range.high);
    else if (row == 0)
        (void)snprintf(label, sizeof label, "%.5g", range.low);
    for (size_t i = 0; i < indent; i++)
        str_append_char(out, ' ');
    cli_style_append_cell(style, out, CLI_DIM, label, LABEL_CELLS, true);
    str_append_text(out, style->utf8 ? " ┤" : " |");
}

void cli_chart_append(const struct cli_style *style, struct str *out, const double *values, size_t count, size_t indent)
{
    struct range range = measure(values, count);
    size_t points = count < CLI_CHART_MOST_POINTS ? count : CLI_CHART_MOST_POINTS;
    size_t cells = MOST_CELLS / points;

    cells = cells < 1 ? 1 : cells;
    cells = cells > WIDE ? WIDE : cells;
    for (int row = CLI_CHART_ROWS - 1; row >= 0; row--) {
        append_label(style, out, row, range, indent);
        for (size_t point = 0; point < points; point++)
            append_block(style, out, height(values[place_of(point, points, count)], range) - row * LEVELS, cells);
        str_append_char(out, '\n');
    }
}
