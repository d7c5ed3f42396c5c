/*
 * The worker's parent process: takes one job at a time from the queue and has a child process run it, on one libuv
 * loop. It computes nothing, so its beats are never late. SIGTERM or SIGINT: reads no more, lets the job finish within
 * the grace time, else gives it back; the second one gives it back at once.
 */
#ifndef WORKER_SUPERVISOR_H
#define WORKER_SUPERVISOR_H

#include "common/base/err.h"
#include "common/job/job_settings.h"
#include "common/net/metrics_listener.h"

/* Runs until it is told to stop. env_file: what the child is given as --env-file; NULL: nothing. */
enum err_code supervisor_run(const struct job_settings *settings, const struct metrics_address *metrics,
                             const char *env_file, struct err *err) MUST_CHECK;

#endif
