/*
 * Where activities and products come from: the CMS, or a folder. Implemented in worker/connect.
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

enum { SOURCE_BAD_REASONS = 8, SOURCE_BAD_SAMPLES = 3, SOURCE_BAD_SAMPLE_BYTES = 240 };

/* What could not even be read as an activity or a product. */
struct source_bad {
    const char *reason; /* NULL: no more */
    size_t count;
    char samples[SOURCE_BAD_SAMPLES][SOURCE_BAD_SAMPLE_BYTES]; /* the first: where, and what is wrong */
};

struct source_counts {
    size_t pages;   /* pages that brought something new; of an API */
    size_t retries; /* requests made again */
    size_t lines;   /* of files, all that were read */
    size_t too_old; /* activities before from_s, where it is the source that leaves them out */
    struct source_bad bad[SOURCE_BAD_REASONS];
};

/* Counts one more under the reason (a constant), and keeps the first texts. */
void source_count_bad(struct source_counts *counts, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t source_bad_total(const struct source_counts *counts);

struct source {
    /* All activities with created >= from_s[action], the five actions side by side, newest first. */
    enum err_code (*activities)(void *self, const int64_t from_s[ACTION_COUNT], source_activity_fn fn, void *context,
                                const struct progress *progress, struct source_counts *counts, struct err *err);
    /* NULL: there is no catalogue, and whatever product was met may be recommended. */
    enum err_code (*products)(void *self, source_product_fn fn, void *context, const struct progress *progress,
                              struct source_counts *counts, struct err *err);
    void *self;
    const char *identity; /* what makes it this shop's: URL without credentials and namespace; for the cache's marker */
};

#endif
