#include "worker/als/cuda/cuda_factor.h"

/*
 * A panel of rows is multiplied in floats, panels are summed in doubles, as on the CPU: 1e-7 of the largest entry.
 * cuBLAS is column-major: a row-major lower triangle is an upper one there, L is its U' and L^-1 its U^-T.
 */
enum { PANEL_ROWS = 1024, PANELS = 8 };

/* A pivot this far below the largest is rounding, not information (doubles; sums of up to 1e6 products). */
static const double LEAST_PIVOT = 1e-13;

void cuda_factor_take(struct cuda_factor *factor, struct cuda_arena *arena, int factors, double regularization)
{
    size_t cells = (size_t)factors * (size_t)factors;

    factor->factors = factors;
    factor->regularization = regularization;
    factor->base = cuda_arena_take(arena, cells, sizeof *factor->base);
    factor->system = cuda_arena_take(arena, cells, sizeof *factor->system);
    factor->inverse = cuda_arena_take(arena, cells, sizeof *factor->inverse);
    factor->least = cuda_arena_take(arena, 1, sizeof *factor->least);
    factor->rounded = cuda_arena_take(arena, cells, sizeof *factor->rounded);
    factor->panels = cuda_arena_take(arena, PANELS * cells, sizeof *factor->panels);
}

/* out (or +=) the sum of the products of `count` panels of `rows` rows */
static enum err_code add_panels(struct cuda_factor *factor, struct cuda_device *device, const float *from, int rows,
                                int count, double *out, bool adds, struct err *err)
{
    int f = factor->factors;
    long long step = (long long)rows * f;
    const float one = 1;
    const float zero = 0;
    enum err_code rc = cuda_device_check_blas(cublasSgemmStridedBatched(device->blas, CUBLAS_OP_N, CUBLAS_OP_T, f, f,
                                                                        rows, &one, from, f, step, from, f, step, &zero,
                                                                        factor->panels, f, (long long)f * f, count),
                                              "a product of factors", err);

    if (rc != ERR_OK)
        return rc;
    return cuda_device_check(
        cuda_shared_add_panels(out, factor->panels, count, (size_t)f * (size_t)f, adds, device->main),
        "a sum of products", err);
}

enum err_code cuda_factor_gram(struct cuda_factor *factor, struct cuda_device *device, struct cuda_side *side,
                               struct err *err)
{
    size_t rows = side->values->rows;
    size_t full = rows / PANEL_ROWS;
    size_t rest = rows % PANEL_ROWS;
    enum err_code rc = ERR_OK;

    if (side->gram_is_current)
        return ERR_OK;
    for (size_t first = 0; first < full && rc == ERR_OK; first += PANELS) {
        size_t count = full - first < PANELS ? full - first : PANELS;

        rc = add_panels(factor, device, side->factors + first * PANEL_ROWS * (size_t)factor->factors, PANEL_ROWS,
                        (int)count, side->gram, first > 0, err);
    }
    if (rc == ERR_OK && rest > 0)
        rc = add_panels(factor, device, side->factors + full * PANEL_ROWS * (size_t)factor->factors, (int)rest, 1,
                        side->gram, full > 0, err);
    side->gram_is_current = rc == ERR_OK;
    return rc;
}

enum err_code cuda_factor_base(struct cuda_factor *factor, struct cuda_device *device, const struct cuda_side *side,
                               struct err *err)
{
    const struct cuda_base_args args = {.gram = side->gram,
                                        .base = factor->base,
                                        .system = factor->system,
                                        .least = factor->least,
                                        .regularization = factor->regularization,
                                        .least_share = LEAST_PIVOT,
                                        .factors = factor->factors};

    return cuda_device_check(cuda_shared_set_base(&args, device->main), "the shared system", err);
}

/* What a factored diagonal block leaves of the block row right of it and of the rest (as cuBLAS sees it). */
static cublasStatus_t take_block(struct cuda_factor *factor, struct cuda_device *device, int first, int order)
{
    const double one = 1;
    const double minus_one = -1;
    int f = factor->factors;
    int rest = f - first - order;
    double *diagonal = factor->system + (size_t)first * (size_t)f + first;
    double *panel = diagonal + (size_t)order * (size_t)f;
    cublasStatus_t status;

    if (rest == 0)
        return CUBLAS_STATUS_SUCCESS;
    status = cublasDtrsm(device->blas, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_T, CUBLAS_DIAG_NON_UNIT,
                         order, rest, &one, diagonal, f, panel, f);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    return cublasDsyrk(device->blas, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_T, rest, order, &minus_one, panel, f, &one,
                       panel + order, f);
}

static enum err_code invert(struct cuda_factor *factor, struct cuda_device *device, struct err *err)
{
    const double one = 1;
    int f = factor->factors;
    enum err_code rc =
        cuda_device_check(cuda_shared_set_identity(factor->inverse, f, device->main), "the shared inverse", err);

    if (rc == ERR_OK)
        rc =
            cuda_device_check_blas(cublasDtrsm(device->blas, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_N,
                                               CUBLAS_DIAG_NON_UNIT, f, f, &one, factor->system, f, factor->inverse, f),
                                   "the shared inverse", err);
    if (rc != ERR_OK)
        return rc;
    return cuda_device_check(cuda_shared_round_lower(factor->rounded, factor->inverse, f, device->main),
                             "the shared inverse", err);
}

enum err_code cuda_factor_shared(struct cuda_factor *factor, struct cuda_device *device, const struct cuda_side *side,
                                 struct cuda_verdict *verdict, struct err *err)
{
    int f = factor->factors;
    enum err_code rc = cuda_factor_base(factor, device, side, err);

    for (int first = 0; first < f && rc == ERR_OK; first += CUDA_SHARED_BLOCK) {
        const struct cuda_diagonal_args args = {.cells = factor->system + (size_t)first * (size_t)f + first,
                                                .stride = f,
                                                .order = f - first < CUDA_SHARED_BLOCK ? f - first : CUDA_SHARED_BLOCK,
                                                .least = factor->least,
                                                .verdict = verdict};

        rc = cuda_device_check(cuda_shared_factor_diagonal(&args, device->main), "the shared factor", err);
        if (rc == ERR_OK)
            rc = cuda_device_check_blas(take_block(factor, device, first, args.order), "the shared factor", err);
    }
    return rc == ERR_OK ? invert(factor, device, err) : rc;
}
