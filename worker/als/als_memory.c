#include "worker/als/als_memory.h"

#include "worker/als/als_backend.h"

static const double MIB = 1024 * 1024;

static size_t longest_row(const struct csr *values)
{
    int64_t longest = 0;

    for (size_t row = 0; row < values->rows; row++) {
        int64_t count = values->offsets[row + 1] - values->offsets[row];

        longest = count > longest ? count : longest;
    }
    return (size_t)longest;
}

void als_memory_shape(struct als_shape *out, const struct csr *by_user, const struct csr *by_item)
{
    size_t of_users = longest_row(by_user);
    size_t of_items = longest_row(by_item);

    *out = (struct als_shape){.users = by_user->rows,
                              .items = by_user->cols,
                              .nonzeros = csr_nonzeros(by_user),
                              .longest_row = of_users > of_items ? of_users : of_items};
}

static double factor_bytes(const struct als_shape *shape, const struct als_params *params)
{
    return ((double)shape->users + (double)shape->items) * params->factors * (double)sizeof(float);
}

static double transpose_bytes(const struct als_shape *shape)
{
    return (double)shape->nonzeros * (double)(sizeof(int32_t) + sizeof(float)) +
           (double)shape->items * (double)sizeof(int64_t);
}

static double workspace_bytes(const struct als_shape *shape, const struct als_params *params)
{
    const struct als_backend *backend = als_backend_find(params->backend);

    if (backend == NULL)
        backend = als_backend_find(ALS_BACKEND_CPU);
    return backend->workspace_bytes(shape, params);
}

double als_memory_bytes(const struct als_shape *shape, const struct als_params *params)
{
    return factor_bytes(shape, params) + transpose_bytes(shape) + workspace_bytes(shape, params);
}

enum err_code als_memory_check(const struct als_shape *shape, const struct als_params *params, struct err *err)
{
    double needed = als_memory_bytes(shape, params);

    if (params->memory_limit == 0 || needed <= (double)params->memory_limit)
        return ERR_OK;
    return ERR_SET(err, ERR_TOO_LARGE,
                   "training %zu users x %zu items with %zu entries at %d factors takes %.0f MiB (factors %.0f, "
                   "workspace %.0f), and %.0f MiB are free: use fewer factors or threads, or a larger machine",
                   shape->users, shape->items, shape->nonzeros, params->factors, needed / MIB,
                   factor_bytes(shape, params) / MIB, workspace_bytes(shape, params) / MIB,
                   (double)params->memory_limit / MIB);
}
