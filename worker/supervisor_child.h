/*
 * The process of one job, as its parent sees it: this very program with --run-job, its pipes, and its end.
 */
#ifndef WORKER_SUPERVISOR_CHILD_H
#define WORKER_SUPERVISOR_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/err.h"
#include "worker/child_line.h"

struct supervisor_child;

/* How the process ended. */
struct supervisor_child_exit {
    int status; /* where signal is 0 */
    int signal;
    bool line_too_long; /* it said more than CHILD_LINE_MAX_BYTES in a line, and was killed for it */
};

struct supervisor_child_config {
    uv_loop_t *loop;
    const char *env_file; /* NULL: none was named */
    const char *job;      /* JSON text for its stdin; copied */
    void (*on_line)(void *context, struct child_line *line);
    void (*on_exit)(void *context, const struct supervisor_child_exit *exit); /* the last call; it is gone then */
    void *context;
};

/* When it fails, on_exit is not called. */
enum err_code supervisor_child_start(struct supervisor_child **out, const struct supervisor_child_config *config,
                                     struct err *err) MUST_CHECK;

void supervisor_child_kill(struct supervisor_child *child);
int supervisor_child_pid(const struct supervisor_child *child);

/* Says a line to it; takes the malloc'd text (NULL: nothing). What cannot be said is noticed by its end. */
void supervisor_child_say(struct supervisor_child *child, char *line);

#endif
