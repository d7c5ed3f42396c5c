/* The consumer's side: read, claim, start, beat, finish, release. */
#include "common/base/str.h"
#include "common/job/job_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/job/job_queue_keys.h"
#include "common/job/job_scripts.h"

void job_queue_idle_command(struct redis_command *command, const char *queue, int64_t lease_ms)
{
    redis_command_init(command, "XPENDING");
    job_queue_add_key(command, queue, "s");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, "IDLE");
    redis_command_add_int(command, lease_ms);
    redis_command_add(command, "-");
    redis_command_add(command, "+");
    redis_command_add(command, "1");
}

/* NOGROUP is told apart: the group has to be made anew. */
static enum err_code check_group(const struct redis_reply *reply, struct err *err)
{
    if (redis_reply_is_error(reply, "NOGROUP"))
        return ERR_SET(err, ERR_NOT_FOUND, "Redis: %s", redis_reply_text(reply));
    return redis_reply_check(reply, err);
}

static enum err_code copy_stream_id(struct job_queue_entry *entry, const struct redis_reply *reply, struct err *err)
{
    const char *text = redis_reply_text(reply);

    if (text == NULL || strlen(text) >= sizeof entry->stream_id)
        return ERR_SET(err, ERR_REMOTE, "the queue's stream has an entry without an id");
    str_copy(entry->stream_id, sizeof entry->stream_id, text);
    return ERR_OK;
}

enum err_code job_queue_idle_parse(const struct redis_reply *reply, struct job_queue_entry *entry, struct err *err)
{
    enum err_code rc = check_group(reply, err);

    *entry = (struct job_queue_entry){0};
    if (rc != ERR_OK || redis_reply_count(reply) == 0)
        return rc;
    return copy_stream_id(entry, redis_reply_at(redis_reply_at(reply, 0), 0), err);
}

void job_queue_claim_command(struct redis_command *command, const char *queue, const char *worker, int64_t lease_ms,
                             const char *stream_id)
{
    redis_command_init(command, "XCLAIM");
    job_queue_add_key(command, queue, "s");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, worker);
    redis_command_add_int(command, lease_ms);
    redis_command_add(command, stream_id);
}

void job_queue_read_command(struct redis_command *command, const char *queue, const char *worker, int64_t block_ms)
{
    redis_command_init(command, "XREADGROUP");
    redis_command_add(command, "GROUP");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, worker);
    redis_command_add(command, "COUNT");
    redis_command_add(command, "1");
    if (block_ms > 0) {
        redis_command_add(command, "BLOCK");
        redis_command_add_int(command, block_ms);
    }
    redis_command_add(command, "STREAMS");
    job_queue_add_key(command, queue, "s");
    redis_command_add(command, ">");
}

/* XREADGROUP: [[stream, [[id, [field, value, …]]]]]; XCLAIM: [[id, [field, value, …]]], the entry nil when trimmed. */
enum err_code job_queue_entry_parse(const struct redis_reply *reply, struct job_queue_entry *entry, struct err *err)
{
    const struct redis_reply *message = redis_reply_at(reply, 0);
    const struct redis_reply *fields;
    enum err_code rc = check_group(reply, err);

    *entry = (struct job_queue_entry){0};
    if (rc != ERR_OK || redis_reply_count(message) == 0)
        return rc;
    if (redis_reply_kind(redis_reply_at(redis_reply_at(message, 1), 0)) == REDIS_REPLY_KIND_ARRAY)
        message = redis_reply_at(redis_reply_at(message, 1), 0);
    rc = copy_stream_id(entry, redis_reply_at(message, 0), err);
    fields = redis_reply_at(message, 1);
    for (size_t i = 0; rc == ERR_OK && i + 1 < redis_reply_count(fields); i += 2) {
        const char *name = redis_reply_text(redis_reply_at(fields, i));
        const char *value = redis_reply_text(redis_reply_at(fields, i + 1));

        if (name != NULL && value != NULL && strcmp(name, "id") == 0 && job_id_is_valid(value))
            str_copy(entry->job_id, sizeof entry->job_id, value);
    }
    if (rc == ERR_OK && entry->job_id[0] == '\0')
        (void)snprintf(entry->job_id, sizeof entry->job_id, "-"); /* nobody's: start acks it as GONE */
    return rc;
}

void job_queue_describe_command(struct redis_command *command, const char *queue, const char *id)
{
    redis_command_init(command, "HGETALL");
    job_queue_add_job_key(command, queue, id);
}

