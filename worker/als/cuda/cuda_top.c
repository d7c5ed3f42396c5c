#include "worker/als/cuda/cuda_top.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cuda/cuda_device.h"
#include "worker/als/cuda/cuda_kernels.h"

/* A tile of scores is 16 MB: it stays in the second-level cache of the larger devices. */
enum { TILE_ROWS = 1024, TILE_COLUMNS = 4096 };

/* Which rows get lists, of which candidates. */
struct top_search {
    const struct als_list_request *request;
    struct als_lists *lists;
    size_t factors;
    const float *rows;        /* lists->rows x f, the host's */
    float *row_scale;         /* per row; NULL: 1 */
    int32_t *candidate_items; /* the host's, as is `candidates` */
    float *candidates;        /* candidate_count x f */
    size_t candidate_count;
    float floor;
    bool skips_itself;
    struct cuda_device device;
    struct cuda_arena arena;
    struct {
        float *candidates;
        int32_t *candidate_items;
        int64_t *known_offsets;
        int32_t *known_columns;
        float *rows;   /* TILE_ROWS x f */
        float *scale;  /* TILE_ROWS */
        float *scores; /* TILE_ROWS x TILE_COLUMNS */
        float *list_scores;
        int32_t *list_items;
        int32_t *list_counts;
    } there; /* on the device */
};

static void search_fini(struct top_search *search)
{
    cuda_arena_fini(&search->arena);
    cuda_device_fini(&search->device);
    free(search->row_scale);
    free(search->candidate_items);
    free(search->candidates);
}

static enum err_code search_init(struct top_search *search, struct als_lists *lists,
                                 const struct als_list_request *request, struct err *err)
{
    size_t cells;

    *search =
        (struct top_search){.request = request, .lists = lists, .factors = request->model->factors, .floor = -INFINITY};
    if (!mem_multiply(&cells, request->candidate_count, search->factors))
        return ERR_SET(err, ERR_NO_MEMORY, "%zu candidates are too many", request->candidate_count);
    search->candidate_items = mem_zeroed(request->candidate_count, sizeof *search->candidate_items);
    search->candidates = mem_aligned(cells, sizeof *search->candidates);
    if (search->candidate_items == NULL || search->candidates == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu candidates x %zu factors", request->candidate_count,
                       search->factors);
    return cuda_device_init(&search->device, err);
}

/* One of the two passes. */
static void take_memory(struct top_search *search)
{
    struct cuda_arena *arena = &search->arena;
    const struct csr *known = search->request->known;
    size_t n = search->lists->n;

    search->there.candidates = cuda_arena_take(arena, search->candidate_count, search->factors * sizeof(float));
    search->there.candidate_items = cuda_arena_take(arena, search->candidate_count, sizeof(int32_t));
    search->there.rows = cuda_arena_take(arena, TILE_ROWS, search->factors * sizeof(float));
    search->there.scale = cuda_arena_take(arena, TILE_ROWS, sizeof(float));
    search->there.scores = cuda_arena_take(arena, (size_t)TILE_ROWS * TILE_COLUMNS, sizeof(float));
    search->there.list_scores = cuda_arena_take(arena, TILE_ROWS * n, sizeof(float));
    search->there.list_items = cuda_arena_take(arena, TILE_ROWS * n, sizeof(int32_t));
    search->there.list_counts = cuda_arena_take(arena, TILE_ROWS, sizeof(int32_t));
    if (known == NULL)
        return;
    search->there.known_offsets = cuda_arena_take(arena, known->rows + 1, sizeof(int64_t));
    search->there.known_columns = cuda_arena_take(arena, csr_nonzeros(known), sizeof(int32_t));
}

static cudaError_t copy_there(struct top_search *search, void *to, const void *from, size_t bytes)
{
    return bytes > 0 ? cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, search->device.main) : cudaSuccess;
}

static enum err_code upload(struct top_search *search, struct err *err)
{
    const struct csr *known = search->request->known;
    cudaError_t status = copy_there(search, search->there.candidates, search->candidates,
                                    search->candidate_count * search->factors * sizeof(float));

    if (status == cudaSuccess)
        status = copy_there(search, search->there.candidate_items, search->candidate_items,
                            search->candidate_count * sizeof(int32_t));
    if (status == cudaSuccess && known != NULL)
        status = copy_there(search, search->there.known_offsets, known->offsets, (known->rows + 1) * sizeof(int64_t));
    if (status == cudaSuccess && known != NULL)
        status = copy_there(search, search->there.known_columns, known->columns, csr_nonzeros(known) * sizeof(int32_t));
    return cuda_device_check(status, "uploading candidates", err);
}

static struct cuda_top_args tile_args(const struct top_search *search, size_t first, size_t rows)
{
    return (struct cuda_top_args){.scores = search->there.scores,
                                  .stride = TILE_COLUMNS,
                                  .count = (int)rows,
                                  .first_row = (int)first,
                                  .scale = search->row_scale != NULL ? search->there.scale : NULL,
                                  .known_offsets = search->there.known_offsets,
                                  .known_columns = search->there.known_columns,
                                  .skips_itself = search->skips_itself,
                                  .floor = search->floor,
                                  .n = (int)search->lists->n,
                                  .list_scores = search->there.list_scores,
                                  .list_items = search->there.list_items,
                                  .list_counts = search->there.list_counts};
}

/* Rows and empty lists. */
static enum err_code begin_tile(struct top_search *search, size_t first, size_t rows, struct err *err)
{
    cudaError_t status = copy_there(search, search->there.rows, search->rows + first * search->factors,
                                    rows * search->factors * sizeof(float));

