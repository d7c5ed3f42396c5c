/* What a client may ask for: rates that all gateways share, addresses behind proxies, scopes of keys. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_scripts.h"
#include "common/net/hash.h"
#include "tests/integration/gateway_fixture.h"

#define UNKNOWN_JOB      "/v1/jobs/01M83E583Z7ZMJ3KYDMHDHKP5N"
#define UNKNOWN_REPORT   UNKNOWN_JOB "/report"
#define RATE_KEY(policy) "rl:{default}:" policy

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

static int post(struct gateway_fixture *fixture, int shop)
{
    char body[96];

    (void)snprintf(body, sizeof body, "{\"type\":\"warehouse\",\"params\":{\"namespace\":\"shop-%d\"}}", shop);
    return gateway_fixture_status(fixture, "POST", "/v1/jobs", AS_JSON, body);
}

static int get(struct gateway_fixture *fixture, const char *path)
{
    return gateway_fixture_status(fixture, "GET", path, WITH_KEY, NULL);
}

static void assert_header(const struct http_probe_answer *answer, const char *name, const char *begin)
{
    char value[128] = "";

    if (!http_probe_header(answer, name, value, sizeof value) || strncmp(value, begin, strlen(begin)) != 0)
        fail_msg("%s is \"%s\", not %s…", name, value, begin);
}

/* r=…;t=… of the RateLimit header. */
static void read_rate(const struct http_probe_answer *answer, long *left, long *reset_s)
{
    char value[128] = "";
    const char *at;

    assert_true(http_probe_header(answer, "ratelimit", value, sizeof value));
    at = strstr(value, ";r=");
    assert_non_null(at);
    *left = strtol(at + 3, NULL, 10);
    at = strstr(value, ";t=");
    assert_non_null(at);
    *reset_s = strtol(at + 3, NULL, 10);
}

static void submissions_beyond_the_hours_number_are_429_and_leave_nothing(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_SUBMIT=4", "RATE_LIMIT_READ=100", NULL};
    struct gateway_fixture *fixture = *state;
    struct http_probe_answer answer;
    struct json *problem;
    char value[32];
    long left;
    long reset_s;

    gateway_fixture_start(fixture, settings, false);
    for (int i = 0; i < 4; i++) {
        char body[96];

        (void)snprintf(body, sizeof body, "{\"type\":\"warehouse\",\"params\":{\"namespace\":\"shop-%d\"}}", i);
        answer = gateway_fixture_ask(fixture, "POST", "/v1/jobs", AS_JSON, body);
        assert_int_equal(answer.status, 202);
        assert_header(&answer, "ratelimit-policy", "\"submit\";q=4;w=3600");
        read_rate(&answer, &left, &reset_s);
        assert_int_equal(left, 3 - i);
        assert_in_range(reset_s, 3500, 3600);
        http_probe_answer_fini(&answer);
    }
    answer = gateway_fixture_ask(fixture, "POST", "/v1/jobs", AS_JSON,
                                 "{\"type\":\"warehouse\",\"params\":{\"namespace\":\"shop-9\"}}");
    assert_int_equal(answer.status, 429);
    assert_header(&answer, "content-type", "application/problem+json");
    assert_header(&answer, "ratelimit", "\"submit\";r=0;t=3");
    assert_true(http_probe_header(&answer, "retry-after", value, sizeof value));
    assert_in_range(strtol(value, NULL, 10), 3500, 3600);
    problem = gateway_fixture_json(&answer);
    assert_string_equal(json_value_get_text(problem, "type"), "urn:recfleet:problem:rate_limited");
    json_value_destroy(problem);
    http_probe_answer_fini(&answer);
    assert_int_equal(gateway_fixture_count(fixture, NULL), 4);
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", RATE_KEY("submit"), NULL), "4");
    assert_int_equal(get(fixture, UNKNOWN_JOB), 404); /* reads are counted apart */
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", RATE_KEY("read"), NULL), "1");
}

