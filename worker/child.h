/*
 * `recfleet-worker --run-job`: one job in a process of its own. The job comes as JSON on stdin, {id, type, namespace,
 * params, fence, attempt, last_published}; what it says goes to fd 3, what its parent says comes on fd 4.
 */
#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

#include "worker/settings.h"

/* The exit status: enum child_exit. */
int child_run(const struct worker_settings *settings);

#endif
