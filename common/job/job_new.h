/*
 * A job that a request asks for, kept while it is on its way in, and its document and its HTTP view as text: what
 * job_document_create and job_document_view would print, in a tenth of the steps.
 */
#ifndef COMMON_JOB_JOB_NEW_H
#define COMMON_JOB_JOB_NEW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/job/job.h"

struct job_new {
    struct job_request request; /* its texts are in `texts`, its params in `params` alone */
    char created_at[CLOCK_ISO8601_BYTES];
    char run_at[CLOCK_ISO8601_BYTES]; /* "": now */
    struct str params;                /* JSON, an object */
    char *texts;
};

/* Copies what is asked for; the request's id is valid. false: out of memory, and there is nothing to finish. */
bool job_new_init(struct job_new *job, const struct job_request *request, int64_t now_ms);
void job_new_fini(struct job_new *job); /* also of {0} */

/* `out` is failed where memory ran out. The document as the store has it: state accepted. */
void job_new_print_document(struct str *out, const struct job_new *job);
/* The view as HTTP shows it (api.md), in that state: neither stalled nor with a place in the queue. */
void job_new_print_view(struct str *out, const struct job_new *job, enum job_state state);
/* What a worker is given: {"params":…,"namespace":…}. */
void job_new_print_args(struct str *out, const struct job_new *job);

#endif
