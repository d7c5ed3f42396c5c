/*
 * F'F of a factor matrix by all threads in tiles: products of a panel of rows in floats, panels summed in doubles. The
 * result does not depend on the number of threads.
 */
#ifndef WORKER_ALS_CPU_GRAM_H
#define WORKER_ALS_CPU_GRAM_H

#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/cpu/pool.h"

struct gram; /* the workspace */

enum err_code gram_create(struct gram **out, struct pool *pool, size_t factors, struct err *err) MUST_CHECK;
/* What create allocates. */
double gram_bytes(size_t threads);
void gram_destroy(struct gram *gram);

/* The lower triangle of out (f x f, row-major) becomes that of F'F; factors is rows x f. The upper one is not set. */
void gram_compute(struct gram *gram, const float *factors, size_t rows, double *out);

#endif
