/*
 * Where recommendations are published. Every effect carries the run's fence: the target refuses an older one.
 * Implemented over Redis in worker/connect/redis_sink.
 */
#ifndef WORKER_PIPELINE_SINK_H
#define WORKER_PIPELINE_SINK_H

#include <stddef.h>

#include "common/base/err.h"

enum publish_kind { PUBLISH_HOMEPAGE, PUBLISH_SIMILAR, PUBLISH_CROSS_SELL, PUBLISH_KIND_COUNT };

const char *publish_kind_name(enum publish_kind kind); /* "homepage", "similar", "cross_sell" */

enum { SINK_CHUNK_PAIRS = 1000 };

/* Borrowed texts: the key without prefix, and a JSON array of product ids. */
struct sink_pair {
    const char *key;
    const char *value;
};

struct sink {
    /* Raises the fence of that kind's target; ERR_FENCED when a newer run was there. */
    enum err_code (*raise_fence)(void *self, enum publish_kind kind, struct err *err);
    /* Writes up to SINK_CHUNK_PAIRS pairs at once; may pipeline: an error may belong to an earlier chunk. */
    enum err_code (*put)(void *self, enum publish_kind kind, const struct sink_pair *pairs, size_t count,
                         struct err *err);
    /* After the last put of a complete run: waits for all, and removes what an earlier run published and this did not
     * where keys never expire. *removed counts them. */
    enum err_code (*complete)(void *self, enum publish_kind kind, size_t *removed, struct err *err);
    void *self;
};

#endif
