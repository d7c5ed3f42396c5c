/*
 * Stage: lists become keys and values in the shop's Redis, by way of a sink; and the guard that keeps a cut-short
 * catalogue from overwriting good lists (pipeline.md, Publish).
 */
#ifndef WORKER_PIPELINE_PUBLISH_H
#define WORKER_PIPELINE_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/progress.h"
#include "worker/pipeline/recommend.h"
#include "worker/pipeline/sink.h"

struct publish_params {
    bool enabled;      /* false: a dry run */
    bool force;        /* override the guard */
    int guard_percent; /* 50; 0: off */
};

/* What the guard compares and the report keeps. */
struct publish_counts {
    size_t recommendable; /* products of the matrix that may be recommended */
    size_t users;         /* homepage lists */
    size_t similar_lists; /* products with similar ones */
    size_t homepage_keys; /* written, top_overall included */
    size_t similar_keys;
    size_t reserved_users; /* user ids equal to a reserved key: dropped */
    size_t removed;
};

/* ERR_GUARD with the numbers where recommendable, users or similar_lists fell by more than guard_percent below those of
 * `last` (a report's member "published_counts"; NULL: nothing to compare). */
enum err_code publish_guard(const struct publish_counts *now, const struct json *last,
                            const struct publish_params *params, struct err *err) MUST_CHECK;

/* The same of one number: `now` of `what` against the member `key` of `last`. */
enum err_code publish_guard_count(const char *what, size_t now, const struct json *last, const char *key,
                                  const struct publish_params *params, struct err *err) MUST_CHECK;

/* Publishes all lists; *counts is filled (keys 0 in a dry run). Empty lists are not published. */
enum err_code publish_run(struct publish_counts *counts, const struct matrix *matrix,
                          const struct recommendations *recommendations, const struct publish_params *params,
                          const struct json *last, const struct sink *sink, const struct progress *progress,
                          struct err *err) MUST_CHECK;

#endif