enum err_code job_queue_describe_parse(const struct redis_reply *reply, struct json **document, struct err *err)
{
    enum err_code rc = redis_reply_check(reply, err);
    struct json *fields;

    *document = NULL;
    if (rc != ERR_OK)
        return rc;
    if (redis_reply_count(reply) == 0)
        return ERR_SET(err, ERR_NOT_FOUND, "the queue knows no such job");
    fields = json_value_new_object();
    if (fields == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a job of the queue");
    for (size_t i = 0; rc == ERR_OK && i + 1 < redis_reply_count(reply); i += 2) {
        const char *name = redis_reply_text(redis_reply_at(reply, i));
        const char *value = redis_reply_text(redis_reply_at(reply, i + 1));

        if (name == NULL || value == NULL)
            rc = ERR_SET(err, ERR_REMOTE, "the queue's job is no HASH of texts");
        else if (!json_value_set_text(fields, name, value))
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a job of the queue");
    }
    if (rc != ERR_OK) {
        json_value_destroy(fields);
        return rc;
    }
    *document = fields;
    return ERR_OK;
}

void job_queue_start_command(struct redis_command *command, const char *queue, const struct job_queue_entry *entry,
                             const char *unique_key, const char *worker, int64_t lease_ms, int64_t floor_fence)
{
    redis_command_init_script(command, &job_script_start, 7);
    job_queue_add_job_key(command, queue, entry->job_id);
    job_queue_add_key(command, queue, "s");
    job_queue_add_key(command, queue, "open");
    job_queue_add_key(command, queue, "fence");
    if (unique_key != NULL)
        redis_command_add(command, unique_key);
    else
        job_queue_add_key(command, queue, "u:-");
    job_queue_add_key(command, queue, "ev");
    job_queue_add_key(command, queue, "paused");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, entry->stream_id);
    redis_command_add(command, entry->job_id);
    redis_command_add(command, worker);
    redis_command_add_int(command, JOB_QUEUE_JOB_TTL_S);
    redis_command_add_int(command, lease_ms);
    redis_command_add_int(command, floor_fence);
}

static bool read_shop(struct job_queue_lease *lease, const char *args)
{
    struct json *parsed;
    const char *shop;
    bool fits;

    if (json_value_parse(&parsed, args, strlen(args), NULL) != ERR_OK)
        return false;
    shop = json_value_get_text(parsed, "namespace");
    fits = shop == NULL || strlen(shop) < sizeof lease->shop;
    str_copy(lease->shop, sizeof lease->shop, shop != NULL ? shop : "");
    json_value_destroy(parsed);
    return fits;
}

/* {RUN, fence, attempt, type, args} */
static enum err_code parse_run(const struct redis_reply *reply, struct job_queue_lease *lease, char **args,
                               struct err *err)
{
    const char *type = redis_reply_text(redis_reply_at(reply, 3));
    const char *text = redis_reply_text(redis_reply_at(reply, 4));
    int64_t attempt;

    if (!redis_reply_to_int64(redis_reply_at(reply, 1), &lease->fence) ||
        !redis_reply_to_int64(redis_reply_at(reply, 2), &attempt) || text == NULL)
        return ERR_SET(err, ERR_REMOTE, "start: an answer that is not of the script");
    lease->attempt = (int)attempt;
    if (type == NULL || !job_type_parse(type, &lease->type) || !read_shop(lease, text))
        return ERR_SET(err, ERR_FORMAT, "start: the job's type or arguments cannot be read");
    *args = strdup(text);
    return *args != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for a job's arguments");
}

enum err_code job_queue_start_parse(const struct redis_reply *reply, enum job_queue_started *out,
                                    struct job_queue_lease *lease, char **args, struct err *err)
{
    static const char *const words[] = {
        [JOB_QUEUE_RUN] = "RUN",         [JOB_QUEUE_STALE] = "STALE",
        [JOB_QUEUE_GONE] = "GONE",       [JOB_QUEUE_START_CANCELLED] = "CANCELLED",
        [JOB_QUEUE_START_DEAD] = "DEAD", [JOB_QUEUE_HELD] = "HELD",
        [JOB_QUEUE_PAUSED] = "PAUSED",
    };
    const char *word = redis_reply_text(redis_reply_at(reply, 0));
    enum err_code rc = redis_reply_check(reply, err);

