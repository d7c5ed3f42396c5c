/*
 * The body of POST /v1/jobs, checked: {"type", "params": {}, "run_at": null, "max_errors": 2}.
 */
#ifndef GATEWAY_JOB_BODY_H
#define GATEWAY_JOB_BODY_H

#include "gateway/exchange.h"
#include "gateway/submission.h"

enum { JOB_BODY_MAX_ERRORS = 10 };

/* Parses the exchange's body into exchange->document, which *out then borrows from. false: answered 400, 415 or 422. */
bool job_body_read(struct exchange *exchange, struct submission_request *out);

/* The same of exchange->document, which is parsed. */
bool job_body_check(struct exchange *exchange, struct submission_request *out);

#endif
