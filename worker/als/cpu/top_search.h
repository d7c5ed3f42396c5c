/*
 * Between the top_* files: which rows get lists, of which candidates. Two ways fill them, with the same lists as far as
 * floats can tell: by SGEMM over all pairs, or by 8-bit bounds over all pairs and floats over the few that may count.
 */
#ifndef WORKER_ALS_CPU_TOP_SEARCH_H
#define WORKER_ALS_CPU_TOP_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/als.h"
#include "worker/als/cpu/pool.h"
#include "worker/als/cpu/quantized.h"
#include "worker/als/csr.h"

struct top_search {
    struct als_lists *lists;
    struct pool *pool;
    size_t factors;
    const float *rows;       /* lists->rows x f */
    const float *row_scale;  /* per row, what its scores are multiplied by; 0: no list. NULL: 1 */
    const struct csr *known; /* a row's entries are no answers for it; NULL: none */
    bool skips_itself;       /* nor is item i for row i */
    float floor;             /* no score below it counts */
    size_t candidate_count;
    int32_t *candidate_items; /* the item of each candidate, ascending */
    float *candidates;        /* candidate_count x f */
};

/* What row's scores are multiplied by. */
static inline float top_search_scale(const struct top_search *search, size_t row)
{
    return search->row_scale != NULL ? search->row_scale[row] : 1;
}

/* Whether the item may be in the row's list. */
static inline bool top_search_allows(const struct top_search *search, size_t row, int32_t item)
{
    return !(search->skips_itself && (size_t)item == row) &&
           (search->known == NULL || !csr_has(search->known, row, item));
}

enum err_code top_search_by_sgemm(const struct top_search *search, struct err *err) MUST_CHECK;

enum err_code top_search_quantized(const struct top_search *search, const struct quantized_kernels *kernels,
                                   struct err *err) MUST_CHECK;

#endif
