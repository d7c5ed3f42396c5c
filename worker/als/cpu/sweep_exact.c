#include <cblas.h>
#include <math.h>
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
#include "worker/als/cpu/row_heavy.h"
#include "worker/als/cpu/row_refined.h"
#include "worker/als/cpu/sweep.h"

/*
 * A0 = fixed' fixed + lambda I = L L' is shared by all rows. V = fixed L^-T once; then each row gives its t in the
 * dual form, or where it has many entries by conjugate gradients, and a panel of rows together X = T L^-1. The few rows
 * that rounding keeps from both are solved dense: in floats and refined, or where that fails in doubles.
 *
 * L^-1 is a lower triangle: the products with it leave out the zeros, a stripe of columns at a time.
 *
 * Where each row has a lambda of its own: fixed' fixed = Q S Q', M = Q' takes the place of L^-1, so V = fixed Q, and a
 * row takes its v_j with column k scaled by (S_k + lambda_i)^-1/2, as it does its t; with more entries than factors it
 * is solved dense.
 */
enum { BLOCK_ROWS = 32, PANEL_ROWS = 256, STRIPE = 160 };

/* A pivot this far below the largest is rounding, not information (doubles; sums of up to 1e6 products). */
static const double LEAST_PIVOT = 1e-13;

struct worker {
    struct row_dual *dual;
    struct row_heavy *heavy;
    struct row_refined *refined;
    struct row_dense *dense;
    struct confidence_row row;
    float *panel;                 /* PANEL_ROWS x f */
    struct confidence_row scaled; /* of rows with a lambda of their own: the same row, its columns 0, 1, … */
    int32_t *places;              /* 0, 1, … */
    float *gather;                /* entries x f: the scaled v_j */
    float *scale;                 /* f: (S_k + lambda_i)^-1/2 */
};

struct exact {
    struct pool *pool;
    size_t factors;
    const struct als_params *params;
    bool is_scaled; /* each row has a lambda of its own */
    float alpha;
    struct blocks blocks[2]; /* by side */
    double *base;            /* f x f: A0, without the lambdas that are the rows' own */
    double *factor;          /* f x f: L, then L^-1; or Q' */
    float *inverse;          /* f x f, M: L^-1, the upper triangle 0; or Q' */
    double *spectrum;        /* f: S; with `work` only where is_scaled */
    double *work;
    int *int_work;
    float *v;        /* rows of the longer side x f */
    bool *is_solved; /* rows of the longer side: `solved` holds x, else t */
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
        return n * f * f + f * f * f / 3;
    return n * n * f + n * n * n / 3 + 4 * n * f + 2 * f * f;
}

static void exact_destroy(void *state)
{
    struct exact *exact = state;

    if (exact == NULL)
        return;
    for (size_t i = 0; exact->worker != NULL && i < exact->workers; i++) {
        row_heavy_destroy(exact->worker[i].heavy);
        row_dual_destroy(exact->worker[i].dual);
        row_refined_destroy(exact->worker[i].refined);
        row_dense_destroy(exact->worker[i].dense);
        free(exact->worker[i].row.d);
        free(exact->worker[i].row.b);
        free(exact->worker[i].panel);
        free(exact->worker[i].places);
        free(exact->worker[i].gather);
        free(exact->worker[i].scale);
    }
    blocks_fini(&exact->blocks[ALS_SIDE_USERS]);
    blocks_fini(&exact->blocks[ALS_SIDE_ITEMS]);
    free(exact->worker);
    free(exact->base);
    free(exact->factor);
    free(exact->inverse);
    free(exact->spectrum);
    free(exact->work);
    free(exact->int_work);
    free(exact->v);
    free(exact->is_solved);
    free(exact);
}

