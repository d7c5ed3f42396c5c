/*
 * One row's equation (row_dense.h), for rows with more entries than factors: the matrix and its Cholesky factor in
 * floats, at half the time of doubles, then iterative refinement with residuals in double (Higham 2002, ch. 12) until
 * the solution is that of doubles as far as floats can tell.
 */
#ifndef WORKER_ALS_CPU_ROW_REFINED_H
#define WORKER_ALS_CPU_ROW_REFINED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/cpu/confidence.h"

struct row_refined; /* a thread's workspace */

enum err_code row_refined_create(struct row_refined **out, size_t factors, struct err *err) MUST_CHECK;
/* What create allocates. */
double row_refined_bytes(size_t factors);
void row_refined_destroy(struct row_refined *refined);

/* As row_dense_solve. False where floats are not enough: row_dense must do it. */
bool row_refined_solve(struct row_refined *refined, const struct confidence_row *row, const float *fixed,
                       const double *base, float *x) MUST_CHECK;

#endif
