#include "worker/pipeline/recommend.h"

#include <stdlib.h>

#include "common/base/mem.h"

static enum err_code find_candidates(int32_t **candidates, size_t *count, const struct matrix *matrix,
                                     const struct catalogue *catalogue, struct err *err)
{
    *candidates = mem_zeroed(matrix->products, sizeof **candidates);
    *count = 0;
    if (*candidates == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu products", matrix->products);
    for (size_t product = 0; product < matrix->products; product++) {
        if (product_is_recommendable(catalogue_find(catalogue, matrix->product_ids[product])))
            (*candidates)[(*count)++] = (int32_t)product;
    }
    return ERR_OK;
}

struct ranked {
    double sum;
    int32_t product;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;

    if (a->sum != b->sum)
        return a->sum > b->sum ? -1 : 1;
    return (a->product > b->product) - (a->product < b->product);
}

static enum err_code store_top(struct recommendations *out, const struct ranked *ranked, size_t count, struct err *err)
{
    out->top_overall = mem_zeroed(count, sizeof *out->top_overall);
    out->top_overall_sums = mem_zeroed(count, sizeof *out->top_overall_sums);
    if (out->top_overall == NULL || out->top_overall_sums == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a list of %zu products", count);
    out->top_overall_count = count;
    for (size_t i = 0; i < count; i++) {
        out->top_overall[i] = ranked[i].product;
        out->top_overall_sums[i] = ranked[i].sum;
    }
    return ERR_OK;
}

static enum err_code rank_overall(struct recommendations *out, const struct matrix *matrix, const int32_t *candidates,
                                  size_t candidate_count, size_t list_size, struct err *err)
{
    double *sums = mem_zeroed(matrix->products, sizeof *sums);
    struct ranked *ranked = mem_zeroed(candidate_count, sizeof *ranked);
    enum err_code rc;

    if (sums == NULL || ranked == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to rank %zu products", matrix->products);
        goto done;
    }
    for (size_t i = 0; i < matrix->pairs; i++)
        sums[matrix->values.columns[i]] += matrix->raw[i];
    for (size_t i = 0; i < candidate_count; i++)
        ranked[i] = (struct ranked){.sum = sums[candidates[i]], .product = candidates[i]};
    qsort(ranked, candidate_count, sizeof *ranked, compare_ranked);
    rc = store_top(out, ranked, candidate_count < list_size ? candidate_count : list_size, err);
done:
    free(sums);
    free(ranked);
    return rc;
}

/* The solver is not asked to choose among nothing. */
static enum err_code make_empty_lists(struct als_lists *lists, size_t rows, size_t n, struct err *err)
{
    *lists = (struct als_lists){.rows = rows, .n = n};
    lists->counts = mem_zeroed(rows, sizeof *lists->counts);
    lists->items = mem_zeroed(1, sizeof *lists->items);
    lists->scores = mem_zeroed(1, sizeof *lists->scores);
    if (lists->counts == NULL || lists->items == NULL || lists->scores == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu empty lists", rows);
    return ERR_OK;
}

static enum err_code make_lists(struct recommendations *out, const struct als_model *model, const int32_t *candidates,
                                size_t candidate_count, const struct recommend_params *params, struct err *err)
{
    size_t list_size = (size_t)params->list_size;
    size_t similar_size = (size_t)params->similar_size;
    enum err_code rc;

    if (candidate_count == 0) {
        rc = make_empty_lists(&out->users, model->users, list_size, err);
        return rc == ERR_OK ? make_empty_lists(&out->similar, model->items, similar_size, err) : rc;
    }
    rc = als_top_items(&out->users, model, candidates, candidate_count, list_size, params->threads, err);
    if (rc != ERR_OK)
        return rc;
    return als_similar_items(&out->similar, model, candidates, candidate_count, similar_size,
                             (float)params->similar_floor, params->threads, err);
}

enum err_code recommend_run(struct recommendations *out, const struct matrix *matrix, const struct catalogue *catalogue,
                            const struct als_model *model, const struct recommend_params *params, struct err *err)
{
    int32_t *candidates = NULL;
    size_t candidate_count;
    enum err_code rc;

    *out = (struct recommendations){0};
    if (params->list_size < 1 || params->similar_size < 1)
        return ERR_SET(err, ERR_ARGUMENT, "lists of %d and %d products: both must be at least 1", params->list_size,
                       params->similar_size);
    rc = find_candidates(&candidates, &candidate_count, matrix, catalogue, err);
    if (rc != ERR_OK)
        goto done;
    out->recommendable = candidate_count;
    rc = rank_overall(out, matrix, candidates, candidate_count, (size_t)params->list_size, err);
    if (rc == ERR_OK)
        rc = make_lists(out, model, candidates, candidate_count, params, err);
done:
    if (rc != ERR_OK)
        recommendations_fini(out);
    free(candidates);
    return rc;
}

void recommendations_fini(struct recommendations *recommendations)
{
    als_lists_fini(&recommendations->users);
    als_lists_fini(&recommendations->similar);
    free(recommendations->top_overall);
    free(recommendations->top_overall_sums);
    *recommendations = (struct recommendations){0};
}
