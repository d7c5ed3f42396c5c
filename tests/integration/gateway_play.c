#include "tests/integration/gateway_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LINE_BYTES = 8192 };

static enum job_queue_started start(struct gateway_fixture *fixture, const struct job_queue_entry *entry,
                                    struct job_queue_lease *lease)
{
    struct redis_command command;
    struct redis_reply *reply;
    struct err err = {0};
    enum job_queue_started started;
    char *args = NULL;
    char unique[128];

    *lease = (struct job_queue_lease){.entry = *entry};
    assert_true(job_type_parse(queue_fixture_job_field(fixture->queue, entry->job_id, "type"), &lease->type));
    (void)snprintf(unique, sizeof unique, "%s", queue_fixture_job_field(fixture->queue, entry->job_id, "uniq"));
    job_queue_start_command(&command, QUEUE, entry, unique, WORKER_A, LEASE_MS, 0);
    reply = queue_fixture_send(fixture->queue, &command);
    assert_int_equal(job_queue_start_parse(reply, &started, lease, &args, &err), ERR_OK);
    redis_reply_destroy(reply);
    free(args);
    lease->entry = *entry;
    return started;
}

struct job_queue_lease gateway_play_take(struct gateway_fixture *fixture)
{
    struct job_queue_lease lease;
    enum job_queue_started started;

    do { /* entries of jobs that were cancelled lie in between */
        struct job_queue_entry entry = queue_fixture_read(fixture->queue, WORKER_A);

        assert_true(entry.job_id[0] != '\0');
        started = start(fixture, &entry, &lease);
    } while (started == JOB_QUEUE_STALE);
    assert_int_equal(started, JOB_QUEUE_RUN);
    return lease;
}

void gateway_play_finish(struct gateway_fixture *fixture, const struct job_queue_lease *lease, enum job_state state,
                         const char *error, int64_t retry_delay_ms)
{
    struct redis_command command;
    struct redis_reply *reply;
    struct err err = {0};
    enum job_queue_finished finished;

    job_queue_finish_command(&command, QUEUE, lease, state, error, retry_delay_ms);
    reply = queue_fixture_send(fixture->queue, &command);
    assert_int_equal(job_queue_finish_parse(reply, &finished, &err), ERR_OK);
    assert_int_equal(finished, JOB_QUEUE_FINISH_OK);
    redis_reply_destroy(reply);
}

void gateway_play_change_document(struct gateway_fixture *fixture, const struct job_queue_lease *lease,
                                  const char *changes)
{
    struct json *value = NULL;
    struct err err = {0};
    bool applied = false;

    assert_int_equal(json_value_parse(&value, changes, strlen(changes), &err), ERR_OK);
    if (job_store_update(gateway_fixture_store(fixture), lease->entry.job_id, lease->fence, value, &applied, &err) !=
        ERR_OK)
        fail_msg("%s", err.message);
    assert_true(applied);
    json_value_destroy(value);
}

void gateway_play_die(struct gateway_fixture *fixture)
{
    static const char error[] = "{\"code\":\"no_data\",\"message\":\"nothing there\",\"transient\":false}";
    struct job_queue_lease lease = gateway_play_take(fixture);
    char changes[512];

    (void)snprintf(changes, sizeof changes,
                   "{\"state\":\"dead\",\"attempt\":1,\"stage\":\"fetch\",\"error\":%s,"
                   "\"finished_at\":\"2026-01-02T03:04:05.000Z\"}",
                   error);
    gateway_play_change_document(fixture, &lease, changes);
    gateway_play_finish(fixture, &lease, JOB_DEAD, error, -1);
}

struct json *gateway_play_document(struct gateway_fixture *fixture, const char *id)
{
    struct json *document = NULL;
    struct err err = {0};

    if (job_store_get(gateway_fixture_store(fixture), id, &document, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return document;
}

struct json *gateway_play_get(struct gateway_fixture *fixture, const char *path)
{
    struct http_probe_answer answer = gateway_fixture_ask(fixture, "GET", path, WITH_KEY, NULL);
    struct json *value;

    if (answer.status != 200)
        fail_msg("GET %s answers %d: %s", path, answer.status, answer.body);
    value = gateway_fixture_json(&answer);
    http_probe_answer_fini(&answer);
    return value;
}

struct json *gateway_play_job(struct gateway_fixture *fixture, const char *id)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    return gateway_play_get(fixture, path);
}

void gateway_play_assert_state(struct gateway_fixture *fixture, const char *id, const char *state)
{
    struct json *job = gateway_play_job(fixture, id);

    assert_string_equal(json_value_get_text(job, "state"), state);
    json_value_destroy(job);
}

int gateway_play_post(struct gateway_fixture *fixture, const char *id, const char *action, char *location)
{
    struct http_probe_answer answer;
    char path[80];
    char value[64] = "";
    int status;

    (void)snprintf(path, sizeof path, "/v1/jobs/%s/%s", id, action);
    answer = gateway_fixture_ask(fixture, "POST", path, WITH_KEY, NULL);
    (void)http_probe_header(&answer, "location", value, sizeof value);
    if (location != NULL)
        memcpy(location, value, sizeof value);
    status = answer.status;
    http_probe_answer_fini(&answer);
    return status;
}

void gateway_play_wait_for_field(struct gateway_fixture *fixture, const char *id, const char *field,
                                 const char *expected)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    const char *value;

    while (strcmp(value = queue_fixture_job_field(fixture->queue, id, field), expected) != 0) {
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("%s of job %s is %s, not %s", field, id, value, expected);
        gateway_fixture_pause();
    }
}

void gateway_play_wait_for_stream(struct gateway_fixture *fixture, int64_t length)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    int64_t last;

    while ((last = queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL)) != length) {
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("the stream has %lld entries, not %lld", (long long)last, (long long)length);
        gateway_fixture_pause();
    }
}

int64_t gateway_play_int(const struct json *object, const char *name)
{
    int64_t value = 0;

    if (!json_value_get_int64(object, name, &value))
        fail_msg("%s is no whole number", name);
    return value;
}

size_t gateway_play_count_log(struct gateway_fixture *fixture, const char *text)
{
    char path[SERVER_TEXT_BYTES + 8];
    char line[LINE_BYTES];
    size_t count = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/log", fixture->gateway.folder);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, text) != NULL;
    (void)fclose(file);
    return count;
}
