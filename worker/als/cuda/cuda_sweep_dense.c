#include "worker/als/cuda/cuda_sweep.h"

enum { MOST_SLOTS = 512 };

static const size_t SLOTS_BYTES = (size_t)256 << 20; /* enough for all of a device's processors at f = 800 */

void cuda_sweep_dense_take_slots(struct cuda_slots *slots, int factors, size_t rows, struct cuda_arena *arena)
{
    size_t bytes = cuda_rows_slot_bytes_double(factors);
    size_t count = SLOTS_BYTES / bytes > 0 ? SLOTS_BYTES / bytes : 1;

    count = count < MOST_SLOTS ? count : MOST_SLOTS;
    count = count < rows ? count : rows;
    slots->bytes = count * bytes;
    slots->memory = cuda_arena_take(arena, count, bytes);
}

void cuda_sweep_dense_take(struct cuda_dense *dense, const struct cuda_sweep *sweep, struct cuda_arena *arena)
{
    cuda_sweep_dense_take_slots(&dense->slots, sweep->params->factors, cuda_sweep_longer(sweep), arena);
}

enum err_code cuda_sweep_clear_verdict(const struct cuda_sweep *sweep, struct err *err)
{
    const struct cuda_verdict verdict = {.lowest_failed = INT32_MAX};

    return cuda_device_check(
        cudaMemcpyAsync(sweep->verdict, &verdict, sizeof verdict, cudaMemcpyHostToDevice, sweep->device->main),
        "beginning a half-sweep", err);
}

enum err_code cuda_sweep_read_verdict(const struct cuda_sweep *sweep, struct cuda_verdict *verdict, struct err *err)
{
    enum err_code rc = cuda_device_check(
        cudaMemcpyAsync(verdict, sweep->verdict, sizeof *verdict, cudaMemcpyDeviceToHost, sweep->device->main),
        "a half-sweep", err);

    return rc == ERR_OK ? cuda_device_wait(sweep->device, "a half-sweep", err) : rc;
}

static enum err_code name_row(const struct cuda_sweep *sweep, int32_t row, struct err *err)
{
    const int64_t *offsets = sweep->side->values->offsets;

    return ERR_SET(err, ERR_NUMERIC, "%s %d with %lld entries: its system is not positive definite",
                   sweep->which == ALS_SIDE_USERS ? "user" : "item", (int)row,
                   (long long)(offsets[row + 1] - offsets[row]));
}

enum err_code cuda_sweep_dense_solve(const struct cuda_slots *slots, const struct cuda_sweep *sweep,
                                     const int32_t *list, size_t count, struct err *err)
{
    struct cuda_row_args args = {.rows = sweep->side->rows,
                                 .most_order = sweep->params->factors,
                                 .v = sweep->other->factors,
                                 .base = sweep->factor->base,
                                 .out = sweep->side->factors,
                                 .slot = slots->memory,
                                 .slot_bytes = cuda_rows_slot_bytes_double(sweep->params->factors),
                                 .verdict = sweep->verdict};
    size_t together = slots->bytes / args.slot_bytes;
    struct cuda_verdict verdict;
    enum err_code rc = ERR_OK;

    for (size_t first = 0; first < count && rc == ERR_OK; first += together) {
        args.list = list + first;
        args.count = (int)(count - first < together ? count - first : together);
        rc = cuda_device_check(cuda_rows_solve_double(&args, sweep->device->main), "rows in double", err);
    }
    if (rc == ERR_OK)
        rc = cuda_sweep_read_verdict(sweep, &verdict, err);
    if (rc == ERR_OK && verdict.lowest_failed != INT32_MAX)
        rc = name_row(sweep, verdict.lowest_failed, err);
    return rc;
}

enum err_code cuda_sweep_dense_run(struct cuda_dense *dense, const struct cuda_sweep *sweep, struct err *err)
{
    size_t bytes = sweep->side->values->rows * (size_t)sweep->params->factors * sizeof(float);
    enum err_code rc = cuda_sweep_clear_verdict(sweep, err);

    if (rc == ERR_OK)
        rc = cuda_factor_base(sweep->factor, sweep->device, sweep->other, err);
    if (rc == ERR_OK) /* rows without entries are not in the list's first part */
        rc = cuda_device_check(cudaMemsetAsync(sweep->side->factors, 0, bytes, sweep->device->main), "clearing factors",
                               err);
    if (rc != ERR_OK)
        return rc;
    return cuda_sweep_dense_solve(&dense->slots, sweep, sweep->side->list, sweep->side->filled, err);
}
