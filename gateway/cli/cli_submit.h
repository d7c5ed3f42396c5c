/*
 * `recfleet submit`: hands a job to the gateway. Its parameters are checked here first, as the gateway checks them.
 */
#ifndef GATEWAY_CLI_CLI_SUBMIT_H
#define GATEWAY_CLI_CLI_SUBMIT_H

#include <stdint.h>

#include "gateway/cli/cli.h"

extern const struct cli_option cli_submit_options[];

int cli_submit_run(struct cli *cli);

/* "2026-01-31T06:00:00Z" or "+90s", "+30m", "+2h", "+1d" from now; false: neither. */
bool cli_submit_parse_time(const char *text, int64_t now_ms, int64_t *unix_ms);

#endif
