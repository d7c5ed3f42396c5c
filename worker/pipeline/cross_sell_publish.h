/*
 * Stage: cross-sell lists become keys and values in the shop's Redis, by way of a sink, and keys of products that
 * vanished are removed (pipeline.md, Publish).
 */
#ifndef WORKER_PIPELINE_CROSS_SELL_PUBLISH_H
#define WORKER_PIPELINE_CROSS_SELL_PUBLISH_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/pipeline/cross_sell_lists.h"
#include "worker/pipeline/progress.h"
#include "worker/pipeline/publish.h"
#include "worker/pipeline/sink.h"

/* What the guard compares and the report keeps. */
struct cross_sell_published {
    size_t recommendable; /* products with a list, perhaps an empty one, that may be recommended themselves */
    size_t lists;         /* that are not empty */
    size_t keys;          /* written; 0 in a dry run */
    size_t removed;
};

/* published->recommendable is the caller's to set, the rest is filled. `last` is a report's member "published_counts"
 * (NULL: nothing to compare): ERR_GUARD where recommendable or lists fell by more than the guard allows. */
enum err_code cross_sell_publish_run(struct cross_sell_published *published, const struct cross_sell_lists *lists,
                                     const struct publish_params *params, const struct json *last,
                                     const struct sink *sink, const struct progress *progress,
                                     struct err *err) MUST_CHECK;

#endif
