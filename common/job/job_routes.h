/*
 * Which queue a job type goes to (QUEUE_ROUTES) and which queues a worker reads (WORKER_QUEUES).
 */
#ifndef COMMON_JOB_JOB_ROUTES_H
#define COMMON_JOB_JOB_ROUTES_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/job/job.h"

enum { JOB_ROUTES_NAME_BYTES = 64, JOB_ROUTES_MAX = 16 };

/* Names of queues, each once, in the order given. */
struct job_queue_names {
    char names[JOB_ROUTES_MAX][JOB_ROUTES_NAME_BYTES];
    size_t count;
};

struct job_routes {
    char queue[JOB_TYPE_COUNT][JOB_ROUTES_NAME_BYTES]; /* by job type */
    struct job_queue_names all;                        /* the queues that a type goes to, and the default */
};

/* "cross_sell=cpu,warehouse=cpu,*=train"; NULL or "": all types to `fallback`, as are those not named without a *. */
enum err_code job_routes_parse(struct job_routes *out, const char *text, const char *fallback,
                               struct err *err) MUST_CHECK;

/* "train,cpu"; NULL or "": `fallback` alone. */
enum err_code job_routes_parse_names(struct job_queue_names *out, const char *text, const char *fallback,
                                     struct err *err) MUST_CHECK;

#endif
