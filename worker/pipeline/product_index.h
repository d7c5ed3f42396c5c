/*
 * The products of rows, numbered densely in the order of their ids.
 */
#ifndef WORKER_PIPELINE_PRODUCT_INDEX_H
#define WORKER_PIPELINE_PRODUCT_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/interactions.h"

struct product_index {
    size_t count;
    int64_t *ids;     /* [count], ascending */
    uint32_t *of_row; /* [rows]: the row's product, as a place in ids */
};

enum err_code product_index_init(struct product_index *out, const struct interactions *rows,
                                 struct err *err) MUST_CHECK;
void product_index_fini(struct product_index *index);

#endif
