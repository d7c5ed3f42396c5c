#include <cblas.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/als/cpu/top_heap.h"
#include "worker/als/cpu/top_search.h"

/* A tile is TILE_ROWS lists x TILE_COLUMNS candidates: 768 kB of scores, which stay in the second-level cache. */
enum { TILE_ROWS = 256, TILE_COLUMNS = 768 };

struct sgemm_search {
    const struct top_search *search;
    float **tiles; /* per thread: TILE_ROWS x TILE_COLUMNS */
};

static void scan_row(const struct top_search *search, size_t row, const float *tile, size_t first, size_t columns)
{
    size_t n = search->lists->n;
    float scale = top_search_scale(search, row);
    struct top_heap heap = {.scores = search->lists->scores + row * n,
                            .items = search->lists->items + row * n,
                            .n = n,
                            .count = (size_t)search->lists->counts[row]};
    float threshold = top_heap_threshold(&heap);

    for (size_t j = 0; j < columns; j++) {
        float score = tile[j] * scale;
        int32_t item;

        if (score < threshold || score < search->floor)
            continue;
        item = search->candidate_items[first + j];
        if (!top_search_allows(search, row, item))
            continue;
        top_heap_offer(&heap, score, item);
        threshold = top_heap_threshold(&heap);
    }
    search->lists->counts[row] = (int32_t)heap.count;
}

static void sort_row(const struct top_search *search, size_t row)
{
    size_t n = search->lists->n;
    struct top_heap heap = {.scores = search->lists->scores + row * n,
                            .items = search->lists->items + row * n,
                            .n = n,
                            .count = (size_t)search->lists->counts[row]};

    top_heap_sort(&heap);
}

static void search_block(void *context, size_t thread, size_t task)
{
    const struct sgemm_search *sgemm = context;
    const struct top_search *search = sgemm->search;
    float *tile = sgemm->tiles[thread];
    int f = (int)search->factors;
    size_t first = task * TILE_ROWS;
    size_t rows = search->lists->rows - first < TILE_ROWS ? search->lists->rows - first : TILE_ROWS;

    for (size_t column = 0; column < search->candidate_count; column += TILE_COLUMNS) {
        size_t left = search->candidate_count - column;
        size_t columns = left < TILE_COLUMNS ? left : TILE_COLUMNS;

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)columns, f, 1,
                    search->rows + first * search->factors, f, search->candidates + column * search->factors, f, 0,
                    tile, (int)columns);
        for (size_t i = 0; i < rows; i++) {
            if (top_search_scale(search, first + i) > 0)
                scan_row(search, first + i, tile + i * columns, column, columns);
        }
    }
    for (size_t i = 0; i < rows; i++)
        sort_row(search, first + i);
}

enum err_code top_search_by_sgemm(const struct top_search *search, struct err *err)
{
    struct sgemm_search sgemm = {.search = search};
    size_t threads = pool_threads(search->pool);
    enum err_code rc = ERR_OK;

    sgemm.tiles = mem_zeroed(threads, sizeof *sgemm.tiles);
    if (sgemm.tiles == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu tiles", threads);
    for (size_t i = 0; i < threads && rc == ERR_OK; i++) {
        sgemm.tiles[i] = mem_aligned((size_t)TILE_ROWS * TILE_COLUMNS, sizeof(float));
        if (sgemm.tiles[i] == NULL)
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a tile of %d x %d scores", TILE_ROWS, TILE_COLUMNS);
    }
    if (rc == ERR_OK)
        pool_run(search->pool, search_block, &sgemm, NULL, (search->lists->rows + TILE_ROWS - 1) / TILE_ROWS);
    for (size_t i = 0; i < threads; i++)
        free(sgemm.tiles[i]);
    free(sgemm.tiles);
    return rc;
}
