/*
 * Stage 1: the rows of the window, from the cache and, since its watermarks, from the source; and the catalogue.
 */
#ifndef WORKER_PIPELINE_FETCH_H
#define WORKER_PIPELINE_FETCH_H

#include <stdbool.h>

#include "worker/pipeline/clean.h"
#include "worker/pipeline/source.h"

struct cache; /* worker/pipeline/cache.h; NULL: no cache */

struct fetch_params {
    int64_t now_s;
    int window_days;      /* of this run; 0: all */
    int keep_window_days; /* what the cache keeps: INTERACTIONS_WINDOW_DAYS; 0: all */
};

struct fetch_result {
    struct interactions rows; /* within the window, no duplicates, created <= now_s */
    struct catalogue catalogue;
    struct clean_counts clean;
    struct source_counts source;
    int64_t newest_s; /* of the rows; 0: there are none */
    size_t unique_served_ids;
    size_t rows_dropped_as_duplicates;
    size_t rows_lost_by_id_alone; /* rows that removing duplicates by activity id alone would lose */
    size_t rows_after_dedup[ACTION_COUNT];
    size_t rows_from_cache;
    size_t products_malformed;
    char product_samples[CLEAN_SAMPLES][CLEAN_SAMPLE_BYTES]; /* the first of them */
    char warnings[4][256];                                   /* "the cache was corrupt and set aside as …"; "" ends */
};

/* *result goes to fetch_result_fini also after a failure. ERR_NO_DATA "Interactions are required." / "Products are
 * required."; errors of the source as they are. */
enum err_code fetch_run(struct fetch_result *result, const struct fetch_params *params, const struct source *source,
                        struct cache *cache, const struct progress *progress, struct err *err) MUST_CHECK;
void fetch_result_fini(struct fetch_result *result);

#endif
