/*
 * The queue's contract for those who look after it (job_queue.h is for those who work): cancel, pause, upkeep, counts,
 * workers, events. Commands to send and replies to read; it sends nothing itself.
 */
#ifndef COMMON_JOB_JOB_QUEUE_CONTROL_H
#define COMMON_JOB_JOB_QUEUE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/job/job.h"
#include "common/job/job_queue.h"
#include "common/net/json_value.h"
#include "common/net/redis_command.h"
#include "common/net/redis_reply.h"

/* Cancel */
enum job_queue_cancel {
    JOB_QUEUE_CANCEL_NOT_FOUND,  /* no HASH */
    JOB_QUEUE_CANCEL_REQUESTED,  /* it runs: its worker is told by its next beat */
    JOB_QUEUE_CANCEL_DONE,       /* it waited; also when the same call comes again */
    JOB_QUEUE_CANCEL_TERMINAL,   /* it ended before */
    JOB_QUEUE_CANCEL_PUBLISHING, /* it runs and publishes already: it ends as it would have */
};
void job_queue_cancel_command(struct redis_command *command, const char *queue, const char *id, const char *unique_key,
                              const char *reason);
enum err_code job_queue_cancel_parse(const struct redis_reply *reply, enum job_queue_cancel *out,
                                     struct err *err) MUST_CHECK;

/* What another queue knows of an idempotency key, which enqueue asks its own alone: NEW (nothing), REPLAY or MISMATCH.
 */
void job_queue_idempotency_command(struct redis_command *command, const char *queue, const char *idempotency_hash);
enum err_code job_queue_idempotency_parse(const struct redis_reply *reply, const char *fingerprint,
                                          enum job_queue_enqueued *out, char *id, struct err *err) MUST_CHECK;

/* Pause: workers start nothing until resumed. Both are idempotent. */
void job_queue_pause_command(struct redis_command *command, const char *queue);
void job_queue_resume_command(struct redis_command *command, const char *queue);

/* Upkeep, each safe beside other replicas' */
/* Up to `limit` ids of `open`, oldest first, for repair: ZRANGE from `start`. */
void job_queue_open_command(struct redis_command *command, const char *queue, int64_t start, int limit);
enum job_queue_repaired {
    JOB_QUEUE_REPAIR_NOTHING, /* pending, queued, or beat a moment ago */
    JOB_QUEUE_REPAIR_REMOVED, /* gone or closed: out of `open` */
    JOB_QUEUE_REPAIR_REQUEUED /* its entry was lost */
};
void job_queue_repair_command(struct redis_command *command, const char *queue, const char *id, int64_t lease_ms);
enum err_code job_queue_repair_parse(const struct redis_reply *reply, enum job_queue_repaired *out,
                                     struct err *err) MUST_CHECK;
void job_queue_trim_command(struct redis_command *command, const char *queue);
void job_queue_collect_consumers_command(struct redis_command *command, const char *queue, int64_t idle_ms);

/* Counts */
struct job_queue_counts {
    int64_t by_state[JOB_STATE_COUNT]; /* of live jobs: scheduled, queued, running, retrying */
    int64_t open;                      /* queued + running: what an autoscaler reads */
    int64_t oldest_queued_ms;          /* unix time it was enqueued; 0: none waits */
    int64_t lag;                       /* entries not delivered; -1: unknown, which is a defect */
    int64_t pending;                   /* delivered, not acked */
    int64_t stream_length;
    bool paused;
};
void job_queue_counts_command(struct redis_command *command, const char *queue);
enum err_code job_queue_counts_parse(const struct redis_reply *reply, struct job_queue_counts *out,
                                     struct err *err) MUST_CHECK;

/* How many jobs start before this one, and itself: 1 is the next. 0: it does not wait in the stream. */
void job_queue_position_command(struct redis_command *command, const char *queue, const char *id);
enum err_code job_queue_position_parse(const struct redis_reply *reply, int64_t *position, struct err *err) MUST_CHECK;

/* Workers: an entry lives 60 s beyond its last renewal. Texts are borrowed. */
struct job_queue_worker {
    const char *name;
    const char *host;
    const char *device; /* "cpu", or the name of the GPU */
    const char *version;
    const char *job;   /* "": none */
    const char *state; /* working, stopping */
    const char *queues;
    int64_t pid;
    int64_t started_ms;
};
void job_queue_register_command(struct redis_command *command, const char *queue,
                                const struct job_queue_worker *worker);
void job_queue_unregister_command(struct redis_command *command, const char *queue, const char *worker);
/* At most 1,000. *out: array of {worker, host, pid, device, version, job|null, state, queues, heartbeat_at, started_at}
 * as GET /v1/workers shows them, ordered by name. */
void job_queue_workers_command(struct redis_command *command, const char *queue);
enum err_code job_queue_workers_parse(const struct redis_reply *reply, struct json **out, struct err *err) MUST_CHECK;

/* Events: every transition, and coarse progress. */
struct job_queue_event {
    char stream_id[JOB_QUEUE_STREAM_ID_BYTES];
    char job_id[JOB_ID_BYTES];
    enum job_state state;
    char stage[32];  /* "" where the event is a transition */
    double progress; /* 0..1; -1 where the event is a transition */
};
/* One blocking read of several queues' events behind `after[i]` ("$": from now on). */
void job_queue_events_command(struct redis_command *command, const char *const *queues, const char *const *after,
                              size_t count, int64_t block_ms, int limit);
/* What is kept of one queue behind `after`: XRANGE (after +. */
void job_queue_events_since_command(struct redis_command *command, const char *queue, const char *after, int limit);
/* Tells followers of an end that the queue has no HASH for any more. */
void job_queue_tell_command(struct redis_command *command, const char *queue, const char *id, enum job_state state);
/* The id of a queue's newest event, "0-0" where there is none, into stream_id[JOB_QUEUE_STREAM_ID_BYTES]. */
void job_queue_events_last_command(struct redis_command *command, const char *queue);
enum err_code job_queue_events_last_parse(const struct redis_reply *reply, char *stream_id, struct err *err) MUST_CHECK;

/* For each event in order; `queue` is its index in the command, 0 for events_since. What cannot be read is skipped. */
typedef void (*job_queue_event_fn)(void *context, size_t queue, const struct job_queue_event *event);
enum err_code job_queue_events_parse(const struct redis_reply *reply, const char *const *queues, size_t count,
                                     job_queue_event_fn fn, void *context, struct err *err) MUST_CHECK;
enum err_code job_queue_events_since_parse(const struct redis_reply *reply, job_queue_event_fn fn, void *context,
                                           struct err *err) MUST_CHECK;

#endif
