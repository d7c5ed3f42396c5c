#include "worker/als/cuda/cuda_sweep.h"

/* As `implicit` does it: a block of rows steps together, so that their products with the shared matrix are a GEMM. */
enum { BLOCK_ROWS = 16384 };

static size_t block_rows(size_t rows)
{
    return rows < BLOCK_ROWS ? rows : BLOCK_ROWS;
}

void cuda_sweep_cg_take(struct cuda_cg *cg, const struct cuda_sweep *sweep, struct cuda_arena *arena)
{
    size_t f = (size_t)sweep->params->factors;
    size_t rows = block_rows(cuda_sweep_longer(sweep));

    cg->shared = cuda_arena_take(arena, f * f, sizeof *cg->shared);
    cg->residual = cuda_arena_take(arena, rows * f, sizeof *cg->residual);
    cg->direction = cuda_arena_take(arena, rows * f, sizeof *cg->direction);
    cg->product = cuda_arena_take(arena, rows * f, sizeof *cg->product);
    cg->norm = cuda_arena_take(arena, rows, sizeof *cg->norm);
}

/* out = in shared, for `rows` rows */
static enum err_code multiply(const struct cuda_cg *cg, const struct cuda_sweep *sweep, const float *in, int rows,
                              float *out, struct err *err)
{
    int f = sweep->params->factors;
    struct cuda_product product = {.a = cg->shared,
                                   .b = in,
                                   .transpose_a = CUBLAS_OP_N,
                                   .rows = f,
                                   .columns = (size_t)rows,
                                   .depth = f,
                                   .stride_a = f,
                                   .stride_out = f,
                                   .precision = sweep->params->precision};

    product.out = out;
    return cuda_device_multiply(sweep->device, &product, err);
}

static enum err_code solve_block(const struct cuda_cg *cg, const struct cuda_sweep *sweep, size_t first,
                                 struct err *err)
{
    size_t left = sweep->side->values->rows - first;
    const struct cuda_cg_args args = {.rows = sweep->side->rows,
                                      .first = (int)first,
                                      .count = (int)block_rows(left),
                                      .fixed = sweep->other->factors,
                                      .x = sweep->side->factors + first * (size_t)sweep->params->factors,
                                      .residual = cg->residual,
                                      .direction = cg->direction,
                                      .product = cg->product,
                                      .norm = cg->norm};
    enum err_code rc = multiply(cg, sweep, args.x, args.count, args.residual, err);

    if (rc == ERR_OK)
        rc = cuda_device_check(cuda_cg_begin(&args, sweep->device->main), "conjugate gradients", err);
    for (int step = 0; step < sweep->params->cg_steps && rc == ERR_OK; step++) {
        rc = multiply(cg, sweep, args.direction, args.count, args.product, err);
        if (rc == ERR_OK)
            rc = cuda_device_check(cuda_cg_step(&args, sweep->device->main), "conjugate gradients", err);
    }
    return rc;
}

enum err_code cuda_sweep_cg_run(struct cuda_cg *cg, const struct cuda_sweep *sweep, struct err *err)
{
    enum err_code rc = cuda_device_check(cuda_shared_round(cg->shared, sweep->other->gram, sweep->params->factors,
                                                           sweep->params->regularization, sweep->device->main),
                                         "the shared matrix", err);

    for (size_t first = 0; first < sweep->side->values->rows && rc == ERR_OK; first += BLOCK_ROWS)
        rc = solve_block(cg, sweep, first, err);
    return rc == ERR_OK ? cuda_device_wait(sweep->device, "conjugate gradients", err) : rc;
}
