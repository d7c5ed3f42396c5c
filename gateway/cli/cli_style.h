/*
 * How text looks on this terminal: colour, width, and characters beyond ASCII. Everything is composed into a text and
 * written at once. What comes from a server goes through cli_style_append, which leaves control characters out.
 */
#ifndef GATEWAY_CLI_CLI_STYLE_H
#define GATEWAY_CLI_CLI_STYLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/str.h"

enum cli_colour { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_RED, CLI_GREEN, CLI_YELLOW, CLI_BLUE, CLI_CYAN };

struct cli_style {
    bool terminal; /* stdout is one, and can more than print lines */
    bool colour;   /* on a terminal, without NO_COLOR */
    bool utf8;     /* the locale's characters */
    int columns;   /* 0: as wide as it gets */
    int rows;
};

struct cli_style cli_style_detect(void);

/* The size as it is now; a terminal's only. */
void cli_style_measure(struct cli_style *style);

/* Appends a text in a colour, control characters as "?". */
void cli_style_append(const struct cli_style *style, struct str *out, enum cli_colour colour, const char *text);
void cli_style_append_format(const struct cli_style *style, struct str *out, enum cli_colour colour, const char *format,
                             ...) __attribute__((format(printf, 4, 5)));

/* The same, cut to `cells` (with an ellipsis) or filled up with spaces behind or, `right`, before it. */
void cli_style_append_cell(const struct cli_style *style, struct str *out, enum cli_colour colour, const char *text,
                           size_t cells, bool right);

/* How many cells a text takes: its characters, of UTF-8. */
size_t cli_style_width(const char *text);

/* Appends `cells` of a bar, `fraction` (0 to 1) of them full. */
void cli_style_append_bar(const struct cli_style *style, struct str *out, enum cli_colour colour, double fraction,
                          size_t cells);

#endif
