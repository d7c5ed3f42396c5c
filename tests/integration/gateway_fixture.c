#include "tests/integration/gateway_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

enum { LOG_BYTES = 8 * 1024 * 1024, PAGE = 500 };

int64_t gateway_fixture_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void gateway_fixture_pause(void)
{
    struct timespec time = {.tv_nsec = 10 * 1000000};

    (void)nanosleep(&time, NULL);
}

static void write_shops(const struct gateway_fixture *fixture, char *path, size_t size)
{
    FILE *file;

    (void)snprintf(path, size, "NAMESPACES_FILE=%s/shops.json", fixture->gateway.folder);
    file = fopen(strchr(path, '=') + 1, "w");
    assert_non_null(file);
    (void)fprintf(file, "{");
    for (int i = 0; i < GATEWAY_SHOPS; i++)
        (void)fprintf(file, "%s\"shop-%d\":{}", i > 0 ? "," : "", i);
    (void)fprintf(file, "}");
    assert_int_equal(fclose(file), 0);
}

void gateway_fixture_start_gateway(struct gateway_fixture *fixture, const char *const *settings)
{
    const char *bin = getenv("RECFLEET_BIN");
    char program[SERVER_TEXT_BYTES];
    char port[32];
    char redis[SERVER_TEXT_BYTES + 32];
    char store[SERVER_TEXT_BYTES + 32];
    char shops[SERVER_TEXT_BYTES + 32];
    const char *argv[SERVER_MAX_ARGUMENTS + 1] = {"env",
                                                  "API_KEY=" API_KEY,
                                                  "LISTEN=127.0.0.1",
                                                  "API_NAMESPACE=shop",
                                                  port,
                                                  redis,
                                                  store,
                                                  shops,
                                                  "QUEUE_NAME=" QUEUE,
                                                  "ENV=Prod",
                                                  "METRICS_LISTEN=off",
                                                  "RATE_LIMIT_SUBMIT=0",
                                                  "RATE_LIMIT_READ=0"};
    size_t count = 13;

    assert_non_null(bin);
    if (fixture->store_url[0] == '\0')
        (void)snprintf(fixture->store_url, sizeof fixture->store_url, "sqlite:%s/jobs.db", fixture->gateway.folder);
    (void)snprintf(program, sizeof program, "%s/recfleet-gateway", bin);
    (void)snprintf(port, sizeof port, "PORT=%d", fixture->gateway.port);
    (void)snprintf(redis, sizeof redis, "QUEUE_REDIS_URL=%s", fixture->queue->server.url);
    (void)snprintf(store, sizeof store, "STORE_URL=%s", fixture->store_url);
    write_shops(fixture, shops, sizeof shops);
    for (; settings != NULL && *settings != NULL && count + 1 < SERVER_MAX_ARGUMENTS; settings++)
        argv[count++] = *settings;
    argv[count++] = program;
    argv[count] = NULL;
    assert_true(server_spawn(&fixture->gateway, argv, server_accepts, GATEWAY_WAIT_MS));
}

void gateway_fixture_start(struct gateway_fixture *fixture, const char *const *settings, bool with_mongo)
{
    void *queue = NULL;

    memset(fixture, 0, sizeof *fixture);
    assert_int_equal(queue_fixture_start(&queue), 0);
    fixture->queue = queue;
    assert_true(server_prepare(&fixture->gateway));
    if (with_mongo) {
        assert_true(mongo_server_start(&fixture->mongo));
        (void)snprintf(fixture->store_url, sizeof fixture->store_url, "%s", fixture->mongo.url);
    }
    gateway_fixture_start_gateway(fixture, settings);
    gateway_fixture_wait_for_log(fixture, "queue.ready");
    gateway_fixture_wait_for_log(fixture, "store.ready");
}

int gateway_fixture_await_end(struct gateway_fixture *fixture)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    int status = 0;

    while (waitpid(fixture->gateway.pid, &status, WNOHANG) == 0) {
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("the gateway does not end");
        gateway_fixture_pause();
    }
    fixture->gateway.pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int gateway_fixture_end_gateway(struct gateway_fixture *fixture)
{
    assert_true(fixture->gateway.pid > 0);
    assert_int_equal(kill(fixture->gateway.pid, SIGTERM), 0);
    return gateway_fixture_await_end(fixture);
}

/* What a sanitizer said, where one did. */
static void show_log(const struct gateway_fixture *fixture)
{
    char path[SERVER_TEXT_BYTES + 8];
    char line[1024];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/log", fixture->gateway.folder);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (line[0] != '{')
            (void)fputs(line, stderr);
    }
    if (file != NULL)
        (void)fclose(file);
}