static void a_limit_ends_with_its_window(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_READ=2", NULL};
    struct gateway_fixture *fixture = *state;

    gateway_fixture_start(fixture, settings, false);
    assert_int_equal(get(fixture, UNKNOWN_JOB), 404);
    assert_int_equal(get(fixture, UNKNOWN_JOB), 404);
    assert_int_equal(get(fixture, UNKNOWN_JOB), 429);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "PEXPIRE", RATE_KEY("read"), "1", NULL), 1);
    gateway_fixture_wait_for_status(fixture, 404, "GET", UNKNOWN_JOB, WITH_KEY, NULL);
}

static void zero_is_no_limit(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_SUBMIT=0", "RATE_LIMIT_READ=0", NULL};
    struct gateway_fixture *fixture = *state;
    struct http_probe_answer answer;
    char value[32];

    gateway_fixture_start(fixture, settings, false);
    answer = gateway_fixture_ask(fixture, "GET", UNKNOWN_JOB, WITH_KEY, NULL);
    assert_int_equal(answer.status, 404);
    assert_false(http_probe_header(&answer, "ratelimit", value, sizeof value));
    http_probe_answer_fini(&answer);
    assert_int_equal(post(fixture, 1), 202);
    assert_string_equal(queue_fixture_ask(fixture->queue, "KEYS", "rl:*", NULL), "(nil)");
}

static void open_routes_are_never_limited(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_READ=1", NULL};
    static const char *const open_routes[] = {"/", "/health", "/readyz"};
    struct gateway_fixture *fixture = *state;

    gateway_fixture_start(fixture, settings, false);
    assert_int_equal(gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, NULL, NULL), 401);
    assert_int_equal(gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, NULL, NULL), 429);
    for (size_t i = 0; i < 10 * sizeof open_routes / sizeof open_routes[0]; i++)
        assert_int_equal(gateway_fixture_status(fixture, "GET", open_routes[i % 3], NULL, NULL), 200);
}

/* A second gateway on the same queue and store. */
static void start_second(struct gateway_fixture *first, struct gateway_fixture *second, const char *const *settings)
{
    memset(second, 0, sizeof *second);
    second->queue = first->queue;
    memcpy(second->store_url, first->store_url, sizeof second->store_url);
    assert_true(server_prepare(&second->gateway));
    gateway_fixture_start_gateway(second, settings);
    gateway_fixture_wait_for_log(second, "queue.ready");
    gateway_fixture_wait_for_log(second, "store.ready");
}

static void gateways_share_a_clients_limit(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_READ=30", NULL};
    struct gateway_fixture *fixture = *state;
    struct gateway_fixture second;
    int allowed = 0;

    gateway_fixture_start(fixture, settings, false);
    start_second(fixture, &second, settings);
    for (int i = 0; i < 50; i++) {
        int status = get(i % 3 == 0 ? fixture : &second, UNKNOWN_REPORT);

        assert_true(status == 404 || status == 429);
        allowed += status == 404;
    }
    assert_int_equal(allowed, 30);
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", RATE_KEY("read"), NULL), "30");
    assert_int_equal(gateway_fixture_end_gateway(&second), 0);
    server_fini(&second.gateway);
}

static void a_burst_over_many_connections_gets_exactly_the_limit(void **state)
{
    enum { CONNECTIONS = 20, EACH = 20, LIMIT = 150 };
    static const char *const settings[] = {"RATE_LIMIT_READ=150", NULL};
    struct gateway_fixture *fixture = *state;
    struct http_probe probes[CONNECTIONS];
    int allowed = 0;

    gateway_fixture_start(fixture, settings, false);
    for (int i = 0; i < CONNECTIONS; i++) {
        assert_true(http_probe_open(&probes[i], fixture->gateway.port));
        for (int k = 0; k < EACH; k++) /* pipelined */
            assert_true(http_probe_ask(&probes[i], "GET", UNKNOWN_REPORT, WITH_KEY, NULL));
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        for (int k = 0; k < EACH; k++) {
            struct http_probe_answer answer;

            assert_true(http_probe_receive(&probes[i], &answer, false));
            assert_true(answer.status == 404 || answer.status == 429);
            allowed += answer.status == 404;
            http_probe_answer_fini(&answer);
        }
        http_probe_close(&probes[i]);
    }
    assert_int_equal(allowed, LIMIT);
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", RATE_KEY("read"), NULL), "150");
}

