#include "worker/als/cuda/cuda_sweep.h"

/*
 * As on the CPU (sweep_exact.c): V = F L^-T once; each row gives its t, then X = T L^-1 for all. Of the rows, which
 * are independent, small systems run on the main stream, larger ones beside them on the side streams. What floats
 * cannot solve is solved in double at the end.
 */
static const size_t SLOTS_BYTES = (size_t)256 << 20;

enum { MOST_TOGETHER = 65535 }; /* rows of one launch: the grid's second dimension */

typedef cudaError_t (*solve_fn)(const struct cuda_row_args *args, cudaStream_t stream);

/* Room for a range's rows side by side, or for as many as SLOTS_BYTES hold, but for one at least. */
static size_t range_bytes(const struct cuda_side_range *range)
{
    size_t slot = cuda_rows_slot_bytes(range->most_order);
    size_t most;

    if (range->count == 0)
        return 0;
    most = SLOTS_BYTES / slot > 0 ? SLOTS_BYTES / slot : 1;
    return (range->count < most ? range->count : most) * slot;
}

static void take_slots(struct cuda_slots *slots, const struct cuda_sweep *sweep, enum cuda_side_kind first,
                       enum cuda_side_kind last, struct cuda_arena *arena)
{
    slots->bytes = 0;
    for (int kind = (int)first; kind <= (int)last; kind++) {
        size_t bytes = range_bytes(&sweep->side->ranges[kind]);
        size_t others = range_bytes(&sweep->other->ranges[kind]);

        bytes = bytes > others ? bytes : others;
        slots->bytes = slots->bytes > bytes ? slots->bytes : bytes;
    }
    slots->memory = cuda_arena_take(arena, slots->bytes, 1);
}

void cuda_sweep_exact_take(struct cuda_exact *exact, const struct cuda_sweep *sweep, struct cuda_arena *arena)
{
    enum { REFUGES = 16 }; /* few rows need one */
    size_t longer = cuda_sweep_longer(sweep);
    size_t factors = (size_t)sweep->params->factors;

    exact->v = cuda_arena_take(arena, longer, factors * sizeof *exact->v);
    take_slots(&exact->dual, sweep, CUDA_SIDE_LARGE, CUDA_SIDE_MEDIUM, arena);
    take_slots(&exact->primal, sweep, CUDA_SIDE_PRIMAL, CUDA_SIDE_PRIMAL, arena);
    cuda_sweep_dense_take_slots(&exact->refuge, (int)factors, longer < REFUGES ? longer : REFUGES, arena);
}

static struct cuda_row_args row_args(const struct cuda_exact *exact, const struct cuda_sweep *sweep,
                                     const struct cuda_side_range *range)
{
    return (struct cuda_row_args){.rows = sweep->side->rows,
                                  .list = sweep->side->list + range->first,
                                  .count = (int)range->count,
                                  .most_order = range->most_order,
                                  .v = exact->v,
                                  .out = sweep->side->factors,
                                  .verdict = sweep->verdict,
                                  .failed_rows = sweep->failed_rows};
}

static cudaError_t solve_range(const struct cuda_exact *exact, const struct cuda_sweep *sweep, enum cuda_side_kind kind,
                               const struct cuda_slots *slots, solve_fn solve, cudaStream_t stream)
{
    const struct cuda_side_range *range = &sweep->side->ranges[kind];
    struct cuda_row_args args = row_args(exact, sweep, range);
    size_t together;
    cudaError_t status = cudaSuccess;

    args.slot = slots->memory;
    args.slot_bytes = cuda_rows_slot_bytes(range->most_order);
    together = range->count > 0 ? slots->bytes / args.slot_bytes : 1;
    together = together < MOST_TOGETHER ? together : MOST_TOGETHER;
    for (size_t first = 0; first < range->count && status == cudaSuccess; first += together) {
        args.list = sweep->side->list + range->first + first;
        args.count = (int)(range->count - first < together ? range->count - first : together);
        status = solve(&args, stream);
    }
    return status;
}

