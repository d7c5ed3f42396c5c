#include "worker/als/baselines.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/lapack.h"
#include "worker/als/cpu/pool.h"
#include "worker/als/cpu/top_heap.h"

/* Item cosine and EASE score a user by sum over its items i of weight * S[i][j]; S is made and used a block of
 * candidates j at a time. */
enum { BLOCK = 512, LISTS_PER_TASK = 64 };

static const char *const names[BASELINE_COUNT] = {"popularity", "item_cosine", "ease"};

struct baselines {
    const struct baseline_params *params;
    enum baseline baseline;
    struct als_lists *lists;
    struct pool *pool;
    struct csr by_item;
    double *norms;   /* items: of cosine */
    double *inverse; /* items x items, lower triangle: P of EASE */
    float *block;    /* items x width: S */
    size_t first;    /* candidate of the block */
    size_t width;
    float **scores; /* per thread: BLOCK */
};

const char *baseline_name(enum baseline baseline)
{
    return names[baseline];
}

static void baselines_fini(struct baselines *baselines)
{
    for (size_t i = 0; baselines->scores != NULL && i < pool_threads(baselines->pool); i++)
        free(baselines->scores[i]);
    free(baselines->scores);
    free(baselines->norms);
    free(baselines->inverse);
    free(baselines->block);
    csr_fini(&baselines->by_item);
    pool_destroy(baselines->pool);
}

static struct top_heap heap_of(const struct als_lists *lists, size_t list)
{
    return (struct top_heap){.scores = lists->scores + list * lists->n,
                             .items = lists->items + list * lists->n,
                             .n = lists->n,
                             .count = (size_t)lists->counts[list]};
}

/* Whose list it is. */
static size_t user_of(const struct baseline_params *params, size_t list)
{
    return params->users != NULL ? (size_t)params->users[list] : list;
}

/* Popularity */

struct popular {
    int64_t users;
    int32_t item;
};

static int compare_popular(const void *left, const void *right)
{
    const struct popular *a = left;
    const struct popular *b = right;

    if (a->users != b->users)
        return a->users > b->users ? -1 : 1;
    return a->item < b->item ? -1 : 1;
}

static enum err_code list_popular(struct baselines *baselines, struct err *err)
{
    const struct baseline_params *params = baselines->params;
    struct als_lists *lists = baselines->lists;
    struct popular *popular = mem_zeroed(params->candidate_count, sizeof *popular);

    if (popular == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu candidates", params->candidate_count);
    for (size_t i = 0; i < params->candidate_count; i++) {
        int32_t item = params->candidates[i];

        popular[i] = (struct popular){.users = baselines->by_item.offsets[item + 1] - baselines->by_item.offsets[item],
                                      .item = item};
    }
    qsort(popular, params->candidate_count, sizeof *popular, compare_popular);
    for (size_t list = 0; list < lists->rows; list++) {
        size_t count = 0;

        for (size_t i = 0; i < params->candidate_count && count < lists->n; i++) {
            if (csr_has(params->train, user_of(params, list), popular[i].item))
                continue;
            lists->items[list * lists->n + count] = popular[i].item;
            lists->scores[list * lists->n + count++] = (float)popular[i].users;
        }
        lists->counts[list] = (int32_t)count;
    }
    free(popular);
    return ERR_OK;
}

/* The sums over a user's items */

static float weight_of(const struct baselines *baselines, float value)
{
    return baselines->baseline == BASELINE_EASE ? 1 : value;
}

static void score_list(const struct baselines *baselines, size_t list, float *scores)
{
    const struct baseline_params *params = baselines->params;
    const struct csr *train = params->train;
    size_t user = user_of(params, list);
    struct top_heap heap = heap_of(baselines->lists, list);

    memset(scores, 0, baselines->width * sizeof *scores);
    for (int64_t k = train->offsets[user]; k < train->offsets[user + 1]; k++) {
        const float *similar = baselines->block + (size_t)train->columns[k] * baselines->width;
        float weight = weight_of(baselines, train->values[k]);

        for (size_t j = 0; j < baselines->width; j++)
            scores[j] += weight * similar[j];
    }
    for (size_t j = 0; j < baselines->width; j++) {
        int32_t item = params->candidates[baselines->first + j];

        if (scores[j] >= top_heap_threshold(&heap) && !csr_has(train, user, item))
            top_heap_offer(&heap, scores[j], item);
    }
    baselines->lists->counts[list] = (int32_t)heap.count;
}

static void score_lists(void *context, size_t thread, size_t task)
{
    const struct baselines *baselines = context;
    size_t end = (task + 1) * LISTS_PER_TASK;

    for (size_t list = task * LISTS_PER_TASK; list < end && list < baselines->lists->rows; list++)
        score_list(baselines, list, baselines->scores[thread]);
}

/* Column j of the block: the cosines of candidate j with all items. */
static void fill_cosine(void *context, size_t thread, size_t task)
{
    const struct baselines *baselines = context;
    const struct csr *train = baselines->params->train;
    const struct csr *by_item = &baselines->by_item;
    int32_t item = baselines->params->candidates[baselines->first + task];
    float *column = baselines->block + task;

    (void)thread;
    for (size_t i = 0; i < train->cols; i++)
        column[i * baselines->width] = 0;
    for (int64_t k = by_item->offsets[item]; k < by_item->offsets[item + 1]; k++) {
        int32_t user = by_item->columns[k];

        for (int64_t l = train->offsets[user]; l < train->offsets[user + 1]; l++)
            column[(size_t)train->columns[l] * baselines->width] += by_item->values[k] * train->values[l];
    }
    for (size_t i = 0; i < train->cols; i++) {
        double norms = baselines->norms[i] * baselines->norms[item];

        column[i * baselines->width] = norms > 0 ? (float)((double)column[i * baselines->width] / norms) : 0;
    }
}

/* Column j of the block: B of EASE. */
static void fill_ease(void *context, size_t thread, size_t task)
{
    const struct baselines *baselines = context;
    size_t items = baselines->params->train->cols;
    size_t item = (size_t)baselines->params->candidates[baselines->first + task];
    double diagonal = baselines->inverse[item * items + item];

    (void)thread;
    for (size_t i = 0; i < items; i++) {
        double cell = i >= item ? baselines->inverse[i * items + item] : baselines->inverse[item * items + i];

        baselines->block[i * baselines->width + task] = i == item ? 0 : (float)(-cell / diagonal);
    }
}

static enum err_code find_norms(struct baselines *baselines, struct err *err)
{
    const struct csr *by_item = &baselines->by_item;