/* Far from the limit nobody waits for Redis, and yet all are counted. */
static void what_goes_on_at_once_is_counted_behind_it(void **state)
{
    enum { CONNECTIONS = 20, EACH = 10 };
    static const char *const settings[] = {"RATE_LIMIT_READ=1000", NULL};
    struct gateway_fixture *fixture = *state;
    struct http_probe probes[CONNECTIONS];
    int64_t deadline_ms;

    gateway_fixture_start(fixture, settings, false);
    for (int i = 0; i < CONNECTIONS; i++)
        assert_true(http_probe_open(&probes[i], fixture->gateway.port));
    for (int k = 0; k < EACH; k++) {
        struct http_probe_answer answer;

        for (int i = 0; i < CONNECTIONS; i++) /* answered without store and queue */
            assert_true(http_probe_ask(&probes[i], "GET", "/v1/jobs/x", WITH_KEY, NULL));
        for (int i = 0; i < CONNECTIONS; i++) {
            assert_true(http_probe_receive(&probes[i], &answer, false));
            assert_int_equal(answer.status, 404);
            http_probe_answer_fini(&answer);
        }
    }
    for (int i = 0; i < CONNECTIONS; i++)
        http_probe_close(&probes[i]);
    deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    while (strcmp(queue_fixture_ask(fixture->queue, "GET", RATE_KEY("read"), NULL), "200") != 0) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
}

static void without_redis_nothing_is_limited(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_READ=1", NULL};
    struct gateway_fixture *fixture = *state;
    int64_t begun_ms;

    gateway_fixture_start(fixture, settings, false);
    assert_int_equal(get(fixture, UNKNOWN_REPORT), 404);
    assert_int_equal(get(fixture, UNKNOWN_REPORT), 429);
    gateway_fixture_pause();
    server_freeze(&fixture->queue->server); /* it takes the call and does not answer */
    begun_ms = gateway_fixture_now_ms();
    gateway_fixture_wait_for_status(fixture, 404, "GET", UNKNOWN_REPORT, WITH_KEY, NULL);
    assert_int_equal(get(fixture, UNKNOWN_REPORT), 404);
    assert_true(gateway_fixture_now_ms() - begun_ms < 8000);
    assert_true(gateway_fixture_log_holds(fixture, "rate_limit.open"));
    server_kill(&fixture->queue->server);
    gateway_fixture_wait_for_log(fixture, "queue.away");
    for (int i = 0; i < 5; i++)
        assert_int_equal(get(fixture, UNKNOWN_REPORT), 404);
    assert_true(server_restart(&fixture->queue->server));
    gateway_fixture_wait_for_status(fixture, 429, "GET", UNKNOWN_REPORT, WITH_KEY, NULL); /* it was kept */
}

static void wrong_keys_cost_their_address_and_nobody_else(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_READ=3", NULL};
    struct gateway_fixture *fixture = *state;
    struct http_probe_answer answer;

    gateway_fixture_start(fixture, settings, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, "X-API-KEY: wrong\r\n", NULL), 401);
    assert_int_equal(gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, "X-API-KEY: wrong\r\n", NULL), 429);
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", NULL, "{}"), 429);
    answer = gateway_fixture_ask(fixture, "GET", LEGACY, NULL, NULL);
    assert_int_equal(answer.status, 429);
    assert_non_null(strstr(answer.body, "{\"message\":\"too many requests"));
    assert_non_null(strstr(answer.body, "\"exception\":null}"));
    http_probe_answer_fini(&answer);
    assert_int_equal(get(fixture, UNKNOWN_JOB), 404); /* from the same address, with its key */
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", "rl:{127.0.0.1}:read", NULL), "3");
}

