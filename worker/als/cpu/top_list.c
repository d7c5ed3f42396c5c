#include "worker/als/cpu/top_list.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/blas_core.h"
#include "worker/als/cpu/pool.h"

/* A tile is TILE_ROWS lists x TILE_COLUMNS candidates: 768 kB of scores, which stay in the second-level cache. */
enum { TILE_ROWS = 256, TILE_COLUMNS = 768 };

struct finder {
    struct als_lists *lists;
    size_t factors;
    const float *rows;      /* lists->rows x f */
    const float *row_scale; /* per row, what its scores are multiplied by; 0: no list. NULL: 1 */
    bool skips_itself;      /* candidate i is no answer for row i */
    float floor;            /* no score below it counts */
    size_t candidate_count;
    int32_t *candidate_items; /* the item of each candidate, ascending */
    float *candidates;        /* candidate_count x f: gathered */
    float **tiles;            /* per thread: TILE_ROWS x TILE_COLUMNS */
    struct pool *pool;
};

static void finder_fini(struct finder *finder)
{
    for (size_t i = 0; finder->tiles != NULL && i < pool_threads(finder->pool); i++)
        free(finder->tiles[i]);
    free(finder->tiles);
    free(finder->candidates);
    free(finder->candidate_items);
    pool_destroy(finder->pool);
}

static enum err_code finder_init(struct finder *finder, struct als_lists *lists, const struct als_list_request *request,
                                 struct err *err)
{
    enum err_code rc;
    size_t cells;

    *finder = (struct finder){.lists = lists, .factors = request->model->factors, .floor = -INFINITY};
    blas_core_use_one_thread();
    rc = pool_create(&finder->pool, request->threads, err);
    if (rc != ERR_OK)
        return rc;
    if (!mem_multiply(&cells, request->candidate_count, finder->factors))
        return ERR_SET(err, ERR_NO_MEMORY, "%zu candidates are too many", request->candidate_count);
    finder->candidate_items = mem_zeroed(request->candidate_count, sizeof *finder->candidate_items);
    finder->candidates = mem_aligned(cells, sizeof *finder->candidates);
    finder->tiles = mem_zeroed(pool_threads(finder->pool), sizeof *finder->tiles);
    if (finder->candidate_items == NULL || finder->candidates == NULL || finder->tiles == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu candidates x %zu factors", request->candidate_count,
                       finder->factors);
    for (size_t i = 0; i < pool_threads(finder->pool); i++) {
        finder->tiles[i] = mem_aligned((size_t)TILE_ROWS * TILE_COLUMNS, sizeof(float));
        if (finder->tiles[i] == NULL)
            return ERR_SET(err, ERR_NO_MEMORY, "no memory for a tile of %d x %d scores", TILE_ROWS, TILE_COLUMNS);
    }
    return ERR_OK;
}

/* Appends the item to the candidates, its factors times `scale`. */
static void add_candidate(struct finder *finder, const float *items, int32_t item, float scale)
{
    const float *from = items + (size_t)item * finder->factors;
    float *to = finder->candidates + finder->candidate_count * finder->factors;

    for (size_t k = 0; k < finder->factors; k++)
        to[k] = scale * from[k];
    finder->candidate_items[finder->candidate_count++] = item;
}

/* The list is a heap with the worst entry on top: the lowest score, of equal ones the highest item. */
static bool is_worse(const float *scores, const int32_t *items, size_t a, size_t b)
{
    if (scores[a] != scores[b])
        return scores[a] < scores[b];
    return items[a] > items[b];
}

static void swap_entries(float *scores, int32_t *items, size_t a, size_t b)
{
    float score = scores[a];
    int32_t item = items[a];

    scores[a] = scores[b];
    items[a] = items[b];
    scores[b] = score;
    items[b] = item;
}

static void sift_down(float *scores, int32_t *items, size_t count, size_t at)
{
    for (;;) {
        size_t worst = at;
        size_t child = 2 * at + 1;

        if (child < count && is_worse(scores, items, child, worst))
            worst = child;
        if (child + 1 < count && is_worse(scores, items, child + 1, worst))
            worst = child + 1;
        if (worst == at)
            return;
        swap_entries(scores, items, at, worst);
        at = worst;
    }
}

