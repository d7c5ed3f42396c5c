/*
 * Numbers and times as people read them, into out[CLI_FORMAT_BYTES].
 */
#ifndef GATEWAY_CLI_CLI_FORMAT_H
#define GATEWAY_CLI_CLI_FORMAT_H

#include <stdint.h>

#include "common/net/json_value.h"

enum { CLI_FORMAT_BYTES = 48 };

/* "12,345" */
void cli_format_count(char *out, int64_t number);

/* "0.4 s", "12 s", "3 min 05 s", "2 h 03 min", "4 d 7 h" */
void cli_format_duration(char *out, double seconds);

/* "just now", "12 s ago", "in 3 min" */
void cli_format_ago(char *out, int64_t then_ms, int64_t now_ms);

/* The same of a member that is an ISO 8601 text; "-" where it is none. */
void cli_format_member_ago(char *out, const struct json *object, const char *key, int64_t now_ms);

/* A member's time in unix milliseconds; 0: it has none. */
int64_t cli_format_member_ms(const struct json *object, const char *key);

/* A member that is a text, else "-". */
const char *cli_format_text(const struct json *object, const char *key);

/* A member as text: texts as they are, numbers as counts or to six digits, "-" for null and what is missing. */
void cli_format_member(char *out, const struct json *object, const char *key);

/* The same of a value. */
void cli_format_value(char *out, const struct json *value);

#endif
