/*
 * What a job is: types, states, ids, and the JSON document that the store keeps and HTTP shows.
 */
#ifndef COMMON_JOB_JOB_H
#define COMMON_JOB_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/net/json_value.h"

enum job_type {
    JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS,
    JOB_CROSS_SELL,
    JOB_HYPERPARAMETER_SEARCH,
    JOB_WAREHOUSE,
    JOB_TYPE_COUNT
};

/* accepted → scheduled | queued; scheduled → queued → running → succeeded | retrying → queued … | dead | cancelled |
 * superseded */
enum job_state {
    JOB_ACCEPTED,
    JOB_SCHEDULED,
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_RETRYING,
    JOB_SUCCEEDED,
    JOB_DEAD,
    JOB_CANCELLED,
    JOB_SUPERSEDED,
    JOB_STATE_COUNT
};

enum { JOB_ID_BYTES = 27 }; /* a ULID: 26 characters, sortable by time, and the terminator */

const char *job_type_name(enum job_type type);
bool job_type_parse(const char *name, enum job_type *out);
const char *job_state_name(enum job_state state);
bool job_state_parse(const char *name, enum job_state *out);
bool job_state_is_terminal(enum job_state state);

/*
 * ULIDs that ascend also within a millisecond: there each is one more than the last (the specification's monotonic
 * form), so that a store appends them and a list has them in their order. {0} at first; of one thread.
 */
struct job_id_source {
    int64_t unix_ms; /* of the last one */
    unsigned char chance[10];
};

/* The next one, from the clock and the kernel's random numbers, into out[JOB_ID_BYTES]. */
enum err_code job_id_next(char *out, struct job_id_source *source, const struct clock_source *clock,
                          struct err *err) MUST_CHECK;

/* One that is alone. */
enum err_code job_id_generate(char *out, const struct clock_source *clock, struct err *err) MUST_CHECK;
bool job_id_is_valid(const char *text);

/* What a request asks for. Texts are borrowed. */
struct job_request {
    const char *id;
    enum job_type type;
    const char *shop; /* namespace */
    const char *queue;
    const struct json *params; /* checked by job_params */
    const char *requested_by;  /* the key's name */
    int64_t run_at_ms;         /* 0: now */
    int max_errors;
    int max_lost;
    const char *idempotency_hash; /* NULL: none */
    const char *fingerprint;      /* of the body; "" without a key */
};

/*
 * The document of a new job, state accepted, fence 0. Members: _id, type, namespace, queue, params, run_at, max_errors,
 * max_lost, idempotency_hash, fingerprint, cancel, state, stage, progress, attempt, errors, lost, fence, generation
 * (how often it was retried), worker,
 * backend, requested_by, created_at, queued_at, started_at, heartbeat_at, finished_at (ISO 8601 or null), error
 * {code, message, transient} or null, result or null. NULL when out of memory.
 */
struct json *job_document_create(const struct job_request *request, int64_t now_ms);

/* The HTTP view (api.md) of a document: id instead of _id, links, nothing internal. NULL when out of memory. */
struct json *job_document_view(const struct json *document);

/* Sets a member to the ISO 8601 text of a time, or null for 0. */
bool job_document_set_time(struct json *document, const char *key, int64_t unix_ms);

#endif
