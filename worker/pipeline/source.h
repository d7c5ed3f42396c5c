/*
 * Where activities and products come from: the CMS, or later a folder. Implemented in worker/connect.
 */
#ifndef WORKER_PIPELINE_SOURCE_H
#define WORKER_PIPELINE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/pipeline/interactions.h"
#include "worker/pipeline/progress.h"

/* Called for each element served, in order per action; rows met again where two pages overlap are not handed over. */
typedef enum err_code (*source_activity_fn)(void *context, enum action asked, const struct json *activity,
                                            struct err *err);
typedef enum err_code (*source_product_fn)(void *context, const struct json *product, struct err *err);

struct source_counts {
    size_t pages;   /* pages that brought something new */
    size_t retries; /* requests made again */
};

struct source {
    /* All activities with created >= from_s[action], the five actions side by side, newest first. */
    enum err_code (*activities)(void *self, const int64_t from_s[ACTION_COUNT], source_activity_fn fn, void *context,
                                const struct progress *progress, struct source_counts *counts, struct err *err);
    enum err_code (*products)(void *self, source_product_fn fn, void *context, const struct progress *progress,
                              struct source_counts *counts, struct err *err);
    void *self;
    const char *identity; /* what makes it this shop's: URL without credentials and namespace; for the cache's marker */
};

#endif
