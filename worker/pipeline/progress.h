/*
 * How a stage tells where it is. Passed by value; a stage calls it often, the receiver thins it out.
 */
#ifndef WORKER_PIPELINE_PROGRESS_H
#define WORKER_PIPELINE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

/* stage: "fetch", "clean", …; fraction of this stage in 0..1; note: a short text for people ("loss 0.0132") or NULL.
 * false asks the stage to stop with ERR_CANCELLED. */
typedef bool (*progress_fn)(void *context, const char *stage, double fraction, const char *note);

struct progress {
    progress_fn fn; /* NULL: nobody listens */
    void *context;
};

static inline bool progress_report(const struct progress *progress, const char *stage, double fraction,
                                   const char *note)
{
    return progress == NULL || progress->fn == NULL || progress->fn(progress->context, stage, fraction, note);
}

#endif
