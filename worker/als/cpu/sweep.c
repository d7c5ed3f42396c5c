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
