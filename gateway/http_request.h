/*
 * A request of HTTP/1.x as plain data. Its texts are terminated and live in the request's arena.
 */
#ifndef GATEWAY_HTTP_REQUEST_H
#define GATEWAY_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

struct http_header {
    const char *name;
    const char *value;
};

struct http_request {
    const char *method; /* "GET", … */
    const char *path;   /* "/v1/jobs", not decoded, without the query */
    const char *query;  /* behind the "?", or "" */
    const struct http_header *headers;
    size_t header_count;
    const char *body; /* may hold NULs; "" without one */
    size_t body_length;
    bool keep_alive;
    bool http_1_0;
};

/* The first header of that name (any case), or NULL. */
const char *http_request_header(const struct http_request *request, const char *name);

/*
 * Looks for `token` (any case) among the comma-separated elements of all headers of that name; NULL when it is not
 * there, else what follows it in its element ("=10", ";q=0.5", ""), up to the end of the header.
 */
const char *http_request_token(const struct http_request *request, const char *name, const char *token);

/* Whether the client asks for text/html: a browser does, a probe or a script does not. */
bool http_request_wants_html(const struct http_request *request);

/* Seconds of `Prefer: wait=N`; -1 without one. */
int http_request_wait_s(const struct http_request *request);

#endif
