/*
 * The solver's equations once more, plain and in double, for tests to compare with; and matrices of every kind of row.
 */
#ifndef TESTS_UNIT_ALS_REFERENCE_H
#define TESTS_UNIT_ALS_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include "worker/als/als.h"
#include "worker/als/als_backend.h"
#include "worker/als/csr.h"

/* gram[f x f] = fixed' fixed */
void als_reference_gram(double *gram, const float *fixed, size_t rows, size_t factors);

/* x[f] solves (gram + lambda_i I + sum (c_j - 1) y_j y_j') x = sum c_j p_j y_j by Cholesky. */
void als_reference_row(double *x, const struct csr *values, size_t row, const float *fixed, const double *gram,
                       const struct als_params *params);

/* Three warm steps from x[f], as the `implicit` library takes them. */
void als_reference_cg(double *x, const struct csr *values, size_t row, const float *fixed, const double *gram,
                      const struct als_params *params);

/* Over every cell, one by one. */
double als_reference_loss(const struct csr *values, const float *x, const float *y, const struct als_params *params);

/* |x - expected| / |expected|; |x| where expected is 0. */
double als_reference_error(const float *x, const double *expected, size_t factors);

/* |a - b| / |b| */
double als_reference_distance(const float *a, const float *b, size_t count);

/* als_train, which must succeed. */
void als_reference_train(struct als_model *model, const struct csr *values, const struct als_params *params,
                         double *loss);

/* values[rows x cols] cell by cell; NAN: no entry. */
void als_reference_csr(struct csr *csr, const float *values, size_t rows, size_t cols);

/* About density * rows * cols entries of BM25-like size; some rows are empty. */
void als_reference_random(struct csr *csr, size_t rows, size_t cols, double density, uint64_t seed);

/* count floats, uniform in [-scale, scale) */
void als_reference_fill(float *out, size_t count, float scale, uint64_t seed);

#endif
