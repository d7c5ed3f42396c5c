#include "worker/als/als.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/als/als_backend.h"
#include "worker/als/als_memory.h"
#include "worker/als/cpu/blas_core.h"
#include "worker/als/pcg64.h"

enum { MOST_FACTORS = 4096, MOST_THREADS = 1024 };

static const float START_SCALE = 0.01F; /* the start is uniform in [0, START_SCALE) */

static enum err_code find_backend(const struct als_backend **out, enum als_backend_kind kind, struct err *err)
{
    const struct als_backend *cuda = als_backend_find(ALS_BACKEND_CUDA);
    struct err why;

    *out = als_backend_find(kind);
    if (*out == NULL)
        return ERR_SET(err, ERR_CONFIG, "backend %s: this build has no such backend; use auto or cpu",
                       kind == ALS_BACKEND_CUDA ? "cuda" : "unknown");
    if (kind == ALS_BACKEND_AUTO && cuda != NULL && cuda->probe(&why) != ERR_OK)
        log_info("als.on_cpu", log_text("reason", why.message));
    return (*out)->probe(err);
}

/* Where the choice is ours, what does not fit the device, or is not done there, is trained on the CPU. */
static enum err_code create_training(const struct als_backend **backend, struct als_training **training,
                                     const struct als_problem *problem, struct err *err)
{
    struct err why = {0};
    const struct als_backend *cpu = als_backend_find(ALS_BACKEND_CPU);
    enum err_code rc = (*backend)->create(training, problem, &why);

    if (rc == ERR_OK)
        return ERR_OK;
    if (problem->params->backend != ALS_BACKEND_AUTO || *backend == cpu ||
        (rc != ERR_DEVICE_BUSY && rc != ERR_TOO_LARGE && rc != ERR_CONFIG))
        return ERR_SET(err, rc, "%s", why.message);
    log_info("als.on_cpu", log_text("reason", why.message));
    *backend = cpu;
    return cpu->create(training, problem, err);
}

static enum err_code check_params(const struct als_params *params, struct err *err)
{
    if (params->solver != ALS_SOLVER_EXACT && params->solver != ALS_SOLVER_CG && params->solver != ALS_SOLVER_CHOLESKY)
        return ERR_SET(err, ERR_ARGUMENT, "solver %d is unknown", (int)params->solver);
    if (params->factors < 1 || params->factors > MOST_FACTORS)
        return ERR_SET(err, ERR_ARGUMENT, "factors %d is not within 1..%d", params->factors, MOST_FACTORS);
    if (!isfinite(params->regularization) || params->regularization < 0)
        return ERR_SET(err, ERR_ARGUMENT, "regularization %g is not a number >= 0", params->regularization);
    if (params->regularization_scaling != ALS_SCALING_NONE && params->regularization_scaling != ALS_SCALING_FREQUENCY)
        return ERR_SET(err, ERR_ARGUMENT, "regularization_scaling %d is unknown", (int)params->regularization_scaling);
    if (!isfinite((float)params->alpha) || params->alpha <= 0)
        return ERR_SET(err, ERR_ARGUMENT, "alpha %g is not a number > 0", params->alpha);
    if (!(params->tolerance >= 0 && params->tolerance < 1))
        return ERR_SET(err, ERR_ARGUMENT, "tolerance %g is not within 0..1", params->tolerance);
    if (params->iterations < 1)
        return ERR_SET(err, ERR_ARGUMENT, "iterations %d is below 1", params->iterations);
    if (params->solver == ALS_SOLVER_CG && params->cg_steps < 1)
        return ERR_SET(err, ERR_ARGUMENT, "cg_steps %d is below 1", params->cg_steps);
    if (params->solver == ALS_SOLVER_CG && params->acceleration)
        return ERR_SET(err, ERR_ARGUMENT, "acceleration=on is not there with solver cg: use exact");
    if (params->threads < 0 || params->threads > MOST_THREADS)
        return ERR_SET(err, ERR_ARGUMENT, "threads %d is not within 0..%d", params->threads, MOST_THREADS);
    return ERR_OK;
}

static enum err_code check_row(const struct csr *values, size_t row, double alpha, struct err *err)
{
    int64_t last = -1;

