#include "worker/als/cuda/cuda_backend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/als/cuda/cuda_sweep.h"
#include "worker/als/cuda/cuda_top.h"

struct als_training {
    const struct als_params *params;
    float *x; /* the problem's */
    float *y;
    struct cuda_device device;
    struct cuda_arena arena;
    struct cuda_side sides[2]; /* by enum als_side */
    struct cuda_factor factor;
    struct cuda_verdict *verdict;
    int32_t *failed_rows;
    double *partial; /* CUDA_LOSS_PARTS */
    double confidence_sum;
    struct cuda_exact exact; /* of these three that of the solver in use */
    struct cuda_dense dense;
    struct cuda_cg cg;
};

static struct cuda_sweep sweep_of(struct als_training *training, enum als_side which)
{
    enum als_side other = which == ALS_SIDE_USERS ? ALS_SIDE_ITEMS : ALS_SIDE_USERS;

    return (struct cuda_sweep){.device = &training->device,
                               .params = training->params,
                               .factor = &training->factor,
                               .which = which,
                               .side = &training->sides[which],
                               .other = &training->sides[other],
                               .verdict = training->verdict,
                               .failed_rows = training->failed_rows};
}

static void destroy_training(struct als_training *training)
{
    if (training == NULL)
        return;
    cuda_arena_fini(&training->arena);
    cuda_device_fini(&training->device);
    free(training);
}

/* One of the two passes. */
static void take_memory(struct als_training *training)
{
    struct cuda_arena *arena = &training->arena;
    struct cuda_sweep sweep = sweep_of(training, ALS_SIDE_USERS);
    size_t longer = cuda_sweep_longer(&sweep);

    cuda_side_take(&training->sides[ALS_SIDE_USERS], arena);
    cuda_side_take(&training->sides[ALS_SIDE_ITEMS], arena);
    cuda_factor_take(&training->factor, arena, training->params->factors, training->params->regularization);
    training->verdict = cuda_arena_take(arena, 1, sizeof *training->verdict);
    training->failed_rows = cuda_arena_take(arena, longer, sizeof *training->failed_rows);
    training->partial = cuda_arena_take(arena, CUDA_LOSS_PARTS, sizeof *training->partial);
    switch (training->params->solver) {
    case ALS_SOLVER_CG:
        cuda_sweep_cg_take(&training->cg, &sweep, arena);
        break;
    case ALS_SOLVER_CHOLESKY:
        cuda_sweep_dense_take(&training->dense, &sweep, arena);
        break;
    case ALS_SOLVER_EXACT:
    default:
        cuda_sweep_exact_take(&training->exact, &sweep, arena);
        break;
    }
}

static enum err_code fill_memory(struct als_training *training, const int32_t *users, const int32_t *items,
                                 struct err *err)
{
    char what[96];
    enum err_code rc;

    (void)snprintf(what, sizeof what, "training %zu users x %zu items with %d factors",
                   training->sides[ALS_SIDE_USERS].values->rows, training->sides[ALS_SIDE_ITEMS].values->rows,
                   training->params->factors);
    take_memory(training);
    rc = cuda_arena_allocate(&training->arena, what, err);
    if (rc != ERR_OK)
        return rc;
    take_memory(training);
    rc = cuda_side_upload(&training->sides[ALS_SIDE_USERS], users, training->x, err);
    if (rc == ERR_OK)
        rc = cuda_side_upload(&training->sides[ALS_SIDE_ITEMS], items, training->y, err);
    if (rc == ERR_OK) /* the streams do not wait for uploads by themselves */
        rc = cuda_device_check(cudaDeviceSynchronize(), "uploading the problem", err);
    return rc;
}

static enum err_code create_parts(struct als_training *training, const struct als_problem *problem, struct err *err)
{
    float alpha = (float)problem->params->alpha;
    size_t factors = (size_t)problem->params->factors;
    int32_t *users = NULL;
    int32_t *items = NULL;
    enum err_code rc = cuda_device_init(&training->device, err);

    if (rc != ERR_OK)
        return rc;
    for (size_t k = 0; k < csr_nonzeros(problem->by_user); k++)
        training->confidence_sum += (double)fabsf(alpha * problem->by_user->values[k]);
    cuda_side_begin(&training->sides[ALS_SIDE_USERS], problem->by_user, factors, alpha);
    cuda_side_begin(&training->sides[ALS_SIDE_ITEMS], problem->by_item, factors, alpha);
    rc = cuda_side_sort(&training->sides[ALS_SIDE_USERS], &users, err);
    if (rc == ERR_OK)
        rc = cuda_side_sort(&training->sides[ALS_SIDE_ITEMS], &items, err);
    if (rc == ERR_OK)
        rc = fill_memory(training, users, items, err);
    free(users);
    free(items);
    return rc;
}

/* What is staged on its way to the device. */
static double workspace_bytes(const struct als_shape *shape, const struct als_params *params)
{
    double rows = (double)shape->users + (double)shape->items;

    (void)params;
    return (double)shape->nonzeros * (double)(sizeof(int32_t) + sizeof(float)) + rows * 4 * (double)sizeof(int32_t);
}

static enum err_code create_training(struct als_training **out, const struct als_problem *problem, struct err *err)
{
    enum err_code rc;
    struct als_training *training = mem_zeroed(1, sizeof *training);

