/*
 * Stage: thresholds and BM25 (golden steps 8 and 9) make the matrix that ALS trains on. Products ascend by id, users
 * bytewise by uid.
 */
#ifndef WORKER_PIPELINE_MATRIX_H
#define WORKER_PIPELINE_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/csr.h"
#include "worker/pipeline/weigh.h"

struct matrix_params {
    int min_user_rows;    /* a user stays with at least this many rows: 3 */
    int min_product_rows; /* 5 */
    double bm25_k1;       /* 1.2 */
    double bm25_b;        /* 0.3 */
};

struct matrix {
    size_t users;
    size_t products;
    char **user_uids;     /* users, owned */
    int64_t *product_ids; /* products */
    struct csr values;    /* users x products: BM25, what ALS trains on */
    double *raw;          /* per nonzero of `values`, same order: the value before BM25 */
    double *bm25;         /* the same in double, for the dump */
    size_t users_over_threshold;
    size_t products_over_threshold;
    size_t pairs;
};

/* ERR_NO_DATA says which threshold took what when nothing is left. */
enum err_code matrix_build(struct matrix *out, const struct pairs *pairs, const struct matrix_params *params,
                           struct err *err) MUST_CHECK;

/* `bm25` and `values` become the BM25 of `raw`: last in matrix_build, and again where entries were taken out. */
enum err_code matrix_apply_bm25(struct matrix *out, const struct matrix_params *params, struct err *err) MUST_CHECK;

/* Whether any value is over 0: BM25 gives users who have half of all products, or more, none. */
bool matrix_has_values(const struct matrix *matrix);

void matrix_fini(struct matrix *matrix);

#endif
