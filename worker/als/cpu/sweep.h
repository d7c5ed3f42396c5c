/*
 * A way to solve one side's rows from the other's factors. Each way has its own memory, all of it allocated by create.
 */
#ifndef WORKER_ALS_CPU_SWEEP_H
#define WORKER_ALS_CPU_SWEEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/als_backend.h"
#include "worker/als/cpu/pool.h"

struct sweep_setup {
    struct pool *pool;
    const struct als_problem *problem;
};

struct sweep_input {
    enum als_side side;
    const struct csr *values; /* rows x columns of this side */
    const float *fixed;       /* columns x f: the other side's factors */
    const double *gram;       /* f x f, lower triangle: fixed' fixed */
    bool is_moved;            /* fixed is not what the last run solved */
    float *solved;            /* rows x f: read by a warm start, written */
};

struct sweep_solver {
    /* What create allocates. */
    double (*bytes)(const struct als_shape *shape, const struct als_params *params, size_t threads);
    enum err_code (*create)(void **state, const struct sweep_setup *setup, struct err *err);
    enum err_code (*run)(void *state, const struct sweep_input *input, struct err *err);
    void (*destroy)(void *state); /* NULL allowed */
};

extern const struct sweep_solver sweep_exact;    /* sweep_exact.c: the dual form */
extern const struct sweep_solver sweep_cg;       /* sweep_cg.c: a few steps of conjugate gradients */
extern const struct sweep_solver sweep_cholesky; /* sweep_cholesky.c: dense, double */

/* out = gram + regularization * I, lower triangle; the rest of out is not set. */
void sweep_regularize(double *out, const double *gram, size_t factors, double regularization);

/* The lambda_i of als.h, of a row with `entries` where the other side has `others` rows. */
double sweep_row_regularization(const struct als_params *params, size_t entries, size_t others);

/* The part of it that is in the system which all rows share. */
double sweep_shared_regularization(const struct als_params *params);

/* The rest, which is the row's own. */
double sweep_row_ridge(const struct als_params *params, size_t entries, size_t others);

/* The most entries a row of either side has. */
size_t sweep_longest_row(const struct als_problem *problem);

/* *lowest becomes the lower of itself and row; SIZE_MAX stands for none. */
void sweep_note_failure(atomic_size_t *lowest, size_t row);

/* The message for the first row whose system could not be solved. */
enum err_code sweep_row_failed(const struct sweep_input *input, size_t row, struct err *err) MUST_CHECK;

#endif
