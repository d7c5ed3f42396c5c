#include "gateway/cli/cli_style.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TEXT_BYTES = 1024, LEAST_COLUMNS = 40, USUAL_COLUMNS = 80, USUAL_ROWS = 24 };

/* "" where it is unset. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : "";
}

/* The first of the three that is set counts, as in setlocale. */
static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *locale = variable(names[i]);

        if (locale[0] != '\0')
            return strcasestr(locale, "utf-8") != NULL || strcasestr(locale, "utf8") != NULL;
    }
    return false;
}

struct cli_style cli_style_detect(void)
{
    struct cli_style style = {.utf8 = locale_is_utf8()};
    const char *term = variable("TERM");

    style.terminal = isatty(STDOUT_FILENO) == 1 && term[0] != '\0' && strcmp(term, "dumb") != 0;
    style.colour = style.terminal && variable("NO_COLOR")[0] == '\0';
    cli_style_measure(&style);
    return style;
}

void cli_style_measure(struct cli_style *style)
{
    struct winsize size = {.ws_col = 0};

    if (!style->terminal)
        return;
    style->columns = USUAL_COLUMNS;
    style->rows = USUAL_ROWS;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return;
    if (size.ws_col > 0)
        style->columns = size.ws_col < LEAST_COLUMNS ? LEAST_COLUMNS : size.ws_col;
    if (size.ws_row > 0)
        style->rows = size.ws_row;
}

static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0u) != 0x80u;
}

size_t cli_style_width(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += begins_character(*text);
    return width;
}

/* The first `cells` characters; those that steer a terminal (C0, DEL, and C1 as UTF-8) become "?". */
static void append_clean(struct str *out, const char *text, size_t cells)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (begins_character(*text) && cells-- == 0)
            return;
        if (byte == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0) {
            str_append_char(out, '?');
            text++;
        } else {
            str_append_char(out, byte < 0x20 || byte == 0x7f ? '?' : *text);
        }
    }
}

static void begin_colour(const struct cli_style *style, struct str *out, enum cli_colour colour)
{
    static const char *const codes[] = {
        [CLI_PLAIN] = "",         [CLI_BOLD] = "\033[1m",    [CLI_DIM] = "\033[2m",   [CLI_RED] = "\033[31m",
        [CLI_GREEN] = "\033[32m", [CLI_YELLOW] = "\033[33m", [CLI_BLUE] = "\033[34m", [CLI_CYAN] = "\033[36m"};

    if (style->colour)
        str_append_text(out, codes[colour]);
}

static void end_colour(const struct cli_style *style, struct str *out, enum cli_colour colour)
{
    if (style->colour && colour != CLI_PLAIN)
        str_append_text(out, "\033[0m");
}

void cli_style_append(const struct cli_style *style, struct str *out, enum cli_colour colour, const char *text)
{
    begin_colour(style, out, colour);
    append_clean(out, text, SIZE_MAX);
    end_colour(style, out, colour);
}

void cli_style_append_format(const struct cli_style *style, struct str *out, enum cli_colour colour, const char *format,
                             ...)
{
    char text[TEXT_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_style_append(style, out, colour, text);
}

static void append_spaces(struct str *out, size_t count)
{
    while (count-- > 0)
        str_append_char(out, ' ');
}

void cli_style_append_cell(const struct cli_style *style, struct str *out, enum cli_colour colour, const char *text,
                           size_t cells, bool right)
{
    size_t width = cli_style_width(text);

    if (right && width < cells)
        append_spaces(out, cells - width);
    begin_colour(style, out, colour);
    if (width <= cells) {
        append_clean(out, text, cells);
    } else if (cells > 0) {
        append_clean(out, text, cells - 1);
        str_append_text(out, style->utf8 ? "…" : "~");
    }
    end_colour(style, out, colour);
    if (!right && width < cells)
        append_spaces(out, cells - width);
}

static void append_run(const struct cli_style *style, struct str *out, enum cli_colour colour, const char *cell,
                       size_t count)
{
    if (count == 0)
        return;
    begin_colour(style, out, colour);
    while (count-- > 0)
        str_append_text(out, cell);
    end_colour(style, out, colour);
}

void cli_style_append_bar(const struct cli_style *style, struct str *out, enum cli_colour colour, double fraction,
                          size_t cells)
{
    double bounded = fraction > 0 ? fraction : 0; /* 0 where it is no number */
    size_t full = (size_t)((bounded < 1 ? bounded : 1) * (double)cells + 0.5);

    append_run(style, out, colour, style->utf8 ? "█" : "#", full);
    append_run(style, out, CLI_DIM, style->utf8 ? "░" : "-", cells - full);
}
