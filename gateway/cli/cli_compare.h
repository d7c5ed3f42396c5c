/*
 * `recfleet compare A B`: what two runs did, side by side.
 */
#ifndef GATEWAY_CLI_CLI_COMPARE_H
#define GATEWAY_CLI_CLI_COMPARE_H

#include "gateway/cli/cli.h"

int cli_compare_run(struct cli *cli);

/* The same of an answer of GET /v1/reports/compare. */
void cli_compare_append(const struct cli_style *style, struct str *out, const struct json *comparison);

#endif
