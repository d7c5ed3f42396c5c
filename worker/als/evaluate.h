/*
 * How good lists are: metrics of lists against held-out entries, as the `implicit` library computes them (its
 * evaluation.pyx; formulas in golden/README.md), and the random split of a matrix. No I/O.
 */
#ifndef WORKER_ALS_EVALUATE_H
#define WORKER_ALS_EVALUATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/als.h"
#include "worker/als/csr.h"

/* Means over the users with a held-out entry; 0 where there is none. */
struct evaluate_metrics {
    size_t users;     /* with at least one held-out entry */
    double precision; /* hits / sum over users of min(k, held out) */
    double map;
    double ndcg;
    double auc;
};

/* Of the first k of each list; `test` is users x products with the held-out entries (its values do not count). */
void evaluate_lists(struct evaluate_metrics *out, const struct als_lists *lists, const struct csr *test, size_t k);

/* Entry i of `values` (row by row) goes to *train when the i-th double of pcg64 `seed` is below train_fraction, else
 * to *test. Both have the shape of `values`. */
enum err_code evaluate_split(struct csr *train, struct csr *test, const struct csr *values, double train_fraction,
                             uint64_t seed, struct err *err) MUST_CHECK;

#endif