static void behind_a_trusted_proxy_the_clients_address_counts(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_READ=1", "TRUSTED_PROXIES=127.0.0.0/8", NULL};
    struct gateway_fixture *fixture = *state;

    gateway_fixture_start(fixture, settings, false);
    assert_int_equal(
        gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, "X-Forwarded-For: 6.6.6.6, 198.51.100.1\r\n", NULL), 401);
    assert_int_equal(
        gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, "X-Forwarded-For: 7.7.7.7, 198.51.100.1\r\n", NULL), 429);
    assert_int_equal(gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, "X-Forwarded-For: 198.51.100.2\r\n", NULL),
                     401);
    assert_int_equal(gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, "X-Forwarded-For: 2001:db8::1\r\n", NULL),
                     401);
    assert_int_equal(gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, "X-Forwarded-For: 2001:db8::2\r\n", NULL),
                     429); /* the same network */
    gateway_fixture_wait_for_log(fixture, "\"address\":\"198.51.100.1\"");
    assert_false(gateway_fixture_log_holds(fixture, "6.6.6.6"));
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", "rl:{2001:db8::/64}:read", NULL), "1");
}

static void a_stranger_cannot_choose_its_address(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_READ=1", "TRUSTED_PROXIES=10.0.0.0/8", NULL};
    struct gateway_fixture *fixture = *state;

    gateway_fixture_start(fixture, settings, false);
    assert_int_equal(gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, "X-Forwarded-For: 198.51.100.1\r\n", NULL),
                     401);
    assert_int_equal(gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, "X-Forwarded-For: 198.51.100.2\r\n", NULL),
                     429);
    gateway_fixture_wait_for_log(fixture, "\"address\":\"127.0.0.1\"");
    assert_false(gateway_fixture_log_holds(fixture, "198.51.100"));
}

/* It counts as a submission unless it joins a live job. */
static void an_old_get_that_joins_a_live_job_is_no_submission(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_SUBMIT=1", "RATE_LIMIT_READ=3", NULL};
    struct gateway_fixture *fixture = *state;

    gateway_fixture_start(fixture, settings, false);
    for (int i = 0; i < 4; i++) {
        struct http_probe_answer answer =
            gateway_fixture_ask(fixture, "GET", LEGACY, WITH_KEY "Prefer: respond-async\r\n", NULL);

        assert_int_equal(answer.status, 202);
        assert_header(&answer, "ratelimit-policy", i == 0 ? "\"submit\";q=1" : "\"read\";q=3");
        http_probe_answer_fini(&answer);
    }
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", RATE_KEY("submit"), NULL), "1");
    assert_int_equal(get(fixture, LEGACY), 429); /* the reads are spent */
    assert_int_equal(post(fixture, 1), 429);     /* and the submission */
    assert_int_equal(gateway_fixture_count(fixture, NULL), 1);
}

