/*
 * The golden data of shared/golden that the solver's tests need. A fault in reading it fails the test at once.
 */
#ifndef TESTS_PARITY_ALS_GOLDEN_H
#define TESTS_PARITY_ALS_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/als/als.h"
#include "worker/als/csr.h"

enum { ALS_GOLDEN_UID_BYTES = 64, ALS_GOLDEN_LIST = 18 };

struct als_golden {
    const char *variant; /* "online_retail/intended" */
    size_t users;
    size_t items;
    char (*uids)[ALS_GOLDEN_UID_BYTES]; /* ascending */
    int64_t *product_ids;               /* ascending */
    struct csr values;                  /* users x items: bm25 */
    int32_t *candidates;                /* items that may be recommended */
    size_t candidate_count;
};

/* Where the golden data is; skips the running test when it is nowhere. */
const char *als_golden_root(void);

void als_golden_init(struct als_golden *golden, const char *variant);
void als_golden_fini(struct als_golden *golden);

/* losses[count] from "loss_per_iteration" of the variant's file. */
void als_golden_losses(const struct als_golden *golden, const char *file, double *losses, size_t count);

/* Mean share of each golden list that is in the list of the same user; `file` without .xz. */
double als_golden_overlap(const struct als_golden *golden, const char *file, const struct als_lists *lists);

/* The same for the neighbours of products (the golden lists have at most 9). */
double als_golden_similar_overlap(const struct als_golden *golden, const char *file, const struct als_lists *lists);

#endif
