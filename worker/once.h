/*
 * `--once TYPE`: one job in this process, without a queue: it publishes, prints its report's text to stdout and keeps
 * the report in the store.
 */
#ifndef WORKER_ONCE_H
#define WORKER_ONCE_H

#include "worker/arguments.h"
#include "worker/fleet.h"

/* The shop that the parameters name; "": none. */
const char *once_shop(const struct arguments *arguments);

/* The exit status: 0, or 1 with the error on stderr. The fleet was checked. */
int once_run(struct fleet *fleet, const struct arguments *arguments);

#endif
