/*
 * Serves a registry of metrics as GET /metrics to whoever may reach its address: a listener of its own on the loop,
 * with no key and nothing else on it. Bounded in connections, bytes and time. All on the loop's thread.
 */
#ifndef COMMON_NET_METRICS_LISTENER_H
#define COMMON_NET_METRICS_LISTENER_H

#include <stdbool.h>
#include <uv.h>

#include "common/base/env.h"
#include "common/base/err.h"
#include "common/net/metrics.h"

enum { METRICS_LISTENER_HOST_BYTES = 48 };

/* METRICS_LISTEN as plain data. */
struct metrics_address {
    char host[METRICS_LISTENER_HOST_BYTES]; /* numeric; "": nothing is served */
    int port;                               /* 0: any free one */
    bool given;                             /* set by somebody, not the default */
};

/* "127.0.0.1:9464", "[::1]:9464"; "off" or an empty value: nothing is served. Problems are noted in the env. */
void metrics_listener_read_address(struct metrics_address *out, struct env *env, const char *fallback);

struct metrics_listener;

/* Borrowed but for the address. */
struct metrics_listener_config {
    struct metrics_address address;
    struct metrics *metrics;
    /* Somebody asks: bring the registry up to date, then call metrics_listener_collected once, now or later. Not called
     * again before that. NULL: it is up to date. */
    void (*collect)(void *context);
    void *context;
};

/* ERR_EXISTS: the port is taken; the address must not be "". */
enum err_code metrics_listener_create(struct metrics_listener **out, uv_loop_t *loop,
                                      const struct metrics_listener_config *config, struct err *err) MUST_CHECK;

/* The port it listens on. */
int metrics_listener_port(const struct metrics_listener *listener);

void metrics_listener_collected(struct metrics_listener *listener);

/* collect is not called any more; on_closed (NULL allowed) runs when all handles are closed and the memory is gone. */
typedef void (*metrics_listener_closed_fn)(void *context);
void metrics_listener_close(struct metrics_listener *listener, metrics_listener_closed_fn on_closed, void *context);

#endif
