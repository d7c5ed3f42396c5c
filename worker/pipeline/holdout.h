/*
 * The newest days held out (pipeline.md, Evaluate, `time`): the rows before the cut make a matrix as of the cut, and
 * the pairs of its users and products that first appear after it are to be foretold.
 */
#ifndef WORKER_PIPELINE_HOLDOUT_H
#define WORKER_PIPELINE_HOLDOUT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/csr.h"
#include "worker/pipeline/interactions.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/weigh.h"

struct holdout_params {
    int test_days;             /* the newest: 14; fewer where less than four times as many are there */
    size_t most_users;         /* of these a sample where there are more: 5,000; 0: all */
    struct weigh_params weigh; /* with its own now_s, the cut */
    struct matrix_params matrix;
};

struct holdout {
    int days; /* 0, as the next: not by time (holdout_split.h) */
    int64_t cut_s;
    struct matrix train;
    size_t users;    /* who are measured; by time: all with a pair to foretell */
    int32_t *user;   /* rows of train, ascending */
    struct csr test; /* users x products of train: the pairs; values 1 */
};

/* ERR_NO_DATA: less than a week of rows, or nothing to foretell; says which. */
enum err_code holdout_make(struct holdout *out, const struct interactions *rows, const struct holdout_params *params,
                           struct err *err) MUST_CHECK;
void holdout_fini(struct holdout *holdout);

#endif
