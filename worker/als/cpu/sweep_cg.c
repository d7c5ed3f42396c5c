#include <cblas.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/blocks.h"
#include "worker/als/cpu/confidence.h"
#include "worker/als/cpu/sweep.h"

/*
 * As `implicit` does it: each row takes a few conjugate gradient steps from its present value. The rows of a block step
 * together, so that their products with fixed' fixed + lambda I are one GEMM.
 */
enum { BLOCK_ROWS = 128 };

static const float LEAST_RESIDUAL = 1e-20F; /* squared; a row below it rests */

struct worker {
    float *residual;        /* BLOCK_ROWS x f */
    float *direction;       /* BLOCK_ROWS x f; 0 in a row that rests */
    float *product;         /* BLOCK_ROWS x f */
    float norm[BLOCK_ROWS]; /* squared residuals */
    bool resting[BLOCK_ROWS];
};

struct cg {
    struct pool *pool;
    size_t factors;
    int steps;
    const struct als_params *params;
    float alpha;
    struct blocks blocks[2]; /* by side */
    float *shared;           /* f x f: gram + the lambda that all rows share, both triangles */
    size_t workers;
    struct worker *worker;
    const struct sweep_input *input;
};

static double row_cost(double entries, double factors)
{
    return 8 * entries * factors + factors * factors;
}

static void cg_destroy(void *state)
{
    struct cg *cg = state;

    if (cg == NULL)
        return;
    for (size_t i = 0; cg->worker != NULL && i < cg->workers; i++) {
        free(cg->worker[i].residual);
        free(cg->worker[i].direction);
        free(cg->worker[i].product);
    }
    blocks_fini(&cg->blocks[ALS_SIDE_USERS]);
    blocks_fini(&cg->blocks[ALS_SIDE_ITEMS]);
    free(cg->worker);
    free(cg->shared);
    free(cg);
}

static double cg_bytes(const struct als_shape *shape, const struct als_params *params, size_t threads)
{
    double f = params->factors;

    return (f * f + 3 * (double)threads * BLOCK_ROWS * f) * (double)sizeof(float) +
           blocks_bytes(shape->users, BLOCK_ROWS) + blocks_bytes(shape->items, BLOCK_ROWS) +
           (double)threads * (double)sizeof(struct worker);
}

static enum err_code create_worker(struct worker *worker, size_t factors, struct err *err)
{
    worker->residual = mem_aligned(BLOCK_ROWS * factors, sizeof(float));
    worker->direction = mem_aligned(BLOCK_ROWS * factors, sizeof(float));
    worker->product = mem_aligned(BLOCK_ROWS * factors, sizeof(float));
    if (worker->residual == NULL || worker->direction == NULL || worker->product == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for blocks of %d rows x %zu factors", BLOCK_ROWS, factors);
    return ERR_OK;
}

static enum err_code create_parts(struct cg *cg, const struct als_problem *problem, struct err *err)
{
    enum err_code rc;
    size_t f = cg->factors;

    cg->shared = mem_aligned(f * f, sizeof *cg->shared);
    cg->worker = mem_zeroed(cg->workers, sizeof *cg->worker);
    if (cg->shared == NULL || cg->worker == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a system of %zu x %zu", f, f);
    rc = blocks_init(&cg->blocks[ALS_SIDE_USERS], problem->by_user, BLOCK_ROWS, row_cost, f, err);
    if (rc == ERR_OK)
        rc = blocks_init(&cg->blocks[ALS_SIDE_ITEMS], problem->by_item, BLOCK_ROWS, row_cost, f, err);
    for (size_t i = 0; rc == ERR_OK && i < cg->workers; i++)
        rc = create_worker(&cg->worker[i], f, err);
    return rc;
}

static enum err_code cg_create(void **state, const struct sweep_setup *setup, struct err *err)
{
    enum err_code rc;
    struct cg *cg = mem_zeroed(1, sizeof *cg);

