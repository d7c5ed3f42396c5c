/*
 * A job as the gateway shows it (api.md), for people.
 */
#ifndef GATEWAY_CLI_CLI_JOB_H
#define GATEWAY_CLI_CLI_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/json_value.h"
#include "gateway/cli/cli.h"

/* "queued", …; "unknown" where there is none. */
const char *cli_job_state(const struct json *job);
bool cli_job_is_terminal(const struct json *job);
enum cli_colour cli_job_colour(const struct json *job);

/* 0 to 1 */
double cli_job_progress(const struct json *job);

/* How long it has run, or ran; -1: it has not begun. */
double cli_job_seconds(const struct json *job, int64_t now_ms);

/* All there is to say of it, a line each. */
void cli_job_append_details(const struct cli_style *style, struct str *out, const struct json *job, int64_t now_ms);

/* How it ended: a line, with its result or its error. */
void cli_job_append_ending(const struct cli_style *style, struct str *out, const struct json *job, int64_t now_ms);

/* CLI_DONE: it succeeded. */
enum cli_status cli_job_status(const struct json *job);

/* The members of an object as "users 4,335, products 3,001". */
void cli_job_append_members(const struct cli_style *style, struct str *out, const struct json *object);

#endif