static double worker_bytes(const struct als_shape *shape, size_t factors, bool is_scaled)
{
    size_t most_dual = shape->longest_row < factors ? shape->longest_row : factors - 1;
    double f = (double)factors;
    double bytes = row_dual_bytes(most_dual, factors) + row_heavy_bytes(shape->longest_row, factors) +
                   row_refined_bytes(factors) + row_dense_bytes(factors) +
                   (2 * (double)shape->longest_row + PANEL_ROWS * f) * (double)sizeof(float);

    if (is_scaled)
        bytes += ((double)most_dual * (f + 1) + f) * (double)sizeof(float);
    return bytes + (double)sizeof(struct worker);
}

static double exact_bytes(const struct als_shape *shape, const struct als_params *params, size_t threads)
{
    size_t factors = (size_t)params->factors;
    bool is_scaled = params->regularization_scaling != ALS_SCALING_NONE;
    double f = (double)factors;
    double longer = (double)(shape->users > shape->items ? shape->users : shape->items);
    double bytes = f * f * (2 * (double)sizeof(double) + (double)sizeof(float)) +
                   longer * (f * (double)sizeof(float) + (double)sizeof(bool)) +
                   blocks_bytes(shape->users, BLOCK_ROWS) + blocks_bytes(shape->items, BLOCK_ROWS);

    if (is_scaled)
        bytes += (f + (double)lapack_eigenvectors_doubles(factors)) * (double)sizeof(double) +
                 (double)lapack_eigenvectors_ints(factors) * (double)sizeof(int);
    return bytes + (double)threads * worker_bytes(shape, factors, is_scaled);
}

static enum err_code create_scaling(struct worker *worker, size_t most_entries, size_t factors, struct err *err)
{
    worker->places = mem_zeroed(most_entries, sizeof *worker->places);
    worker->gather = mem_aligned(most_entries * factors, sizeof *worker->gather);
    worker->scale = mem_aligned(factors, sizeof *worker->scale);
    if (worker->places == NULL || worker->gather == NULL || worker->scale == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to scale %zu entries x %zu factors", most_entries, factors);
    for (size_t i = 0; i < most_entries; i++)
        worker->places[i] = (int32_t)i;
    return ERR_OK;
}

static enum err_code create_worker(struct worker *worker, size_t longest, size_t factors, bool is_scaled,
                                   struct err *err)
{
    enum err_code rc;
    size_t most_dual = longest < factors ? longest : factors - 1;

    rc = row_dual_create(&worker->dual, most_dual, factors, err);
    if (rc != ERR_OK)
        return rc;
    rc = row_heavy_create(&worker->heavy, worker->dual, longest, factors, err);
    if (rc != ERR_OK)
        return rc;
    rc = row_refined_create(&worker->refined, factors, err);
    if (rc != ERR_OK)
        return rc;
    rc = row_dense_create(&worker->dense, factors, err);
    if (rc != ERR_OK)
        return rc;
    worker->row.d = mem_aligned(longest, sizeof(float));
    worker->row.b = mem_aligned(longest, sizeof(float));
    worker->panel = mem_aligned(PANEL_ROWS * factors, sizeof(float));
    if (worker->row.d == NULL || worker->row.b == NULL || worker->panel == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a row of %zu entries x %zu factors", longest, factors);
    return is_scaled ? create_scaling(worker, most_dual, factors, err) : ERR_OK;
}

static enum err_code create_spectrum(struct exact *exact, struct err *err)
{
    size_t f = exact->factors;

