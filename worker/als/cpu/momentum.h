/*
 * The factors of a side, which may go on in the direction of their last change; what they were before that is kept.
 */
#ifndef WORKER_ALS_CPU_MOMENTUM_H
#define WORKER_ALS_CPU_MOMENTUM_H

#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/cpu/pool.h"

struct momentum;

/* factors[rows x f]; they and the pool outlive it. */
enum err_code momentum_create(struct momentum **out, struct pool *pool, float *factors, size_t rows, size_t f,
                              struct err *err) MUST_CHECK;
/* What create allocates. */
double momentum_bytes(size_t rows, size_t f);
void momentum_destroy(struct momentum *momentum);

/* The factors F become F + share (F - those kept), and F is kept. A share of 0 only keeps. */
void momentum_ahead(struct momentum *momentum, float share);

/* The factors become those kept. */
void momentum_back(struct momentum *momentum);

#endif
