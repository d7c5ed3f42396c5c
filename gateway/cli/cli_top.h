/*
 * `recfleet top`: queue, workers and the newest jobs, drawn again and again; q or ^C ends it. Where stdout is no
 * terminal it is shown once.
 */
#ifndef GATEWAY_CLI_CLI_TOP_H
#define GATEWAY_CLI_CLI_TOP_H

#include "gateway/cli/cli.h"

extern const struct cli_option cli_top_options[];

int cli_top_run(struct cli *cli);

#endif
