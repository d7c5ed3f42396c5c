/*
 * Whether ALS earns its keep: on the newest days held out, P@10 and NDCG@10 of a small model beside popularity, item
 * cosine and EASE.
 */
#ifndef WORKER_PIPELINE_EVALUATION_H
#define WORKER_PIPELINE_EVALUATION_H

#include <stdbool.h>

#include "common/base/err.h"
#include "worker/als/als.h"
#include "worker/als/baselines.h"
#include "worker/als/evaluate.h"
#include "worker/pipeline/holdout.h"

enum { EVALUATION_K = 10, EVALUATION_NOTE_BYTES = 160 };

/* One recommender's figures, or why there are none. */
struct evaluation_entry {
    const char *name;
    bool measured;
    struct evaluate_metrics metrics;
    char why_not[EVALUATION_NOTE_BYTES];
};

enum { EVALUATION_ENTRIES = 1 + BASELINE_COUNT };

struct evaluation {
    int days;
    int64_t cut_s;
    size_t users;
    size_t pairs;
    struct evaluation_entry entries[EVALUATION_ENTRIES]; /* the model first */
};

/* `params`: the model's, as it is trained here. Cancels as als_train does. */
enum err_code evaluation_run(struct evaluation *out, const struct holdout *holdout, const struct als_params *params,
                             const struct als_observer *observer, struct err *err) MUST_CHECK;

#endif
