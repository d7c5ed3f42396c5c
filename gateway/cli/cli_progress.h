/*
 * What is shown while a job is watched: on a terminal one line with a bar, drawn again and again; else a line where
 * the state, the stage or ten percent have changed.
 */
#ifndef GATEWAY_CLI_CLI_PROGRESS_H
#define GATEWAY_CLI_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/json_value.h"
#include "gateway/cli/cli_style.h"

enum { CLI_PROGRESS_STAGE_BYTES = 40 };

/* Init with {0} and the style. */
struct cli_progress {
    struct cli_style *style;
    bool drawn; /* the line is on the terminal */
    char state[CLI_PROGRESS_STAGE_BYTES];
    char stage[CLI_PROGRESS_STAGE_BYTES];
    int tenth;
};

/* `note` stands behind ("the gateway is away …"), or is NULL. */
void cli_progress_show(struct cli_progress *progress, const struct json *job, int64_t now_ms, const char *note);

/* Takes the line from the terminal, so that something else can be written. */
void cli_progress_clear(struct cli_progress *progress);

#endif
