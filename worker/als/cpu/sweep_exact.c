#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/blocks.h"
#include "worker/als/cpu/confidence.h"
#include "worker/als/cpu/row_dense.h"
#include "worker/als/cpu/row_dual.h"
#include "worker/als/cpu/row_heavy.h"
#include "worker/als/cpu/row_refined.h"
#include "worker/als/cpu/shared_factor.h"
#include "worker/als/cpu/sweep.h"
#include "worker/als/cpu/weighted_rows.h"

/*
 * A0 = fixed' fixed + lambda I = L L' is shared by all rows. V = fixed L^-T once; then each row gives its t in the
 * dual form, or where it has many entries by conjugate gradients, and a panel of rows together X = T L^-1. The few rows
 * that rounding keeps from both are solved dense: in floats and refined, or where that fails in doubles. A side of many
 * more rows than the other has its X, and its next V, by the weights of its rows (weighted_rows.h).
 *
 * Where each row has a lambda of its own: fixed' fixed = Q S Q', M = Q' takes the place of L^-1, so V = fixed Q, and a
 * row takes its v_j with column k scaled by (S_k + lambda_i)^-1/2, as it does its t; with more entries than factors it
 * is solved dense.
 */
enum { BLOCK_ROWS = 32, PANEL_ROWS = 256 };

struct worker {
    struct row_dual *dual;
    struct row_heavy *heavy;
    struct row_refined *refined;
    struct row_dense *dense;
    struct confidence_row row;
    float *panel;                 /* PANEL_ROWS x f */
    float *product;               /* PANEL_ROWS x f; only where rows are weighted */
    struct confidence_row scaled; /* of rows with a lambda of their own: the same row, its columns 0, 1, … */
    int32_t *places;              /* 0, 1, … */
    float *gather;                /* entries x f: the scaled v_j */
    float *scale;                 /* f: (S_k + lambda_i)^-1/2 */
};

struct exact {
    struct pool *pool;
    size_t factors;
    const struct als_params *params;
    float alpha;
    struct blocks blocks[2]; /* by side */
    struct shared_factor shared;
    float *v;        /* rows of the longer side x f */
    bool *is_solved; /* rows of the longer side: `solved` holds x, else t */
    bool is_weighted;
    enum als_side weighted_side;
    bool is_current; /* the side's factors are W Z */
    struct weighted_rows weighted;
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
        free(exact->worker[i].product);
        free(exact->worker[i].places);
        free(exact->worker[i].gather);
        free(exact->worker[i].scale);
    }
    blocks_fini(&exact->blocks[ALS_SIDE_USERS]);
    blocks_fini(&exact->blocks[ALS_SIDE_ITEMS]);
    shared_factor_fini(&exact->shared);
    weighted_rows_fini(&exact->weighted);
    free(exact->worker);
    free(exact->v);
    free(exact->is_solved);
    free(exact);
}

/* Whether the longer side's rows are to be weighted: not where their own lambdas give each another Z. */
static bool wants_weights(size_t rows, size_t cols, size_t nonzeros, const struct als_params *params)
{
    return params->regularization_scaling == ALS_SCALING_NONE &&
           weighted_rows_pay(rows > cols ? rows : cols, rows > cols ? cols : rows, nonzeros, (size_t)params->factors);
}

static double worker_bytes(const struct als_shape *shape, size_t factors, bool is_scaled, bool is_weighted)
{
    size_t most_dual = shape->longest_row < factors ? shape->longest_row : factors - 1;
    double f = (double)factors;
    double panels = is_weighted ? 2 : 1;
    double bytes = row_dual_bytes(most_dual, factors) + row_heavy_bytes(shape->longest_row, factors) +
                   row_refined_bytes(factors) + row_dense_bytes(factors) +
                   (2 * (double)shape->longest_row + panels * PANEL_ROWS * f) * (double)sizeof(float);

    if (is_scaled)
        bytes += ((double)most_dual * (f + 1) + f) * (double)sizeof(float);
    return bytes + (double)sizeof(struct worker);
}

