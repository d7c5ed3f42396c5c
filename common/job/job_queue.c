/* The producer's side: enqueue, promotion, fences of the targets. The consumer's is job_queue_worker.c. */
#include "common/job/job_queue.h"

#include <string.h>

#include "common/base/str.h"
#include "common/job/job_queue_keys.h"
#include "common/job/job_scripts.h"

enum { IDEMPOTENCY_TTL_MS = 86400000, DUE_AT_ONCE = 100 };

char *job_queue_unique_key(const char *queue, enum job_type type, const char *shop)
{
    return str_format("q:{%s}:u:%s:%s", queue, job_type_name(type), shop);
}

void job_queue_group_command(struct redis_command *command, const char *queue)
{
    redis_command_init(command, "XGROUP");
    redis_command_add(command, "CREATE");
    job_queue_add_key(command, queue, "s");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, "0");
    redis_command_add(command, "MKSTREAM");
}

enum err_code job_queue_group_parse(const struct redis_reply *reply, struct err *err)
{
    return redis_reply_is_error(reply, "BUSYGROUP") ? ERR_OK : redis_reply_check(reply, err);
}

void job_queue_enqueue_command(struct redis_command *command, const struct job_queue_enqueue *job)
{
    const char *queue = job->queue;
    const char *const idempotency[] = {"q:{", queue, "}:idem:", job->idempotency_hash};
    const char *const none[] = {"q:{", queue, "}:j:", job->id, ":noidem"};
    const char *const unique[] = {"q:{", queue, "}:u:", job_type_name(job->type), ":", job->shop};

    redis_command_init_script(command, &job_script_enqueue, 7);
    if (job->idempotency_hash != NULL)
        redis_command_add_joined(command, idempotency, sizeof idempotency / sizeof idempotency[0]);
    else
        redis_command_add_joined(command, none, sizeof none / sizeof none[0]);
    redis_command_add_joined(command, unique, sizeof unique / sizeof unique[0]);
    job_queue_add_job_key(command, queue, job->id);
    job_queue_add_key(command, queue, "s");
    job_queue_add_key(command, queue, "open");
    job_queue_add_key(command, queue, "delay");
    job_queue_add_key(command, queue, "ev");
    redis_command_add(command, job->id);
    redis_command_add(command, job_type_name(job->type));
    redis_command_add(command, job->args);
    redis_command_add(command, job->client);
    redis_command_add_int(command, job->max_errors);
    redis_command_add_int(command, job->max_lost);
    redis_command_add_int(command, job->run_at_ms);
    redis_command_add_int(command, IDEMPOTENCY_TTL_MS);
    redis_command_add(command, job->fingerprint);
    job_queue_add_job_key(command, queue, "");
    redis_command_add_int(command, job->generation);
}

enum err_code job_queue_enqueue_parse(const struct redis_reply *reply, enum job_queue_enqueued *out, char *id,
                                      struct err *err)
{
    static const char *const words[] = {
        [JOB_QUEUE_NEW] = "NEW",
        [JOB_QUEUE_REPLAY] = "REPLAY",
        [JOB_QUEUE_MISMATCH] = "IDEM_MISMATCH",
        [JOB_QUEUE_DUPLICATE] = "DUP",
    };
    const char *word = redis_reply_text(redis_reply_at(reply, 0));
    const char *named = redis_reply_text(redis_reply_at(reply, 1));
    enum err_code rc = redis_reply_check(reply, err);

    if (rc != ERR_OK)
        return rc;
    for (unsigned i = 0; word != NULL && named != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) != 0 || strlen(named) >= JOB_ID_BYTES)
            continue;
        *out = (enum job_queue_enqueued)i;
        str_copy(id, JOB_ID_BYTES, named);
        return ERR_OK;
    }
    return ERR_SET(err, ERR_REMOTE, "enqueue: an answer that is not of the script");
}

void job_queue_due_command(struct redis_command *command, const char *queue, int64_t now_ms)
{
    redis_command_init(command, "ZRANGEBYSCORE");
    job_queue_add_key(command, queue, "delay");
    redis_command_add(command, "-inf");
    redis_command_add_int(command, now_ms);
    redis_command_add(command, "LIMIT");
    redis_command_add(command, "0");
    redis_command_add_int(command, DUE_AT_ONCE);
}

void job_queue_promote_command(struct redis_command *command, const char *queue, const char *id, const char *unique_key)
{
    redis_command_init_script(command, &job_script_promote, 6);
    job_queue_add_key(command, queue, "delay");
    job_queue_add_job_key(command, queue, id);
    job_queue_add_key(command, queue, "s");
    job_queue_add_key(command, queue, "open");
    redis_command_add(command, unique_key);
    job_queue_add_key(command, queue, "ev");
    redis_command_add(command, id);
    redis_command_add_format(command, "q:{%s}:j:", queue);
    redis_command_add_int(command, JOB_QUEUE_JOB_TTL_S);
}

void job_queue_fence_command(struct redis_command *command, const char *queue, int64_t floor_fence)
{
    redis_command_init_script(command, &job_script_fence, 1);
    job_queue_add_key(command, queue, "fence");
    redis_command_add_int(command, floor_fence);
}

void job_queue_publish_command(struct redis_command *command, const char *fence_key, int64_t fence, int64_t ttl_s)
{
    redis_command_init_script(command, &job_script_publish, 1);
    redis_command_add(command, fence_key);
    redis_command_add_int(command, fence);
    redis_command_add_int(command, ttl_s);
}

void job_queue_prune_command(struct redis_command *command, const char *fence_key, const char *index_key, int64_t fence)
{
    redis_command_init_script(command, &job_script_prune, 2);
    redis_command_add(command, fence_key);
    redis_command_add(command, index_key);
    redis_command_add_int(command, fence);
}

enum err_code job_queue_publish_parse(const struct redis_reply *reply, int64_t *written, int64_t *sink_fence,
                                      struct err *err)
{
    enum err_code rc = redis_reply_check(reply, err);

    if (rc != ERR_OK)
        return rc;
    if (!redis_reply_to_int64(redis_reply_at(reply, 0), written) ||
        !redis_reply_to_int64(redis_reply_at(reply, 1), sink_fence))
        return ERR_SET(err, ERR_REMOTE, "publish: an answer that is not of the script");
    return ERR_OK;
}
