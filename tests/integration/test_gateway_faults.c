/* What is away, wrong or ending around the gateway: clear answers, nothing accepted is lost, nothing refused stays. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/gateway_fixture.h"

#define WAREHOUSE(shop) "{\"type\":\"warehouse\",\"params\":{\"namespace\":\"" shop "\"}}"

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct gateway_fixture));
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    gateway_fixture_stop(*state);
    free(*state);
    return 0;
}

/* A new client of the fixture, since the server it had was killed. */
static void reconnect(struct gateway_fixture *fixture)
{
    redis_client_destroy(fixture->queue->client);
    fixture->queue->client = queue_fixture_connect(fixture->queue);
}

static int64_t stream_length(struct gateway_fixture *fixture)
{
    return queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL);
}

/* Changes with every write to the SQLite file. */
static int64_t store_stamp(struct gateway_fixture *fixture)
{
    static const char *const ends[] = {"", "-wal", "-journal"};
    int64_t stamp = 0;

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char path[sizeof fixture->store_url + 16];
        struct stat status;

        (void)snprintf(path, sizeof path, "%s%s", fixture->store_url + strlen("sqlite:"), ends[i]);
        if (stat(path, &status) == 0)
            stamp += status.st_size + status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    }
    return stamp;
}

static void redis_down_at_the_start_is_503_until_it_comes(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct http_probe_answer answer;
    int64_t stamp;
    char value[16];

    gateway_fixture_start(fixture, NULL, false);
    assert_int_equal(gateway_fixture_end_gateway(fixture), 0);
    server_kill(&fixture->queue->server);
    gateway_fixture_start_gateway(fixture, NULL);
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/health", NULL, NULL), 200);
    assert_int_equal(gateway_fixture_count(fixture, NULL), 0);
    stamp = store_stamp(fixture);
    answer = gateway_fixture_ask(fixture, "POST", "/v1/jobs", AS_JSON, WAREHOUSE("shop-1"));
    assert_int_equal(answer.status, 503);
    assert_true(http_probe_header(&answer, "retry-after", value, sizeof value));
    http_probe_answer_fini(&answer);
    assert_int_equal(gateway_fixture_status(fixture, "GET", LEGACY, WITH_KEY, NULL), 503);
    assert_int_equal(store_stamp(fixture), stamp); /* refused before any document */
    assert_true(server_restart(&fixture->queue->server));
    reconnect(fixture);
    gateway_fixture_wait_for_status(fixture, 202, "POST", "/v1/jobs", AS_JSON, WAREHOUSE("shop-1"));
    assert_int_equal(stream_length(fixture), 1);
}

static void redis_killed_between_requests_loses_no_job(void **state)
{
    struct gateway_fixture *fixture = *state;
    char id[JOB_ID_BYTES];
    char path[64];

    gateway_fixture_start(fixture, NULL, false);
    gateway_fixture_submit(fixture, "warehouse", "shop-1", id);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    server_kill(&fixture->queue->server);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    gateway_fixture_wait_for_log(fixture, "queue.away");
    assert_int_equal(gateway_fixture_status(fixture, "GET", path, WITH_KEY, NULL), 200); /* from the document */
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", AS_JSON, WAREHOUSE("shop-2")), 503);
    assert_true(server_restart(&fixture->queue->server));
    reconnect(fixture);
    gateway_fixture_wait_for_status(fixture, 202, "POST", "/v1/jobs", AS_JSON, WAREHOUSE("shop-2"));
    assert_int_equal(stream_length(fixture), 2);
    assert_int_equal(gateway_fixture_count(fixture, NULL), 2);
}

/* Redis takes the command and dies before it answers: nobody knows, so the client is told 202, and it becomes true. */
static void a_lost_answer_is_202_and_the_job_is_enqueued_later(void **state)
{
    static const char *const settings[] = {"SETTLE_AFTER_S=0.4", NULL};
    struct gateway_fixture *fixture = *state;
    struct http_probe probe;
    struct http_probe_answer answer;
    struct json *job;
    char id[JOB_ID_BYTES];

    gateway_fixture_start(fixture, settings, false);
    server_freeze(&fixture->queue->server);
    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_ask(&probe, "POST", "/v1/jobs", AS_JSON, WAREHOUSE("shop-1")));
    for (int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS; gateway_fixture_count(fixture, NULL) == 0;) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
    server_kill(&fixture->queue->server);
    assert_true(http_probe_receive(&probe, &answer, false));
    assert_int_equal(answer.status, 202);
    job = gateway_fixture_json(&answer);
    assert_string_equal(json_value_get_text(job, "state"), "accepted");
    (void)snprintf(id, sizeof id, "%s", json_value_get_text(job, "id"));
    json_value_destroy(job);
    http_probe_answer_fini(&answer);
    http_probe_close(&probe);
    assert_true(server_restart(&fixture->queue->server));
    reconnect(fixture);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    assert_int_equal(stream_length(fixture), 1);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "queued");
}

