#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/blocks.h"
#include "worker/als/cpu/confidence.h"
#include "worker/als/cpu/row_dense.h"
#include "worker/als/cpu/sweep.h"

/* Every row's f x f system, dense and in double: slow and plain, what the others are compared with. */
enum { BLOCK_ROWS = 8 };

struct worker {
    struct row_dense *dense;
    struct confidence_row row;
};

struct cholesky {
    struct pool *pool;
    size_t factors;
    const struct als_params *params;
    float alpha;
    struct blocks blocks[2]; /* by side */
    double *base;            /* f x f: gram + the lambda that all rows share */
    size_t workers;
    struct worker *worker;
    const struct sweep_input *input;
    atomic_size_t failed_row;
};

static double row_cost(double entries, double factors)
{
    return entries > 0 ? entries * factors * factors + factors * factors * factors / 3 : 0;
}

static void cholesky_destroy(void *state)
{
    struct cholesky *cholesky = state;

    if (cholesky == NULL)
        return;
    for (size_t i = 0; cholesky->worker != NULL && i < cholesky->workers; i++) {
        row_dense_destroy(cholesky->worker[i].dense);
        free(cholesky->worker[i].row.d);
        free(cholesky->worker[i].row.b);
    }
    blocks_fini(&cholesky->blocks[ALS_SIDE_USERS]);
    blocks_fini(&cholesky->blocks[ALS_SIDE_ITEMS]);
    free(cholesky->worker);
    free(cholesky->base);
    free(cholesky);
}

static double cholesky_bytes(const struct als_shape *shape, const struct als_params *params, size_t threads)
{
    double f = params->factors;
    double row = 2 * (double)shape->longest_row * (double)sizeof(float) + row_dense_bytes((size_t)params->factors);

    return f * f * (double)sizeof(double) + blocks_bytes(shape->users, BLOCK_ROWS) +
           blocks_bytes(shape->items, BLOCK_ROWS) + (double)threads * (row + (double)sizeof(struct worker));
}

static enum err_code create_parts(struct cholesky *cholesky, const struct als_problem *problem, struct err *err)
{
    enum err_code rc;
    size_t f = cholesky->factors;
    size_t longest = sweep_longest_row(problem);

    cholesky->base = mem_aligned(f * f, sizeof(double));
    cholesky->worker = mem_zeroed(cholesky->workers, sizeof *cholesky->worker);
    if (cholesky->base == NULL || cholesky->worker == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a system of %zu x %zu doubles", f, f);
    rc = blocks_init(&cholesky->blocks[ALS_SIDE_USERS], problem->by_user, BLOCK_ROWS, row_cost, f, err);
    if (rc == ERR_OK)
        rc = blocks_init(&cholesky->blocks[ALS_SIDE_ITEMS], problem->by_item, BLOCK_ROWS, row_cost, f, err);
    for (size_t i = 0; rc == ERR_OK && i < cholesky->workers; i++) {
        struct worker *worker = &cholesky->worker[i];

        rc = row_dense_create(&worker->dense, f, err);
        if (rc != ERR_OK)
            break;
        worker->row.d = mem_aligned(longest, sizeof(float));
        worker->row.b = mem_aligned(longest, sizeof(float));
        if (worker->row.d == NULL || worker->row.b == NULL)
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a row of %zu entries", longest);
    }
    return rc;
}

static enum err_code cholesky_create(void **state, const struct sweep_setup *setup, struct err *err)
{
    enum err_code rc;
    struct cholesky *cholesky = mem_zeroed(1, sizeof *cholesky);

    *state = NULL;
    if (cholesky == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the dense solver");
    cholesky->pool = setup->pool;
    cholesky->factors = (size_t)setup->problem->params->factors;
    cholesky->params = setup->problem->params;
    cholesky->alpha = (float)setup->problem->params->alpha;
    cholesky->workers = pool_threads(setup->pool);
    rc = create_parts(cholesky, setup->problem, err);
    if (rc != ERR_OK) {
        cholesky_destroy(cholesky);
        return rc;
    }
    *state = cholesky;
    return ERR_OK;
}

static void solve_block(void *context, size_t thread, size_t task)
{
    struct cholesky *cholesky = context;
    struct worker *worker = &cholesky->worker[thread];
    const struct sweep_input *input = cholesky->input;
    size_t f = cholesky->factors;
    size_t end = blocks_end(&cholesky->blocks[input->side], task);

    for (size_t row = task * BLOCK_ROWS; row < end; row++) {
        float *x = input->solved + row * f;

        confidence_fill(&worker->row, input->values, row, cholesky->alpha);
        worker->row.ridge = sweep_row_ridge(cholesky->params, worker->row.count, input->values->cols);
        if (worker->row.count == 0)
            memset(x, 0, f * sizeof *x);
        else if (!row_dense_solve(worker->dense, &worker->row, input->fixed, cholesky->base, x))
            sweep_note_failure(&cholesky->failed_row, row);
    }
}

static enum err_code cholesky_run(void *state, const struct sweep_input *input, struct err *err)
{
    struct cholesky *cholesky = state;
    const struct blocks *blocks = &cholesky->blocks[input->side];
    size_t failed;

    cholesky->input = input;
    atomic_store(&cholesky->failed_row, SIZE_MAX);
    sweep_regularize(cholesky->base, input->gram, cholesky->factors, sweep_shared_regularization(cholesky->params));
    pool_run(cholesky->pool, solve_block, cholesky, blocks->order, blocks->count);
    failed = atomic_load(&cholesky->failed_row);
    return failed == SIZE_MAX ? ERR_OK : sweep_row_failed(input, failed, err);
}

const struct sweep_solver sweep_cholesky = {
    .bytes = cholesky_bytes, .create = cholesky_create, .run = cholesky_run, .destroy = cholesky_destroy};
