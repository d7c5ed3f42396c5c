/*
 * A small chart of a series, in text.
 */
#ifndef GATEWAY_CLI_CLI_CHART_H
#define GATEWAY_CLI_CLI_CHART_H

#include <stddef.h>

#include "gateway/cli/cli_style.h"

enum { CLI_CHART_ROWS = 6, CLI_CHART_MOST_POINTS = 60 };

/* Appends `count` values, finite and at least one, from the first at the left; more than fit are thinned out. Each row
 * begins with `indent` spaces and what it stands for. */
void cli_chart_append(const struct cli_style *style, struct str *out, const double *values, size_t count,
                      size_t indent);

#endif
