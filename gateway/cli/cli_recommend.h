/*
 * `recfleet recommend`: what is published now, for a look.
 */
#ifndef GATEWAY_CLI_CLI_RECOMMEND_H
#define GATEWAY_CLI_CLI_RECOMMEND_H

#include "gateway/cli/cli.h"

extern const struct cli_option cli_recommend_options[];

int cli_recommend_run(struct cli *cli);

#endif
