/*
 * `recfleet status`, `cancel`, `retry`: one job.
 */
#ifndef GATEWAY_CLI_CLI_CONTROL_H
#define GATEWAY_CLI_CLI_CONTROL_H

#include "gateway/cli/cli.h"

extern const struct cli_option cli_control_retry_options[];

int cli_control_status(struct cli *cli);
int cli_control_cancel(struct cli *cli);
int cli_control_retry(struct cli *cli);

#endif
