/*
 * `recfleet report`: what a run did, in short; --text shows the report's own text, --json all of it.
 */
#ifndef GATEWAY_CLI_CLI_REPORT_H
#define GATEWAY_CLI_CLI_REPORT_H

#include "gateway/cli/cli.h"

extern const struct cli_option cli_report_options[];

int cli_report_run(struct cli *cli);

/* The summary of a report. */
void cli_report_append(const struct cli_style *style, struct str *out, const struct json *report);

#endif
