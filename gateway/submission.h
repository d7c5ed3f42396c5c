/*
 * One job on its way in: the document first (durable), then the queue, then the document's state. What the queue
 * refuses leaves no document behind. Used by every route that starts a job.
 */
#ifndef GATEWAY_SUBMISSION_H
#define GATEWAY_SUBMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/job/job.h"
#include "common/job/job_new.h"
#include "gateway/services.h"

enum submission_outcome {
    SUBMISSION_ACCEPTED,  /* the queue has it; or maybe: its answer was lost, and the job stays `accepted` */
    SUBMISSION_REPLAYED,  /* the idempotency key is known: `id` is the job of then */
    SUBMISSION_MISMATCH,  /* the key is known with another body */
    SUBMISSION_DUPLICATE, /* a job of that type and shop is live: `id` */
    SUBMISSION_FAILED     /* err says why; nothing was accepted */
};

struct submission_result {
    enum submission_outcome outcome;
    char id[JOB_ID_BYTES];
    const struct job_new *job;   /* ACCEPTED of start: the new job; borrowed for the call, as the document */
    const struct json *document; /* ACCEPTED of resume and retry */
    enum job_state state;        /* ACCEPTED: `accepted` where the queue's answer was lost */
    bool is_replay;              /* ACCEPTED: the queue had it already, from another gateway */
    const struct err *err;       /* FAILED */
};

/* Once, and not from within the call. */
typedef void (*submission_fn)(void *context, const struct submission_result *result);

struct submission_request {
    enum job_type type;
    const char *shop;
    const struct json *params; /* checked; NULL: none */
    const char *client;        /* the name of the key */
    int64_t run_at_ms;
    int max_errors;
    const char *idempotency_hash; /* NULL: none */
    const char *fingerprint;
};

/* Copies what it needs. A refusal comes at once, with nothing written anywhere: ERR_UNAVAILABLE while Redis or the
 * store is known to be away; then `fn` is not called. */
enum err_code submission_start(const struct services *services, const struct submission_request *request,
                               submission_fn fn, void *context, struct err *err) MUST_CHECK;

/* Gives a document of the store that is not finished to the queue, which does not have it (any more). `document` is
 * taken. What the queue refuses turns `superseded`. Perhaps answered from within, when out of memory. */
void submission_resume(const struct services *services, struct json *document, submission_fn fn, void *context);

/* The same with a document that was opened again; what the queue refuses is the caller's to put back. */
void submission_retry(const struct services *services, struct json *document, submission_fn fn, void *context);

#endif
