/*
 * What a training takes of memory, told before anything is allocated.
 */
#ifndef WORKER_ALS_ALS_MEMORY_H
#define WORKER_ALS_ALS_MEMORY_H

#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/als.h"

struct als_shape {
    size_t users;
    size_t items;
    size_t nonzeros;
    size_t longest_row; /* the most entries that a user or an item has */
};

/* `by_item` is the transpose of `by_user`. */
void als_memory_shape(struct als_shape *out, const struct csr *by_user, const struct csr *by_item);

/*
 * Bytes that als_train_from has allocated at its peak: both factor matrices, the transpose of the values, the solver's
 * workspace. Not the values themselves. `params` are those that als_train takes; the CPU's figure where there is no
 * such backend.
 */
double als_memory_bytes(const struct als_shape *shape, const struct als_params *params);

/* ERR_TOO_LARGE with the figures where that is more than params->memory_limit (0: none). */
enum err_code als_memory_check(const struct als_shape *shape, const struct als_params *params,
                               struct err *err) MUST_CHECK;

#endif
