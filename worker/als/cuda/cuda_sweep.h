/*
 * The ways to solve one side's rows from the other's factors on the device. Each takes its memory from the arena, in
 * both passes; all of a training's memory is there before its first sweep.
 */
#ifndef WORKER_ALS_CUDA_CUDA_SWEEP_H
#define WORKER_ALS_CUDA_CUDA_SWEEP_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/als_backend.h"
#include "worker/als/cuda/cuda_device.h"
#include "worker/als/cuda/cuda_factor.h"
#include "worker/als/cuda/cuda_side.h"

/* A half-sweep, or the making of a training: then `side` is that of the users and `other` that of the items. */
struct cuda_sweep {
    struct cuda_device *device;
    const struct als_params *params;
    struct cuda_factor *factor;
    enum als_side which;
    struct cuda_side *side;  /* is solved */
    struct cuda_side *other; /* is fixed */
    struct cuda_verdict *verdict;
    int32_t *failed_rows; /* rows of the longer side */
};

struct cuda_slots {
    unsigned char *memory;
    size_t bytes;
};

/* cuda_sweep_exact.c: the dual form. */
struct cuda_exact {
    float *v; /* rows of the longer side x f */
    struct cuda_slots dual;
    struct cuda_slots primal;
    struct cuda_slots refuge;
};
void cuda_sweep_exact_take(struct cuda_exact *exact, const struct cuda_sweep *sweep, struct cuda_arena *arena);
enum err_code cuda_sweep_exact_run(struct cuda_exact *exact, const struct cuda_sweep *sweep,
                                   struct err *err) MUST_CHECK;

/* cuda_sweep_dense.c: every row's f x f system in double. */
struct cuda_dense {
    struct cuda_slots slots;
};
void cuda_sweep_dense_take(struct cuda_dense *dense, const struct cuda_sweep *sweep, struct cuda_arena *arena);
enum err_code cuda_sweep_dense_run(struct cuda_dense *dense, const struct cuda_sweep *sweep,
                                   struct err *err) MUST_CHECK;
/* Memory for systems in double, for at most `rows` side by side. */
void cuda_sweep_dense_take_slots(struct cuda_slots *slots, int factors, size_t rows, struct cuda_arena *arena);
/* The rows list[0..count) (the device's); names the lowest that cannot be solved. */
enum err_code cuda_sweep_dense_solve(const struct cuda_slots *slots, const struct cuda_sweep *sweep,
                                     const int32_t *list, size_t count, struct err *err) MUST_CHECK;
/* *verdict on the device, for the begin of a half-sweep; and its copy here when all is done. */
enum err_code cuda_sweep_clear_verdict(const struct cuda_sweep *sweep, struct err *err) MUST_CHECK;
enum err_code cuda_sweep_read_verdict(const struct cuda_sweep *sweep, struct cuda_verdict *verdict,
                                      struct err *err) MUST_CHECK;

/* cuda_sweep_cg.c: a few steps of conjugate gradients. */
struct cuda_cg {
    float *shared;   /* f x f: gram + lambda I */
    float *residual; /* a block of rows x f, as the next two */
    float *direction;
    float *product;
    float *norm;
};
void cuda_sweep_cg_take(struct cuda_cg *cg, const struct cuda_sweep *sweep, struct cuda_arena *arena);
enum err_code cuda_sweep_cg_run(struct cuda_cg *cg, const struct cuda_sweep *sweep, struct err *err) MUST_CHECK;

static inline size_t cuda_sweep_longer(const struct cuda_sweep *sweep)
{
    size_t rows = sweep->side->values->rows;
    size_t others = sweep->other->values->rows;

    return rows > others ? rows : others;
}

#endif
