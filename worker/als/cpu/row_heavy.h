/*
 * One row's equation where it has many entries: (I + sum d_j v_j v_j') t = sum b_j v_j by conjugate gradients. The
 * strong entries, those that move the matrix much (d_j |v_j|^2 large), are in the preconditioner, exactly; what the
 * others do is little, so that a few steps are enough, and each costs 4 n f instead of the n^2 f of the dual form's
 * Gram matrix. The matrix is positive definite whatever the signs of d, since A0 holds each v_j with the confidence 1.
 */
#ifndef WORKER_ALS_CPU_ROW_HEAVY_H
#define WORKER_ALS_CPU_ROW_HEAVY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/cpu/confidence.h"
#include "worker/als/cpu/row_dual.h"

/* Rows of fewer entries are left to the dual form. */
enum { ROW_HEAVY_LEAST = 40 };

struct row_heavy; /* a thread's workspace */

/* `dual`, which must outlive it, has room for most_entries or factors - 1, whichever is less. */
enum err_code row_heavy_create(struct row_heavy **out, struct row_dual *dual, size_t most_entries, size_t factors,
                               struct err *err) MUST_CHECK;
/* What create allocates. */
double row_heavy_bytes(size_t most_entries, size_t factors);
void row_heavy_destroy(struct row_heavy *heavy);

/*
 * t[f] from the rows of v (f wide). False where the dual form costs less, where the steps do not converge, or where
 * rounding left too little of a pivot; t is then undefined.
 */
bool row_heavy_solve(struct row_heavy *heavy, const struct confidence_row *row, const float *v, float *t) MUST_CHECK;

#endif
