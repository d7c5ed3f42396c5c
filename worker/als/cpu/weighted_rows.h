/*
 * The rows of the side that has more of them, as sums of the other side's: X = W Z, where W holds the weights that the
 * dual form found, one an entry, and Z = V L^-1. The V of the next half-sweep is then X L'^-T = W (Z L'^-T), so that
 * both products with an f x f matrix are of Z, which has fewer rows. Rows solved another way have no weights.
 */
#ifndef WORKER_ALS_CPU_WEIGHTED_ROWS_H
#define WORKER_ALS_CPU_WEIGHTED_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/csr.h"

struct weighted_rows {
    const struct csr *values;
    size_t factors;
    float *weights;    /* W, by the entries of `values` */
    bool *has_weights; /* by row */
    float *z;          /* values->cols x f */
};

/* Whether the products saved cost more than the sums. */
bool weighted_rows_pay(size_t rows, size_t cols, size_t nonzeros, size_t factors);

/* `values` outlive it. */
enum err_code weighted_rows_init(struct weighted_rows *weighted, const struct csr *values, size_t factors,
                                 struct err *err) MUST_CHECK;
/* What init allocates. */
double weighted_rows_bytes(size_t rows, size_t cols, size_t nonzeros, size_t factors);
void weighted_rows_fini(struct weighted_rows *weighted);

/* The weights of a row, for writing. */
static inline float *weighted_rows_of(const struct weighted_rows *weighted, size_t row)
{
    return weighted->weights + weighted->values->offsets[row];
}

/* out[f] = the sum of a row that has weights. */
void weighted_rows_sum(const struct weighted_rows *weighted, size_t row, float *out);

#endif
