#include "worker/als/cpu/sweep.h"

#include <string.h>

#include "worker/als/cpu/confidence.h"

void sweep_regularize(double *out, const double *gram, size_t factors, double regularization)
{
    for (size_t i = 0; i < factors; i++) {
        memcpy(out + i * factors, gram + i * factors, (i + 1) * sizeof *out);
        out[i * factors + i] += regularization;
    }
}

double sweep_row_regularization(const struct als_params *params, size_t entries, size_t others)
{
    if (params->regularization_scaling == ALS_SCALING_NONE)
        return params->regularization;
    return params->regularization * ((double)entries + (double)others / params->alpha);
}

double sweep_shared_regularization(const struct als_params *params)
{
    return params->regularization_scaling == ALS_SCALING_NONE ? params->regularization : 0;
}

double sweep_row_ridge(const struct als_params *params, size_t entries, size_t others)
{
    return sweep_row_regularization(params, entries, others) - sweep_shared_regularization(params);
}

static size_t longest_row(const struct csr *values)
{
    size_t longest = 0;

    for (size_t row = 0; row < values->rows; row++) {
        if (confidence_count(values, row) > longest)
            longest = confidence_count(values, row);
    }
    return longest;
}

size_t sweep_longest_row(const struct als_problem *problem)
{
    size_t of_users = longest_row(problem->by_user);
    size_t of_items = longest_row(problem->by_item);

    return of_users > of_items ? of_users : of_items;
}

void sweep_note_failure(atomic_size_t *lowest, size_t row)
{
    size_t present = atomic_load(lowest);

    while (row < present && !atomic_compare_exchange_weak(lowest, &present, row))
        continue;
}

enum err_code sweep_row_failed(const struct sweep_input *input, size_t row, struct err *err)
{
    return ERR_SET(err, ERR_NUMERIC, "%s %zu with %zu entries: its system is not positive definite",
                   input->side == ALS_SIDE_USERS ? "user" : "item", row, confidence_count(input->values, row));
}
