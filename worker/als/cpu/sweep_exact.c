#include <cblas.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/blocks.h"
#include "worker/als/cpu/confidence.h"
#include "worker/als/cpu/lapack.h"
#include "worker/als/cpu/row_dense.h"
#include "worker/als/cpu/row_dual.h"
#include "worker/als/cpu/sweep.h"

/*
 * A0 = fixed' fixed + lambda I = L L' is shared by all rows. V = fixed L^-T once; then each row gives its t in the
 * dual form, and a block of rows together X = T L^-1. Rows with more entries than factors, and the few that rounding
 * keeps from the dual form, are solved dense.
 */
enum { BLOCK_ROWS = 32, V_ROWS = 256 };

/* A pivot this far below the largest is rounding, not information (doubles; sums of up to 1e6 products). */
static const double LEAST_PIVOT = 1e-13;

struct worker {
    struct row_dual *dual;
    struct row_dense *dense;
    struct confidence_row row;
    float *t;                   /* BLOCK_ROWS x f */
    bool dense_row[BLOCK_ROWS]; /* of the block: those without a t */
};

struct exact {
    struct pool *pool;
    size_t factors;
    double regularization;
    float alpha;
    struct blocks blocks[2]; /* by side */
    double *base;            /* f x f: A0 */
    double *factor;          /* f x f: L, then L^-1 */
    float *inverse;          /* f x f: L^-1, the upper triangle 0 */
    float *v;                /* rows of the longer side x f */
    size_t workers;
    struct worker *worker;
    const struct sweep_input *input;
    atomic_size_t failed_row; /* the lowest, SIZE_MAX: none */
};

static double row_cost(double entries, double factors)
{
    double n = entries;
    double f = factors;

    if (n >= f)
        return 2 * (n * f * f + f * f * f / 3); /* doubles cost twice */
    return n * n * f + n * n * n / 3 + 4 * n * f + 2 * f * f;
}

static void exact_destroy(void *state)
{
    struct exact *exact = state;

    if (exact == NULL)
        return;
    for (size_t i = 0; exact->worker != NULL && i < exact->workers; i++) {
        row_dual_destroy(exact->worker[i].dual);
        row_dense_destroy(exact->worker[i].dense);
        free(exact->worker[i].row.d);
        free(exact->worker[i].row.b);
        free(exact->worker[i].t);
    }
    blocks_fini(&exact->blocks[ALS_SIDE_USERS]);
    blocks_fini(&exact->blocks[ALS_SIDE_ITEMS]);
    free(exact->worker);
    free(exact->base);
    free(exact->factor);
    free(exact->inverse);
    free(exact->v);
    free(exact);
}

static enum err_code create_worker(struct worker *worker, size_t longest, size_t factors, struct err *err)
{
    enum err_code rc;
    size_t most_dual = longest < factors ? longest : factors - 1;

    rc = row_dual_create(&worker->dual, most_dual, factors, err);
    if (rc != ERR_OK)
        return rc;
    rc = row_dense_create(&worker->dense, factors, err);
    if (rc != ERR_OK)
        return rc;
    worker->row.d = mem_aligned(longest, sizeof(float));
    worker->row.b = mem_aligned(longest, sizeof(float));
    worker->t = mem_aligned(BLOCK_ROWS * factors, sizeof(float));
    if (worker->row.d == NULL || worker->row.b == NULL || worker->t == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a row of %zu entries x %zu factors", longest, factors);
    return ERR_OK;
}

static enum err_code create_shared(struct exact *exact, const struct als_problem *problem, struct err *err)
{
    enum err_code rc;
    size_t f = exact->factors;
    size_t longer = problem->by_user->rows > problem->by_item->rows ? problem->by_user->rows : problem->by_item->rows;

    exact->base = mem_aligned(f * f, sizeof(double));
    exact->factor = mem_aligned(f * f, sizeof(double));
    exact->inverse = mem_aligned(f * f, sizeof(float));
    exact->v = mem_aligned(longer * f, sizeof(float)); /* no overflow: the factors are as large */
    exact->worker = mem_zeroed(exact->workers, sizeof *exact->worker);
    if (exact->base == NULL || exact->factor == NULL || exact->inverse == NULL || exact->v == NULL ||
        exact->worker == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu rows x %zu factors", longer, f);
    rc = blocks_init(&exact->blocks[ALS_SIDE_USERS], problem->by_user, BLOCK_ROWS, row_cost, f, err);
    if (rc != ERR_OK)
        return rc;
    return blocks_init(&exact->blocks[ALS_SIDE_ITEMS], problem->by_item, BLOCK_ROWS, row_cost, f, err);
}

static enum err_code exact_create(void **state, const struct sweep_setup *setup, struct err *err)
{
    enum err_code rc;
    struct exact *exact = mem_zeroed(1, sizeof *exact);
    size_t longest = sweep_longest_row(setup->problem);