/* Many at once: one starts the job, and the others get back what they were charged. */
static void old_gets_at_the_same_time_are_one_submission(void **state)
{
    enum { GETS = 8 };
    static const char *const settings[] = {"RATE_LIMIT_SUBMIT=100", NULL};
    struct gateway_fixture *fixture = *state;
    struct http_probe probes[GETS];
    int64_t deadline_ms;

    gateway_fixture_start(fixture, settings, false);
    for (int i = 0; i < GETS; i++)
        assert_true(http_probe_open(&probes[i], fixture->gateway.port));
    for (int i = 0; i < GETS; i++)
        assert_true(http_probe_ask(&probes[i], "GET", LEGACY, WITH_KEY "Prefer: respond-async\r\n", NULL));
    for (int i = 0; i < GETS; i++) {
        struct http_probe_answer answer;

        assert_true(http_probe_receive(&probes[i], &answer, false));
        assert_int_equal(answer.status, 202);
        http_probe_answer_fini(&answer);
        http_probe_close(&probes[i]);
    }
    deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    while (strcmp(queue_fixture_ask(fixture->queue, "GET", RATE_KEY("submit"), NULL), "1") != 0 ||
           gateway_fixture_count(fixture, NULL) != 1) { /* nobody waits for the others' documents to go */
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
}

/* The counts, to the last one. */
static void the_script_counts_a_window(void **state)
{
    static const char *const keys[] = {"rl:{x}:read", NULL};
    static const struct {
        const char *arguments[5]; /* quota window_ms spent asked */
        const char *granted;
        const char *used;
    } calls[] = {
        {{"10", "60000", "0", "4", NULL}, "4", "4"},   {{"10", "60000", "3", "0", NULL}, "0", "7"},
        {{"10", "60000", "0", "5", NULL}, "3", "10"},  {{"10", "60000", "0", "1", NULL}, "0", "10"},
        {{"10", "60000", "2", "2", NULL}, "0", "12"},  {{"20", "60000", "0", "2", NULL}, "2", "14"},
        {{"5", "60000", "0", "1", NULL}, "0", "14"},   {{"20", "60000", "-3", "0", NULL}, "0", "11"},
        {{"20", "60000", "-50", "0", NULL}, "0", "0"},
    };
    struct gateway_fixture *fixture = *state;
    struct queue_fixture *queue;

    gateway_fixture_start(fixture, NULL, false);
    queue = fixture->queue;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        assert_string_equal(queue_fixture_script(queue, &job_script_rate_limit, keys, calls[i].arguments),
                            calls[i].granted);
        assert_string_equal(queue_fixture_ask(queue, "GET", keys[0], NULL), calls[i].used);
        assert_in_range(queue_fixture_ask_int(queue, "PTTL", keys[0], NULL), 1, 60000);
    }
    /* a window that has no end, or one of another length, begins anew */
    assert_int_equal(queue_fixture_ask_int(queue, "PERSIST", keys[0], NULL), 1);
    assert_string_equal(queue_fixture_script(queue, &job_script_rate_limit, keys, calls[0].arguments), "4");
    assert_in_range(queue_fixture_ask_int(queue, "PTTL", keys[0], NULL), 1, 60000);
    assert_int_equal(queue_fixture_ask_int(queue, "PEXPIRE", keys[0], "900000000", NULL), 1);
    assert_string_equal(queue_fixture_script(queue, &job_script_rate_limit, keys, calls[0].arguments), "4");
    assert_string_equal(queue_fixture_ask(queue, "GET", keys[0], NULL), "4");
}

/* Keys */

struct key_entry {
    const char *name;
    const char *key;
    const char *scopes;
};

