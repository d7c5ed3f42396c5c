/*
 * Stage: lists of products for each user, for all together, and for each product (pipeline.md, Recommend).
 */
#ifndef WORKER_PIPELINE_RECOMMEND_H
#define WORKER_PIPELINE_RECOMMEND_H

#include "worker/als/als.h"
#include "worker/pipeline/catalogue.h"
#include "worker/pipeline/matrix.h"

struct recommend_params {
    int list_size;        /* 18 */
    int similar_size;     /* 10 */
    double similar_floor; /* 0.3 */
    int threads;
};

struct recommendations {
    struct als_lists users;   /* per matrix user; items are matrix product indices */
    struct als_lists similar; /* per matrix product */
    int32_t *top_overall;     /* matrix product indices, by the sum of raw values, descending */
    double *top_overall_sums;
    size_t top_overall_count;
    size_t recommendable; /* matrix products that may be recommended */
};

enum err_code recommend_run(struct recommendations *out, const struct matrix *matrix, const struct catalogue *catalogue,
                            const struct als_model *model, const struct recommend_params *params,
                            struct err *err) MUST_CHECK;
void recommendations_fini(struct recommendations *recommendations);

#endif