    *out = NULL;
    if (training == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a training");
    if (problem->params->regularization_scaling != ALS_SCALING_NONE) {
        free(training);
        return ERR_SET(err, ERR_CONFIG, "regularization_scaling=frequency is not there on backend cuda: use cpu");
    }
    if (problem->params->acceleration) {
        free(training);
        return ERR_SET(err, ERR_CONFIG, "acceleration=on is not there on backend cuda: use cpu");
    }
    training->params = problem->params;
    training->x = problem->x;
    training->y = problem->y;
    rc = create_parts(training, problem, err);
    if (rc != ERR_OK) {
        destroy_training(training);
        return rc;
    }
    *out = training;
    return ERR_OK;
}

static enum err_code half_sweep(struct als_training *training, enum als_side which, struct err *err)
{
    struct cuda_sweep sweep = sweep_of(training, which);
    enum err_code rc = cuda_factor_gram(&training->factor, &training->device, sweep.other, err);

    if (rc != ERR_OK)
        return rc;
    sweep.side->gram_is_current = false;
    switch (training->params->solver) {
    case ALS_SOLVER_CG:
        return cuda_sweep_cg_run(&training->cg, &sweep, err);
    case ALS_SOLVER_CHOLESKY:
        return cuda_sweep_dense_run(&training->dense, &sweep, err);
    case ALS_SOLVER_EXACT:
    default:
        return cuda_sweep_exact_run(&training->exact, &sweep, err);
    }
}

/* <X'X, Y'Y>, |X|^2 + |Y|^2: cuBLAS's strided sum of absolute values is the trace, for no diagonal entry is below 0. */
static enum err_code sum_grams(struct als_training *training, double *product, double *squares, struct err *err)
{
    int f = training->params->factors;
    const double *gram_x = training->sides[ALS_SIDE_USERS].gram;
    const double *gram_y = training->sides[ALS_SIDE_ITEMS].gram;
    cublasHandle_t blas = training->device.blas;
    double trace_x = 0;
    double trace_y = 0;
    cublasStatus_t status = cublasDdot(blas, f * f, gram_x, 1, gram_y, 1, product);

    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublasDasum(blas, f, gram_x, f + 1, &trace_x);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublasDasum(blas, f, gram_y, f + 1, &trace_y);
    *squares = trace_x + trace_y;
    return cuda_device_check_blas(status, "the loss", err);
}

static enum err_code sum_entries(struct als_training *training, double *sum, struct err *err)
{
    const struct cuda_loss_args args = {.rows = training->sides[ALS_SIDE_USERS].rows,
                                        .row_count = (int)training->sides[ALS_SIDE_USERS].values->rows,
                                        .x = training->sides[ALS_SIDE_USERS].factors,
                                        .y = training->sides[ALS_SIDE_ITEMS].factors,
                                        .partial = training->partial};
    double partial[CUDA_LOSS_PARTS] = {0};
    cudaError_t status = cuda_loss_sum_entries(&args, training->device.main);
    enum err_code rc;

    if (status == cudaSuccess)
        status =
            cudaMemcpyAsync(partial, training->partial, sizeof partial, cudaMemcpyDeviceToHost, training->device.main);
    rc = cuda_device_check(status, "the loss", err);
    if (rc == ERR_OK)
        rc = cuda_device_wait(&training->device, "the loss", err);
    if (rc != ERR_OK)
        return rc;
    *sum = 0;
    for (int part = 0; part < CUDA_LOSS_PARTS; part++)
        *sum += partial[part];
    return ERR_OK;
}

static enum err_code compute_loss(struct als_training *training, double *loss, struct err *err)
{
    const struct csr *values = training->sides[ALS_SIDE_USERS].values;
    double product = 0;
    double squares = 0;
    double entries = 0;
    enum err_code rc = ERR_OK;

    for (int side = ALS_SIDE_USERS; side <= ALS_SIDE_ITEMS && rc == ERR_OK; side++)
        rc = cuda_factor_gram(&training->factor, &training->device, &training->sides[side], err);
    if (rc == ERR_OK)
        rc = sum_grams(training, &product, &squares, err);
    if (rc == ERR_OK)
        rc = sum_entries(training, &entries, err);
    if (rc != ERR_OK)
        return rc;
    *loss = (entries + product + training->params->regularization * squares) /
            (training->confidence_sum + (double)values->rows * (double)values->cols - (double)csr_nonzeros(values));
    return ERR_OK;
}

static enum err_code read_factors(struct als_training *training, struct err *err)
{
    float *const targets[2] = {training->x, training->y};
    cudaError_t status = cudaSuccess;
    enum err_code rc;

    for (int side = ALS_SIDE_USERS; side <= ALS_SIDE_ITEMS && status == cudaSuccess; side++) {
        const struct cuda_side *from = &training->sides[side];
        size_t bytes = from->values->rows * (size_t)from->rows.factors * sizeof(float);

        status = cudaMemcpyAsync(targets[side], from->factors, bytes, cudaMemcpyDeviceToHost, training->device.main);
    }
    rc = cuda_device_check(status, "reading the factors", err);
    return rc == ERR_OK ? cuda_device_wait(&training->device, "reading the factors", err) : rc;
}

static void describe(char *out, size_t size)
{
    char device[128];

    cuda_device_describe(device, sizeof device);
    (void)snprintf(out, size, "cuda %s", device);
}

static const struct als_backend backend = {
    .name = "cuda",
    .probe = cuda_device_probe,
    .workspace_bytes = workspace_bytes,
    .create = create_training,
    .half_sweep = half_sweep,
    .loss = compute_loss,
    .read_factors = read_factors,
    .destroy = destroy_training,
    .top_items = cuda_top_items,
    .similar_items = cuda_top_similar,
    .describe = describe,
};

const struct als_backend *const cuda_backend = &backend;
