/*
 * One row's equation, dense and in double: (base + ridge I + sum d_j y_j y_j') x = sum b_j y_j. The reference, the way
 * for rows with more entries than factors, and the refuge where the dual form meets rounding.
 */
#ifndef WORKER_ALS_CPU_ROW_DENSE_H
#define WORKER_ALS_CPU_ROW_DENSE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/cpu/confidence.h"

struct row_dense; /* a thread's workspace */

enum err_code row_dense_create(struct row_dense **out, size_t factors, struct err *err) MUST_CHECK;
/* What create allocates. */
double row_dense_bytes(size_t factors);
void row_dense_destroy(struct row_dense *dense);

/*
 * x[f] from the rows y_j of `fixed` (f wide) and base, the lower triangle of f x f.
 * False where the matrix is not positive definite; x is then untouched.
 */
bool row_dense_solve(struct row_dense *dense, const struct confidence_row *row, const float *fixed, const double *base,
                     float *x) MUST_CHECK;

#endif
