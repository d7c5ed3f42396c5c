#include "common/job/job_queue_control.h"

#include <string.h>

#include "common/base/str.h"
#include "common/job/job_queue_keys.h"
#include "common/job/job_scripts.h"

enum { COUNTED_JOBS = 10000, MOST_WORKERS = 1000, WORKER_TTL_S = 60 };

/* A word of a script as its place among `words`; ERR_REMOTE for any other answer. */
static enum err_code parse_word(const struct redis_reply *reply, const char *script, const char *const *words,
                                size_t count, size_t *out, struct err *err)
{
    const char *word = redis_reply_text(reply);
    enum err_code rc = redis_reply_check(reply, err);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; word != NULL && i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = i;
            return ERR_OK;
        }
    }
    return ERR_SET(err, ERR_REMOTE, "%s: an answer that is not of the script", script);
}

/* Cancel and pause */

void job_queue_cancel_command(struct redis_command *command, const char *queue, const char *id, const char *unique_key,
                              const char *reason)
{
    redis_command_init_script(command, &job_script_cancel, 5);
    job_queue_add_job_key(command, queue, id);
    job_queue_add_key(command, queue, "open");
    redis_command_add(command, unique_key);
    job_queue_add_key(command, queue, "delay");
    job_queue_add_key(command, queue, "ev");
    redis_command_add(command, id);
    redis_command_add(command, reason);
    redis_command_add_int(command, JOB_QUEUE_JOB_TTL_S);
}

enum err_code job_queue_cancel_parse(const struct redis_reply *reply, enum job_queue_cancel *out, struct err *err)
{
    static const char *const words[] = {[JOB_QUEUE_CANCEL_NOT_FOUND] = "NOT_FOUND",
                                        [JOB_QUEUE_CANCEL_REQUESTED] = "CANCELLING",
                                        [JOB_QUEUE_CANCEL_DONE] = "CANCELLED",
                                        [JOB_QUEUE_CANCEL_TERMINAL] = "TERMINAL",
                                        [JOB_QUEUE_CANCEL_PUBLISHING] = "PUBLISHING"};
    size_t word = 0;
    enum err_code rc = parse_word(reply, "cancel", words, sizeof words / sizeof words[0], &word, err);

    *out = (enum job_queue_cancel)word;
    return rc;
}

void job_queue_idempotency_command(struct redis_command *command, const char *queue, const char *idempotency_hash)
{
    redis_command_init(command, "GET");
    redis_command_add_format(command, "q:{%s}:idem:%s", queue, idempotency_hash);
}

enum err_code job_queue_idempotency_parse(const struct redis_reply *reply, const char *fingerprint,
                                          enum job_queue_enqueued *out, char *id, struct err *err)
{
    const char *text = redis_reply_text(reply); /* "<id> <fingerprint>" */
    enum err_code rc = redis_reply_check(reply, err);

    *out = JOB_QUEUE_NEW;
    if (rc != ERR_OK || text == NULL)
        return rc;
    if (strlen(text) < JOB_ID_BYTES || text[JOB_ID_BYTES - 1] != ' ')
        return ERR_SET(err, ERR_REMOTE, "an idempotency key holds what is none");
    *out = strcmp(text + JOB_ID_BYTES, fingerprint) == 0 ? JOB_QUEUE_REPLAY : JOB_QUEUE_MISMATCH;
    str_copy(id, JOB_ID_BYTES, text);
    return ERR_OK;
}

void job_queue_pause_command(struct redis_command *command, const char *queue)
{
    redis_command_init(command, "SET");
    job_queue_add_key(command, queue, "paused");
    redis_command_add(command, "1");
}

void job_queue_resume_command(struct redis_command *command, const char *queue)
{
    redis_command_init(command, "DEL");
    job_queue_add_key(command, queue, "paused");
}

/* Upkeep */

void job_queue_open_command(struct redis_command *command, const char *queue, int64_t start, int limit)
{
    redis_command_init(command, "ZRANGE");
    job_queue_add_key(command, queue, "open");
    redis_command_add_int(command, start);
    redis_command_add_int(command, start + limit - 1);
}

