/*
 * The query of a URL as names and values, and the decoding of a segment of its path. All texts live in the arena.
 */
#ifndef GATEWAY_HTTP_QUERY_H
#define GATEWAY_HTTP_QUERY_H

#include <stddef.h>

#include "common/base/arena.h"
#include "common/base/err.h"

enum { HTTP_QUERY_MAX_PAIRS = 32 };

struct http_query_pair {
    const char *name;
    const char *value; /* "" without a "=" */
};

struct http_query {
    struct http_query_pair pairs[HTTP_QUERY_MAX_PAIRS]; /* in their order, each name once */
    size_t count;
};

/* "a=1&b=x+y%20z" (application/x-www-form-urlencoded). ERR_FORMAT says what is wrong: a broken escape, what is not
 * UTF-8 or holds a NUL, a name that is empty or comes twice; ERR_TOO_LARGE: too many, or no room in the arena. */
enum err_code http_query_parse(struct http_query *out, struct arena *arena, const char *query,
                               struct err *err) MUST_CHECK;

/* The value of a name, or NULL. */
const char *http_query_get(const struct http_query *query, const char *name);

/* text[0..length) with %xx decoded and "+" left alone: a segment of a path. The same errors. */
enum err_code http_query_decode_segment(const char **out, struct arena *arena, const char *text, size_t length,
                                        struct err *err) MUST_CHECK;

#endif
