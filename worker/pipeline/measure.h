/*
 * What recommenders are measured by: lists for the users of a holdout, of all products that they do not know yet,
 * against what was held out.
 */
#ifndef WORKER_PIPELINE_MEASURE_H
#define WORKER_PIPELINE_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "worker/als/als.h"
#include "worker/als/baselines.h"
#include "worker/als/evaluate.h"
#include "worker/pipeline/holdout.h"

struct measure {
    const struct holdout *holdout; /* borrowed */
    int threads;
    bool everybody;      /* is measured: the rows are those of the training matrix */
    struct csr known;    /* users x products; empty where everybody is */
    int32_t *candidates; /* all products */
};

enum err_code measure_init(struct measure *measure, const struct holdout *holdout, int threads,
                           struct err *err) MUST_CHECK;
void measure_fini(struct measure *measure);

/* out[i]: of lists of k[i] products, each recommended anew; the model is of holdout->train. */
enum err_code measure_model(struct evaluate_metrics *out, const size_t *k, size_t count, const struct measure *measure,
                            const struct als_model *model, struct err *err) MUST_CHECK;

/* out[i]: of the first k[i] of one list, k[0] being the longest: no baseline's list depends on its length. */
enum err_code measure_baseline(struct evaluate_metrics *out, const size_t *k, size_t count,
                               const struct measure *measure, enum baseline baseline, struct err *err) MUST_CHECK;

#endif