static double exact_bytes(const struct als_shape *shape, const struct als_params *params, size_t threads)
{
    size_t factors = (size_t)params->factors;
    bool is_scaled = params->regularization_scaling != ALS_SCALING_NONE;
    bool is_weighted = wants_weights(shape->users, shape->items, shape->nonzeros, params);
    size_t longer = shape->users > shape->items ? shape->users : shape->items;
    size_t shorter = shape->users > shape->items ? shape->items : shape->users;
    double bytes = shared_factor_bytes(params) +
                   (double)longer * ((double)factors * (double)sizeof(float) + (double)sizeof(bool)) +
                   blocks_bytes(shape->users, BLOCK_ROWS) + blocks_bytes(shape->items, BLOCK_ROWS);

    if (is_weighted)
        bytes += weighted_rows_bytes(longer, shorter, shape->nonzeros, factors);
    return bytes + (double)threads * worker_bytes(shape, factors, is_scaled, is_weighted);
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

static enum err_code create_worker(struct worker *worker, size_t longest, const struct exact *exact, struct err *err)
{
    enum err_code rc;
    size_t factors = exact->factors;
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
    if (exact->is_weighted)
        worker->product = mem_aligned(PANEL_ROWS * factors, sizeof(float));
    if (worker->row.d == NULL || worker->row.b == NULL || worker->panel == NULL ||
        (exact->is_weighted && worker->product == NULL))
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a row of %zu entries x %zu factors", longest, factors);
    return exact->shared.is_scaled ? create_scaling(worker, most_dual, factors, err) : ERR_OK;
}

static enum err_code create_weights(struct exact *exact, const struct als_problem *problem, struct err *err)
{
    const struct csr *by_user = problem->by_user;

    exact->is_weighted = wants_weights(by_user->rows, by_user->cols, csr_nonzeros(by_user), problem->params);
    exact->weighted_side = by_user->rows > by_user->cols ? ALS_SIDE_USERS : ALS_SIDE_ITEMS;
    if (!exact->is_weighted)
        return ERR_OK;
    return weighted_rows_init(&exact->weighted, exact->weighted_side == ALS_SIDE_USERS ? by_user : problem->by_item,
                              exact->factors, err);
}

static enum err_code create_shared(struct exact *exact, const struct als_problem *problem, struct err *err)
{
    enum err_code rc;
    size_t f = exact->factors;
    size_t longer = problem->by_user->rows > problem->by_item->rows ? problem->by_user->rows : problem->by_item->rows;

    rc = shared_factor_init(&exact->shared, problem->params, err);
    if (rc == ERR_OK)
        rc = create_weights(exact, problem, err);
    if (rc != ERR_OK)
        return rc;
    exact->v = mem_aligned(longer * f, sizeof(float)); /* no overflow: the factors are as large */
    exact->is_solved = mem_zeroed(longer, sizeof *exact->is_solved);
    exact->worker = mem_zeroed(exact->workers, sizeof *exact->worker);
    if (exact->v == NULL || exact->is_solved == NULL || exact->worker == NULL)
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
    exact->alpha = (float)setup->problem->params->alpha;
    exact->workers = pool_threads(setup->pool);
    rc = create_shared(exact, setup->problem, err);
    for (size_t i = 0; rc == ERR_OK && i < exact->workers; i++)
        rc = create_worker(&exact->worker[i], longest, exact, err);
    if (rc != ERR_OK) {
        exact_destroy(exact);
        return rc;
    }
    *state = exact;
    return ERR_OK;
}

static size_t panel_rows(size_t rows, size_t panel)
{
    size_t left = rows - panel * PANEL_ROWS;

    return left < PANEL_ROWS ? left : PANEL_ROWS;
}

/* A panel of V = fixed M'. */
static void make_v(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;
    size_t offset = task * PANEL_ROWS * exact->factors;

    (void)thread;
    shared_factor_multiply_transposed(&exact->shared, panel_rows(exact->input->values->cols, task),
                                      exact->input->fixed + offset, exact->v + offset);
}

/* A panel of X = T M, in place. */
static void make_x(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;
    size_t f = exact->factors;
    size_t rows = panel_rows(exact->input->values->rows, task);
    float *solved = exact->input->solved + task * PANEL_ROWS * f;
    const bool *is_solved = exact->is_solved + task * PANEL_ROWS;
    float *panel = exact->worker[thread].panel;

    memcpy(panel, solved, rows * f * sizeof *panel);
    shared_factor_multiply(&exact->shared, rows, panel, solved);
    for (size_t i = 0; i < rows; i++) {
        if (is_solved[i])
            memcpy(solved + i * f, panel + i * f, f * sizeof *panel);
    }
}

/* A panel of Z = V M, of the rows that the weighted side's are sums of. */
static void make_z(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;
    size_t offset = task * PANEL_ROWS * exact->factors;

    (void)thread;
    shared_factor_multiply(&exact->shared, panel_rows(exact->weighted.values->cols, task), exact->v + offset,
                           exact->weighted.z + offset);
}

/* A panel of Z becomes Z M', by the M of the next half-sweep. */
static void turn_z(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;
    size_t rows = panel_rows(exact->weighted.values->cols, task);
    float *z = exact->weighted.z + task * PANEL_ROWS * exact->factors;
    float *panel = exact->worker[thread].panel;

    memcpy(panel, z, rows * exact->factors * sizeof *panel);
    shared_factor_multiply_transposed(&exact->shared, rows, panel, z);
}

typedef void (*product_fn)(const struct shared_factor *shared, size_t rows, const float *in, float *out);

/* A panel of the weighted side in `to`: W Z, and the product of the rows of `from` without weights that are not kept.
 */
static void sum_panel(struct exact *exact, struct worker *worker, size_t task, product_fn product, const float *from,
                      const bool *is_kept, float *to)
{
    size_t f = exact->factors;
    size_t first = task * PANEL_ROWS;
    size_t end = first + panel_rows(exact->weighted.values->rows, task);
    size_t rest[PANEL_ROWS];
    size_t count = 0;

    for (size_t row = first; row < end; row++) {
        if (exact->weighted.has_weights[row]) {
            weighted_rows_sum(&exact->weighted, row, to + row * f);
        } else if (is_kept == NULL || !is_kept[row]) {
            memcpy(worker->panel + count * f, from + row * f, f * sizeof *to);
            rest[count++] = row;
        }
    }
    if (count > 0)
        product(&exact->shared, count, worker->panel, worker->product);
    for (size_t i = 0; i < count; i++)
        memcpy(to + rest[i] * f, worker->product + i * f, f * sizeof *to);
}

static void sum_x(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;

    sum_panel(exact, &exact->worker[thread], task, shared_factor_multiply, exact->input->solved, exact->is_solved,
              exact->input->solved);
}

static void sum_v(void *context, size_t thread, size_t task)
{
    struct exact *exact = context;

    sum_panel(exact, &exact->worker[thread], task, shared_factor_multiply_transposed, exact->input->fixed, NULL,
              exact->v);
}

static bool solve_dense(struct exact *exact, struct worker *worker, float *x)
{
    const struct sweep_input *input = exact->input;

    return row_refined_solve(worker->refined, &worker->row, input->fixed, exact->shared.base, x) ||
           row_dense_solve(worker->dense, &worker->row, input->fixed, exact->shared.base, x);
}

/* The row's v_j, scaled by its own lambda. */
static void scale_row(struct exact *exact, struct worker *worker)
{
    size_t f = exact->factors;

    for (size_t k = 0; k < f; k++)
        worker->scale[k] = (float)(1 / sqrt(exact->shared.spectrum[k] + worker->row.ridge));
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

/* Into the row's weights, where it is to have them. */
static bool weigh_row(struct exact *exact, struct worker *worker, size_t row)
{
    struct weighted_rows *weighted = &exact->weighted;

    if (!exact->is_weighted || exact->input->side != exact->weighted_side)
        return false;
    weighted->has_weights[row] = worker->row.count < exact->factors && worker->row.count < ROW_HEAVY_LEAST &&
                                 row_dual_weigh(worker->dual, &worker->row, exact->v, weighted_rows_of(weighted, row));
    return weighted->has_weights[row];
}

static void solve_row(struct exact *exact, struct worker *worker, size_t row)
{
    float *solved = exact->input->solved + row * exact->factors;
    size_t count = confidence_count(exact->input->values, row);

    confidence_fill(&worker->row, exact->input->values, row, exact->alpha);
    worker->row.ridge = sweep_row_ridge(exact->params, count, exact->input->values->cols);
    exact->is_solved[row] = false;
    if (weigh_row(exact, worker, row) ||
        (exact->shared.is_scaled ? solve_scaled(exact, worker, solved)
                                 : solve_in_v(worker, &worker->row, exact->v, exact->factors, solved)))
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

static void run_panels(struct exact *exact, pool_task_fn run, size_t rows)
{
    pool_run(exact->pool, run, exact, NULL, (rows + PANEL_ROWS - 1) / PANEL_ROWS);
}

static void prepare_v(struct exact *exact)
{
    size_t rows = exact->input->values->cols;

    if (!exact->is_current || exact->input->is_moved || exact->input->side == exact->weighted_side) {
        exact->is_current = false;
        run_panels(exact, make_v, rows);
        return;
    }
    run_panels(exact, turn_z, exact->weighted.values->cols);
    run_panels(exact, sum_v, rows);
    exact->is_current = false;
}

static void finish_x(struct exact *exact)
{
    size_t rows = exact->input->values->rows;

    if (!exact->is_weighted || exact->input->side != exact->weighted_side) {
        run_panels(exact, make_x, rows);
        return;
    }
    run_panels(exact, make_z, exact->weighted.values->cols);
    run_panels(exact, sum_x, rows);
    exact->is_current = true;
}

static enum err_code exact_run(void *state, const struct sweep_input *input, struct err *err)
{
    enum err_code rc;
    struct exact *exact = state;
    const struct blocks *blocks = &exact->blocks[input->side];
    size_t failed;

    exact->input = input;
    atomic_store(&exact->failed_row, SIZE_MAX);
    rc = shared_factor_compute(&exact->shared, input->gram, input->values->cols, err);
    if (rc != ERR_OK)
        return rc;
    prepare_v(exact);
    pool_run(exact->pool, solve_block, exact, blocks->order, blocks->count);
    failed = atomic_load(&exact->failed_row);
    if (failed != SIZE_MAX)
        return sweep_row_failed(input, failed, err);
    finish_x(exact);
    return ERR_OK;
}

const struct sweep_solver sweep_exact = {
    .bytes = exact_bytes, .create = exact_create, .run = exact_run, .destroy = exact_destroy};