    for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k++) {
        if (values->columns[k] <= last || (size_t)values->columns[k] >= values->cols)
            return ERR_SET(err, ERR_ARGUMENT, "user %zu: item %d is out of order or range", row, values->columns[k]);
        if (!isfinite((float)alpha * values->values[k]))
            return ERR_SET(err, ERR_ARGUMENT, "user %zu, item %d: %g * %g is not a finite confidence", row,
                           values->columns[k], alpha, (double)values->values[k]);
        last = values->columns[k];
    }
    return ERR_OK;
}

static enum err_code check_values(const struct csr *values, double alpha, struct err *err)
{
    if (values->rows == 0 || values->cols == 0 || values->rows > INT32_MAX || values->cols > INT32_MAX)
        return ERR_SET(err, ERR_ARGUMENT, "a matrix of %zu users x %zu items cannot be trained on", values->rows,
                       values->cols);
    if (values->offsets[0] != 0)
        return ERR_SET(err, ERR_ARGUMENT, "the matrix does not begin at offset 0");
    for (size_t row = 0; row < values->rows; row++) {
        if (values->offsets[row + 1] < values->offsets[row])
            return ERR_SET(err, ERR_ARGUMENT, "user %zu: offsets descend", row);
    }
    for (size_t row = 0; row < values->rows; row++) {
        enum err_code rc = check_row(values, row, alpha, err);

        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

/* The rows that an earlier model has. */
static void begin_with(float *factors, size_t rows, size_t f, const float *start)
{
    for (size_t row = 0; start != NULL && row < rows; row++) {
        if (!isnan(start[row * f]))
            memcpy(factors + row * f, start + row * f, f * sizeof *factors);
    }
}

static enum err_code init_model(struct als_model *model, size_t users, size_t items, const struct als_params *params,
                                struct err *err)
{
    struct pcg64 generator;
    size_t factors = (size_t)params->factors;
    size_t cells_x;
    size_t cells_y;

    if (!mem_multiply(&cells_x, users, factors) || !mem_multiply(&cells_y, items, factors))
        return ERR_SET(err, ERR_NO_MEMORY, "%zu users, %zu items x %zu factors are too many", users, items, factors);
    *model = (struct als_model){.users = users, .items = items, .factors = factors};
    model->x = mem_aligned(cells_x, sizeof *model->x);
    model->y = mem_aligned(cells_y, sizeof *model->y);
    if (model->x == NULL || model->y == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu + %zu rows of %zu factors", users, items, factors);
    pcg64_seed(&generator, params->seed);
    for (size_t i = 0; i < cells_x; i++)
        model->x[i] = pcg64_next_float(&generator) * START_SCALE;
    for (size_t i = 0; i < cells_y; i++)
        model->y[i] = pcg64_next_float(&generator) * START_SCALE;
    return ERR_OK;
}

static enum err_code run_half_sweep(const struct als_backend *backend, struct als_training *training,
                                    enum als_side side, struct err *err)
{
    enum err_code rc = backend->half_sweep(training, side, err);

    if (rc != ERR_OK)
        (void)err_wrap(err, "%s", side == ALS_SIDE_USERS ? "users from items" : "items from users");
    return rc;
}

static enum err_code run_iteration(const struct als_backend *backend, struct als_training *training, double *loss,
                                   struct err *err)
{
    enum err_code rc;

    rc = run_half_sweep(backend, training, ALS_SIDE_USERS, err);
    if (rc != ERR_OK)
        return rc;
    rc = run_half_sweep(backend, training, ALS_SIDE_ITEMS, err);
    if (rc != ERR_OK)
        return rc;
    rc = backend->loss(training, loss, err);
    if (rc == ERR_OK && !isfinite(*loss))
        rc = ERR_SET(err, ERR_NUMERIC, "the loss is not finite");
    return rc;
}

/* Of a step ahead with so many before it in a row: Nesterov's, as of Mitchell, Ye, De Sterck 2020 ("Nesterov
 * acceleration of alternating least squares for canonical tensor decomposition"). The first only keeps. */
static float step_share(int steps)
{
    return (float)steps / (float)(steps + 3);
}

/* Where the step before it went too far, once more from where that began; plain sweeps cannot raise the loss. */
static enum err_code run_accelerated(const struct als_backend *backend, struct als_training *training, double before,
                                     int *steps, double *loss, struct err *err)
{
    enum err_code rc = run_iteration(backend, training, loss, err);

    if (rc != ERR_OK || *loss <= before || *steps < 2)
        return rc;
    *steps = 0;
    rc = backend->step_back(training, err);
    return rc == ERR_OK ? run_iteration(backend, training, loss, err) : rc;
}

static enum err_code run_iterations(const struct als_backend *backend, struct als_training *training,
                                    const struct als_params *params, const struct als_observer *observer, double *loss,
                                    struct err *err)
{
    double before = INFINITY;
    int steps = 0; /* ahead, in a row */

    for (int iteration = 1; iteration <= params->iterations; iteration++) {
        double now = 0;
        enum err_code rc = run_accelerated(backend, training, before, &steps, &now, err);

        if (rc != ERR_OK) {
            (void)err_wrap(err, "iteration %d of %d", iteration, params->iterations);
            return rc;
        }
        if (loss != NULL)
            loss[iteration - 1] = now;
        if (observer != NULL && observer->on_iteration != NULL &&
            !observer->on_iteration(observer->context, iteration, now))
            return ERR_SET(err, ERR_CANCELLED, "training stopped after iteration %d of %d", iteration,
                           params->iterations);
        if (params->tolerance > 0 && before - now < params->tolerance * before)
            break;
        before = now;
        if (!params->acceleration || iteration == params->iterations)
            continue;
        rc = backend->step_ahead(training, step_share(steps++), err);
        if (rc != ERR_OK)
            return rc;
    }
    return backend->read_factors(training, err);
}

enum err_code als_train(struct als_model *model, const struct csr *values, const struct als_params *params,
                        const struct als_observer *observer, double *loss, struct err *err)
{
    return als_train_from(model, values, params, NULL, observer, loss, err);
}

enum err_code als_train_from(struct als_model *model, const struct csr *values, const struct als_params *params,
                             const struct als_start *start, const struct als_observer *observer, double *loss,
                             struct err *err)
{
    enum err_code rc;
    const struct als_backend *backend;
    struct als_training *training = NULL;
    struct csr by_item = {0};
    struct als_problem problem;
    struct als_shape shape;

    memset(model, 0, sizeof *model);
    rc = find_backend(&backend, params->backend, err);
    if (rc != ERR_OK || backend == NULL)
        return rc;
    rc = check_params(params, err);
    if (rc != ERR_OK)
        return rc;
    rc = check_values(values, params->alpha, err);
    if (rc != ERR_OK)
        return rc;

    rc = csr_transpose(&by_item, values, err);
    if (rc != ERR_OK)
        goto done;
    als_memory_shape(&shape, values, &by_item);
    rc = als_memory_check(&shape, params, err);
    if (rc != ERR_OK)
        goto done;
    rc = init_model(model, values->rows, values->cols, params, err);
    if (rc != ERR_OK)
        goto done;
    if (start != NULL) {
        begin_with(model->x, model->users, model->factors, start->x);
        begin_with(model->y, model->items, model->factors, start->y);
    }
    for (int i = 0; loss != NULL && i < params->iterations; i++)
        loss[i] = NAN;
    problem =
        (struct als_problem){.by_user = values, .by_item = &by_item, .params = params, .x = model->x, .y = model->y};
    rc = create_training(&backend, &training, &problem, err);
    if (rc != ERR_OK)
        goto done;
    model->backend = backend == als_backend_find(ALS_BACKEND_CPU) ? ALS_BACKEND_CPU : ALS_BACKEND_CUDA;
    rc = run_iterations(backend, training, params, observer, loss, err);
done:
    if (training != NULL)
        backend->destroy(training);
    csr_fini(&by_item);
    if (rc != ERR_OK)
        als_model_fini(model);
    return rc;
}

void als_model_fini(struct als_model *model)
{
    if (model == NULL)
        return;
    free(model->x);
    free(model->y);
    memset(model, 0, sizeof *model);
}

void als_describe_backend(enum als_backend_kind kind, char *out, size_t size)
{
    const struct als_backend *backend = als_backend_find(kind);

    if (backend == NULL)
        (void)snprintf(out, size, "cuda (not in this build)");
    else
        backend->describe(out, size);
}

void als_choose_blas_kernels(char **argv)
{
    blas_core_choose(argv);
}

static enum err_code check_request(const struct als_list_request *request, struct err *err)
{
    int64_t last = -1;

    if (request->n < 1 || request->n > INT32_MAX)
        return ERR_SET(err, ERR_ARGUMENT, "lists of %zu items cannot be made", request->n);
    if (request->threads < 0 || request->threads > MOST_THREADS)
        return ERR_SET(err, ERR_ARGUMENT, "threads %d is not within 0..%d", request->threads, MOST_THREADS);
    for (size_t i = 0; i < request->candidate_count; i++) {
        if (request->candidates[i] <= last || (size_t)request->candidates[i] >= request->model->items)
            return ERR_SET(err, ERR_ARGUMENT, "candidate %d at %zu is out of order or range", request->candidates[i],
                           i);
        last = request->candidates[i];
    }
    return ERR_OK;
}

enum err_code als_lists_init(struct als_lists *lists, size_t rows, size_t n, struct err *err)
{
    size_t cells;

    *lists = (struct als_lists){.rows = rows, .n = n};
    if (!mem_multiply(&cells, rows, n))
        return ERR_SET(err, ERR_NO_MEMORY, "%zu lists of %zu are too many", rows, n);
    lists->items = mem_zeroed(cells, sizeof *lists->items);
    lists->scores = mem_zeroed(cells, sizeof *lists->scores);
    lists->counts = mem_zeroed(rows, sizeof *lists->counts);
    if (lists->items != NULL && lists->scores != NULL && lists->counts != NULL)
        return ERR_OK;
    als_lists_fini(lists);
    return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu lists of %zu", rows, n);
}

static enum err_code fill_lists(struct als_lists *out, const struct als_list_request *request, bool similar,
                                const struct als_backend *backend, struct err *err)
{
    return similar ? backend->similar_items(out, request, err) : backend->top_items(out, request, err);
}

static enum err_code make_lists(struct als_lists *out, size_t rows, const struct als_list_request *request,
                                bool similar, struct err *err)
{
    const struct als_backend *backend;
    const struct als_backend *cpu = als_backend_find(ALS_BACKEND_CPU);
    enum err_code rc;

    memset(out, 0, sizeof *out);
    rc = find_backend(&backend, request->model->backend, err);
    if (rc == ERR_OK)
        rc = check_request(request, err);
    if (rc == ERR_OK)
        rc = als_lists_init(out, rows, request->n, err);
    if (rc != ERR_OK)
        return rc;
    rc = fill_lists(out, request, similar, backend, err);
    if (rc == ERR_DEVICE_BUSY && backend != cpu) /* another program has the memory: the factors are here */
        rc = fill_lists(out, request, similar, cpu, err);
    if (rc != ERR_OK)
        als_lists_fini(out);
    return rc;
}

enum err_code als_top_items(struct als_lists *out, const struct als_model *model, const int32_t *candidates,
                            size_t candidate_count, size_t n, int threads, struct err *err)
{
    return als_top_new_items(out, model, NULL, candidates, candidate_count, n, threads, err);
}

enum err_code als_top_new_items(struct als_lists *out, const struct als_model *model, const struct csr *known,
                                const int32_t *candidates, size_t candidate_count, size_t n, int threads,
                                struct err *err)
{
    const struct als_list_request request = {.model = model,
                                             .known = known,
                                             .candidates = candidates,
                                             .candidate_count = candidate_count,
                                             .n = n,
                                             .threads = threads};

    if (known != NULL && (known->rows != model->users || known->cols != model->items)) {
        memset(out, 0, sizeof *out);
        return ERR_SET(err, ERR_ARGUMENT, "known items of %zu x %zu are not of a model of %zu x %zu", known->rows,
                       known->cols, model->users, model->items);
    }
    return make_lists(out, model->users, &request, false, err);
}

enum err_code als_similar_items(struct als_lists *out, const struct als_model *model, const int32_t *candidates,
                                size_t candidate_count, size_t n, float floor, int threads, struct err *err)
{
    const struct als_list_request request = {.model = model,
                                             .candidates = candidates,
                                             .candidate_count = candidate_count,
                                             .n = n,
                                             .floor = floor,
                                             .threads = threads};

    if (!isfinite(floor)) {
        memset(out, 0, sizeof *out);
        return ERR_SET(err, ERR_ARGUMENT, "a floor of %g is not a number", (double)floor);
    }
    return make_lists(out, model->items, &request, true, err);
}

void als_lists_fini(struct als_lists *lists)
{
    if (lists == NULL)
        return;
    free(lists->items);
    free(lists->scores);
    free(lists->counts);
    memset(lists, 0, sizeof *lists);
}