    *state = NULL;
    if (exact == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the exact solver");
    exact->pool = setup->pool;
    exact->factors = (size_t)setup->problem->params->factors;
    exact->regularization = setup->problem->params->regularization;
    exact->alpha = (float)setup->problem->params->alpha;
    exact->workers = pool_threads(setup->pool);
    rc = create_shared(exact, setup->problem, err);
    for (size_t i = 0; rc == ERR_OK && i < exact->workers; i++)
        rc = create_worker(&exact->worker[i], longest, exact->factors, err);
    if (rc != ERR_OK) {
        exact_destroy(exact);
        return rc;
    }
    *state = exact;
    return ERR_OK;
}

/* exact->inverse = L^-1 */
static enum err_code factor_shared(struct exact *exact, struct err *err)
{
    size_t f = exact->factors;
    double *l = exact->factor;
    double largest = 0;
    bool definite;

    sweep_regularize(exact->base, exact->input->gram, f, exact->regularization);
    memcpy(l, exact->base, f * f * sizeof *l);
    for (size_t i = 0; i < f; i++)
        largest = l[i * f + i] > largest ? l[i * f + i] : largest;
    definite = lapack_cholesky_double(l, f, f);
    for (size_t i = 0; definite && i < f; i++)
        definite = l[i * f + i] * l[i * f + i] > largest * LEAST_PIVOT;
    if (!definite || !lapack_invert_lower(l, f))
        return ERR_SET(err, ERR_NUMERIC,
                       "the shared %zu x %zu system is not positive definite at regularization %g: raise it, or use "
                       "fewer factors",
                       f, f, exact->regularization);
    for (size_t i = 0; i < f; i++) {
        for (size_t j = 0; j < f; j++)
            exact->inverse[i * f + j] = j <= i ? (float)l[i * f + j] : 0;
    }
    return ERR_OK;
}

static void make_v(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;
    size_t f = exact->factors;
    size_t first = task * V_ROWS;
    size_t rows = exact->input->values->cols - first < V_ROWS ? exact->input->values->cols - first : V_ROWS;

    (void)thread;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)f, (int)f, 1, exact->input->fixed + first * f,
                (int)f, exact->inverse, (int)f, 0, exact->v + first * f, (int)f);
}

/* False where the row has to be solved dense; t is then 0. */
static bool solve_dual(const struct exact *exact, struct worker *worker, size_t row, float *t)
{
    size_t count = confidence_count(exact->input->values, row);

    if (count > 0 && count < exact->factors) {
        confidence_fill(&worker->row, exact->input->values, row, exact->alpha);
        if (row_dual_solve(worker->dual, &worker->row, exact->v, t))
            return true;
    }
    memset(t, 0, exact->factors * sizeof *t);
    return count == 0;
}

static void solve_dense(struct exact *exact, struct worker *worker, size_t row)
{
    confidence_fill(&worker->row, exact->input->values, row, exact->alpha);
    if (!row_dense_solve(worker->dense, &worker->row, exact->input->fixed, exact->base,
                         exact->input->solved + row * exact->factors))
        sweep_note_failure(&exact->failed_row, row);
}

static void solve_block(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;
    struct worker *worker = &exact->worker[thread];
    size_t f = exact->factors;
    size_t first = task * BLOCK_ROWS;
    size_t rows = blocks_end(&exact->blocks[exact->input->side], task) - first;

    for (size_t i = 0; i < rows; i++)
        worker->dense_row[i] = !solve_dual(exact, worker, first + i, worker->t + i * f);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)f, (int)f, 1, worker->t, (int)f,
                exact->inverse, (int)f, 0, exact->input->solved + first * f, (int)f);
    for (size_t i = 0; i < rows; i++) {
        if (worker->dense_row[i])
            solve_dense(exact, worker, first + i);
    }
}

static enum err_code exact_run(void *state, const struct sweep_input *input, struct err *err)
{
    enum err_code rc;
    struct exact *exact = state;
    const struct blocks *blocks = &exact->blocks[input->side];
    size_t failed;

    exact->input = input;
    atomic_store(&exact->failed_row, SIZE_MAX);
    rc = factor_shared(exact, err);
    if (rc != ERR_OK)
        return rc;
    pool_run(exact->pool, make_v, exact, NULL, (input->values->cols + V_ROWS - 1) / V_ROWS);
    pool_run(exact->pool, solve_block, exact, blocks->order, blocks->count);
    failed = atomic_load(&exact->failed_row);
    return failed == SIZE_MAX ? ERR_OK : sweep_row_failed(input, failed, err);
}

const struct sweep_solver sweep_exact = {.create = exact_create, .run = exact_run, .destroy = exact_destroy};
