#include "tests/integration/queue_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TIMEOUT_MS = 10000, ANSWER_BYTES = 4096 };

struct redis_client *queue_fixture_connect(const struct queue_fixture *fixture)
{
    struct redis_client *client;
    struct err err = {0};

    if (redis_client_connect(&client, &fixture->url, TIMEOUT_MS, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return client;
}

int queue_fixture_start(void **state)
{
    struct queue_fixture *fixture = calloc(1, sizeof *fixture);
    struct err err = {0};

    *state = fixture;
    (void)signal(SIGPIPE, SIG_IGN);
    if (fixture == NULL || !server_start_redis(&fixture->server, NULL))
        return -1;
    if (redis_url_parse(&fixture->url, fixture->server.url, &err) != ERR_OK)
        return -1;
    fixture->client = queue_fixture_connect(fixture);
    return 0;
}

int queue_fixture_stop(void **state)
{
    struct queue_fixture *fixture = *state;

    redis_client_destroy(fixture->client);
    server_fini(&fixture->server);
    free(fixture);
    return 0;
}

int queue_fixture_clear(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_command command;
    struct redis_reply *reply = NULL;
    struct err err = {0};

    (void)queue_fixture_ask(fixture, "FLUSHALL", NULL);
    job_queue_group_command(&command, QUEUE);
    /* a gateway that runs may have been quicker */
    if (redis_client_send(fixture->client, &command, &reply, &err) != ERR_OK &&
        strstr(err.message, "BUSYGROUP") == NULL)
        fail_msg("%s", err.message);
    redis_command_fini(&command);
    redis_reply_destroy(reply);
    return 0;
}

struct redis_reply *queue_fixture_send(struct queue_fixture *fixture, struct redis_command *command)
{
    struct redis_reply *reply = NULL;
    struct err err = {0};

    if (redis_client_send(fixture->client, command, &reply, &err) != ERR_OK)
        fail_msg("%s", err.message);
    redis_command_fini(command);
    return reply;
}

static const char *answer_text(struct redis_reply *reply)
{
    static char text[ANSWER_BYTES];
    const struct redis_reply *answer = redis_reply_count(reply) > 0 ? redis_reply_at(reply, 0) : reply;
    int64_t number;

    if (redis_reply_text(answer) != NULL)
        (void)snprintf(text, sizeof text, "%s", redis_reply_text(answer));
    else if (redis_reply_to_int64(answer, &number))
        (void)snprintf(text, sizeof text, "%lld", (long long)number);
    else
        (void)snprintf(text, sizeof text, "(nil)");
    redis_reply_destroy(reply);
    return text;
}

static const char *ask(struct queue_fixture *fixture, const char *word, va_list words)
{
    struct redis_command command;
    const char *next;

    redis_command_init(&command, word);
    while ((next = va_arg(words, const char *)) != NULL)
        redis_command_add(&command, next);
    return answer_text(queue_fixture_send(fixture, &command));
}

const char *queue_fixture_ask(struct queue_fixture *fixture, const char *word, ...)
{
    const char *answer;
    va_list words;

    va_start(words, word);
    answer = ask(fixture, word, words);
    va_end(words);
    return answer;
}

int64_t queue_fixture_ask_int(struct queue_fixture *fixture, const char *word, ...)
{
    int64_t number = 0;
    const char *answer;
    va_list words;

    va_start(words, word);
    answer = ask(fixture, word, words);
    va_end(words);
    if (!str_to_int64(answer, &number))
        fail_msg("%s answered \"%s\", not a number", word, answer);
    return number;
}

const char *queue_fixture_job_field(struct queue_fixture *fixture, const char *id, const char *field)
{
    char key[128];

    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), id);
    return queue_fixture_ask(fixture, "HGET", key, field, NULL);
}

struct job_queue_enqueue queue_fixture_request(const char *id, const char *shop)
{
    return (struct job_queue_enqueue){.queue = QUEUE,
                                      .id = id,
                                      .type = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS,
                                      .shop = shop,
                                      .args = strcmp(shop, "toys") == 0 ? "{\"params\":{},\"namespace\":\"toys\"}"
                                                                        : "{\"params\":{},\"namespace\":\"books\"}",
                                      .client = "tester",
                                      .max_errors = 2,
                                      .max_lost = 3,
                                      .fingerprint = ""};
}

enum job_queue_enqueued queue_fixture_enqueue(struct queue_fixture *fixture, const struct job_queue_enqueue *request,
                                              char *answered_id)
{
    struct redis_command command;
    struct redis_reply *reply;
    enum job_queue_enqueued outcome = JOB_QUEUE_NEW;
    char id[JOB_ID_BYTES];
    struct err err = {0};

    job_queue_enqueue_command(&command, request);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_enqueue_parse(reply, &outcome, answered_id != NULL ? answered_id : id, &err), ERR_OK);
    redis_reply_destroy(reply);
    return outcome;
}

void queue_fixture_enqueue_new(struct queue_fixture *fixture, const char *id, const char *shop)
{
    struct job_queue_enqueue request = queue_fixture_request(id, shop);

    assert_int_equal(queue_fixture_enqueue(fixture, &request, NULL), JOB_QUEUE_NEW);
}

static struct job_queue_entry parse_entry(struct redis_reply *reply)
{
    struct job_queue_entry entry;
    struct err err = {0};

    if (job_queue_entry_parse(reply, &entry, &err) != ERR_OK)
        fail_msg("%s", err.message);
    redis_reply_destroy(reply);
    return entry;
}

struct job_queue_entry queue_fixture_read(struct queue_fixture *fixture, const char *worker)
{
    struct redis_command command;

