#include "worker/stage_progress.h"

#include <stdio.h>
#include <string.h>

enum { TELL_EVERY_MS = 200 };

struct stage {
    const char *stage;
    double begin;
};

/* The part of a job that has passed when a stage begins: of a run of the production settings, roughly. */
static const struct stage stages[] = {{"fetch", 0},     {"outliers", .27}, {"analytics", .28}, {"weigh", .29},
                                      {"matrix", .31},  {"als", .33},      {"recommend", .8},  {"evaluate", .82},
                                      {"publish", .92}, {NULL, 1}};

double stage_progress_overall(const char *stage, double fraction)
{
    fraction = fraction >= 0 ? fraction : 0;
    fraction = fraction <= 1 ? fraction : 1;
    for (size_t i = 0; stages[i].stage != NULL; i++) {
        if (strcmp(stages[i].stage, stage) == 0)
            return stages[i].begin + fraction * (stages[i + 1].begin - stages[i].begin);
    }
    return -1;
}

bool stage_progress_is_due(struct stage_progress *progress, const char *stage, double fraction)
{
    int64_t now_ms = clock_monotonic_ms(&progress->clock);

    if (strncmp(progress->stage, stage, sizeof progress->stage - 1) == 0 && fraction < 1 &&
        now_ms - progress->told_ms < TELL_EVERY_MS)
        return false;
    (void)snprintf(progress->stage, sizeof progress->stage, "%s", stage);
    progress->told_ms = now_ms;
    return true;
}
