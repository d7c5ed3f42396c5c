#include "common/job/job_queue_control.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/job/job_queue_keys.h"

enum { KEY_BYTES = 128, EVENTS_KEPT = 1000 /* about, as in the scripts */ };

void job_queue_events_command(struct redis_command *command, const char *const *queues, const char *const *after,
                              size_t count, int64_t block_ms, int limit)
{
    redis_command_init(command, "XREAD");
    redis_command_add(command, "COUNT");
    redis_command_add_int(command, limit);
    redis_command_add(command, "BLOCK");
    redis_command_add_int(command, block_ms);
    redis_command_add(command, "STREAMS");
    for (size_t i = 0; i < count; i++)
        job_queue_add_key(command, queues[i], "ev");
    for (size_t i = 0; i < count; i++)
        redis_command_add(command, after[i]);
}

void job_queue_events_since_command(struct redis_command *command, const char *queue, const char *after, int limit)
{
    redis_command_init(command, "XRANGE");
    job_queue_add_key(command, queue, "ev");
    redis_command_add_format(command, "(%s", after);
    redis_command_add(command, "+");
    redis_command_add(command, "COUNT");
    redis_command_add_int(command, limit);
}

void job_queue_tell_command(struct redis_command *command, const char *queue, const char *id, enum job_state state)
{
    redis_command_init(command, "XADD");
    job_queue_add_key(command, queue, "ev");
    redis_command_add(command, "MAXLEN");
    redis_command_add(command, "~");
    redis_command_add_int(command, EVENTS_KEPT);
    redis_command_add(command, "*");
    redis_command_add(command, "id");
    redis_command_add(command, id);
    redis_command_add(command, "state");
    redis_command_add(command, job_state_name(state));
}

void job_queue_events_last_command(struct redis_command *command, const char *queue)
{
    redis_command_init(command, "XREVRANGE");
    job_queue_add_key(command, queue, "ev");
    redis_command_add(command, "+");
    redis_command_add(command, "-");
    redis_command_add(command, "COUNT");
    redis_command_add_int(command, 1);
}

enum err_code job_queue_events_last_parse(const struct redis_reply *reply, char *stream_id, struct err *err)
{
    const char *id = redis_reply_text(redis_reply_at(redis_reply_at(reply, 0), 0));
    enum err_code rc = redis_reply_check(reply, err);

    if (rc == ERR_OK && (redis_reply_kind(reply) != REDIS_REPLY_KIND_ARRAY ||
                         (redis_reply_count(reply) > 0 && (id == NULL || strlen(id) >= JOB_QUEUE_STREAM_ID_BYTES))))
        rc = ERR_SET(err, ERR_REMOTE, "the newest event has no id");
    if (rc == ERR_OK)
        str_copy(stream_id, JOB_QUEUE_STREAM_ID_BYTES, id != NULL ? id : "0-0");
    return rc;
}

static bool copy_text(char *out, size_t size, const char *text)
{
    return text != NULL && (size_t)snprintf(out, size, "%s", text) < size;
}

/* Members id and state, and with coarse progress stage and progress. */
static bool read_fields(const struct redis_reply *fields, struct job_queue_event *out)
{
    bool has_id = false;
    bool has_state = false;

    for (size_t i = 0; i + 1 < redis_reply_count(fields); i += 2) {
        const char *name = redis_reply_text(redis_reply_at(fields, i));
        const char *value = redis_reply_text(redis_reply_at(fields, i + 1));

        if (name == NULL || value == NULL)
            return false;
        if (strcmp(name, "id") == 0)
            has_id = job_id_is_valid(value) && copy_text(out->job_id, sizeof out->job_id, value);
        else if (strcmp(name, "state") == 0)
            has_state = job_state_parse(value, &out->state);
        else if (strcmp(name, "stage") == 0)
            (void)copy_text(out->stage, sizeof out->stage, value);
        else if (strcmp(name, "progress") == 0 && !str_to_double(value, &out->progress))
            return false;
    }
    return has_id && has_state;
}

/* [stream id, [name, value, …]]; false where it is none of ours. */
static bool read_entry(const struct redis_reply *entry, struct job_queue_event *out)
{
    *out = (struct job_queue_event){.progress = -1};
    return copy_text(out->stream_id, sizeof out->stream_id, redis_reply_text(redis_reply_at(entry, 0))) &&
           read_fields(redis_reply_at(entry, 1), out);
}

static void read_entries(const struct redis_reply *entries, size_t queue, job_queue_event_fn fn, void *context)
{
    for (size_t i = 0; i < redis_reply_count(entries); i++) {
        struct job_queue_event event;

        if (read_entry(redis_reply_at(entries, i), &event))
            fn(context, queue, &event);
    }
}

enum err_code job_queue_events_parse(const struct redis_reply *reply, const char *const *queues, size_t count,
                                     job_queue_event_fn fn, void *context, struct err *err)
{
    enum err_code rc = redis_reply_check(reply, err);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        const struct redis_reply *stream = redis_reply_at(reply, i);
        const char *key = redis_reply_text(redis_reply_at(stream, 0));

        for (size_t queue = 0; queue < count; queue++) {
            char own[KEY_BYTES];

            (void)snprintf(own, sizeof own, "q:{%s}:ev", queues[queue]);
            if (key != NULL && strcmp(key, own) == 0)
                read_entries(redis_reply_at(stream, 1), queue, fn, context);
        }
    }
    return ERR_OK;
}

enum err_code job_queue_events_since_parse(const struct redis_reply *reply, job_queue_event_fn fn, void *context,
                                           struct err *err)
{
    enum err_code rc = redis_reply_check(reply, err);

    if (rc == ERR_OK)
        read_entries(reply, 0, fn, context);
    return rc;
}
