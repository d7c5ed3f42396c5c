/*
 * What the queue's HASH knows of a live job, laid over the store's document. The document turns terminal before the
 * HASH does, so a terminal document is the last word.
 */
#ifndef GATEWAY_JOB_OVERLAY_H
#define GATEWAY_JOB_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/json_value.h"

bool job_overlay_is_terminal(const struct json *document);

/* Whether the HASH is of a run before the document's: of an earlier fence or, before its first run, of an earlier
 * generation. */
bool job_overlay_is_earlier(const struct json *document, const struct json *fields);

/* Sets state, stage, progress, attempt, errors, lost, worker, fence, error, cancel and times of `document` from the
 * HASH (a JSON object of texts), unless the document is terminal or the HASH is earlier. false: out of memory. */
bool job_overlay_apply(struct json *document, const struct json *fields);

/* A document from the HASH alone, for when the store is away. NULL when out of memory or when the HASH is none of a
 * job. */
struct json *job_overlay_document(const char *id, const char *queue, const struct json *fields);

/* The HTTP view of such a document; `stalled` where a running job has not beaten for lease_ms. NULL: no memory. */
struct json *job_overlay_view(const struct json *document, int64_t now_ms, int64_t lease_ms);

/* Milliseconds since 1970 of a ULID; -1 where it is none. */
int64_t job_overlay_id_time_ms(const char *id);

#endif
