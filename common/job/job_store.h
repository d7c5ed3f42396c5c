/*
 * Where job documents and reports live: MongoDB or SQLite behind one vtable. Calls block: on an event loop they go
 * through its thread pool. Thread-safe. Documents are JSON objects; members that end in `_at` are times (ISO 8601 text
 * here, dates in MongoDB), `fence` is a 64-bit integer. Both stores give back equal JSON.
 */
#ifndef COMMON_JOB_JOB_STORE_H
#define COMMON_JOB_JOB_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/job/job.h"
#include "common/net/json_value.h"

struct job_store;

/* mongodb://…/database or sqlite:PATH. Creates what is missing (tables, collections, indexes); retention_days is kept
 * as a TTL index or a sweep. A store that is away is ERR_UNAVAILABLE. */
enum err_code job_store_open(struct job_store **out, const char *url, int retention_days, struct err *err) MUST_CHECK;
void job_store_close(struct job_store *store);

/* "mongodb" or "sqlite" */
const char *job_store_kind(const struct job_store *store);

/* A cheap round trip. */
enum err_code job_store_ping(struct job_store *store, struct err *err) MUST_CHECK;

/* Durable when it returns (majority + journal; synchronous=FULL). ERR_EXISTS: that _id is there. */
enum err_code job_store_insert(struct job_store *store, const struct json *document, struct err *err) MUST_CHECK;

/* A document as one line of JSON, its times in the form of clock_format_iso8601, and what is searched of it. */
struct job_store_text {
    const char *id;
    const char *state;
    const char *type;
    const char *created_at;
    int64_t fence;
    const char *text;
};

/* Many at once, in one commit where the store can: results[i] is ERR_OK, ERR_EXISTS, or why document i is not there.
 * The call itself fails where one of them is no document, and nothing is stored then, or where the store fails: then
 * nothing is known to be stored. */
enum err_code job_store_insert_many(struct job_store *store, const struct job_store_text *documents, size_t count,
                                    enum err_code *results, struct err *err) MUST_CHECK;
/* One; errors as of job_store_insert. */
enum err_code job_store_insert_text(struct job_store *store, const struct job_store_text *document,
                                    struct err *err) MUST_CHECK;

/* ERR_NOT_FOUND, or the document for the caller to destroy. */
enum err_code job_store_get(struct job_store *store, const char *id, struct json **out, struct err *err) MUST_CHECK;

/* Sets members where _id = id, document.fence <= fence and its state is not terminal; also sets fence. *applied tells
 * whether it did. */
enum err_code job_store_update(struct job_store *store, const char *id, int64_t fence, const struct json *changes,
                               bool *applied, struct err *err) MUST_CHECK;

/* Several such updates, in one commit where the store can; what does not apply stays as it is. Where it fails, some may
 * be done. */
struct job_store_change {
    const char *id;
    int64_t fence;
    const struct json *changes;
};
enum err_code job_store_update_many(struct job_store *store, const struct job_store_change *changes, size_t count,
                                    struct err *err) MUST_CHECK;

/* Sets `cancel` where the state is not terminal; *applied tells whether it did. What re-enqueues the job honours it. */
enum err_code job_store_request_cancel(struct job_store *store, const char *id, const char *reason, bool *applied,
                                       struct err *err) MUST_CHECK;

/* For retry: where the state is dead or cancelled, makes it `accepted` again: counters, stage, progress, worker, error,
 * result, cancel and times as of a new job, generation + 1, fence + 1 (so that no earlier run can write to it).
 * *out: the document as it is now; ERR_NOT_FOUND; ERR_EXISTS where it is in another state. */
enum err_code job_store_reopen(struct job_store *store, const char *id, struct json **out, struct err *err) MUST_CHECK;

/* Deletes the document if it is still `accepted`. */
enum err_code job_store_delete_accepted(struct job_store *store, const char *id, struct err *err) MUST_CHECK;

/* Keeps the report {_id: job id, type, namespace, fence, created_at, …}; an older fence changes nothing. Its member
 * `analytics` becomes a report of its own: {_id: job id ".analytics", type: "analytics", job, namespace, created_at,
 * …}. */
enum err_code job_store_put_report(struct job_store *store, const char *id, int64_t fence, const struct json *report,
                                   bool *applied, struct err *err) MUST_CHECK;
enum err_code job_store_get_report(struct job_store *store, const char *id, struct json **out,
                                   struct err *err) MUST_CHECK;

/* The newest report of that type and shop whose member `published` is true (what the publish guard compares with);
 * ERR_NOT_FOUND when there is none. */
enum err_code job_store_last_published(struct job_store *store, enum job_type type, const char *shop, struct json **out,
                                       struct err *err) MUST_CHECK;

/* The newest analytics of that shop; ERR_NOT_FOUND when there are none. */
enum err_code job_store_latest_analytics(struct job_store *store, const char *shop, struct json **out,
                                         struct err *err) MUST_CHECK;

/* What to list; NULL for any. */
struct job_store_filter {
    const char *state;
    const char *type;
    const char *shop;
    const char *before; /* an _id to go on behind */
    int limit;
};

/* Newest first. *out: an array of documents. */
enum err_code job_store_find(struct job_store *store, const struct job_store_filter *filter, struct json **out,
                             struct err *err) MUST_CHECK;

/* Documents whose state is not terminal and that were created before a time, oldest first, behind the _id `after`
 * (NULL: from the start): what the re-enqueue looks at. */
enum err_code job_store_list_unfinished(struct job_store *store, int64_t created_before_ms, const char *after,
                                        int limit, struct json **out, struct err *err) MUST_CHECK;

/* When a job of each type and shop last succeeded: an array of {type, namespace, finished_at}. */
enum err_code job_store_last_successes(struct job_store *store, struct json **out, struct err *err) MUST_CHECK;

#endif
