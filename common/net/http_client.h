/*
 * HTTP requests, several at a time, from one thread: start some, then wait; each ends in its callback, which may start
 * the next. Wraps libcurl. Connections are reused, gzip is accepted, redirects are not followed, only http and https.
 */
#ifndef COMMON_NET_HTTP_CLIENT_H
#define COMMON_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct http_client;

struct http_client_config {
    int connect_timeout_ms; /* 0: 10 s */
    int stall_timeout_s;    /* given up when it brings under 1 kB/s for so long; 0: 60 s */
    size_t max_body_bytes;  /* decoded; 0: 64 MiB */
    const char *bearer;     /* Authorization: Bearer; copied; NULL or "": none. Never in an error or a log */
};

/* Valid during the callback. */
struct http_response {
    long status;
    const char *body; /* terminated */
    size_t size;
    int retry_after_s;    /* of the header, -1 where there is none (a date counts as none) */
    const void *transfer; /* for http_client_header */
};

/* response is NULL on failure and err NULL on success; any status is a success. Failures: ERR_NETWORK (also a body that
 * ends early), ERR_TOO_LARGE, ERR_REMOTE (a certificate is refused), ERR_CONFIG (the URL). */
typedef void (*http_client_fn)(void *context, const struct http_response *response, const struct err *err);

enum err_code http_client_create(struct http_client **out, const struct http_client_config *config,
                                 struct err *err) MUST_CHECK;

/* Transfers under way end without their callbacks. */
void http_client_destroy(struct http_client *client);

enum err_code http_client_get(struct http_client *client, const char *url, http_client_fn fn, void *context,
                              struct err *err) MUST_CHECK;

/* Called with each part of a body as it comes; not terminated. */
typedef void (*http_client_chunk_fn)(void *context, const char *bytes, size_t length);

/* Anything but a plain GET. */
struct http_client_request {
    const char *method; /* NULL: GET */
    const char *url;
    const char *const *headers; /* "Name: value" beside the client's own, ended by NULL; copied; NULL: none */
    const char *body;           /* copied; NULL: none */
    size_t body_size;
    int timeout_ms;                /* of the whole, in place of the client's stall_timeout_s; 0: none */
    http_client_chunk_fn on_chunk; /* takes the body of a status 200 in parts; it may last for ever: give it up by
                                      http_client_drop. NULL: the response has the body */
};
enum err_code http_client_send(struct http_client *client, const struct http_client_request *request, http_client_fn fn,
                               void *context, struct err *err) MUST_CHECK;

/* The last header of that name, copied to value[size], cut where it is longer; false where there is none. */
bool http_client_header(const struct http_response *response, const char *name, char *value, size_t size);

/* Gives up all transfers under way, without their callbacks. */
void http_client_drop(struct http_client *client);

/* Moves the transfers on for at most timeout_ms, and runs the callbacks of those that end. */
enum err_code http_client_wait(struct http_client *client, int timeout_ms, struct err *err) MUST_CHECK;

#endif
