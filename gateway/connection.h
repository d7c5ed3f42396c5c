/*
 * Client connections: bytes in, one exchange at a time, bytes out. A pipelined request is kept until the answer before
 * it is out, so answers keep their order. An idle connection holds hardly any buffer. All on the loop's thread.
 *
 *   IDLE ──first byte──> READING ──complete──> ANSWERING ──answer──> WRITING ──> IDLE      keep-alive
 *                           │                      └──> STREAMING ──────┤└─────> LINGERING  the last answer: drain, so
 *                           └──refused, too slow────────────────────────┘         that it arrives before the reset
 *   any ──error, end, deadline──> CLOSED
 *   IDLE ──over the limit──> LINGERING
 *
 * Each state has a deadline, kept by connection_sweep. The memory goes when the handle is closed and no exchange is
 * pending.
 */
#ifndef GATEWAY_CONNECTION_H
#define GATEWAY_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "gateway/services.h"

struct connection;
struct http_parse;
struct request_log;

enum {
    CONNECTION_SWEEP_MS = 100,
    CONNECTION_PREFIX_BYTES = 20,
    CONNECTION_INPUT_BYTES = 16 * 1024,
    CONNECTION_SPARE_ARENAS = 64
};

/* What all connections of a server share; embedded in the server. Plain data, but for the list. */
struct connection_pool {
    const struct services *services;
    struct request_log *log;
    size_t max_connections;
    int64_t idle_timeout_ms;
    int64_t request_timeout_ms;              /* also of writing an answer */
    int64_t answer_timeout_ms;               /* longer than any wait that a route allows */
    char id_prefix[CONNECTION_PREFIX_BYTES]; /* of request ids */
    uint64_t requests;                       /* ever begun */
    struct connection *first;
    size_t count;
    struct http_parse *spare_parse; /* NULL, or one that nobody uses */
    struct arena *spare_arenas[CONNECTION_SPARE_ARENAS];
    size_t spare_count;
    char input[CONNECTION_INPUT_BYTES]; /* of whichever reads */
    bool draining;                      /* each answer is its connection's last */
    void (*on_empty)(void *context);    /* while draining: the last one is gone */
    void *context;
};

/* Takes one connection off the listener; over the limit it is answered 503 and closed. */
void connection_accept(struct connection_pool *pool, uv_stream_t *listener);

/* Closes what is past its deadline; a request that came too slowly is answered 408. */
void connection_sweep(struct connection_pool *pool);

/* Closes the idle ones and lets the others answer; then tells on_empty, at once where there are none. */
void connection_drain(struct connection_pool *pool);

/* Closes all; exchanges that are pending still end on their own. */
void connection_abort(struct connection_pool *pool);

#endif
