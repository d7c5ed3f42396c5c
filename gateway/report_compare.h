/*
 * Two reports side by side. Plain JSON to plain JSON: it asks nobody.
 */
#ifndef GATEWAY_REPORT_COMPARE_H
#define GATEWAY_REPORT_COMPARE_H

#include "common/net/json_value.h"

/*
 * {a and b: {type, namespace, created_at, seconds, published, error (its message, or null)}, stages [{name, a and b:
 * {seconds, rows_in, rows_out}}], counts, parameters and metrics [{name ("matrix.users"), a, b, change}], loss {a, b
 * (lists), last {a, b, change}}, samples [{name ("user.recommended"), subject {a, b}, a, b (lists of products), common,
 * overlap}]}. What only one report has is null in the other; `overlap` is common / the longer list, null where the
 * lists are of different users or products. NULL when out of memory.
 */
struct json *report_compare_make(const struct json *a, const struct json *b);

#endif
