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

struct json;

/* A report of what there is so far, for whoever looks meanwhile and for a next attempt; borrowed for the call. false:
 * it is too early, say it again later. */
typedef bool (*progress_keep_fn)(void *context, const struct json *report);

struct progress {
    progress_fn fn;        /* NULL: nobody listens */
    progress_keep_fn keep; /* NULL: nobody keeps it */
    void *context;
};

static inline bool progress_report(const struct progress *progress, const char *stage, double fraction,
                                   const char *note)
{
    return progress == NULL || progress->fn == NULL || progress->fn(progress->context, stage, fraction, note);
}

static inline bool progress_keep(const struct progress *progress, const struct json *report)
{
    return progress->keep == NULL || progress->keep(progress->context, report);
}

#endif
