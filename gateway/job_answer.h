/*
 * A job as an answer: its view, its place, and what a failed look-up means.
 */
#ifndef GATEWAY_JOB_ANSWER_H
#define GATEWAY_JOB_ANSWER_H

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "gateway/exchange.h"

enum { JOB_ANSWER_POLL_AGAIN_S = 2 };

/* The HTTP view of a document as of now; NULL when out of memory. */
struct json *job_answer_view(const struct exchange *exchange, const struct json *document);

/* ERR_NOT_FOUND is 404; else who could have told is away. */
void job_answer_lookup_failed(struct exchange *exchange, const struct err *err);

/* 503 that says why the queue cannot be handed anything now: logged where that was noticed, not for each request. */
void job_answer_queue_away(struct exchange *exchange);

/* Location: /v1/jobs/{id} */
void job_answer_add_location(struct exchange *exchange, const char *id);

/* How many jobs start before a queued one, and itself; 0: it does not wait, or nobody can tell. Perhaps from within. */
typedef void (*job_answer_position_fn)(struct exchange *exchange, int64_t position);
void job_answer_ask_position(struct exchange *exchange, const struct json *document, job_answer_position_fn fn);

#endif