/* An end that only the document knows is told after it is written. */
static void wait_for_event(struct gateway_fixture *fixture, const char *id, const char *state)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    char expected[80];
    const char *last;

    (void)snprintf(expected, sizeof expected, "%s %s", id, state);
    for (;;) {
        const char *script = "local fields = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][2] "
                             "return fields[2] .. ' ' .. fields[4]";

        last = queue_fixture_ask(fixture->queue, "EVAL", script, "1", QUEUE_KEY("ev"), NULL);
        if (strcmp(last, expected) == 0)
            return;
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("the last event is \"%s\", not \"%s\"", last, expected);
        gateway_fixture_pause();
    }
}

static void a_job_whose_place_was_taken_meanwhile_ends_superseded(void **state)
{
    static const char *const settings[] = {"SETTLE_AFTER_S=0.4", NULL};
    struct gateway_fixture *fixture = *state;
    struct clock_source clock = clock_system();
    struct job_request request = {.type = JOB_WAREHOUSE,
                                  .shop = "shop-1",
                                  .queue = QUEUE,
                                  .requested_by = "k",
                                  .max_errors = 2,
                                  .max_lost = 3,
                                  .fingerprint = ""};
    struct json *document;
    struct err err = {0};
    char id[JOB_ID_BYTES];
    char live[JOB_ID_BYTES];

    gateway_fixture_start(fixture, settings, false);
    gateway_fixture_submit(fixture, "warehouse", "shop-1", live);
    assert_int_equal(job_id_generate(id, &clock, &err), ERR_OK);
    request.id = id;
    document = job_document_create(&request, clock_unix_ms(&clock));
    if (job_store_insert(gateway_fixture_store(fixture), document, &err) != ERR_OK)
        fail_msg("%s", err.message);
    json_value_destroy(document);
    gateway_fixture_wait_for_state(fixture, id, "superseded");
    assert_int_equal(stream_length(fixture), 1);
    wait_for_event(fixture, id, "superseded"); /* who follows it learns of it, though the queue never had it */
}

static void a_store_that_cannot_be_opened_is_503_until_it_can(void **state)
{
    struct gateway_fixture *fixture = *state;
    char folder[SERVER_TEXT_BYTES + 16];

    gateway_fixture_start(fixture, NULL, false);
    assert_int_equal(gateway_fixture_end_gateway(fixture), 0);
    (void)snprintf(folder, sizeof folder, "%s/later", fixture->gateway.folder);
    (void)snprintf(fixture->store_url, sizeof fixture->store_url, "sqlite:%.200s/later/jobs.db",
                   fixture->gateway.folder);
    gateway_fixture_start_gateway(fixture, NULL);
    gateway_fixture_wait_for_log(fixture, "store.away");
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/health", NULL, NULL), 200);
    gateway_fixture_wait_for_status(fixture, 503, "POST", "/v1/jobs", AS_JSON, WAREHOUSE("shop-1"));
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/v1/jobs/01M83E583Z7ZMJ3KYDMHDHKP5N", WITH_KEY, NULL),
                     503);
    assert_int_equal(stream_length(fixture), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    gateway_fixture_wait_for_status(fixture, 202, "POST", "/v1/jobs", AS_JSON, WAREHOUSE("shop-1"));
    assert_int_equal(stream_length(fixture), 1);
}

static void mongodb_killed_is_503_while_live_jobs_can_be_watched(void **state)
{
    struct gateway_fixture *fixture = *state;
    char id[JOB_ID_BYTES];
    char path[64];

    if (mongo_server_program() == NULL)
        skip();
    gateway_fixture_start(fixture, NULL, true);
    gateway_fixture_submit(fixture, "warehouse", "shop-1", id);
    server_kill(&fixture->mongo);
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", AS_JSON, WAREHOUSE("shop-2")), 503);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    assert_int_equal(gateway_fixture_status(fixture, "GET", path, WITH_KEY, NULL), 200); /* from the HASH */
    assert_int_equal(stream_length(fixture), 1);
    assert_true(server_restart(&fixture->mongo));
    gateway_fixture_wait_for_status(fixture, 202, "POST", "/v1/jobs", AS_JSON, WAREHOUSE("shop-3"));
    assert_int_equal(stream_length(fixture), 2);
}

