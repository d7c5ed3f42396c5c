/*
 * HTTP/1.x requests from bytes. One parser per connection; it stops behind each request, so that what follows (a
 * pipelined request) stays with the caller until the answer is out. Wraps llhttp.
 */
#ifndef GATEWAY_HTTP_PARSE_H
#define GATEWAY_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/arena.h"
#include "gateway/http_request.h"

enum {
    HTTP_PARSE_MAX_HEAD_BYTES = 16 * 1024, /* request line and headers */
    HTTP_PARSE_MAX_HEADERS = 100,
    HTTP_PARSE_MAX_BODY_BYTES = 64 * 1024,
    HTTP_PARSE_ARENA_BYTES = 512 * 1024 /* what a request and its handling may take */
};

enum http_parse_outcome {
    HTTP_PARSE_MORE,   /* all was taken, the request is not complete */
    HTTP_PARSE_DONE,   /* *consumed bytes made the request complete */
    HTTP_PARSE_REFUSED /* not to be answered but by the status; the connection is of no more use */
};

struct http_parse;

struct http_parse *http_parse_create(void);
void http_parse_destroy(struct http_parse *parse);

/* Begins a request, which will live in `arena`. */
void http_parse_begin(struct http_parse *parse, struct arena *arena);

enum http_parse_outcome http_parse_feed(struct http_parse *parse, const char *bytes, size_t length, size_t *consumed);

/* After DONE. */
const struct http_request *http_parse_request(const struct http_parse *parse);

/* After REFUSED: 400, 413, 431, 501 or 505, and why. */
int http_parse_status(const struct http_parse *parse);
const char *http_parse_reason(const struct http_parse *parse);

/* Whether the head is complete and asks for "100 Continue" before the body; true once. */
bool http_parse_take_expectation(struct http_parse *parse);

#endif
