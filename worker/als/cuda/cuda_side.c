#include "worker/als/cuda/cuda_side.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum { MOST_MEDIUM = 256 };

void cuda_side_begin(struct cuda_side *side, const struct csr *values, size_t factors, float alpha)
{
    *side = (struct cuda_side){.values = values, .alpha = alpha, .rows.factors = (int)factors};
}

void cuda_side_take(struct cuda_side *side, struct cuda_arena *arena)
{
    size_t rows = side->values->rows;
    size_t entries = csr_nonzeros(side->values);
    size_t factors = (size_t)side->rows.factors;

    side->factors = cuda_arena_take(arena, rows, factors * sizeof *side->factors);
    side->gram = cuda_arena_take(arena, factors * factors, sizeof *side->gram);
    side->offsets = cuda_arena_take(arena, rows + 1, sizeof *side->offsets);
    side->columns = cuda_arena_take(arena, entries, sizeof *side->columns);
    side->confidence = cuda_arena_take(arena, entries, sizeof *side->confidence);
    side->positive = cuda_arena_take(arena, rows, sizeof *side->positive);
    side->negative = cuda_arena_take(arena, rows, sizeof *side->negative);
    side->list = cuda_arena_take(arena, rows, sizeof *side->list);
    side->rows.offsets = side->offsets;
    side->rows.columns = side->columns;
    side->rows.confidence = side->confidence;
    side->rows.positive = side->positive;
    side->rows.negative = side->negative;
}

/* -1, 0 or 1: the sign of d */
static int sign_of(const struct cuda_side *side, int64_t entry)
{
    float c = fabsf(side->alpha * side->values->values[entry]);

    return (c > 1) - (c < 1);
}

struct ordered_row {
    int64_t entries;
    int32_t order;
    int32_t row;
};

static int compare_rows(const void *a, const void *b)
{
    const struct ordered_row *left = a;
    const struct ordered_row *right = b;

    if (left->order != right->order)
        return left->order < right->order ? 1 : -1;
    if (left->entries != right->entries)
        return left->entries < right->entries ? 1 : -1;
    return (left->row > right->row) - (left->row < right->row);
}

static enum cuda_side_kind kind_of(const struct cuda_side *side, int32_t order)
{
    if (order >= side->rows.factors)
        return CUDA_SIDE_PRIMAL;
    if (order > MOST_MEDIUM)
        return CUDA_SIDE_LARGE;
    if (order > 64)
        return CUDA_SIDE_MEDIUM;
    if (order > 32)
        return CUDA_SIDE_64;
    return order > 16 ? CUDA_SIDE_32 : CUDA_SIDE_16;
}

/* The row's order; one above f counts as f. */
static struct ordered_row order_row(const struct cuda_side *side, size_t row)
{
    struct ordered_row ordered = {.entries = side->values->offsets[row + 1] - side->values->offsets[row],
                                  .row = (int32_t)row};

    for (int64_t k = side->values->offsets[row]; k < side->values->offsets[row + 1]; k++)
        ordered.order += sign_of(side, k) != 0;
    if (ordered.order > side->rows.factors)
        ordered.order = side->rows.factors;
    return ordered;
}

enum err_code cuda_side_sort(struct cuda_side *side, int32_t **list, struct err *err)
{
    size_t rows = side->values->rows;
    struct ordered_row *ordered = mem_zeroed(rows, sizeof *ordered);

    *list = mem_zeroed(rows, sizeof **list);
    if (ordered == NULL || *list == NULL) {
        free(ordered);
        free(*list);
        *list = NULL;
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the order of %zu rows", rows);
    }
    for (size_t row = 0; row < rows; row++)
        ordered[row] = order_row(side, row);
    qsort(ordered, rows, sizeof *ordered, compare_rows);
    for (size_t i = 0; i < rows; i++) {
        struct cuda_side_range *range = &side->ranges[kind_of(side, ordered[i].order)];

        if (range->count == 0)
            *range = (struct cuda_side_range){.first = i, .most_order = ordered[i].order};
        range->count++;
        side->filled += ordered[i].entries > 0;
        (*list)[i] = ordered[i].row;
    }
    free(ordered);
    return ERR_OK;
}

/* The host's copy of what cuda_rows has per entry and row. */
struct staged {
    int32_t *columns;
    float *confidence;
    int32_t *positive;
    int32_t *negative;
};

static void stage_row(const struct cuda_side *side, size_t row, struct staged *staged)
{
    const struct csr *values = side->values;
    int64_t to = values->offsets[row];

    for (int group = 0; group < 3; group++) {
        static const int signs[] = {1, -1, 0};
        int64_t first = to;

        for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k++) {
            if (sign_of(side, k) != signs[group])
                continue;
            staged->columns[to] = values->columns[k];
            staged->confidence[to++] = side->alpha * values->values[k];
        }
        if (group == 0)
            staged->positive[row] = (int32_t)(to - first);
        else if (group == 1)
            staged->negative[row] = (int32_t)(to - first);
    }
}

static cudaError_t copy(void *to, const void *from, size_t count, size_t size)
{
    return count > 0 ? cudaMemcpy(to, from, count * size, cudaMemcpyHostToDevice) : cudaSuccess;
}

static enum err_code upload_staged(struct cuda_side *side, const struct staged *staged, struct err *err)
{
    size_t rows = side->values->rows;
    size_t entries = csr_nonzeros(side->values);
    cudaError_t status = copy(side->columns, staged->columns, entries, sizeof *staged->columns);

    if (status == cudaSuccess)
        status = copy(side->confidence, staged->confidence, entries, sizeof *staged->confidence);
    if (status == cudaSuccess)
        status = copy(side->positive, staged->positive, rows, sizeof *staged->positive);
    if (status == cudaSuccess)
        status = copy(side->negative, staged->negative, rows, sizeof *staged->negative);
    return cuda_device_check(status, "uploading the matrix", err);
}

enum err_code cuda_side_upload(struct cuda_side *side, const int32_t *list, const float *factors, struct err *err)
{
    size_t rows = side->values->rows;
    size_t entries = csr_nonzeros(side->values);
    struct staged staged = {.columns = mem_zeroed(entries, sizeof(int32_t)),
                            .confidence = mem_zeroed(entries, sizeof(float)),
                            .positive = mem_zeroed(rows, sizeof(int32_t)),
                            .negative = mem_zeroed(rows, sizeof(int32_t))};
    enum err_code rc;
    cudaError_t status;

    if (staged.columns == NULL || staged.confidence == NULL || staged.positive == NULL || staged.negative == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a copy of %zu entries", entries);
        goto done;
    }
    for (size_t row = 0; row < rows; row++)
        stage_row(side, row, &staged);
    rc = upload_staged(side, &staged, err);
    if (rc != ERR_OK)
        goto done;
    status = copy(side->offsets, side->values->offsets, rows + 1, sizeof *side->offsets);
    if (status == cudaSuccess)
        status = copy(side->list, list, rows, sizeof *list);
    if (status == cudaSuccess)
        status = copy(side->factors, factors, rows * (size_t)side->rows.factors, sizeof *factors);
    rc = cuda_device_check(status, "uploading the rows", err);
done:
    free(staged.columns);
    free(staged.confidence);
    free(staged.positive);
    free(staged.negative);
    return rc;
}
