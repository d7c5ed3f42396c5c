/*
 * `recfleet workers`, `queue`: who works, and what waits.
 */
#ifndef GATEWAY_CLI_CLI_FLEET_H
#define GATEWAY_CLI_CLI_FLEET_H

#include <stdint.h>

#include "gateway/cli/cli.h"

extern const struct cli_option cli_fleet_queue_options[];

int cli_fleet_workers(struct cli *cli);
int cli_fleet_queue(struct cli *cli);

/* The answers of GET /v1/workers and /v1/queue as tables; false when out of memory. */
bool cli_fleet_append_workers(const struct cli_style *style, struct str *out, const struct json *answer, int64_t now_ms,
                              size_t rows);
bool cli_fleet_append_queue(const struct cli_style *style, struct str *out, const struct json *answer, int64_t now_ms);

#endif
