/*
 * The training loss of als.h, in double, without visiting the cells that have no entry: their part is
 * sum over all cells of (x.y)^2 = <X'X, Y'Y>.
 */
#ifndef WORKER_ALS_CPU_LOSS_H
#define WORKER_ALS_CPU_LOSS_H

#include "common/base/err.h"
#include "worker/als/als_backend.h"
#include "worker/als/cpu/pool.h"

struct loss;

enum err_code loss_create(struct loss **out, struct pool *pool, const struct als_problem *problem,
                          struct err *err) MUST_CHECK;
void loss_destroy(struct loss *loss);

/* At problem->x and problem->y, whose grams (lower triangles) are given. */
double loss_compute(struct loss *loss, const double *gram_x, const double *gram_y);

#endif