static void sift_up(float *scores, int32_t *items, size_t at)
{
    while (at > 0 && is_worse(scores, items, at, (at - 1) / 2)) {
        swap_entries(scores, items, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

/* Candidates come in ascending order, so that one whose score equals the worst of a full list loses. */
static void scan_row(struct finder *finder, size_t row, const float *tile, size_t first, size_t columns)
{
    size_t n = finder->lists->n;
    size_t count = (size_t)finder->lists->counts[row];
    float *scores = finder->lists->scores + row * n;
    int32_t *items = finder->lists->items + row * n;
    float scale = finder->row_scale != NULL ? finder->row_scale[row] : 1;

    for (size_t j = 0; j < columns; j++) {
        float score = tile[j] * scale;
        int32_t item = finder->candidate_items[first + j];

        if (count == n ? score <= scores[0] : score < finder->floor)
            continue;
        if (finder->skips_itself && (size_t)item == row)
            continue;
        if (count < n) {
            scores[count] = score;
            items[count] = item;
            sift_up(scores, items, count++);
        } else {
            scores[0] = score;
            items[0] = item;
            sift_down(scores, items, n, 0);
        }
    }
    finder->lists->counts[row] = (int32_t)count;
}

/* The heap becomes a list, best first. */
static void sort_row(struct finder *finder, size_t row)
{
    float *scores = finder->lists->scores + row * finder->lists->n;
    int32_t *items = finder->lists->items + row * finder->lists->n;

    for (size_t left = (size_t)finder->lists->counts[row]; left > 1; left--) {
        swap_entries(scores, items, 0, left - 1);
        sift_down(scores, items, left - 1, 0);
    }
}

static void find_block(void *context, size_t thread, size_t task)
{
    struct finder *finder = context;
    float *tile = finder->tiles[thread];
    int f = (int)finder->factors;
    size_t first = task * TILE_ROWS;
    size_t rows = finder->lists->rows - first < TILE_ROWS ? finder->lists->rows - first : TILE_ROWS;

    for (size_t column = 0; column < finder->candidate_count; column += TILE_COLUMNS) {
        size_t left = finder->candidate_count - column;
        size_t columns = left < TILE_COLUMNS ? left : TILE_COLUMNS;

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)columns, f, 1,
                    finder->rows + first * finder->factors, f, finder->candidates + column * finder->factors, f, 0,
                    tile, (int)columns);
        for (size_t i = 0; i < rows; i++) {
            if (finder->row_scale == NULL || finder->row_scale[first + i] > 0)
                scan_row(finder, first + i, tile + i * columns, column, columns);
        }
    }
    for (size_t i = 0; i < rows; i++)
        sort_row(finder, first + i);
}

static void find_all(struct finder *finder)
{
    pool_run(finder->pool, find_block, finder, NULL, (finder->lists->rows + TILE_ROWS - 1) / TILE_ROWS);
}

enum err_code top_list_items(struct als_lists *out, const struct als_list_request *request, struct err *err)
{
    enum err_code rc;
    struct finder finder;

    rc = finder_init(&finder, out, request, err);
    if (rc != ERR_OK)
        goto done;
    finder.rows = request->model->x;
    for (size_t i = 0; i < request->candidate_count; i++)
        add_candidate(&finder, request->model->y, request->candidates[i], 1);
    find_all(&finder);
done:
    finder_fini(&finder);
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
    enum err_code rc;
    struct finder finder;
    float *inverse = NULL;

    rc = finder_init(&finder, out, request, err);
    if (rc != ERR_OK)
        goto done;
    inverse = invert_norms(request->model);
    if (inverse == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu norms", request->model->items);
        goto done;
    }
    finder.rows = request->model->y;
    finder.row_scale = inverse;
    finder.skips_itself = true;
    finder.floor = request->floor;
    for (size_t i = 0; i < request->candidate_count; i++) {
        if (inverse[request->candidates[i]] > 0)
            add_candidate(&finder, request->model->y, request->candidates[i], inverse[request->candidates[i]]);
    }
    find_all(&finder);
done:
    free(inverse);
    finder_fini(&finder);
    return rc;
}
