/*
 * A sink over Redis: each kind has its own server or database, key prefix and time to live. Chunks are pipelined; every
 * effect carries the fence. One thread.
 */
#ifndef WORKER_CONNECT_REDIS_SINK_H
#define WORKER_CONNECT_REDIS_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/redis_url.h"
#include "worker/pipeline/sink.h"

struct redis_sink;

/* Asked before each chunk: ERR_OK lets it go. */
typedef enum err_code (*redis_sink_permit_fn)(void *context, struct err *err);

struct redis_sink_target {
    struct redis_url url;
    const char *prefix; /* copied */
    int64_t ttl_s;      /* 0: none; then keys of earlier runs that this one lacks are removed */
};

struct redis_sink_config {
    struct redis_sink_target targets[PUBLISH_KIND_COUNT];
    int64_t fence;
    int timeout_ms;              /* 0: 30 s */
    redis_sink_permit_fn permit; /* NULL: always */
    void *context;
};

/* Whether a target can be published to at all: ERR_CONFIG for a cluster; one that is away says so. */
enum err_code redis_sink_check(const struct redis_url *url, struct err *err) MUST_CHECK;

/* Connects to nothing yet: each target is met when its fence is raised. */
enum err_code redis_sink_create(struct redis_sink **out, const struct redis_sink_config *config,
                                struct err *err) MUST_CHECK;
void redis_sink_destroy(struct redis_sink *sink);

/* Valid as long as the redis_sink. */
struct sink redis_sink_interface(struct redis_sink *sink);

/* The newest fence that a target was seen to hold, 0 for none: a floor for the next start. */
int64_t redis_sink_newest_fence(const struct redis_sink *sink);

#endif