    exact->spectrum = mem_aligned(f, sizeof *exact->spectrum);
    exact->work = mem_aligned(lapack_eigenvectors_doubles(f), sizeof *exact->work);
    exact->int_work = mem_aligned(lapack_eigenvectors_ints(f), sizeof *exact->int_work);
    if (exact->spectrum == NULL || exact->work == NULL || exact->int_work == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu eigenvectors", f);
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
    exact->is_solved = mem_zeroed(longer, sizeof *exact->is_solved);
    exact->worker = mem_zeroed(exact->workers, sizeof *exact->worker);
    if (exact->base == NULL || exact->factor == NULL || exact->inverse == NULL || exact->v == NULL ||
        exact->is_solved == NULL || exact->worker == NULL)
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
    exact->params = setup->problem->params;
    exact->is_scaled = exact->params->regularization_scaling != ALS_SCALING_NONE;
    exact->alpha = (float)setup->problem->params->alpha;
    exact->workers = pool_threads(setup->pool);
    rc = create_shared(exact, setup->problem, err);
    if (rc == ERR_OK && exact->is_scaled)
        rc = create_spectrum(exact, err);
    for (size_t i = 0; rc == ERR_OK && i < exact->workers; i++)
        rc = create_worker(&exact->worker[i], longest, exact->factors, exact->is_scaled, err);
    if (rc != ERR_OK) {
        exact_destroy(exact);
        return rc;
    }
    *state = exact;
    return ERR_OK;
}

static enum err_code report_indefinite(const struct exact *exact, struct err *err)
{
    return ERR_SET(err, ERR_NUMERIC,
                   "the shared %zu x %zu system is not positive definite at regularization %g: raise it, or use fewer "
                   "factors",
                   exact->factors, exact->factors, exact->params->regularization);
}

/* exact->factor = L^-1; false where A0 is not positive definite. */
static bool invert_base(struct exact *exact)
{
    size_t f = exact->factors;
    double *l = exact->factor;
    double largest = 0;
    bool definite;

    for (size_t i = 0; i < f; i++)
        largest = l[i * f + i] > largest ? l[i * f + i] : largest;
    definite = lapack_cholesky_double(l, f, f);
    for (size_t i = 0; definite && i < f; i++)
        definite = l[i * f + i] * l[i * f + i] > largest * LEAST_PIVOT;
    return definite && lapack_invert_lower(l, f);
}

/* exact->factor = Q', exact->spectrum = S; false where a row's S + lambda_i I may not be positive definite. */
static bool decompose_base(struct exact *exact)
{
    size_t f = exact->factors;
    double least = sweep_row_ridge(exact->params, 0, exact->input->values->cols);

    return lapack_eigenvectors(exact->factor, exact->spectrum, f, exact->work, exact->int_work) &&
           exact->spectrum[0] + least > exact->spectrum[f - 1] * LEAST_PIVOT;
}

/* exact->inverse = M */
static enum err_code factor_shared(struct exact *exact, struct err *err)
{
    size_t f = exact->factors;

    sweep_regularize(exact->base, exact->input->gram, f, sweep_shared_regularization(exact->params));
    memcpy(exact->factor, exact->base, f * f * sizeof *exact->factor);
    if (!(exact->is_scaled ? decompose_base(exact) : invert_base(exact)))
        return report_indefinite(exact, err);
    for (size_t i = 0; i < f; i++) {
        for (size_t j = 0; j < f; j++)
            exact->inverse[i * f + j] = exact->is_scaled || j <= i ? (float)exact->factor[i * f + j] : 0;
    }
    return ERR_OK;
}

static size_t panel_rows(size_t rows, size_t panel)
{
    size_t left = rows - panel * PANEL_ROWS;

    return left < PANEL_ROWS ? left : PANEL_ROWS;
}

static size_t stripe_width(size_t factors, size_t first)
{
    return factors - first < STRIPE ? factors - first : STRIPE;
}

/* A panel of V = fixed M': column k takes the columns of fixed up to k, where M is a triangle. */
static void make_v(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;
    size_t f = exact->factors;
    int rows = (int)panel_rows(exact->input->values->cols, task);
    size_t offset = task * PANEL_ROWS * f;

    (void)thread;
    for (size_t k = 0; k < f; k += STRIPE) {
        int width = (int)stripe_width(f, k);
        int depth = exact->is_scaled ? (int)f : (int)k + width;

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, width, depth, 1, exact->input->fixed + offset,
                    (int)f, exact->inverse + k * f, (int)f, 0, exact->v + offset + k, (int)f);
    }
}

/* A panel of X = T M, in place: column k takes the columns from k on of T, where M is a triangle. */
static void make_x(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;
    size_t f = exact->factors;
    size_t rows = panel_rows(exact->input->values->rows, task);
    float *solved = exact->input->solved + task * PANEL_ROWS * f;
    const bool *is_solved = exact->is_solved + task * PANEL_ROWS;
    float *panel = exact->worker[thread].panel;

    memcpy(panel, solved, rows * f * sizeof *panel);
    for (size_t k = 0; k < f; k += STRIPE) {
        size_t from = exact->is_scaled ? 0 : k;

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)stripe_width(f, k), (int)(f - from), 1,
                    panel + from, (int)f, exact->inverse + from * f + k, (int)f, 0, solved + k, (int)f);
    }
    for (size_t i = 0; i < rows; i++) {
        if (is_solved[i])
            memcpy(solved + i * f, panel + i * f, f * sizeof *panel);
    }
}

