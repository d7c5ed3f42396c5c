/*
 * `recfleet watch`: follows a job to its end by its event stream, or by asking again and again where there is none.
 * A gateway that is away for a while is waited for.
 */
#ifndef GATEWAY_CLI_CLI_WATCH_H
#define GATEWAY_CLI_CLI_WATCH_H

#include "gateway/cli/cli.h"

extern const struct cli_option cli_watch_options[];

int cli_watch_run(struct cli *cli);

/* The same for a job that was submitted just now. */
enum cli_status cli_watch_job(struct cli *cli, const char *id);

#endif