    *state = NULL;
    if (cg == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the conjugate gradient solver");
    cg->pool = setup->pool;
    cg->factors = (size_t)setup->problem->params->factors;
    cg->steps = setup->problem->params->cg_steps;
    cg->params = setup->problem->params;
    cg->alpha = (float)setup->problem->params->alpha;
    cg->workers = pool_threads(setup->pool);
    rc = create_parts(cg, setup->problem, err);
    if (rc != ERR_OK) {
        cg_destroy(cg);
        return rc;
    }
    *state = cg;
    return ERR_OK;
}

/* out = in * shared for `rows` rows */
static void multiply_shared(const struct cg *cg, const float *in, size_t rows, float *out)
{
    int f = (int)cg->factors;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, f, f, 1, in, f, cg->shared, f, 0, out, f);
}

/*
 * Adds the part of one row alone: out += sum over j of (scale_b b_j + scale_d d_j (y_j.in)) y_j + scale_d ridge in.
 * scale_b 0, scale_d 1 completes a product with the row's matrix; 1 and -1 its residual.
 */
static void add_entries(const struct cg *cg, size_t row, const float *in, float scale_b, float scale_d, float *out)
{
    const struct csr *values = cg->input->values;
    double ridge = sweep_row_ridge(cg->params, confidence_count(values, row), values->cols);
    int f = (int)cg->factors;

    if (ridge != 0)
        cblas_saxpy(f, scale_d * (float)ridge, in, 1, out, 1);
    for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k++) {
        const float *y = cg->input->fixed + (size_t)values->columns[k] * cg->factors;
        float c = confidence_of(cg->alpha, values->values[k]);
        float b = values->values[k] > 0 ? c : 0;

        cblas_saxpy(f, scale_b * b + scale_d * (c - 1) * cblas_sdot(f, y, 1, in, 1), y, 1, out, 1);
    }
}

/* residual = b - A x, direction = residual; rows without entries become 0 and rest, as do solved ones. */
static void begin_rows(const struct cg *cg, struct worker *worker, size_t first, size_t rows)
{
    size_t f = cg->factors;
    float *x = cg->input->solved + first * f;

    multiply_shared(cg, x, rows, worker->residual);
    cblas_sscal((int)(rows * f), -1, worker->residual, 1);
    for (size_t i = 0; i < rows; i++) {
        float *residual = worker->residual + i * f;
        float *direction = worker->direction + i * f;
        bool empty = confidence_count(cg->input->values, first + i) == 0;

        if (empty)
            memset(x + i * f, 0, f * sizeof *x);
        add_entries(cg, first + i, x + i * f, 1, -1, residual);
        worker->norm[i] = cblas_sdot((int)f, residual, 1, residual, 1);
        worker->resting[i] = empty || worker->norm[i] < LEAST_RESIDUAL;
        if (worker->resting[i])
            memset(direction, 0, f * sizeof *direction);
        else
            memcpy(direction, residual, f * sizeof *direction);
    }
}

/* One step of one row, whose `product` holds its direction times the shared matrix. */
static void step_row(const struct cg *cg, struct worker *worker, size_t first, size_t i)
{
    int f = (int)cg->factors;
    float *x = cg->input->solved + (first + i) * cg->factors;
    float *residual = worker->residual + i * cg->factors;
    float *direction = worker->direction + i * cg->factors;
    float *product = worker->product + i * cg->factors;
    float length;
    float norm;

    add_entries(cg, first + i, direction, 0, 1, product);
    length = worker->norm[i] / cblas_sdot(f, direction, 1, product, 1);
    cblas_saxpy(f, length, direction, 1, x, 1);
    cblas_saxpy(f, -length, product, 1, residual, 1);
    norm = cblas_sdot(f, residual, 1, residual, 1);
    if (norm < LEAST_RESIDUAL) {
        worker->resting[i] = true;
        memset(direction, 0, cg->factors * sizeof *direction);
        return;
    }
    cblas_sscal(f, norm / worker->norm[i], direction, 1);
    cblas_saxpy(f, 1, residual, 1, direction, 1);
    worker->norm[i] = norm;
}

static void solve_block(void *context, size_t thread, size_t task)
{
    struct cg *cg = context;
    struct worker *worker = &cg->worker[thread];
    size_t first = task * BLOCK_ROWS;
    size_t rows = blocks_end(&cg->blocks[cg->input->side], task) - first;

    begin_rows(cg, worker, first, rows);
    for (int step = 0; step < cg->steps; step++) {
        multiply_shared(cg, worker->direction, rows, worker->product);
        for (size_t i = 0; i < rows; i++) {
            if (!worker->resting[i])
                step_row(cg, worker, first, i);
        }
    }
}

static enum err_code cg_run(void *state, const struct sweep_input *input, struct err *err)
{
    struct cg *cg = state;
    const struct blocks *blocks = &cg->blocks[input->side];
    double regularization = sweep_shared_regularization(cg->params);
    size_t f = cg->factors;

    (void)err;
    cg->input = input;
    for (size_t i = 0; i < f; i++) {
        for (size_t j = 0; j <= i; j++) {
            double shared = input->gram[i * f + j] + (i == j ? regularization : 0);

            cg->shared[i * f + j] = (float)shared;
            cg->shared[j * f + i] = (float)shared;
        }
    }
    pool_run(cg->pool, solve_block, cg, blocks->order, blocks->count);
    return ERR_OK;
}

const struct sweep_solver sweep_cg = {.bytes = cg_bytes, .create = cg_create, .run = cg_run, .destroy = cg_destroy};
