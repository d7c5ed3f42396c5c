/*
 * The f x f matrix I + sum d_j v_j v_j' of one row's entries and its inverse, in floats. With v_j the rows of
 * V = Y L^-T, A0 = L L', it is L^-1 (A0 + sum d_j y_j y_j') L^-T: far better conditioned than that, so that floats are
 * enough. For rows with more entries than factors.
 */
#ifndef WORKER_ALS_CPU_ROW_PRIMAL_H
#define WORKER_ALS_CPU_ROW_PRIMAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct row_primal; /* a thread's workspace */

enum err_code row_primal_create(struct row_primal **out, size_t factors, struct err *err) MUST_CHECK;
/* What create allocates. */
double row_primal_bytes(size_t factors);
void row_primal_destroy(struct row_primal *primal);

/* Of any signs of d. False where rounding left too little of a pivot. */
bool row_primal_factor(struct row_primal *primal, const float *const *rows, const float *d, size_t count) MUST_CHECK;

/* t[f] = the inverse times t, by what row_primal_factor made. */
void row_primal_solve(struct row_primal *primal, float *t);

#endif