void job_queue_repair_command(struct redis_command *command, const char *queue, const char *id, int64_t lease_ms)
{
    redis_command_init_script(command, &job_script_repair, 4);
    job_queue_add_job_key(command, queue, id);
    job_queue_add_key(command, queue, "s");
    job_queue_add_key(command, queue, "open");
    job_queue_add_key(command, queue, "ev");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, id);
    redis_command_add_int(command, lease_ms);
}

enum err_code job_queue_repair_parse(const struct redis_reply *reply, enum job_queue_repaired *out, struct err *err)
{
    static const char *const words[] = {"PENDING", "QUEUED", "FRESH", "GONE", "CLOSED", "REQUEUED"};
    static const enum job_queue_repaired meanings[] = {JOB_QUEUE_REPAIR_NOTHING, JOB_QUEUE_REPAIR_NOTHING,
                                                       JOB_QUEUE_REPAIR_NOTHING, JOB_QUEUE_REPAIR_REMOVED,
                                                       JOB_QUEUE_REPAIR_REMOVED, JOB_QUEUE_REPAIR_REQUEUED};
    size_t word = 0;
    enum err_code rc = parse_word(reply, "repair", words, sizeof words / sizeof words[0], &word, err);

    *out = meanings[word];
    return rc;
}

void job_queue_trim_command(struct redis_command *command, const char *queue)
{
    redis_command_init_script(command, &job_script_trim, 1);
    job_queue_add_key(command, queue, "s");
    redis_command_add(command, JOB_QUEUE_GROUP);
}

void job_queue_collect_consumers_command(struct redis_command *command, const char *queue, int64_t idle_ms)
{
    redis_command_init_script(command, &job_script_gc_consumer, 1);
    job_queue_add_key(command, queue, "s");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add_int(command, idle_ms);
}

/* Counts */

void job_queue_counts_command(struct redis_command *command, const char *queue)
{
    redis_command_init_script(command, &job_script_counts, 4);
    job_queue_add_key(command, queue, "s");
    job_queue_add_key(command, queue, "open");
    job_queue_add_key(command, queue, "delay");
    job_queue_add_key(command, queue, "paused");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add_format(command, "q:{%s}:j:", queue);
    redis_command_add_int(command, COUNTED_JOBS);
}

enum err_code job_queue_counts_parse(const struct redis_reply *reply, struct job_queue_counts *out, struct err *err)
{
    enum { QUEUED, RUNNING, SCHEDULED, RETRYING, OPEN, DELAYED, OLDEST, LAG, PENDING, LENGTH, PAUSED, NUMBERS };
    int64_t numbers[NUMBERS];
    enum err_code rc = redis_reply_check(reply, err);

    memset(out, 0, sizeof *out);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < NUMBERS; i++) {
        if (!redis_reply_to_int64(redis_reply_at(reply, i), &numbers[i]))
            return ERR_SET(err, ERR_REMOTE, "counts: an answer that is not of the script");
    }
    out->by_state[JOB_QUEUED] = numbers[QUEUED];
    out->by_state[JOB_RUNNING] = numbers[RUNNING];
    out->by_state[JOB_SCHEDULED] = numbers[SCHEDULED];
    out->by_state[JOB_RETRYING] = numbers[RETRYING];
    out->open = numbers[OPEN];
    out->oldest_queued_ms = numbers[OLDEST];
    out->lag = numbers[LAG];
    out->pending = numbers[PENDING];
    out->stream_length = numbers[LENGTH];
    out->paused = numbers[PAUSED] != 0;
    return ERR_OK;
}

void job_queue_position_command(struct redis_command *command, const char *queue, const char *id)
{
    redis_command_init_script(command, &job_script_position, 3);
    job_queue_add_job_key(command, queue, id);
    job_queue_add_key(command, queue, "s");
    job_queue_add_key(command, queue, "open");
    redis_command_add(command, JOB_QUEUE_GROUP);
    redis_command_add(command, id);
}

enum err_code job_queue_position_parse(const struct redis_reply *reply, int64_t *position, struct err *err)
{
    enum err_code rc = redis_reply_check(reply, err);

