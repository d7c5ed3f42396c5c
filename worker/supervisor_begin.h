/*
 * Before the child starts: the store is asked whether the job is over or cancelled, the document is set to running, and
 * the last published report and the job's own of an earlier attempt are read. A store that is away is asked again until
 * it answers. And the progress notes while it runs, of which one that fails is no loss.
 */
#ifndef WORKER_SUPERVISOR_BEGIN_H
#define WORKER_SUPERVISOR_BEGIN_H

#include <stdbool.h>
#include <uv.h>

#include "common/job/job_queue.h"
#include "worker/child_line.h"
#include "worker/supervisor_store.h"

struct supervisor_begin;

struct supervisor_begun {
    bool is_terminal;
    enum job_state state;              /* where it is terminal */
    bool is_cancelled;                 /* somebody asked for that while the queue was away */
    const struct json *last_published; /* NULL: there is none; borrowed for the call, as the next */
    const struct json *earlier;        /* the job's own report, where it says that it can be gone on from; else NULL */
};

typedef void (*supervisor_begun_fn)(void *context, const struct supervisor_begun *begun);

/* `fn` runs once, not from within this, and the begin is gone behind it. worker is copied. NULL when out of memory. */
struct supervisor_begin *supervisor_begin_start(uv_loop_t *loop, struct supervisor_store *store,
                                                const struct job_queue_lease *lease, const char *worker,
                                                supervisor_begun_fn fn, void *context);

/* Asks no more: `fn` runs soon, with nothing known. */
void supervisor_begin_stop(struct supervisor_begin *begin);

/* The job for the child's stdin: malloc'd; NULL when out of memory. `args` are the queue's. */
char *supervisor_begin_print_job(const struct supervisor_begun *begun, const struct job_queue_lease *lease,
                                 const struct json *args);

struct supervisor_note;

/* `done` runs once, not from within this, and the note is gone then. NULL when out of memory. */
struct supervisor_note *supervisor_note_start(struct supervisor_store *store, const struct job_queue_lease *lease,
                                              const struct child_line *progress, void (*done)(void *context),
                                              void *context);

#endif
