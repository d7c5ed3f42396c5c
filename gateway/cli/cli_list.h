/*
 * `recfleet list`: jobs, newest first.
 */
#ifndef GATEWAY_CLI_CLI_LIST_H
#define GATEWAY_CLI_CLI_LIST_H

#include <stdint.h>

#include "gateway/cli/cli.h"

extern const struct cli_option cli_list_options[];

int cli_list_run(struct cli *cli);

/* At most `rows` jobs of an array as a table; false when out of memory. */
bool cli_list_append(const struct cli_style *style, struct str *out, const struct json *jobs, int64_t now_ms,
                     size_t rows);

#endif
