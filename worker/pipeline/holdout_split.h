/*
 * Two other ways to hold out, both of the matrix of all rows: a random share of its entries, as the golden split mask
 * has it, and each user's last product.
 */
#ifndef WORKER_PIPELINE_HOLDOUT_SPLIT_H
#define WORKER_PIPELINE_HOLDOUT_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/holdout.h"

struct holdout_split_params {
    bool bm25_before;      /* training keeps the values that it had with what is held out; else they are made anew */
    double train_fraction; /* of the random split: 0.8 */
    uint64_t seed;         /* of the random split: 123 */
    struct matrix_params matrix;
};

/* Entry k of the matrix (user by user, products ascending) is training when the k-th double of pcg64 `seed` is below
 * train_fraction: evaluate_split's rule. All users of the matrix are in *out; one without a held-out entry counts for
 * nothing. ERR_NO_DATA: nothing is held out, or nothing left to train on. *out has no ids of users and products. */
enum err_code holdout_random(struct holdout *out, const struct matrix *matrix,
                             const struct holdout_split_params *params, struct err *err) MUST_CHECK;

/* The product that a user met last, of equally late ones that of the lowest id; of users with two products or more.
 * `rows` are those that the matrix was made of. */
enum err_code holdout_last_out(struct holdout *out, const struct matrix *matrix, const struct interactions *rows,
                               const struct holdout_split_params *params, struct err *err) MUST_CHECK;

#endif
