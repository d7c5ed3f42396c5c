/*
 * Where a whole job is, from where one of its stages is; and who listens hears of it at most each 200 ms, but of each
 * new stage at once.
 */
#ifndef WORKER_STAGE_PROGRESS_H
#define WORKER_STAGE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/job/job.h"

enum { STAGE_PROGRESS_NAME_BYTES = 32 };

/* 0..1: `fraction` of `stage` as part of a job of that type; -1 for a stage that is not known. */
double stage_progress_overall(enum job_type type, const char *stage, double fraction);

/* Init with {.clock = …}. */
struct stage_progress {
    struct clock_source clock;
    char stage[STAGE_PROGRESS_NAME_BYTES]; /* the last one told of */
    int64_t told_ms;
};

/* Whether this is to be told now; then it is taken as told. */
bool stage_progress_is_due(struct stage_progress *progress, const char *stage, double fraction);

#endif
