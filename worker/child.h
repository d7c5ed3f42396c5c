/*
 * `recfleet-worker --run-job`: one job in a process of its own. The job comes as JSON on stdin, {id, type, namespace,
 * params, fence, attempt, last_published}; what it says goes to fd 3, what its parent says comes on fd 4.
 */
#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

#include "common/base/env.h"

/* The exit status: enum child_exit. The settings of the job's shop are read over the env, and its problems noted there.
 */
int child_run(struct env *env);

#endif
