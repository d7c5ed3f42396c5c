/*
 * What all rows of a half-sweep share: F'F of the fixed side in double, A0 = F'F + lambda I = L L' and L^-1. cuSOLVER
 * has the factorization too, but brings half a gigabyte of libraries; with cuBLAS it takes a loop over blocks.
 */
#ifndef WORKER_ALS_CUDA_CUDA_FACTOR_H
#define WORKER_ALS_CUDA_CUDA_FACTOR_H

#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/cuda/cuda_device.h"
#include "worker/als/cuda/cuda_side.h"

struct cuda_factor {
    int factors;
    double regularization;
    double *base;    /* f x f: A0, whole */
    double *system;  /* f x f: L, in the lower triangle */
    double *inverse; /* f x f: L^-1 */
    double *least;   /* the least square of a pivot of L that is trusted */
    float *rounded;  /* f x f: L^-1, the upper triangle 0 */
    float *panels;   /* products of panels of rows */
};

/* In both passes. */
void cuda_factor_take(struct cuda_factor *factor, struct cuda_arena *arena, int factors, double regularization);

/* Makes side->gram current. */
enum err_code cuda_factor_gram(struct cuda_factor *factor, struct cuda_device *device, struct cuda_side *side,
                               struct err *err) MUST_CHECK;

/* base, from a side's gram. */
enum err_code cuda_factor_base(struct cuda_factor *factor, struct cuda_device *device, const struct cuda_side *side,
                               struct err *err) MUST_CHECK;

/* base and rounded = L^-1; what is not positive definite is noted in *verdict (the device's). */
enum err_code cuda_factor_shared(struct cuda_factor *factor, struct cuda_device *device, const struct cuda_side *side,
                                 struct cuda_verdict *verdict, struct err *err) MUST_CHECK;

#endif