    *args = NULL;
    if (rc != ERR_OK)
        return rc;
    for (unsigned i = 0; word != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) != 0)
            continue;
        *out = (enum job_queue_started)i;
        return *out == JOB_QUEUE_RUN ? parse_run(reply, lease, args, err) : ERR_OK;
    }
    return ERR_SET(err, ERR_REMOTE, "start: an answer that is not of the script");
}

void job_queue_beat_command(struct redis_command *command, const char *queue, const struct job_queue_lease *lease,
                            const char *worker, double progress, const char *stage)
{
    redis_command_init_script(command, &job_script_beat, 3);
    job_queue_add_job_key(command, queue, lease->entry.job_id);
    job_queue_add_key(command, queue, "s");
    job_queue_add_key(command, queue, "ev");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, lease->entry.stream_id);
    redis_command_add(command, worker);
    redis_command_add_int(command, lease->fence);
    redis_command_add_format(command, "%.4f", progress);
    redis_command_add(command, stage);
    redis_command_add(command, lease->entry.job_id);
}

enum err_code job_queue_beat_parse(const struct redis_reply *reply, enum job_queue_beaten *out, struct err *err)
{
    enum err_code rc = redis_reply_check(reply, err);
    int64_t answer;

    if (rc != ERR_OK)
        return rc;
    if (!redis_reply_to_int64(reply, &answer) || answer < JOB_QUEUE_BEAT_LOST || answer > JOB_QUEUE_BEAT_CANCEL)
        return ERR_SET(err, ERR_REMOTE, "beat: an answer that is not of the script");
    *out = (enum job_queue_beaten)answer;
    return ERR_OK;
}

void job_queue_finish_command(struct redis_command *command, const char *queue, const struct job_queue_lease *lease,
                              enum job_state state, const char *error, int64_t retry_delay_ms)
{
    redis_command_init_script(command, &job_script_finish, 6);
    job_queue_add_job_key(command, queue, lease->entry.job_id);
    job_queue_add_key(command, queue, "s");
    job_queue_add_key(command, queue, "open");
    redis_command_add_format(command, "q:{%s}:u:%s:%s", queue, job_type_name(lease->type), lease->shop);
    job_queue_add_key(command, queue, "ev");
    job_queue_add_key(command, queue, "delay");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, lease->entry.stream_id);
    redis_command_add(command, lease->entry.job_id);
    redis_command_add_int(command, lease->fence);
    redis_command_add(command, job_state_name(state));
    redis_command_add(command, error);
    redis_command_add_int(command, JOB_QUEUE_JOB_TTL_S);
    redis_command_add_int(command, retry_delay_ms);
}

enum err_code job_queue_finish_parse(const struct redis_reply *reply, enum job_queue_finished *out, struct err *err)
{
    const char *word = redis_reply_text(reply);
    enum err_code rc = redis_reply_check(reply, err);

    if (rc != ERR_OK)
        return rc;
    if (word != NULL && strcmp(word, "OK") == 0)
        *out = JOB_QUEUE_FINISH_OK;
    else if (word != NULL && strcmp(word, "FENCED") == 0)
        *out = JOB_QUEUE_FINISH_FENCED;
    else if (word != NULL && strcmp(word, "CANCELLED") == 0)
        *out = JOB_QUEUE_FINISH_CANCELLED;
    else
        return ERR_SET(err, ERR_REMOTE, "finish: an answer that is not of the script");
    return ERR_OK;
}

void job_queue_release_command(struct redis_command *command, const char *queue, const struct job_queue_lease *lease,
                               const char *worker)
{
    redis_command_init_script(command, &job_script_release, 3);
    job_queue_add_job_key(command, queue, lease->entry.job_id);
    job_queue_add_key(command, queue, "s");
    job_queue_add_key(command, queue, "ev");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, lease->entry.stream_id);
    redis_command_add(command, worker);
    redis_command_add_int(command, lease->fence);
    redis_command_add(command, lease->entry.job_id);
}

enum err_code job_queue_release_parse(const struct redis_reply *reply, bool *fenced, struct err *err)
{
    const char *word = redis_reply_text(reply);
    enum err_code rc = redis_reply_check(reply, err);

    if (rc != ERR_OK)
        return rc;
    if (word == NULL || (strcmp(word, "OK") != 0 && strcmp(word, "FENCED") != 0))
        return ERR_SET(err, ERR_REMOTE, "release: an answer that is not of the script");
    *fenced = strcmp(word, "FENCED") == 0;
    return ERR_OK;
}
