/*
 * The queue's contract (one Redis stream, leases, fences) as commands to send and replies to read. It sends nothing
 * itself: the gateway sends by redis_async, tests by redis_client. A queue's keys share the hash tag {queue}.
 */
#ifndef COMMON_JOB_JOB_QUEUE_H
#define COMMON_JOB_JOB_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/job/job.h"
#include "common/job/job_queue_target.h"
#include "common/net/redis_command.h"
#include "common/net/redis_reply.h"

enum { JOB_QUEUE_STREAM_ID_BYTES = 48, JOB_QUEUE_JOB_TTL_S = 86400 };

/* A delivered stream entry. */
struct job_queue_entry {
    char stream_id[JOB_QUEUE_STREAM_ID_BYTES];
    char job_id[JOB_ID_BYTES];
};

/* A running attempt: what every later call proves itself by. */
struct job_queue_lease {
    struct job_queue_entry entry;
    int64_t fence;
    int attempt;
    enum job_type type;
    char shop[64];
};

/* Group and stream at start: XGROUP CREATE … 0 MKSTREAM. BUSYGROUP is success. */
void job_queue_group_command(struct redis_command *command, const char *queue);
enum err_code job_queue_group_parse(const struct redis_reply *reply, struct err *err) MUST_CHECK;

struct job_queue_enqueue {
    const char *queue;
    const char *id;
    enum job_type type;
    const char *shop;
    const char *args; /* {"params":…,"namespace":…} as JSON text, given back by start */
    const char *client;
    int max_errors;
    int max_lost;
    int64_t run_at_ms;
    const char *idempotency_hash; /* NULL: none */
    const char *fingerprint;
    int generation; /* how often the job was retried: a HASH of an earlier one that ended is made anew */
};

enum job_queue_enqueued { JOB_QUEUE_NEW, JOB_QUEUE_REPLAY, JOB_QUEUE_MISMATCH, JOB_QUEUE_DUPLICATE };
void job_queue_enqueue_command(struct redis_command *command, const struct job_queue_enqueue *job);
/* id[JOB_ID_BYTES]: the job that the answer speaks of */
enum err_code job_queue_enqueue_parse(const struct redis_reply *reply, enum job_queue_enqueued *out, char *id,
                                      struct err *err) MUST_CHECK;

/* One entry idle for lease_ms: XPENDING … IDLE, then XCLAIM of what it names (min-idle again, so two claimers never
 * both win). JOB id "" in *entry: nothing there. */
void job_queue_idle_command(struct redis_command *command, const char *queue, int64_t lease_ms);
enum err_code job_queue_idle_parse(const struct redis_reply *reply, struct job_queue_entry *entry,
                                   struct err *err) MUST_CHECK; /* only stream_id is known */
void job_queue_claim_command(struct redis_command *command, const char *queue, const char *worker, int64_t lease_ms,
                             const char *stream_id);
void job_queue_read_command(struct redis_command *command, const char *queue, const char *worker, int64_t block_ms);
/* Of both. NOGROUP comes as ERR_NOT_FOUND. An entry that names no job gets the id "-": start acks it as GONE. */
enum err_code job_queue_entry_parse(const struct redis_reply *reply, struct job_queue_entry *entry,
                                    struct err *err) MUST_CHECK;

enum job_queue_started {
    JOB_QUEUE_RUN,
    JOB_QUEUE_STALE, /* another entry or state: acked, as are GONE, CANCELLED and DEAD */
    JOB_QUEUE_GONE,
    JOB_QUEUE_START_CANCELLED,
    JOB_QUEUE_START_DEAD,
    JOB_QUEUE_HELD, /* its owner beats: leave it */
    JOB_QUEUE_PAUSED
};
/* The job's HASH: its member `uniq` names the unique lock, for start (NULL: there is no HASH) and promote. */
void job_queue_describe_command(struct redis_command *command, const char *queue, const char *id);
/* ERR_NOT_FOUND: no HASH. *document: {type, args, state, errs, max_errs, uniq, …}, all texts, for the caller. */
enum err_code job_queue_describe_parse(const struct redis_reply *reply, struct json **document,
                                       struct err *err) MUST_CHECK;
void job_queue_start_command(struct redis_command *command, const char *queue, const struct job_queue_entry *entry,
                             const char *unique_key, const char *worker, int64_t lease_ms, int64_t floor_fence);
/* *args: malloc'd JSON text for JOB_QUEUE_RUN, else NULL. The caller copies the entry into the lease. */
enum err_code job_queue_start_parse(const struct redis_reply *reply, enum job_queue_started *out,
                                    struct job_queue_lease *lease, char **args, struct err *err) MUST_CHECK;

enum job_queue_beaten { JOB_QUEUE_BEAT_LOST = -1, JOB_QUEUE_BEAT_OK = 0, JOB_QUEUE_BEAT_CANCEL = 1 };
void job_queue_beat_command(struct redis_command *command, const char *queue, const struct job_queue_lease *lease,
                            const char *worker, double progress /* 0..1 */, const char *stage);
enum err_code job_queue_beat_parse(const struct redis_reply *reply, enum job_queue_beaten *out,
                                   struct err *err) MUST_CHECK;

enum job_queue_finished { JOB_QUEUE_FINISH_OK, JOB_QUEUE_FINISH_FENCED, JOB_QUEUE_FINISH_CANCELLED };
/* retry_delay_ms < 0: `state` is final; else the job goes to `retrying`. error: JSON text or "". */
void job_queue_finish_command(struct redis_command *command, const char *queue, const struct job_queue_lease *lease,
                              enum job_state state, const char *error, int64_t retry_delay_ms);
enum err_code job_queue_finish_parse(const struct redis_reply *reply, enum job_queue_finished *out,
                                     struct err *err) MUST_CHECK;

/* SIGTERM: back at once, the attempt not counted. *fenced: the job is another's by now. */
void job_queue_release_command(struct redis_command *command, const char *queue, const struct job_queue_lease *lease,
                               const char *worker);
enum err_code job_queue_release_parse(const struct redis_reply *reply, bool *fenced, struct err *err) MUST_CHECK;

/* Due ids of `delay` (ZRANGEBYSCORE … LIMIT 0 100), then one promote for each: 1 queued, 0 nothing, -1 superseded. */
void job_queue_due_command(struct redis_command *command, const char *queue, int64_t now_ms);
void job_queue_promote_command(struct redis_command *command, const char *queue, const char *id,
                               const char *unique_key);

/* The next fence by start's rule, for --once: max(last + 1, Redis TIME in ms, floor + 1). Replies an integer text. */
void job_queue_fence_command(struct redis_command *command, const char *queue, int64_t floor_fence);

/* q:{queue}:u:<type>:<shop>, malloc'd. */
char *job_queue_unique_key(const char *queue, enum job_type type, const char *shop);

#endif