void gateway_fixture_stop(struct gateway_fixture *fixture)
{
    void *queue = fixture->queue;
    int status = fixture->gateway.pid > 0 ? gateway_fixture_end_gateway(fixture) : 0;

    if (status != 0)
        show_log(fixture);
    assert_int_equal(status, 0);
    assert_true(gateway_fixture_log_holds(fixture, "gateway.ended"));
    job_store_close(fixture->store);
    server_fini(&fixture->gateway);
    server_fini(&fixture->mongo);
    (void)queue_fixture_stop(&queue);
}

struct job_store *gateway_fixture_store(struct gateway_fixture *fixture)
{
    struct err err = {0};

    if (fixture->store == NULL && job_store_open(&fixture->store, fixture->store_url, 90, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return fixture->store;
}

bool gateway_fixture_log_holds(struct gateway_fixture *fixture, const char *text)
{
    char path[SERVER_TEXT_BYTES + 8];
    char *log = malloc(LOG_BYTES);
    size_t length = 0;
    FILE *file;
    bool holds;

    assert_non_null(log);
    (void)snprintf(path, sizeof path, "%s/log", fixture->gateway.folder);
    file = fopen(path, "r");
    if (file != NULL) {
        length = fread(log, 1, LOG_BYTES - 1, file);
        (void)fclose(file);
    }
    log[length] = '\0';
    holds = strstr(log, text) != NULL;
    free(log);
    return holds;
}

void gateway_fixture_wait_for_log(struct gateway_fixture *fixture, const char *text)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;

    while (!gateway_fixture_log_holds(fixture, text)) {
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("the gateway did not log \"%s\"", text);
        gateway_fixture_pause();
    }
}

struct http_probe_answer gateway_fixture_ask(struct gateway_fixture *fixture, const char *method, const char *path,
                                             const char *headers, const char *body)
{
    struct http_probe_answer answer;

    if (!http_probe_once(fixture->gateway.port, method, path, headers, body, &answer))
        fail_msg("no answer to %s %s", method, path);
    return answer;
}

int gateway_fixture_status(struct gateway_fixture *fixture, const char *method, const char *path, const char *headers,
                           const char *body)
{
    struct http_probe_answer answer = gateway_fixture_ask(fixture, method, path, headers, body);
    int status = answer.status;

    http_probe_answer_fini(&answer);
    return status;
}

void gateway_fixture_wait_for_status(struct gateway_fixture *fixture, int status, const char *method, const char *path,
                                     const char *headers, const char *body)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    int last;

    while ((last = gateway_fixture_status(fixture, method, path, headers, body)) != status) {
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("%s %s answers %d, not %d", method, path, last, status);
        gateway_fixture_pause();
    }
}

struct json *gateway_fixture_json(const struct http_probe_answer *answer)
{
    struct json *value = NULL;
    struct err err = {0};

    if (json_value_parse(&value, answer->body, answer->body_length, &err) != ERR_OK)
        fail_msg("%s: %s", err.message, answer->body);
    return value;
}

void gateway_fixture_submit(struct gateway_fixture *fixture, const char *type, const char *shop, char *id)
{
    struct http_probe_answer answer;
    struct json *job;
    char body[256];

    (void)snprintf(body, sizeof body, "{\"type\":\"%s\",\"params\":{\"namespace\":\"%s\"}}", type, shop);
    answer = gateway_fixture_ask(fixture, "POST", "/v1/jobs", AS_JSON, body);
    if (answer.status != 202)
        fail_msg("POST answers %d: %s", answer.status, answer.body);
    job = gateway_fixture_json(&answer);
    (void)snprintf(id, JOB_ID_BYTES, "%s", json_value_get_text(job, "id"));
    json_value_destroy(job);
    http_probe_answer_fini(&answer);
}

size_t gateway_fixture_count(struct gateway_fixture *fixture, const char *state)
{
    char before[JOB_ID_BYTES] = "";
    size_t total = 0;
    size_t page;

    do {
        const struct job_store_filter filter = {
            .state = state, .before = before[0] != '\0' ? before : NULL, .limit = PAGE};
        struct json *list = NULL;
        struct err err = {0};

        if (job_store_find(gateway_fixture_store(fixture), &filter, &list, &err) != ERR_OK)
            fail_msg("%s", err.message);
        page = json_value_count(list);
        total += page;
        if (page > 0)
            (void)snprintf(before, sizeof before, "%s", json_value_get_text(json_value_at(list, page - 1), "_id"));
        json_value_destroy(list);
    } while (page == PAGE);
    return total;
}

void gateway_fixture_wait_for_state(struct gateway_fixture *fixture, const char *id, const char *state)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;

    for (;;) {
        struct json *document = NULL;
        struct err err = {0};
        bool reached = job_store_get(gateway_fixture_store(fixture), id, &document, &err) == ERR_OK &&
                       strcmp(json_value_get_text(document, "state"), state) == 0;

        json_value_destroy(document);
        if (reached)
            return;
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("the document of %s does not become %s %s", id, state, err.message);
        gateway_fixture_pause();
    }
}
