#include "worker/als/cpu/cpu_backend.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/als/cpu/blas_core.h"
#include "worker/als/cpu/gram.h"
#include "worker/als/cpu/loss.h"
#include "worker/als/cpu/momentum.h"
#include "worker/als/cpu/pool.h"
#include "worker/als/cpu/sweep.h"
#include "worker/als/cpu/top_list.h"

struct side {
    const struct csr *values; /* this side's rows x the other's */
    float *factors;           /* rows x f, the problem's */
    double *gram;             /* f x f, lower triangle: factors' factors, where gram_is_current */
    bool gram_is_current;
    bool is_moved; /* since its half-sweep */
};

struct als_training {
    size_t factors;
    struct pool *pool;
    struct gram *gram;
    struct loss *loss;
    struct momentum *momentum; /* of the items; NULL without acceleration */
    const struct sweep_solver *solver;
    void *solver_state;
    struct side sides[2]; /* by enum als_side */
};

static enum err_code probe(struct err *err)
{
    (void)err;
    return ERR_OK;
}

static const struct sweep_solver *choose_solver(enum als_solver solver)
{
    switch (solver) {
    case ALS_SOLVER_CG:
        return &sweep_cg;
    case ALS_SOLVER_CHOLESKY:
        return &sweep_cholesky;
    case ALS_SOLVER_EXACT:
    default:
        return &sweep_exact;
    }
}

static void destroy_training(struct als_training *training)
{
    if (training == NULL)
        return;
    if (training->solver != NULL)
        training->solver->destroy(training->solver_state);
    free(training->sides[ALS_SIDE_USERS].gram);
    free(training->sides[ALS_SIDE_ITEMS].gram);
    momentum_destroy(training->momentum);
    loss_destroy(training->loss);
    gram_destroy(training->gram);
    pool_destroy(training->pool);
    free(training);
}

/* The partial losses, a few bytes for 64 rows, are left out. */
static double workspace_bytes(const struct als_shape *shape, const struct als_params *params)
{
    size_t threads = pool_count_threads(params->threads);
    double f = params->factors;
    double ahead = params->acceleration ? momentum_bytes(shape->items, (size_t)params->factors) : 0;

    return 2 * f * f * (double)sizeof(double) + gram_bytes(threads) + ahead +
           choose_solver(params->solver)->bytes(shape, params, threads);
}

static enum err_code create_parts(struct als_training *training, const struct als_problem *problem, struct err *err)
{
    enum err_code rc;
    size_t f = training->factors;
    struct sweep_setup setup = {.problem = problem};

    for (int side = ALS_SIDE_USERS; side <= ALS_SIDE_ITEMS; side++) {
        training->sides[side].gram = mem_aligned(f * f, sizeof(double));
        if (training->sides[side].gram == NULL)
            return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu x %zu doubles", f, f);
    }
    rc = pool_create(&training->pool, problem->params->threads, err);
    if (rc != ERR_OK)
        return rc;
    rc = gram_create(&training->gram, training->pool, f, err);
    if (rc != ERR_OK)
        return rc;
    rc = loss_create(&training->loss, training->pool, problem, err);
    if (rc != ERR_OK)
        return rc;
    if (problem->params->acceleration)
        rc = momentum_create(&training->momentum, training->pool, problem->y, problem->by_item->rows, f, err);
    if (rc != ERR_OK)
        return rc;
    setup.pool = training->pool;
    training->solver = choose_solver(problem->params->solver);
    return training->solver->create(&training->solver_state, &setup, err);
}

static enum err_code create_training(struct als_training **out, const struct als_problem *problem, struct err *err)
{
    enum err_code rc;
    struct als_training *training = mem_zeroed(1, sizeof *training);

    *out = NULL;
    if (training == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a training");
    blas_core_use_one_thread();
    training->factors = (size_t)problem->params->factors;
    training->sides[ALS_SIDE_USERS] = (struct side){.values = problem->by_user, .factors = problem->x};
    training->sides[ALS_SIDE_ITEMS] = (struct side){.values = problem->by_item, .factors = problem->y};
    rc = create_parts(training, problem, err);
    if (rc != ERR_OK) {
        destroy_training(training);
        return rc;
    }
    *out = training;
    return ERR_OK;
}

static const double *current_gram(struct als_training *training, enum als_side which)
{
    struct side *side = &training->sides[which];

    if (!side->gram_is_current)
        gram_compute(training->gram, side->factors, side->values->rows, side->gram);
    side->gram_is_current = true;
    return side->gram;
}

static enum err_code half_sweep(struct als_training *training, enum als_side which, struct err *err)
{
    enum als_side other = which == ALS_SIDE_USERS ? ALS_SIDE_ITEMS : ALS_SIDE_USERS;
    const struct sweep_input input = {
        .side = which,
        .values = training->sides[which].values,
        .fixed = training->sides[other].factors,
        .gram = current_gram(training, other),
        .is_moved = training->sides[other].is_moved,
        .solved = training->sides[which].factors,
    };

    training->sides[which].gram_is_current = false;
    training->sides[which].is_moved = false;
    return training->solver->run(training->solver_state, &input, err);
}

static void note_move(struct side *side)
{
    side->gram_is_current = false;
    side->is_moved = true;
}

static enum err_code step_ahead(struct als_training *training, float share, struct err *err)
{
    (void)err;
    momentum_ahead(training->momentum, share);
    if (share > 0)
        note_move(&training->sides[ALS_SIDE_ITEMS]);
    return ERR_OK;
}

static enum err_code step_back(struct als_training *training, struct err *err)
{
    (void)err;
    momentum_back(training->momentum);
    note_move(&training->sides[ALS_SIDE_ITEMS]);
    return ERR_OK;
}

static enum err_code compute_loss(struct als_training *training, double *loss, struct err *err)
{
    (void)err;
    *loss =
        loss_compute(training->loss, current_gram(training, ALS_SIDE_USERS), current_gram(training, ALS_SIDE_ITEMS));
    return ERR_OK;
}

static enum err_code read_factors(struct als_training *training, struct err *err)
{
    (void)training; /* the sweeps work in the problem's arrays */
    (void)err;
    return ERR_OK;
}

static void describe(char *out, size_t size)
{
    (void)snprintf(out, size, "cpu %s", blas_core_name());
}

const struct als_backend cpu_backend = {
    .name = "cpu",
    .probe = probe,
    .workspace_bytes = workspace_bytes,
    .create = create_training,
    .half_sweep = half_sweep,
    .step_ahead = step_ahead,
    .step_back = step_back,
    .loss = compute_loss,
    .read_factors = read_factors,
    .destroy = destroy_training,
    .top_items = top_list_items,
    .similar_items = top_list_similar,
    .describe = describe,
};
