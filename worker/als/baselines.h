/*
 * Recommenders that ALS has to beat: what all buy, what was bought beside it, and EASE (Steck 2019, "Embarrassingly
 * Shallow Autoencoders for Sparse Data"), each from the same training matrix. No I/O.
 */
#ifndef WORKER_ALS_BASELINES_H
#define WORKER_ALS_BASELINES_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/als.h"
#include "worker/als/csr.h"

enum baseline {
    BASELINE_POPULARITY,  /* by the number of users */
    BASELINE_ITEM_COSINE, /* sum over the user's items of value * cosine of the columns */
    BASELINE_EASE,        /* X B, B = I - P / diag(P), P = (X'X + lambda I)^-1, X of ones */
    BASELINE_COUNT
};

const char *baseline_name(enum baseline baseline);

/* What lists are made of. */
struct baseline_params {
    const struct csr *train; /* users x items; an item the user has is not listed */
    const int32_t *users;    /* list i is that of row users[i] of train; NULL: all rows */
    size_t user_count;
    const int32_t *candidates;
    size_t candidate_count; /* ascending item indices */
    size_t n;
    int threads;
    double ease_lambda;     /* 200 */
    size_t most_ease_bytes; /* of its items x items matrix of doubles */
};

/* ERR_TOO_LARGE: EASE's matrix does not fit, with the numbers. */
enum err_code baseline_lists(struct als_lists *out, enum baseline baseline, const struct baseline_params *params,
                             struct err *err) MUST_CHECK;

#endif
