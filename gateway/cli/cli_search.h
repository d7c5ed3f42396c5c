/*
 * A search's part of `recfleet report`: its best, and a table of all scores with bars, best first.
 */
#ifndef GATEWAY_CLI_CLI_SEARCH_H
#define GATEWAY_CLI_CLI_SEARCH_H

#include "common/net/json_value.h"
#include "gateway/cli/cli_style.h"

/* Nothing for a report of another type. */
void cli_search_append(const struct cli_style *style, struct str *out, const struct json *report);

#endif
