/*
 * A fixed set of threads that share out numbered tasks. The caller's thread works too. Which thread takes which task
 * is left to chance, so a task's result must depend on its number alone.
 */
#ifndef WORKER_ALS_CPU_POOL_H
#define WORKER_ALS_CPU_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct pool;

/* Runs task `task` on thread `thread` (0..pool_threads - 1): the thread number picks the workspace. */
typedef void (*pool_task_fn)(void *context, size_t thread, size_t task);

/* threads: 0 for as many as this process may use. Signals are left to the caller's other threads. */
enum err_code pool_create(struct pool **out, int threads, struct err *err) MUST_CHECK;
void pool_destroy(struct pool *pool);

/* How many threads pool_create makes of that. */
size_t pool_count_threads(int threads);
size_t pool_threads(const struct pool *pool);

/* Runs the tasks 0..count - 1, or order[0..count - 1] where order is not NULL, and returns when all are done. */
void pool_run(struct pool *pool, pool_task_fn run, void *context, const uint32_t *order, size_t count);

#endif
