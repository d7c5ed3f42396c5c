/*
 * The few LAPACK routines that the solver needs, on row-major matrices whose lower triangle counts: A = L L'.
 */
#ifndef WORKER_ALS_CPU_LAPACK_H
#define WORKER_ALS_CPU_LAPACK_H

#include <stdbool.h>
#include <stddef.h>

/* a[n rows of `stride`] becomes L; false where a is not positive definite (or not finite). */
bool lapack_cholesky_float(float *a, size_t n, size_t stride) __attribute__((warn_unused_result));
bool lapack_cholesky_double(double *a, size_t n, size_t stride) __attribute__((warn_unused_result));

/* L becomes its inverse, in the lower triangle; false where a diagonal entry is 0. */
bool lapack_invert_lower(double *l, size_t n) __attribute__((warn_unused_result));

/* L of A = L L' becomes the lower triangle of A^-1; false where a diagonal entry is 0. */
bool lapack_invert_cholesky(double *l, size_t n) __attribute__((warn_unused_result));

/* How many doubles and ints lapack_eigenvectors takes for its work. */
size_t lapack_eigenvectors_doubles(size_t n);
size_t lapack_eigenvectors_ints(size_t n);

/* a = Q S Q' becomes Q': row k of a (all of it) is the eigenvector of values[k], ascending. False where that does not
 * converge. */
bool lapack_eigenvectors(double *a, double *values, size_t n, double *work, int *int_work)
    __attribute__((warn_unused_result));

#endif