    if (status == cudaSuccess && search->row_scale != NULL)
        status = copy_there(search, search->there.scale, search->row_scale + first, rows * sizeof(float));
    if (status == cudaSuccess)
        status = cudaMemsetAsync(search->there.list_counts, 0, rows * sizeof(int32_t), search->device.main);
    return cuda_device_check(status, "uploading rows", err);
}

static enum err_code score_tile(struct top_search *search, size_t rows, size_t column, struct cuda_top_args *args,
                                struct err *err)
{
    size_t left = search->candidate_count - column;
    int f = (int)search->factors;
    struct cuda_product product = {.a = search->there.candidates + column * search->factors,
                                   .b = search->there.rows,
                                   .out = search->there.scores,
                                   .transpose_a = CUBLAS_OP_T,
                                   .rows = (int)(left < TILE_COLUMNS ? left : TILE_COLUMNS),
                                   .columns = rows,
                                   .depth = f,
                                   .stride_a = f,
                                   .stride_out = TILE_COLUMNS,
                                   .precision = ALS_PRECISION_FP32};
    enum err_code rc = cuda_device_multiply(&search->device, &product, err);

    args->columns = product.rows;
    args->items = search->there.candidate_items + column;
    return rc == ERR_OK ? cuda_device_check(cuda_top_offer(args, search->device.main), "making lists", err) : rc;
}

static enum err_code finish_tile(struct top_search *search, const struct cuda_top_args *args, size_t first, size_t rows,
                                 struct err *err)
{
    struct als_lists *lists = search->lists;
    size_t cells = rows * lists->n;
    cudaStream_t stream = search->device.main;
    cudaError_t status = cuda_top_sort(args, stream);
    enum err_code rc;

    if (status == cudaSuccess)
        status = cudaMemcpyAsync(lists->counts + first, args->list_counts, rows * sizeof(int32_t),
                                 cudaMemcpyDeviceToHost, stream);
    if (status == cudaSuccess)
        status = cudaMemcpyAsync(lists->items + first * lists->n, args->list_items, cells * sizeof(int32_t),
                                 cudaMemcpyDeviceToHost, stream);
    if (status == cudaSuccess)
        status = cudaMemcpyAsync(lists->scores + first * lists->n, args->list_scores, cells * sizeof(float),
                                 cudaMemcpyDeviceToHost, stream);
    rc = cuda_device_check(status, "making lists", err);
    return rc == ERR_OK ? cuda_device_wait(&search->device, "making lists", err) : rc;
}

static enum err_code search_run(struct top_search *search, struct err *err)
{
    size_t rows = search->lists->rows;
    enum err_code rc;

    take_memory(search);
    rc = cuda_arena_allocate(&search->arena, "making lists", err);
    if (rc != ERR_OK)
        return rc;
    take_memory(search);
    rc = upload(search, err);
    for (size_t first = 0; first < rows && rc == ERR_OK; first += TILE_ROWS) {
        size_t tile = rows - first < TILE_ROWS ? rows - first : TILE_ROWS;
        struct cuda_top_args args = tile_args(search, first, tile);

        rc = begin_tile(search, first, tile, err);
        for (size_t column = 0; column < search->candidate_count && rc == ERR_OK; column += TILE_COLUMNS)
            rc = score_tile(search, tile, column, &args, err);
        if (rc == ERR_OK)
            rc = finish_tile(search, &args, first, tile, err);
    }
    return rc;
}

/* Appends the item to the candidates, its factors times `scale`. */
static void add_candidate(struct top_search *search, int32_t item, float scale)
{
    const float *from = search->request->model->y + (size_t)item * search->factors;
    float *to = search->candidates + search->candidate_count * search->factors;

    for (size_t k = 0; k < search->factors; k++)
        to[k] = scale * from[k];
    search->candidate_items[search->candidate_count++] = item;
}

enum err_code cuda_top_items(struct als_lists *out, const struct als_list_request *request, struct err *err)
{
    struct top_search search;
    enum err_code rc = search_init(&search, out, request, err);

    if (rc != ERR_OK)
        goto done;
    search.rows = request->model->x;
    for (size_t i = 0; i < request->candidate_count; i++)
        add_candidate(&search, request->candidates[i], 1);
    rc = search_run(&search, err);
done:
    search_fini(&search);
    return rc;
}

/* 1 / |y|, 0 for a zero row */
static float invert_norm(const float *row, size_t factors)
{
    double squares = 0;

    for (size_t k = 0; k < factors; k++)
        squares += (double)row[k] * (double)row[k];
    return squares > 0 ? (float)(1 / sqrt(squares)) : 0;
}

enum err_code cuda_top_similar(struct als_lists *out, const struct als_list_request *request, struct err *err)
{
    struct top_search search;
    enum err_code rc = search_init(&search, out, request, err);

    if (rc != ERR_OK)
        goto done;
    search.row_scale = mem_zeroed(request->model->items, sizeof *search.row_scale);
    if (search.row_scale == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu norms", request->model->items);
        goto done;
    }
    for (size_t item = 0; item < request->model->items; item++)
        search.row_scale[item] = invert_norm(request->model->y + item * search.factors, search.factors);
    search.rows = request->model->y;
    search.skips_itself = true;
    search.floor = request->floor;
    for (size_t i = 0; i < request->candidate_count; i++) {
        int32_t item = request->candidates[i];

        if (search.row_scale[item] > 0)
            add_candidate(&search, item, search.row_scale[item]);
    }
    rc = search_run(&search, err);
done:
    search_fini(&search);
    return rc;
}