static bool solve_dense(struct exact *exact, struct worker *worker, float *x)
{
    const struct sweep_input *input = exact->input;

    return row_refined_solve(worker->refined, &worker->row, input->fixed, exact->base, x) ||
           row_dense_solve(worker->dense, &worker->row, input->fixed, exact->base, x);
}

/* The row's v_j, scaled by its own lambda. */
static void scale_row(struct exact *exact, struct worker *worker)
{
    size_t f = exact->factors;

    for (size_t k = 0; k < f; k++)
        worker->scale[k] = (float)(1 / sqrt(exact->spectrum[k] + worker->row.ridge));
    worker->scaled = worker->row;
    worker->scaled.columns = worker->places;
    for (size_t j = 0; j < worker->row.count; j++) {
        const float *from = exact->v + (size_t)worker->row.columns[j] * f;
        float *to = worker->gather + j * f;

        for (size_t k = 0; k < f; k++)
            to[k] = from[k] * worker->scale[k];
    }
}

static bool solve_in_v(struct worker *worker, const struct confidence_row *row, const float *v, size_t factors,
                       float *t)
{
    return (row->count >= ROW_HEAVY_LEAST && row_heavy_solve(worker->heavy, row, v, t)) ||
           (row->count < factors && row_dual_solve(worker->dual, row, v, t));
}

static bool solve_scaled(struct exact *exact, struct worker *worker, float *t)
{
    if (worker->row.count >= exact->factors)
        return false; /* more than `gather` has room for */
    scale_row(exact, worker);
    if (!solve_in_v(worker, &worker->scaled, worker->gather, exact->factors, t))
        return false;
    for (size_t k = 0; k < exact->factors; k++)
        t[k] *= worker->scale[k];
    return true;
}

static void solve_row(struct exact *exact, struct worker *worker, size_t row)
{
    float *solved = exact->input->solved + row * exact->factors;
    size_t count = confidence_count(exact->input->values, row);

    confidence_fill(&worker->row, exact->input->values, row, exact->alpha);
    worker->row.ridge = sweep_row_ridge(exact->params, count, exact->input->values->cols);
    exact->is_solved[row] = false;
    if (exact->is_scaled ? solve_scaled(exact, worker, solved)
                         : solve_in_v(worker, &worker->row, exact->v, exact->factors, solved))
        return;
    exact->is_solved[row] = true;
    if (!solve_dense(exact, worker, solved))
        sweep_note_failure(&exact->failed_row, row);
}

static void solve_block(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;
    const struct blocks *blocks = &exact->blocks[exact->input->side];

    for (size_t row = task * BLOCK_ROWS; row < blocks_end(blocks, task); row++)
        solve_row(exact, &exact->worker[thread], row);
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
    pool_run(exact->pool, make_v, exact, NULL, (input->values->cols + PANEL_ROWS - 1) / PANEL_ROWS);
    pool_run(exact->pool, solve_block, exact, blocks->order, blocks->count);
    failed = atomic_load(&exact->failed_row);
    if (failed != SIZE_MAX)
        return sweep_row_failed(input, failed, err);
    pool_run(exact->pool, make_x, exact, NULL, (input->values->rows + PANEL_ROWS - 1) / PANEL_ROWS);
    return ERR_OK;
}

const struct sweep_solver sweep_exact = {
    .bytes = exact_bytes, .create = exact_create, .run = exact_run, .destroy = exact_destroy};
