/*
 * The commands of `recfleet`, and their help.
 */
#ifndef GATEWAY_CLI_CLI_COMMANDS_H
#define GATEWAY_CLI_CLI_COMMANDS_H

#include <stdbool.h>

#include "common/base/str.h"
#include "gateway/cli/cli_arguments.h"

/* Ended by one without a name. */
const struct cli_command *cli_commands_all(void);

/* The help of a command; NULL: of all. */
void cli_commands_append_help(const struct cli_command *command, struct str *out);

/* `recfleet help [COMMAND]` */
int cli_commands_help(struct cli *cli);

#endif
