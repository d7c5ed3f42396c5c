/*
 * The factors of the last run, kept beside the cache, where the next run begins: by user and product, with whose they
 * are and the parameters that made them. A file that is missing, foreign, of other parameters or damaged means a cold
 * start, and why.
 */
#ifndef WORKER_PIPELINE_WARM_START_H
#define WORKER_PIPELINE_WARM_START_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/als.h"
#include "worker/pipeline/cache.h"
#include "worker/pipeline/matrix.h"

enum { WARM_START_NOTE_BYTES = 200 };

/* Factors for the rows of a matrix; NAN first in a row that has none (als_start). */
struct warm_start {
    float *x; /* NULL: not kept, or not needed */
    float *y; /* NULL: a cold start */
    size_t known_products;
    char note[WARM_START_NOTE_BYTES]; /* what was found, for the report */
};

/* Never fails but for lack of memory. `identity`: whose it is (source.identity). */
enum err_code warm_start_load(struct warm_start *out, const struct blob_store *store, const char *identity,
                              const struct matrix *matrix, const struct als_params *params, struct err *err) MUST_CHECK;
void warm_start_fini(struct warm_start *start);

/* Of an exact solver the products' factors are enough, since the users' follow from them. */
enum err_code warm_start_save(const struct blob_store *store, const char *identity, const struct matrix *matrix,
                              const struct als_params *params, const struct als_model *model,
                              struct err *err) MUST_CHECK;

#endif