static void write_keys(const struct gateway_fixture *fixture, const char *name, const struct key_entry *entries)
{
    char path[SERVER_TEXT_BYTES + 32];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", fixture->gateway.folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "[");
    for (size_t i = 0; entries[i].name != NULL; i++) {
        char digest[HASH_SHA256_HEX_BYTES];

        assert_int_equal(hash_sha256_hex(entries[i].key, strlen(entries[i].key), digest), ERR_OK);
        (void)fprintf(file, "%s{\"name\":\"%s\",\"sha256\":\"%s\",\"scopes\":[%s]}", i > 0 ? "," : "", entries[i].name,
                      digest, entries[i].scopes);
    }
    (void)fprintf(file, "]");
    assert_int_equal(fclose(file), 0);
}

static void start_with_keys(struct gateway_fixture *fixture, const struct key_entry *entries)
{
    char setting[SERVER_TEXT_BYTES + 64];
    const char *const settings[] = {"API_KEY=", setting, "RATE_LIMIT_READ=100", NULL};

    gateway_fixture_start(fixture, NULL, false);
    assert_int_equal(gateway_fixture_end_gateway(fixture), 0);
    write_keys(fixture, "scoped.json", entries);
    (void)snprintf(setting, sizeof setting, "API_KEYS_FILE=%s/scoped.json", fixture->gateway.folder);
    gateway_fixture_start_gateway(fixture, settings);
    gateway_fixture_wait_for_status(fixture, 200, "GET", "/readyz", NULL, NULL);
}

static int ask_as(struct gateway_fixture *fixture, const char *key, const char *method, const char *path)
{
    char headers[160];

    (void)snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\nContent-Type: application/json\r\n", key);
    return gateway_fixture_status(fixture, method, path, headers, strcmp(method, "POST") == 0 ? "{}" : NULL);
}

static void a_key_may_do_what_its_scopes_say(void **state)
{
    static const struct key_entry entries[] = {{"cron", "key-cron", "\"submit\""},
                                               {"board", "key-board", "\"read\""},
                                               {"boss", "key-boss", "\"submit\",\"read\",\"admin\""},
                                               {NULL, NULL, NULL}};
    struct gateway_fixture *fixture = *state;

    start_with_keys(fixture, entries);
    assert_int_equal(ask_as(fixture, "key-cron", "POST", "/v1/jobs"), 422); /* it got as far as its body */
    assert_int_equal(ask_as(fixture, "key-cron", "GET", UNKNOWN_JOB), 403);
    assert_int_equal(ask_as(fixture, "key-board", "POST", "/v1/jobs"), 403);
    assert_int_equal(ask_as(fixture, "key-board", "GET", LEGACY), 403);
    assert_int_equal(ask_as(fixture, "key-board", "GET", UNKNOWN_JOB), 404);
    assert_int_equal(ask_as(fixture, "key-boss", "POST", "/v1/jobs"), 422);
    assert_int_equal(ask_as(fixture, "key-boss", "GET", UNKNOWN_JOB), 404);
    assert_int_equal(ask_as(fixture, API_KEY, "GET", UNKNOWN_JOB), 401); /* there is no API_KEY beside the file */
    assert_int_equal(ask_as(fixture, "key-nobody", "GET", UNKNOWN_JOB), 401);
    gateway_fixture_wait_for_log(fixture, "\"client\":\"board\"");
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", "rl:{board}:read", NULL), "1"); /* by name */
    assert_string_equal(queue_fixture_ask(fixture->queue, "GET", "rl:{boss}:read", NULL), "1");
    assert_false(gateway_fixture_log_holds(fixture, "key-b"));
}

static void keys_are_read_anew_on_a_hangup_and_a_bad_file_changes_nothing(void **state)
{
    static const struct key_entry before[] = {{"a", "key-a", "\"read\""}, {NULL, NULL, NULL}};
    static const struct key_entry bad[] = {{"b", "key-b", "\"read\""}, {"b", "key-b2", "\"read\""}, {NULL, NULL, NULL}};
    static const struct key_entry after[] = {{"c", "key-c", "\"read\""}, {NULL, NULL, NULL}};
    struct gateway_fixture *fixture = *state;

    start_with_keys(fixture, before);
    assert_int_equal(ask_as(fixture, "key-a", "GET", UNKNOWN_JOB), 404);
    write_keys(fixture, "scoped.json", bad);
    assert_int_equal(kill(fixture->gateway.pid, SIGHUP), 0);
    gateway_fixture_wait_for_log(fixture, "keys.reload_failed");
    assert_int_equal(ask_as(fixture, "key-a", "GET", UNKNOWN_JOB), 404);
    assert_int_equal(ask_as(fixture, "key-b", "GET", UNKNOWN_JOB), 401);
    write_keys(fixture, "scoped.json", after);
    assert_int_equal(kill(fixture->gateway.pid, SIGHUP), 0);
    gateway_fixture_wait_for_log(fixture, "keys.reloaded");
    assert_int_equal(ask_as(fixture, "key-a", "GET", UNKNOWN_JOB), 401);
    assert_int_equal(ask_as(fixture, "key-c", "GET", UNKNOWN_JOB), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(submissions_beyond_the_hours_number_are_429_and_leave_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_limit_ends_with_its_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zero_is_no_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_routes_are_never_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gateways_share_a_clients_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_burst_over_many_connections_gets_exactly_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_goes_on_at_once_is_counted_behind_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_redis_nothing_is_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_keys_cost_their_address_and_nobody_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(behind_a_trusted_proxy_the_clients_address_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stranger_cannot_choose_its_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_get_that_joins_a_live_job_is_no_submission, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_gets_at_the_same_time_are_one_submission, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_script_counts_a_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_may_do_what_its_scopes_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_read_anew_on_a_hangup_and_a_bad_file_changes_nothing, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
