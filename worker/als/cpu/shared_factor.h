/*
 * What all rows of a half-sweep share: A0 = gram + lambda I = L L' and M = L^-1, or where each row has a lambda of its
 * own gram = Q S Q' and M = Q'. The products with M leave out the zeros of L^-1, a stripe of columns at a time.
 */
#ifndef WORKER_ALS_CPU_SHARED_FACTOR_H
#define WORKER_ALS_CPU_SHARED_FACTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/als.h"

struct shared_factor {
    size_t factors;
    const struct als_params *params;
    bool is_scaled;   /* each row has a lambda of its own */
    double *base;     /* f x f, lower triangle: A0, without the lambdas that are the rows' own */
    double *factor;   /* f x f: L, then L^-1; or Q' */
    float *inverse;   /* f x f, M: L^-1, the upper triangle 0; or Q' */
    double *spectrum; /* f: S, ascending; with `work` only where is_scaled */
    double *work;
    int *int_work;
};

/* `params` outlive it. */
enum err_code shared_factor_init(struct shared_factor *shared, const struct als_params *params,
                                 struct err *err) MUST_CHECK;
/* What init allocates. */
double shared_factor_bytes(const struct als_params *params);
void shared_factor_fini(struct shared_factor *shared);

/* From the gram of the fixed side (lower triangle), which has `others` rows. ERR_NUMERIC. */
enum err_code shared_factor_compute(struct shared_factor *shared, const double *gram, size_t others,
                                    struct err *err) MUST_CHECK;

/* out = in M', out = in M; both rows x f and different. */
void shared_factor_multiply_transposed(const struct shared_factor *shared, size_t rows, const float *in, float *out);
void shared_factor_multiply(const struct shared_factor *shared, size_t rows, const float *in, float *out);

#endif