static enum err_code solve_rows(const struct cuda_exact *exact, const struct cuda_sweep *sweep, struct err *err)
{
    struct cuda_device *device = sweep->device;
    enum err_code rc = cuda_device_fork(device, err);
    cudaError_t status;

    if (rc != ERR_OK)
        return rc;
    status = solve_range(exact, sweep, CUDA_SIDE_PRIMAL, &exact->primal, cuda_rows_solve_primal, device->side[0]);
    if (status == cudaSuccess)
        status = solve_range(exact, sweep, CUDA_SIDE_LARGE, &exact->dual, cuda_rows_solve_dual, device->side[1]);
    if (status == cudaSuccess)
        status = solve_range(exact, sweep, CUDA_SIDE_MEDIUM, &exact->dual, cuda_rows_solve_dual, device->side[1]);
    for (int kind = CUDA_SIDE_64; kind < CUDA_SIDE_KINDS && status == cudaSuccess; kind++) {
        struct cuda_row_args args = row_args(exact, sweep, &sweep->side->ranges[kind]);

        status = cuda_rows_solve_small(&args, device->main);
    }
    rc = cuda_device_check(status, "solving rows", err);
    return rc == ERR_OK ? cuda_device_join(device, err) : rc;
}

/* X = T L^-1, through v, which is no longer needed. */
static enum err_code finish_rows(const struct cuda_exact *exact, const struct cuda_sweep *sweep, struct err *err)
{
    int f = sweep->params->factors;
    size_t rows = sweep->side->values->rows;
    const struct cuda_product product = {.a = sweep->factor->rounded,
                                         .b = exact->v,
                                         .out = sweep->side->factors,
                                         .transpose_a = CUBLAS_OP_N,
                                         .rows = f,
                                         .columns = rows,
                                         .depth = f,
                                         .stride_a = f,
                                         .stride_out = f,
                                         .precision = sweep->params->precision};
    enum err_code rc =
        cuda_device_check(cudaMemcpyAsync(exact->v, sweep->side->factors, rows * (size_t)f * sizeof(float),
                                          cudaMemcpyDeviceToDevice, sweep->device->main),
                          "moving the rows", err);

    return rc == ERR_OK ? cuda_device_multiply(sweep->device, &product, err) : rc;
}

static enum err_code make_v(const struct cuda_exact *exact, const struct cuda_sweep *sweep, struct err *err)
{
    int f = sweep->params->factors;
    const struct cuda_product product = {.a = sweep->factor->rounded,
                                         .b = sweep->other->factors,
                                         .out = exact->v,
                                         .transpose_a = CUBLAS_OP_T,
                                         .rows = f,
                                         .columns = sweep->other->values->rows,
                                         .depth = f,
                                         .stride_a = f,
                                         .stride_out = f,
                                         .precision = sweep->params->precision};

    return cuda_device_multiply(sweep->device, &product, err);
}

enum err_code cuda_sweep_exact_run(struct cuda_exact *exact, const struct cuda_sweep *sweep, struct err *err)
{
    struct cuda_verdict verdict;
    int f = sweep->params->factors;
    enum err_code rc = cuda_sweep_clear_verdict(sweep, err);

    if (rc == ERR_OK)
        rc = cuda_factor_shared(sweep->factor, sweep->device, sweep->other, sweep->verdict, err);
    if (rc == ERR_OK)
        rc = make_v(exact, sweep, err);
    if (rc == ERR_OK)
        rc = solve_rows(exact, sweep, err);
    if (rc == ERR_OK)
        rc = finish_rows(exact, sweep, err);
    if (rc == ERR_OK)
        rc = cuda_sweep_read_verdict(sweep, &verdict, err);
    if (rc != ERR_OK)
        return rc;
    if (verdict.shared_failed != 0)
        return ERR_SET(err, ERR_NUMERIC,
                       "the shared %d x %d system is not positive definite at regularization %g: raise it, or use "
                       "fewer factors",
                       f, f, sweep->params->regularization);
    return cuda_sweep_dense_solve(&exact->refuge, sweep, sweep->failed_rows, (size_t)verdict.failed, err);
}
