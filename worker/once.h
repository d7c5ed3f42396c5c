/*
 * `--once TYPE`: one job in this process, without a queue: it publishes, prints its report's text to stdout and keeps
 * the report in the store.
 */
#ifndef WORKER_ONCE_H
#define WORKER_ONCE_H

#include "worker/arguments.h"
#include "worker/settings.h"

/* The exit status: 0, or 1 with the error on stderr. */
int once_run(const struct worker_settings *settings, const struct arguments *arguments);

#endif
