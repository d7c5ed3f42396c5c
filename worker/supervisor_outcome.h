/*
 * What an attempt came to, as plain data: what is stored of it and what the queue is told.
 */
#ifndef WORKER_SUPERVISOR_OUTCOME_H
#define WORKER_SUPERVISOR_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/job/job.h"
#include "worker/child_line.h"
#include "worker/supervisor_child.h"

enum supervisor_verdict {
    SUPERVISOR_RUNNING,  /* none yet */
    SUPERVISOR_FINISHED, /* `state` is final */
    SUPERVISOR_RETRY,    /* an error that is tried again after delay_ms */
    SUPERVISOR_RELEASED, /* given back, the attempt not counted */
    SUPERVISOR_LOST      /* another has it: nothing is written */
};

/* {0} is SUPERVISOR_RUNNING. */
struct supervisor_outcome {
    enum supervisor_verdict verdict;
    enum job_state state; /* of SUPERVISOR_FINISHED */
    int64_t delay_ms;     /* of SUPERVISOR_RETRY */
    int64_t floor_fence;  /* of SUPERVISOR_RELEASED: a target holds a newer fence, so start again above it; else 0 */
    bool device_lost;     /* of SUPERVISOR_RELEASED */
    int signal;           /* that ended the child; 0: none */
    struct child_end end; /* its err where there was one, its report … */
};

void supervisor_outcome_fini(struct supervisor_outcome *outcome);

/* What was wanted of a run while it ran. */
struct supervisor_wishes {
    bool cancelled; /* a cancel was heard before it published */
    bool gave_back; /* the worker stops */
    bool timed_out; /* it took longer than MAX_RUNTIME_S */
};

struct supervisor_history {
    int errors; /* before this attempt */
    int max_errors;
    int64_t retry_base_ms;
};

/* How the child's end is to be taken. `end` NULL: it said nothing; else its contents are taken. */
void supervisor_outcome_of_child(struct supervisor_outcome *out, const struct supervisor_child_exit *exit,
                                 struct child_end *end, const struct supervisor_wishes *wishes,
                                 const struct supervisor_history *history);

/* The same of an error on this side; *err is copied. */
void supervisor_outcome_of_error(struct supervisor_outcome *out, const struct err *err,
                                 const struct supervisor_history *history);

/* base * 2^errors, at most 15 minutes, and 20 % more or less by `random` of all 32 bits. */
int64_t supervisor_outcome_delay_ms(int64_t base_ms, int errors, uint32_t random);

#endif
