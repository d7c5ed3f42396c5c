/*
 * One row's equation in the dual form: as many unknowns as the row has entries. With v_j the rows of V = Y L^-T,
 * A0 = L L' (a ridge of the row's own included), it finds t = sum w_j v_j, from which x = L^-T t; (I + D G) w = b, G_jk
 * = v_j.v_k, D = diag(d).
 */
#ifndef WORKER_ALS_CPU_ROW_DUAL_H
#define WORKER_ALS_CPU_ROW_DUAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/cpu/confidence.h"

struct row_dual; /* a thread's workspace */

enum err_code row_dual_create(struct row_dual **out, size_t most_entries, size_t factors, struct err *err) MUST_CHECK;
/* What create allocates. */
double row_dual_bytes(size_t most_entries, size_t factors);
void row_dual_destroy(struct row_dual *dual);

/* t[f] from the rows of v (f wide). False where rounding left too little of a pivot; t is then undefined. */
bool row_dual_solve(struct row_dual *dual, const struct confidence_row *row, const float *v, float *t) MUST_CHECK;

/* The w_j of t, by the row's entries. False as above. */
bool row_dual_weigh(struct row_dual *dual, const struct confidence_row *row, const float *v, float *weights) MUST_CHECK;

/* The entries of d > 0 alone, fewer than `most_entries` or as many; false as above. */
bool row_dual_factor(struct row_dual *dual, const float *const *rows, const float *d, size_t count) MUST_CHECK;

/* t = (I + sum d_j v_j v_j')^-1 t over the entries of row_dual_factor. */
void row_dual_precondition(struct row_dual *dual, float *t);

#endif