    *position = 0;
    if (rc == ERR_OK && !redis_reply_to_int64(reply, position))
        rc = ERR_SET(err, ERR_REMOTE, "position: an answer that is not of the script");
    return rc;
}

/* Workers */

static void add_member(struct redis_command *command, const char *name, const char *value)
{
    redis_command_add(command, name);
    redis_command_add(command, value != NULL ? value : "");
}

static void add_worker_key(struct redis_command *command, const char *queue, const char *worker)
{
    redis_command_add_format(command, "q:{%s}:w:%s", queue, worker);
}

void job_queue_register_command(struct redis_command *command, const char *queue, const struct job_queue_worker *worker)
{
    redis_command_init_script(command, &job_script_register, 2);
    add_worker_key(command, queue, worker->name);
    job_queue_add_key(command, queue, "workers");
    redis_command_add(command, worker->name);
    redis_command_add_int(command, WORKER_TTL_S);
    add_member(command, "host", worker->host);
    add_member(command, "device", worker->device);
    add_member(command, "version", worker->version);
    add_member(command, "job", worker->job);
    add_member(command, "state", worker->state);
    add_member(command, "queues", worker->queues);
    redis_command_add(command, "pid");
    redis_command_add_int(command, worker->pid);
    redis_command_add(command, "started");
    redis_command_add_int(command, worker->started_ms);
}

void job_queue_unregister_command(struct redis_command *command, const char *queue, const char *worker)
{
    redis_command_init(command, "DEL");
    add_worker_key(command, queue, worker);
}

void job_queue_workers_command(struct redis_command *command, const char *queue)
{
    redis_command_init_script(command, &job_script_workers, 1);
    job_queue_add_key(command, queue, "workers");
    redis_command_add_format(command, "q:{%s}:w:", queue);
    redis_command_add_int(command, MOST_WORKERS);
}

static bool set_member(struct json *worker, const char *name, const char *value)
{
    static const char *const texts[] = {"host", "device", "version", "state", "queues"};
    int64_t number;

    if (strcmp(name, "job") == 0)
        return value[0] != '\0' ? json_value_set_text(worker, "job", value) : json_value_set_null(worker, "job");
    if (strcmp(name, "hb") == 0 && str_to_int64(value, &number))
        return job_document_set_time(worker, "heartbeat_at", number);
    if (strcmp(name, "started") == 0 && str_to_int64(value, &number))
        return job_document_set_time(worker, "started_at", number);
    if (strcmp(name, "pid") == 0 && str_to_int64(value, &number))
        return json_value_set_int(worker, "pid", number);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i]) == 0)
            return json_value_set_text(worker, name, value);
    }
    return true; /* of a later version */
}

/* [name, [member, value, …]]; NULL when out of memory. */
static struct json *make_worker(const struct redis_reply *entry)
{
    const struct redis_reply *members = redis_reply_at(entry, 1);
    const char *name = redis_reply_text(redis_reply_at(entry, 0));
    struct json *worker = json_value_new_object();
    bool made = worker != NULL && json_value_set_text(worker, "worker", name != NULL ? name : "");

    for (size_t i = 0; made && i + 1 < redis_reply_count(members); i += 2) {
        const char *member = redis_reply_text(redis_reply_at(members, i));
        const char *value = redis_reply_text(redis_reply_at(members, i + 1));

        made = member == NULL || value == NULL || set_member(worker, member, value);
    }
    if (made)
        return worker;
    json_value_destroy(worker);
    return NULL;
}

enum err_code job_queue_workers_parse(const struct redis_reply *reply, struct json **out, struct err *err)
{
    struct json *workers;
    enum err_code rc = redis_reply_check(reply, err);

    *out = NULL;
    if (rc != ERR_OK)
        return rc;
    workers = json_value_new_array();
    for (size_t i = 0; workers != NULL && i < redis_reply_count(reply); i++) {
        if (json_value_append(workers, make_worker(redis_reply_at(reply, i))))
            continue;
        json_value_destroy(workers);
        workers = NULL;
    }
    if (workers == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the list of workers");
    *out = workers;
    return ERR_OK;
}