static void sigterm_lets_waiting_clients_know_where_their_job_is(void **state)
{
    struct gateway_fixture *fixture = *state;
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    struct http_probe waiting;
    struct http_probe idle;
    struct http_probe_answer answer;
    int64_t begun_ms;

    gateway_fixture_start(fixture, NULL, false);
    assert_true(http_probe_open(&idle, fixture->gateway.port));
    assert_true(http_probe_ask(&idle, "GET", "/health", NULL, NULL));
    assert_true(http_probe_receive(&idle, &answer, false));
    http_probe_answer_fini(&answer);
    assert_true(http_probe_open(&waiting, fixture->gateway.port));
    assert_true(http_probe_ask(&waiting, "GET", LEGACY, WITH_KEY, NULL));
    while (stream_length(fixture) == 0) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
    begun_ms = gateway_fixture_now_ms();
    assert_int_equal(kill(fixture->gateway.pid, SIGTERM), 0);
    assert_true(http_probe_receive(&waiting, &answer, false));
    assert_int_equal(answer.status, 202);
    http_probe_answer_fini(&answer);
    assert_true(http_probe_is_closed(&waiting));
    assert_true(http_probe_is_closed(&idle));
    http_probe_close(&waiting);
    http_probe_close(&idle);
    assert_int_equal(gateway_fixture_await_end(fixture), 0);
    assert_true(gateway_fixture_now_ms() - begun_ms < 5000);
}

static void a_client_that_left_frees_its_place_among_the_waiting(void **state)
{
    struct gateway_fixture *fixture = *state;
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    struct http_probe waiting;

    gateway_fixture_start(fixture, NULL, false);
    assert_true(http_probe_open(&waiting, fixture->gateway.port));
    assert_true(http_probe_ask(&waiting, "GET", LEGACY, WITH_KEY, NULL));
    while (stream_length(fixture) == 0) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
    assert_false(gateway_fixture_log_holds(fixture, "\"route\":\"" LEGACY));
    http_probe_close(&waiting);
    gateway_fixture_wait_for_log(fixture, "\"route\":\"" LEGACY); /* its exchange is over, an hour early */
}

static void the_grace_ends_what_does_not_end_by_itself(void **state)
{
    static const char *const settings[] = {"GRACE_S=0.3", NULL};
    struct gateway_fixture *fixture = *state;
    struct http_probe slow;
    int64_t begun_ms;

    gateway_fixture_start(fixture, settings, false);
    assert_true(http_probe_open(&slow, fixture->gateway.port));
    assert_true(http_probe_send_text(&slow, "GET /health HTTP/1.1\r\n"));
    gateway_fixture_wait_for_status(fixture, 200, "GET", "/health", NULL, NULL);
    begun_ms = gateway_fixture_now_ms();
    assert_int_equal(gateway_fixture_end_gateway(fixture), 0);
    assert_true(gateway_fixture_now_ms() - begun_ms >= 250);
    http_probe_close(&slow);
}

static void sighup_reads_the_keys_anew(void **state)
{
    /* printf %s one | sha256sum; printf %s two | sha256sum */
    static const char *const digests[] = {"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
                                          "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"};
    struct gateway_fixture *fixture = *state;
    char setting[SERVER_TEXT_BYTES + 32];
    const char *settings[] = {setting, NULL};
    const char *path = setting + strlen("API_KEYS_FILE=");

    gateway_fixture_start(fixture, NULL, false);
    assert_int_equal(gateway_fixture_end_gateway(fixture), 0);
    (void)snprintf(setting, sizeof setting, "API_KEYS_FILE=%s/keys.json", fixture->gateway.folder);
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        (void)fprintf(file, "[{\"name\":\"n\",\"sha256\":\"%s\",\"scopes\":[\"read\"]}]", digests[i]);
        assert_int_equal(fclose(file), 0);
        if (i == 0)
            gateway_fixture_start_gateway(fixture, settings);
        else
            assert_int_equal(kill(fixture->gateway.pid, SIGHUP), 0);
        gateway_fixture_wait_for_status(fixture, 404, "GET", "/v1/jobs/01M83E583Z7ZMJ3KYDMHDHKP5N",
                                        i == 0 ? "X-API-KEY: one\r\n" : "X-API-KEY: two\r\n", NULL);
    }
    gateway_fixture_wait_for_log(fixture, "shops.reloaded");
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/v1/jobs/x", "X-API-KEY: one\r\n", NULL), 401);
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs",
                                            "X-API-KEY: two\r\nContent-Type: application/json\r\n", "{}"),
                     403); /* no scope to submit */
}

