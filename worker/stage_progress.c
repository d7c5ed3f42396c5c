#include "worker/stage_progress.h"

#include <string.h>

#include "common/base/str.h"

enum { TELL_EVERY_MS = 200 };

struct stage {
    const char *stage;
    double begin;
};

/* The part of a job that has passed when a stage begins: of a run of the production settings, roughly. */
static const struct stage homepage[] = {{"fetch", 0},     {"outliers", .27}, {"analytics", .28}, {"weigh", .29},
                                        {"matrix", .31},  {"als", .33},      {"recommend", .8},  {"evaluate", .82},
                                        {"publish", .92}, {NULL, 1}};
static const struct stage cross_sell[] = {{"fetch", 0},   {"outliers", .55}, {"analytics", .57},
                                          {"pairs", .77}, {"publish", .9},   {NULL, 1}};
static const struct stage search[] = {{"fetch", 0}, {"outliers", .05}, {"split", .06}, {"search", .07}, {NULL, 1}};
static const struct stage warehouse[] = {{"fetch", 0},    {"outliers", .2},  {"interactions", .22},
                                         {"weights", .6}, {"products", .93}, {"swap", .95},
                                         {NULL, 1}};

static const struct stage *const stages[JOB_TYPE_COUNT] = {[JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS] = homepage,
                                                           [JOB_CROSS_SELL] = cross_sell,
                                                           [JOB_HYPERPARAMETER_SEARCH] = search,
                                                           [JOB_WAREHOUSE] = warehouse};

double stage_progress_overall(enum job_type type, const char *stage, double fraction)
{
    const struct stage *of = stages[type];

    fraction = fraction >= 0 ? fraction : 0;
    fraction = fraction <= 1 ? fraction : 1;
    for (size_t i = 0; of[i].stage != NULL; i++) {
        if (strcmp(of[i].stage, stage) == 0)
            return of[i].begin + fraction * (of[i + 1].begin - of[i].begin);
    }
    return -1;
}

bool stage_progress_is_due(struct stage_progress *progress, const char *stage, double fraction)
{
    int64_t now_ms = clock_monotonic_ms(&progress->clock);

    if (strncmp(progress->stage, stage, sizeof progress->stage - 1) == 0 && fraction < 1 &&
        now_ms - progress->told_ms < TELL_EVERY_MS)
        return false;
    str_copy(progress->stage, sizeof progress->stage, stage);
    progress->told_ms = now_ms;
    return true;
}