    baselines->norms = mem_zeroed(by_item->rows, sizeof *baselines->norms);
    if (baselines->norms == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu norms", by_item->rows);
    for (size_t item = 0; item < by_item->rows; item++) {
        for (int64_t k = by_item->offsets[item]; k < by_item->offsets[item + 1]; k++)
            baselines->norms[item] += (double)by_item->values[k] * (double)by_item->values[k];
        baselines->norms[item] = sqrt(baselines->norms[item]);
    }
    return ERR_OK;
}

/* P = (X'X + lambda I)^-1 */
static enum err_code invert_gram(struct baselines *baselines, struct err *err)
{
    const struct csr *train = baselines->params->train;
    size_t items = train->cols;
    double *gram;
    size_t cells;

    if (!mem_multiply(&cells, items, items) || cells > baselines->params->most_ease_bytes / sizeof *gram)
        return ERR_SET(err, ERR_TOO_LARGE, "EASE of %zu items takes a matrix of %.0f MiB; the limit is %.0f MiB", items,
                       (double)items * (double)items * sizeof *gram / 1048576,
                       (double)baselines->params->most_ease_bytes / 1048576);
    gram = baselines->inverse = mem_zeroed(cells, sizeof *gram);
    if (gram == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for EASE's matrix of %zu x %zu doubles", items, items);
    for (size_t user = 0; user < train->rows; user++) {
        for (int64_t k = train->offsets[user]; k < train->offsets[user + 1]; k++) {
            for (int64_t l = train->offsets[user]; l <= k; l++)
                gram[(size_t)train->columns[k] * items + (size_t)train->columns[l]] += 1;
        }
    }
    for (size_t item = 0; item < items; item++)
        gram[item * items + item] += baselines->params->ease_lambda;
    if (!lapack_cholesky_double(gram, items, items) || !lapack_invert_cholesky(gram, items))
        return ERR_SET(err, ERR_NUMERIC, "EASE's matrix is not positive definite at lambda %g",
                       baselines->params->ease_lambda);
    return ERR_OK;
}

static enum err_code list_by_sums(struct baselines *baselines, struct err *err)
{
    const struct baseline_params *params = baselines->params;
    bool ease = baselines->baseline == BASELINE_EASE;
    enum err_code rc = ease ? invert_gram(baselines, err) : find_norms(baselines, err);
    size_t cells;

    if (rc != ERR_OK)
        return rc;
    if (mem_multiply(&cells, params->train->cols, BLOCK))
        baselines->block = mem_aligned(cells, sizeof *baselines->block);
    if (baselines->block == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu x %d similarities", params->train->cols, BLOCK);
    for (size_t first = 0; first < params->candidate_count; first += BLOCK) {
        size_t left = params->candidate_count - first;

        baselines->first = first;
        baselines->width = left < BLOCK ? left : BLOCK;
        pool_run(baselines->pool, ease ? fill_ease : fill_cosine, baselines, NULL, baselines->width);
        pool_run(baselines->pool, score_lists, baselines, NULL,
                 (baselines->lists->rows + LISTS_PER_TASK - 1) / LISTS_PER_TASK);
    }
    for (size_t list = 0; list < baselines->lists->rows; list++) {
        struct top_heap heap = heap_of(baselines->lists, list);

        top_heap_sort(&heap);
    }
    return ERR_OK;
}

static enum err_code baselines_init(struct baselines *baselines, struct err *err)
{
    const struct baseline_params *params = baselines->params;
    enum err_code rc = pool_create(&baselines->pool, params->threads, err);

    if (rc == ERR_OK)
        rc = csr_transpose(&baselines->by_item, params->train, err);
    if (rc != ERR_OK)
        return rc;
    baselines->scores = mem_zeroed(pool_threads(baselines->pool), sizeof(float *));
    for (size_t i = 0; baselines->scores != NULL && i < pool_threads(baselines->pool); i++) {
        baselines->scores[i] = mem_aligned(BLOCK, sizeof(float));
        if (baselines->scores[i] == NULL)
            return ERR_SET(err, ERR_NO_MEMORY, "no memory for %d scores", BLOCK);
    }
    return baselines->scores != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for scores");
}

enum err_code baseline_lists(struct als_lists *out, enum baseline baseline, const struct baseline_params *params,
                             struct err *err)
{
    struct baselines baselines = {.params = params, .baseline = baseline, .lists = out};
    enum err_code rc =
        als_lists_init(out, params->users != NULL ? params->user_count : params->train->rows, params->n, err);

    if (rc == ERR_OK)
        rc = baselines_init(&baselines, err);
    if (rc == ERR_OK)
        rc = baseline == BASELINE_POPULARITY ? list_popular(&baselines, err) : list_by_sums(&baselines, err);
    baselines_fini(&baselines);
    if (rc != ERR_OK)
        als_lists_fini(out);
    return rc;
}