/* Runs the program with these settings only; its output (both streams) into text; its exit status. */
static int run_gateway(const char *settings, const char *arguments, char *text, size_t size)
{
    char command[1024];
    FILE *output;
    size_t length;

    (void)snprintf(command, sizeof command, "env -i %s %s/recfleet-gateway %s 2>&1", settings, getenv("RECFLEET_BIN"),
                   arguments);
    output = popen(command, "r");
    assert_non_null(output);
    length = fread(text, 1, size - 1, output);
    text[length] = '\0';
    return WEXITSTATUS(pclose(output));
}

static void wrong_settings_are_all_told_with_exit_78(void **state)
{
    char text[8192];

    (void)state;
    assert_int_equal(run_gateway("PORT=x STORE_URL=mysql://y NAMESPACES_FILE=/nonexistent", "--env-file /dev/null",
                                 text, sizeof text),
                     78);
    assert_non_null(strstr(text, "PORT:"));
    assert_non_null(strstr(text, "STORE_URL:"));
    assert_non_null(strstr(text, "API_KEY:"));
    assert_non_null(strstr(text, "NAMESPACES_FILE:"));
    assert_int_equal(run_gateway("API_KEY=a", "--env-file /nonexistent/.env", text, sizeof text), 78);
    assert_int_equal(run_gateway("API_KEY=a", "--nonsense", text, sizeof text), 64);
}

static void the_configuration_is_printed_without_secrets(void **state)
{
    char text[8192];

    (void)state;
    assert_int_equal(
        run_gateway("API_KEY=topsecret QUEUE_REDIS_URL=redis://u:hidden@h", "--print-config", text, sizeof text), 0);
    assert_non_null(strstr(text, "API_KEY=****"));
    assert_non_null(strstr(text, "PORT=8080"));
    assert_null(strstr(text, "topsecret"));
    assert_null(strstr(text, "hidden"));
    assert_int_equal(run_gateway("", "--version", text, sizeof text), 0);
    assert_non_null(strstr(text, "recfleet-gateway ")); /* a library may have said something before it */
    assert_int_equal(run_gateway("", "--help", text, sizeof text), 0);
}

static void a_taken_port_is_told_and_leaves_nothing_open(void **state)
{
    struct test_server redis;
    char settings[SERVER_TEXT_BYTES + 128];
    char text[8192];

    (void)state;
    assert_true(server_start_redis(&redis, NULL));
    (void)snprintf(settings, sizeof settings, "API_KEY=a LISTEN=127.0.0.1 PORT=%d STORE_URL=sqlite:%s/x.db", redis.port,
                   redis.folder);
    assert_int_equal(run_gateway(settings, "", text, sizeof text), 70);
    assert_non_null(strstr(text, "address already in use"));
    assert_non_null(strstr(text, "gateway.ended"));
    server_fini(&redis);
}

#define WITH_GATEWAY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_GATEWAY(redis_down_at_the_start_is_503_until_it_comes),
        WITH_GATEWAY(redis_killed_between_requests_loses_no_job),
        WITH_GATEWAY(a_lost_answer_is_202_and_the_job_is_enqueued_later),
        WITH_GATEWAY(a_job_whose_place_was_taken_meanwhile_ends_superseded),
        WITH_GATEWAY(a_store_that_cannot_be_opened_is_503_until_it_can),
        WITH_GATEWAY(mongodb_killed_is_503_while_live_jobs_can_be_watched),
        WITH_GATEWAY(sigterm_lets_waiting_clients_know_where_their_job_is),
        WITH_GATEWAY(a_client_that_left_frees_its_place_among_the_waiting),
        WITH_GATEWAY(the_grace_ends_what_does_not_end_by_itself),
        WITH_GATEWAY(sighup_reads_the_keys_anew),
        cmocka_unit_test(wrong_settings_are_all_told_with_exit_78),
        cmocka_unit_test(the_configuration_is_printed_without_secrets),
        cmocka_unit_test(a_taken_port_is_told_and_leaves_nothing_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
