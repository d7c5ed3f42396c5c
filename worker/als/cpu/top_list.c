#include "worker/als/cpu/top_list.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/blas_core.h"
#include "worker/als/cpu/pool.h"
#include "worker/als/cpu/top_search.h"

/* Below this many factors SGEMM is as fast. */
enum { LEAST_QUANTIZED_FACTORS = 48 };

static void search_fini(struct top_search *search)
{
    free(search->candidates);
    free(search->candidate_items);
    pool_destroy(search->pool);
}

static enum err_code search_init(struct top_search *search, struct als_lists *lists,
                                 const struct als_list_request *request, struct err *err)
{
    enum err_code rc;
    size_t cells;

    *search = (struct top_search){.lists = lists, .factors = request->model->factors, .floor = -INFINITY};
    blas_core_use_one_thread();
    rc = pool_create(&search->pool, request->threads, err);
    if (rc != ERR_OK)
        return rc;
    if (!mem_multiply(&cells, request->candidate_count, search->factors))
        return ERR_SET(err, ERR_NO_MEMORY, "%zu candidates are too many", request->candidate_count);
    search->candidate_items = mem_zeroed(request->candidate_count, sizeof *search->candidate_items);
    search->candidates = mem_aligned(cells, sizeof *search->candidates);
    if (search->candidate_items == NULL || search->candidates == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu candidates x %zu factors", request->candidate_count,
                       search->factors);
    return ERR_OK;
}

/* Appends the item to the candidates, its factors times `scale`. */
static void add_candidate(struct top_search *search, const float *items, int32_t item, float scale)
{
    const float *from = items + (size_t)item * search->factors;
    float *to = search->candidates + search->candidate_count * search->factors;

    for (size_t k = 0; k < search->factors; k++)
        to[k] = scale * from[k];
    search->candidate_items[search->candidate_count++] = item;
}

static enum err_code search_run(const struct top_search *search, struct err *err)
{
    if (quantized_is_fast() && search->factors >= LEAST_QUANTIZED_FACTORS)
        return top_search_quantized(search, &quantized_kernels_vnni, err);
    return top_search_by_sgemm(search, err);
}

enum err_code top_list_items(struct als_lists *out, const struct als_list_request *request, struct err *err)
{
    struct top_search search;
    enum err_code rc = search_init(&search, out, request, err);

    if (rc != ERR_OK)
        goto done;
    search.rows = request->model->x;
    search.known = request->known;
    for (size_t i = 0; i < request->candidate_count; i++)
        add_candidate(&search, request->model->y, request->candidates[i], 1);
    rc = search_run(&search, err);
done:
    search_fini(&search);
    return rc;
}

/* 1 / |y| of each item, 0 for a zero row */
static float *invert_norms(const struct als_model *model)
{
    float *inverse = mem_zeroed(model->items, sizeof *inverse);

    for (size_t item = 0; inverse != NULL && item < model->items; item++) {
        double squares = 0;

        for (size_t k = 0; k < model->factors; k++) {
            double value = (double)model->y[item * model->factors + k];

            squares += value * value;
        }
        inverse[item] = squares > 0 ? (float)(1 / sqrt(squares)) : 0;
    }
    return inverse;
}

enum err_code top_list_similar(struct als_lists *out, const struct als_list_request *request, struct err *err)
{
    struct top_search search;
    float *inverse = NULL;
    enum err_code rc = search_init(&search, out, request, err);

    if (rc != ERR_OK)
        goto done;
    inverse = invert_norms(request->model);
    if (inverse == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu norms", request->model->items);
        goto done;
    }
    search.rows = request->model->y;
    search.row_scale = inverse;
    search.skips_itself = true;
    search.floor = request->floor;
    for (size_t i = 0; i < request->candidate_count; i++) {
        if (inverse[request->candidates[i]] > 0)
            add_candidate(&search, request->model->y, request->candidates[i], inverse[request->candidates[i]]);
    }
    rc = search_run(&search, err);
done:
    free(inverse);
    search_fini(&search);
    return rc;
}
