#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/row_kernels.h"
#include "worker/als/cpu/top_heap.h"
#include "worker/als/cpu/top_search.h"

/*
 * A block of rows meets a chunk of candidates (which stays in the second-level cache) after the other. Of each row two
 * things are known: the n-th best lower bound so far, under which nothing counts, and who may be above it: the
 * suspects. These are multiplied in floats when there are many, and at the end.
 */
enum { BLOCK_ROWS = 64, CHUNK = 512, MOST_SUSPECTS = 2048, BATCH = 4 };

/* One row of a block while its list is being made. */
struct seeker {
    struct quantized_row row;
    struct top_heap list; /* by true scores */
    struct top_heap low;  /* by lower bounds */
    float threshold;
    size_t suspects;
    int32_t suspect[MOST_SUSPECTS]; /* candidates */
    float low_bound[MOST_SUSPECTS]; /* their bounds */
    float high[MOST_SUSPECTS];
};

/* A thread's own. */
struct worker {
    struct seeker seekers[BLOCK_ROWS];
    int8_t *cells;      /* BLOCK_ROWS x depth x QUANTIZED_CELLS */
    float *low_scores;  /* BLOCK_ROWS x n */
    int32_t *low_items; /* BLOCK_ROWS x n */
    float scores[QUANTIZED_ROWS * CHUNK];
    int32_t selected[CHUNK];
    float bounds[CHUNK];
};

struct quantized_search {
    const struct top_search *search;
    const struct row_kernels *kernels;
    const struct quantized_kernels *pass;
    struct quantized candidates;
    size_t workers;
    struct worker **worker;
};

static void worker_destroy(struct worker *worker)
{
    if (worker == NULL)
        return;
    free(worker->cells);
    free(worker->low_scores);
    free(worker->low_items);
    free(worker);
}

