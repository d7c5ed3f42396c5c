/*
 * The shop's products by id. Of a repeated product the first wins.
 */
#ifndef WORKER_PIPELINE_CATALOGUE_H
#define WORKER_PIPELINE_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct product {
    int64_t id;
    int64_t stock; /* null in the CMS is 0 */
    bool published;
    char *title; /* owned by the catalogue; "" where there is none */
};

struct catalogue {
    size_t count;
    size_t capacity;
    struct product *products; /* ascending ids after catalogue_sort */
};

void catalogue_init(struct catalogue *catalogue);
void catalogue_fini(struct catalogue *catalogue);

/* title is copied (NULL: ""). */
enum err_code catalogue_add(struct catalogue *catalogue, int64_t id, int64_t stock, bool published, const char *title,
                            struct err *err) MUST_CHECK;

/* Sorts by id and drops all but the first of each; call once, after the last add. */
enum err_code catalogue_sort(struct catalogue *catalogue, struct err *err) MUST_CHECK;

/* NULL: not in the catalogue. */
const struct product *catalogue_find(const struct catalogue *catalogue, int64_t id);

/* Published with stock > 0 (pipeline.md, Recommend); false for NULL. */
bool product_is_recommendable(const struct product *product);

#endif