    job_queue_read_command(&command, QUEUE, worker, 0);
    return parse_entry(queue_fixture_send(fixture, &command));
}

struct job_queue_entry queue_fixture_claim(struct queue_fixture *fixture, const char *worker)
{
    struct redis_command command;
    struct redis_reply *reply;
    struct job_queue_entry idle;
    struct err err = {0};

    job_queue_idle_command(&command, QUEUE, LEASE_MS);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_idle_parse(reply, &idle, &err), ERR_OK);
    redis_reply_destroy(reply);
    if (idle.stream_id[0] == '\0')
        return idle;
    job_queue_claim_command(&command, QUEUE, worker, LEASE_MS, idle.stream_id);
    return parse_entry(queue_fixture_send(fixture, &command));
}

void queue_fixture_age(struct queue_fixture *fixture, const struct job_queue_entry *entry, const char *owner,
                       int64_t ms)
{
    char idle[32];
    char key[128];
    int64_t beaten = 0;

    (void)snprintf(idle, sizeof idle, "%lld", (long long)ms);
    (void)queue_fixture_ask(fixture, "XCLAIM", QUEUE_KEY("s"), "g", owner, "0", entry->stream_id, "IDLE", idle,
                            "JUSTID", NULL);
    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), entry->job_id);
    if (str_to_int64(queue_fixture_ask(fixture, "HGET", key, "hb", NULL), &beaten)) {
        (void)snprintf(idle, sizeof idle, "%lld", (long long)(beaten - ms));
        (void)queue_fixture_ask(fixture, "HSET", key, "hb", idle, NULL);
    }
}

enum job_queue_started queue_fixture_start_job(struct queue_fixture *fixture, const struct job_queue_entry *entry,
                                               const char *worker, struct job_queue_lease *lease)
{
    struct redis_command command;
    struct redis_reply *reply;
    enum job_queue_started outcome = JOB_QUEUE_GONE;
    char unique_key[256];
    char *args = NULL;
    struct err err = {0};

    (void)snprintf(unique_key, sizeof unique_key, "%s", queue_fixture_job_field(fixture, entry->job_id, "uniq"));
    job_queue_start_command(&command, QUEUE, entry, strcmp(unique_key, "(nil)") != 0 ? unique_key : NULL, worker,
                            LEASE_MS, 0);
    reply = queue_fixture_send(fixture, &command);
    *lease = (struct job_queue_lease){.entry = *entry};
    if (job_queue_start_parse(reply, &outcome, lease, &args, &err) != ERR_OK)
        fail_msg("%s", err.message);
    redis_reply_destroy(reply);
    free(args);
    return outcome;
}

struct job_queue_lease queue_fixture_run(struct queue_fixture *fixture, const char *id, const char *shop,
                                         const char *worker)
{
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    queue_fixture_enqueue_new(fixture, id, shop);
    entry = queue_fixture_read(fixture, worker);
    assert_string_equal(entry.job_id, id);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, worker, &lease), JOB_QUEUE_RUN);
    return lease;
}

enum job_queue_beaten queue_fixture_beat(struct queue_fixture *fixture, const struct job_queue_lease *lease,
                                         const char *worker, double progress, const char *stage)
{
    struct redis_command command;
    struct redis_reply *reply;
    enum job_queue_beaten answer = JOB_QUEUE_BEAT_LOST;
    struct err err = {0};

    job_queue_beat_command(&command, QUEUE, lease, worker, progress, stage);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_beat_parse(reply, &answer, &err), ERR_OK);
    redis_reply_destroy(reply);
    return answer;
}

enum job_queue_finished queue_fixture_finish(struct queue_fixture *fixture, const struct job_queue_lease *lease,
                                             enum job_state state, int64_t retry_delay_ms)
{
    struct redis_command command;
    struct redis_reply *reply;
    enum job_queue_finished answer = JOB_QUEUE_FINISH_FENCED;
    struct err err = {0};

    job_queue_finish_command(&command, QUEUE, lease, state, retry_delay_ms >= 0 ? "{\"code\":\"network\"}" : "",
                             retry_delay_ms);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_finish_parse(reply, &answer, &err), ERR_OK);
    redis_reply_destroy(reply);
    return answer;
}

bool queue_fixture_release_is_fenced(struct queue_fixture *fixture, const struct job_queue_lease *lease,
                                     const char *worker)
{
    struct redis_command command;
    struct redis_reply *reply;
    struct err err = {0};
    bool fenced = false;

    job_queue_release_command(&command, QUEUE, lease, worker);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_release_parse(reply, &fenced, &err), ERR_OK);
    redis_reply_destroy(reply);
    return fenced;
}

int64_t queue_fixture_promote(struct queue_fixture *fixture, const char *id, const char *shop)
{
    char *unique_key = job_queue_unique_key(QUEUE, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS, shop);
    struct redis_command command;
    struct redis_reply *reply;
    int64_t answer = 99;

    assert_non_null(unique_key);
    job_queue_promote_command(&command, QUEUE, id, unique_key);
    reply = queue_fixture_send(fixture, &command);
    assert_true(redis_reply_to_int64(reply, &answer));
    redis_reply_destroy(reply);
    free(unique_key);
    return answer;
}

const char *queue_fixture_script(struct queue_fixture *fixture, const struct redis_script *script,
                                 const char *const *keys, const char *const *arguments)
{
    struct redis_command command;
    int count = 0;

    while (keys[count] != NULL)
        count++;
    redis_command_init_script(&command, script, count);
    for (int i = 0; i < count; i++)
        redis_command_add(&command, keys[i]);
    for (int i = 0; arguments[i] != NULL; i++)
        redis_command_add(&command, arguments[i]);
    return answer_text(queue_fixture_send(fixture, &command));
}