static struct worker *worker_create(size_t depth, size_t n)
{
    struct worker *worker = mem_aligned(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    memset(worker, 0, sizeof *worker);
    worker->cells = mem_zeroed(BLOCK_ROWS * depth, QUANTIZED_CELLS);
    worker->low_scores = mem_zeroed(BLOCK_ROWS * n, sizeof *worker->low_scores);
    worker->low_items = mem_zeroed(BLOCK_ROWS * n, sizeof *worker->low_items);
    if (worker->cells != NULL && worker->low_scores != NULL && worker->low_items != NULL)
        return worker;
    worker_destroy(worker);
    return NULL;
}

static bool is_candidate(const struct quantized_search *quantized, size_t candidate, size_t row)
{
    const struct top_search *search = quantized->search;

    return candidate < search->candidate_count && top_search_allows(search, row, search->candidate_items[candidate]);
}

static void begin_row(const struct quantized_search *quantized, struct worker *worker, size_t slot, size_t row)
{
    const struct top_search *search = quantized->search;
    struct seeker *seeker = &worker->seekers[slot];
    size_t n = search->lists->n;
    size_t depth = quantized->candidates.depth;

    seeker->row.cells = worker->cells + slot * depth * QUANTIZED_CELLS;
    quantized_row_set(&seeker->row, search->rows + row * search->factors, search->factors, depth,
                      top_search_scale(search, row));
    seeker->list =
        (struct top_heap){.scores = search->lists->scores + row * n, .items = search->lists->items + row * n, .n = n};
    seeker->low =
        (struct top_heap){.scores = worker->low_scores + slot * n, .items = worker->low_items + slot * n, .n = n};
    seeker->threshold = seeker->row.norm > 0 ? search->floor : INFINITY; /* no score is that high */
    seeker->suspects = 0;
}

/* A row of zeros, of which no bound tells anything: all its scores are 0, so the first candidates are the best. */
static void offer_first(const struct quantized_search *quantized, struct seeker *seeker, size_t row)
{
    const struct top_search *search = quantized->search;

    if (seeker->row.norm > 0 || search->floor > 0 || top_search_scale(search, row) <= 0)
        return;
    for (size_t i = 0; i < search->candidate_count && seeker->list.count < seeker->list.n; i++) {
        if (is_candidate(quantized, i, row))
            top_heap_offer(&seeker->list, 0, search->candidate_items[i]);
    }
}

/* Candidates that are to be multiplied with a row, a few at a time. */
struct batch {
    const struct quantized_search *quantized;
    struct seeker *seeker;
    size_t row;
    size_t count;
    int32_t candidate[BATCH];
};

static void batch_finish(struct batch *batch)
{
    const struct top_search *search = batch->quantized->search;
    struct seeker *seeker = batch->seeker;
    const float *rows[BATCH];
    float scores[BATCH];

    for (size_t i = 0; i < batch->count; i++)
        rows[i] = search->candidates + (size_t)batch->candidate[i] * search->factors;
    batch->quantized->kernels->multiply(scores, search->rows + batch->row * search->factors, rows, batch->count,
                                        search->factors);
    for (size_t i = 0; i < batch->count; i++) {
        float score = scores[i] * top_search_scale(search, batch->row);

        if (score >= search->floor)
            top_heap_offer(&seeker->list, score, search->candidate_items[batch->candidate[i]]);
    }
    seeker->threshold = fmaxf(seeker->threshold, top_heap_threshold(&seeker->list));
    batch->count = 0;
}

static void batch_add(struct batch *batch, int32_t candidate)
{
    batch->candidate[batch->count++] = candidate;
    if (batch->count == BATCH)
        batch_finish(batch);
}

/* Multiplies the suspects that still count; then there are none. Those of the best lower bounds come first, so that
 * the threshold is high when the others come. */
static void clear_suspects(const struct quantized_search *quantized, struct seeker *seeker, size_t row)
{
    struct batch batch = {.quantized = quantized, .seeker = seeker, .row = row};
    float likely = top_heap_threshold(&seeker->low);

    for (size_t i = 0; i < seeker->suspects; i++) {
        if (seeker->low_bound[i] >= likely)
            batch_add(&batch, seeker->suspect[i]);
    }
    batch_finish(&batch);
    for (size_t i = 0; i < seeker->suspects; i++) {
        if (seeker->low_bound[i] < likely && seeker->high[i] >= seeker->threshold)
            batch_add(&batch, seeker->suspect[i]);
    }
    batch_finish(&batch);
    seeker->suspects = 0;
}

/* Raises the threshold to the n-th best lower bound. */
static void raise_threshold(const struct quantized_search *quantized, struct worker *worker, struct seeker *seeker,
                            size_t row, size_t first, size_t count, const float *scores)
{
    size_t selected = quantized->pass->select(&quantized->candidates, first, count, &seeker->row, scores, -1,
                                              top_heap_threshold(&seeker->low), worker->selected, worker->bounds);

    for (size_t i = 0; i < selected; i++) {
        size_t candidate = first + (size_t)worker->selected[i];

        if (is_candidate(quantized, candidate, row))
            top_heap_offer(&seeker->low, worker->bounds[i], (int32_t)candidate);
    }
    seeker->threshold = fmaxf(seeker->threshold, top_heap_threshold(&seeker->low));
}

static void add_suspects(const struct quantized_search *quantized, struct worker *worker, struct seeker *seeker,
                         size_t row, size_t first, size_t count, const float *scores)
{
    size_t selected = quantized->pass->select(&quantized->candidates, first, count, &seeker->row, scores, 1,
                                              seeker->threshold, worker->selected, worker->bounds);

    if (seeker->suspects + selected > MOST_SUSPECTS)
        clear_suspects(quantized, seeker, row);
    for (size_t i = 0; i < selected; i++) {
        size_t candidate = first + (size_t)worker->selected[i];

        if (!is_candidate(quantized, candidate, row))
            continue;
        seeker->suspect[seeker->suspects] = (int32_t)candidate;
        seeker->low_bound[seeker->suspects] = 2 * scores[worker->selected[i]] - worker->bounds[i];
        seeker->high[seeker->suspects++] = worker->bounds[i];
    }
}

/* QUANTIZED_ROWS rows from slot on meet a chunk. */
static void search_chunk(const struct quantized_search *quantized, struct worker *worker, size_t slot, size_t first_row,
                         size_t rows, size_t first)
{
    size_t left = quantized->candidates.rows - first;
    size_t count = left < CHUNK ? left : CHUNK;
    struct quantized_row four[QUANTIZED_ROWS];

    for (size_t i = 0; i < QUANTIZED_ROWS; i++)
        four[i] = worker->seekers[slot + i < rows ? slot + i : slot].row;
    quantized->pass->multiply(&quantized->candidates, first, count, four, worker->scores, CHUNK);
    for (size_t i = slot; i < slot + QUANTIZED_ROWS && i < rows; i++) {
        const float *scores = worker->scores + (i - slot) * CHUNK;

        raise_threshold(quantized, worker, &worker->seekers[i], first_row + i, first, count, scores);
        add_suspects(quantized, worker, &worker->seekers[i], first_row + i, first, count, scores);
    }
}

static void search_block(void *context, size_t thread, size_t task)
{
    const struct quantized_search *quantized = context;
    struct als_lists *lists = quantized->search->lists;
    struct worker *worker = quantized->worker[thread];
    size_t first_row = task * BLOCK_ROWS;
    size_t rows = lists->rows - first_row < BLOCK_ROWS ? lists->rows - first_row : BLOCK_ROWS;

    for (size_t i = 0; i < rows; i++)
        begin_row(quantized, worker, i, first_row + i);
    for (size_t first = 0; first < quantized->candidates.rows; first += CHUNK) {
        for (size_t slot = 0; slot < rows; slot += QUANTIZED_ROWS)
            search_chunk(quantized, worker, slot, first_row, rows, first);
    }
    for (size_t i = 0; i < rows; i++) {
        struct seeker *seeker = &worker->seekers[i];

        clear_suspects(quantized, seeker, first_row + i);
        offer_first(quantized, seeker, first_row + i);
        top_heap_sort(&seeker->list);
        lists->counts[first_row + i] = (int32_t)seeker->list.count;
    }
}

enum err_code top_search_quantized(const struct top_search *search, const struct quantized_kernels *kernels,
                                   struct err *err)
{
    struct quantized_search quantized = {.search = search, .kernels = row_kernels_choose(), .pass = kernels};
    enum err_code rc =
        quantized_init(&quantized.candidates, search->candidates, search->candidate_count, search->factors, err);

    if (rc != ERR_OK)
        return rc;
    quantized.workers = pool_threads(search->pool);
    quantized.worker = mem_zeroed(quantized.workers, sizeof(struct worker *));
    for (size_t i = 0; quantized.worker != NULL && i < quantized.workers && rc == ERR_OK; i++) {
        quantized.worker[i] = worker_create(quantized.candidates.depth, search->lists->n);
        if (quantized.worker[i] == NULL)
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %d lists of suspects", BLOCK_ROWS);
    }
    if (quantized.worker == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu threads", quantized.workers);
    if (rc == ERR_OK)
        pool_run(search->pool, search_block, &quantized, NULL, (search->lists->rows + BLOCK_ROWS - 1) / BLOCK_ROWS);
    for (size_t i = 0; quantized.worker != NULL && i < quantized.workers; i++)
        worker_destroy(quantized.worker[i]);
    free(quantized.worker);
    quantized_fini(&quantized.candidates);
    return rc;
}
