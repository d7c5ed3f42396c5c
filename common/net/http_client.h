/*
 * HTTP GETs, several at a time, from one thread: start some, then wait; each ends in its callback, which may start the
 * next. Wraps libcurl. Connections are reused, gzip is accepted, redirects are not followed, only http and https.
 */
#ifndef COMMON_NET_HTTP_CLIENT_H
#define COMMON_NET_HTTP_CLIENT_H

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
    int retry_after_s; /* of the header, -1 where there is none (a date counts as none) */
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

/* Gives up all transfers under way, without their callbacks. */
void http_client_drop(struct http_client *client);

/* Moves the transfers on for at most timeout_ms, and runs the callbacks of those that end. */
enum err_code http_client_wait(struct http_client *client, int timeout_ms, struct err *err) MUST_CHECK;

#endif
