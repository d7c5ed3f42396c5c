/* What the gateway tells those who watch it: /metrics on an address of its own, /readyz. */
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

#include "common/job/job_queue_control.h"
#include "tests/integration/gateway_fixture.h"
#include "tests/support/metrics_text.h"

#define UNKNOWN_JOB "/v1/jobs/01M83E583Z7ZMJ3KYDMHDHKP5N"

enum { SETTING_BYTES = 64 };

struct watched {
    struct gateway_fixture gateway;
    int port; /* of /metrics */
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct watched));
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct watched *watched = *state;

    gateway_fixture_stop(&watched->gateway);
    free(watched);
    return 0;
}

/* A gateway with /metrics on a free port, and settings (NULL-ended, at most six). */
static void start(struct watched *watched, const char *const *settings)
{
    char listen[SETTING_BYTES];
    const char *all[8] = {listen};

    for (size_t i = 0; settings != NULL && settings[i] != NULL && i < 6; i++)
        all[i + 1] = settings[i];
    watched->port = server_free_port();
    (void)snprintf(listen, sizeof listen, "METRICS_LISTEN=127.0.0.1:%d", watched->port);
    gateway_fixture_start(&watched->gateway, all, false);
}

/* The text of /metrics, checked; for free(). */
static char *scrape(const struct watched *watched)
{
    struct http_probe_answer answer;
    char problem[256];
    char *text;
    int line;

    if (!http_probe_once(watched->port, "GET", "/metrics", NULL, NULL, &answer))
        fail_msg("no answer of /metrics");
    assert_int_equal(answer.status, 200);
    if (!metrics_text_check(answer.body, &line, problem, sizeof problem))
        fail_msg("line %d: %s\n%s", line, problem, answer.body);
    text = strdup(answer.body);
    assert_non_null(text);
    http_probe_answer_fini(&answer);
    return text;
}

static bool has(const struct watched *watched, const char *sample, double *value)
{
    char *text = scrape(watched);
    bool found = metrics_text_value(text, sample, value);

    free(text);
    return found;
}

/* Until the sample has the value: what is read from queue and store is at most a second old. */
static void wait_for_value(const struct watched *watched, const char *sample, double wanted)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    double value = -1;

    while (!has(watched, sample, &value) || value < wanted || value > wanted) {
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("%s is %g, not %g", sample, value, wanted);
        gateway_fixture_pause();
    }
}

static void requests_are_counted_by_route_method_and_code(void **state)
{
    static const char *const settings[] = {"RATE_LIMIT_READ=2", NULL};
    struct watched *watched = *state;
    struct gateway_fixture *fixture = &watched->gateway;
    double value;

    start(watched, settings);
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/health", NULL, NULL), 200);
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/health", NULL, NULL), 200);
    for (int i = 0; i < 3; i++)
        (void)gateway_fixture_status(fixture, "GET", UNKNOWN_JOB, WITH_KEY, NULL);
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", AS_JSON, "{"), 400);
    assert_int_equal(gateway_fixture_status(fixture, "BREW", "/v1/jobs", AS_JSON, NULL), 501);
    assert_int_equal(gateway_fixture_status(fixture, "DELETE", "/nothing/here", NULL, NULL), 404);
    assert_true(has(watched, "recfleet_http_requests_total{route=\"/health\",method=\"GET\",code=\"200\"}", &value));
    assert_float_equal(value, 2, 0);
    assert_true(
        has(watched, "recfleet_http_requests_total{route=\"/v1/jobs/{id}\",method=\"GET\",code=\"404\"}", &value));
    assert_float_equal(value, 2, 0);
    assert_true(
        has(watched, "recfleet_http_requests_total{route=\"/v1/jobs/{id}\",method=\"GET\",code=\"429\"}", &value));
    assert_true(has(watched, "recfleet_http_rate_limited_total{route=\"/v1/jobs/{id}\"}", &value));
    assert_float_equal(value, 1, 0);
    assert_true(has(watched, "recfleet_http_requests_total{route=\"/v1/jobs\",method=\"POST\",code=\"400\"}", &value));
    assert_true(has(watched, "recfleet_http_requests_total{route=\"none\",method=\"other\",code=\"404\"}", &value));
    assert_true(has(watched,
                    "recfleet_http_request_duration_seconds_bucket{route=\"/health\",method=\"GET\",le=\"+Inf\"}",
                    &value));
    assert_float_equal(value, 2, 0);
    assert_true(has(watched, "recfleet_build_info{program=\"gateway\",version=\"" RECFLEET_VERSION "\"}", &value));
    assert_true(has(watched, "recfleet_http_connections", &value));
}

/* The checker of Prometheus itself, where the machine has it. */
static void prometheus_own_checker_has_no_complaint(void **state)
{
    struct watched *watched = *state;
    char command[128];

    start(watched, NULL);
    assert_int_equal(gateway_fixture_status(&watched->gateway, "GET", UNKNOWN_JOB, WITH_KEY, NULL), 404);
    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        print_message("promtool is not here; the tests' own strict reader stands for it\n");
        free(scrape(watched));
        return;
    }
    (void)snprintf(command, sizeof command, "curl -sf http://127.0.0.1:%d/metrics | promtool check metrics",
                   watched->port);
    assert_int_equal(system(command), 0);
}

static void the_queue_shows_its_depth_age_and_workers(void **state)
{
    struct watched *watched = *state;
    struct gateway_fixture *fixture = &watched->gateway;
    struct job_queue_lease lease = {0};
    struct job_queue_entry entry;
    char id[JOB_ID_BYTES];
    double value;

    start(watched, NULL);
    wait_for_value(watched, "recfleet_queue_open_jobs{queue=\"" QUEUE "\"}", 0);
    assert_true(has(watched, "recfleet_queue_oldest_job_age_seconds{queue=\"" QUEUE "\"}", &value));
    assert_float_equal(value, 0, 0);
    gateway_fixture_submit(fixture, "warehouse", "shop-1", id);
    gateway_fixture_submit(fixture, "warehouse", "shop-2", id);
    gateway_fixture_submit(fixture, "warehouse", "shop-3", id);
    wait_for_value(watched, "recfleet_queue_jobs{queue=\"" QUEUE "\",state=\"queued\"}", 3);
    entry = queue_fixture_read(fixture->queue, WORKER_A);
    assert_int_equal(queue_fixture_start_job(fixture->queue, &entry, WORKER_A, &lease), JOB_QUEUE_RUN);
    wait_for_value(watched, "recfleet_queue_jobs{queue=\"" QUEUE "\",state=\"running\"}", 1);
    assert_true(has(watched, "recfleet_queue_jobs{queue=\"" QUEUE "\",state=\"queued\"}", &value));
    assert_float_equal(value, 2, 0);
    assert_true(has(watched, "recfleet_queue_open_jobs{queue=\"" QUEUE "\"}", &value));
    assert_float_equal(value, 3, 0);
    assert_true(has(watched, "recfleet_queue_pending_entries{queue=\"" QUEUE "\"}", &value));
    assert_float_equal(value, 1, 0);
    assert_true(has(watched, "recfleet_queue_lag_entries{queue=\"" QUEUE "\"}", &value));
    assert_float_equal(value, 2, 0);
    assert_true(has(watched, "recfleet_queue_oldest_job_age_seconds{queue=\"" QUEUE "\"}", &value));
    assert_true(value > 0 && value < 60);
    assert_true(has(watched, "recfleet_workers{queue=\"" QUEUE "\",state=\"idle\"}", &value));
    assert_float_equal(value, 0, 0);
}

static void register_worker(struct gateway_fixture *fixture, const char *name, const char *job, const char *state)
{
    struct clock_source clock = clock_system();
    const struct job_queue_worker worker = {.name = name,
                                            .host = "h",
                                            .device = "cpu",
                                            .version = "1",
                                            .job = job,
                                            .state = state,
                                            .queues = QUEUE,
                                            .pid = 1,
                                            .started_ms = clock_unix_ms(&clock)};
    struct redis_command command;

    job_queue_register_command(&command, QUEUE, &worker);
    redis_reply_destroy(queue_fixture_send(fixture->queue, &command));
}

static void workers_and_all_queues_are_told(void **state)
{
    static const char *const settings[] = {"QUEUE_ROUTES=cross_sell=cpu,*=" QUEUE, NULL};
    struct watched *watched = *state;
    struct gateway_fixture *fixture = &watched->gateway;
    char id[JOB_ID_BYTES];
    double value;

    start(watched, settings);
    register_worker(fixture, "a", "", "working");
    register_worker(fixture, "b", "01M83E583Z7ZMJ3KYDMHDHKP5N", "working");
    register_worker(fixture, "c", "01M83E583Z7ZMJ3KYDMHDHKP5P", "stopping");
    wait_for_value(watched, "recfleet_workers{queue=\"" QUEUE "\",state=\"idle\"}", 1);
    wait_for_value(watched, "recfleet_workers{queue=\"" QUEUE "\",state=\"busy\"}", 1);
    wait_for_value(watched, "recfleet_workers{queue=\"" QUEUE "\",state=\"stopping\"}", 1);
    gateway_fixture_submit(fixture, "cross_sell", "shop-1", id);
    wait_for_value(watched, "recfleet_queue_jobs{queue=\"cpu\",state=\"queued\"}", 1);
    assert_true(has(watched, "recfleet_queue_jobs{queue=\"" QUEUE "\",state=\"queued\"}", &value));
    assert_float_equal(value, 0, 0);
    assert_true(has(watched, "recfleet_queue_paused{queue=\"cpu\"}", &value));
    assert_float_equal(value, 0, 0);
}

/* Stores a job that succeeded at that time. */
static void put_success(struct gateway_fixture *fixture, const char *shop, int64_t finished_ms)
{
    struct clock_source clock = clock_system();
    struct job_request request = {.type = JOB_CROSS_SELL,
                                  .shop = shop,
                                  .queue = QUEUE,
                                  .requested_by = "k",
                                  .max_errors = 2,
                                  .max_lost = 3,
                                  .fingerprint = ""};
    struct json *document;
    struct json *changes = json_value_new_object();
    struct err err = {0};
    char id[JOB_ID_BYTES];
    bool applied = false;

    assert_int_equal(job_id_generate(id, &clock, &err), ERR_OK);
    request.id = id;
    document = job_document_create(&request, finished_ms - 1000);
    assert_int_equal(job_store_insert(gateway_fixture_store(fixture), document, &err), ERR_OK);
    assert_true(json_value_set_text(changes, "state", "succeeded"));
    assert_true(job_document_set_time(changes, "finished_at", finished_ms));
    assert_int_equal(job_store_update(gateway_fixture_store(fixture), id, 1, changes, &applied, &err), ERR_OK);
    assert_true(applied);
    json_value_destroy(document);
    json_value_destroy(changes);
}

static void the_last_success_is_told_by_type_and_shop(void **state)
{
    struct watched *watched = *state;

    start(watched, NULL);
    put_success(&watched->gateway, "shop-1", INT64_C(1767225600500));
    put_success(&watched->gateway, "shop-1", INT64_C(1767225500000));
    put_success(&watched->gateway, "shop-2", INT64_C(1767225700000));
    wait_for_value(watched, "recfleet_job_last_success_timestamp_seconds{type=\"cross_sell\",namespace=\"shop-1\"}",
                   1767225600.5);
    wait_for_value(watched, "recfleet_job_last_success_timestamp_seconds{type=\"cross_sell\",namespace=\"shop-2\"}",
                   1767225700);
    wait_for_value(watched, "recfleet_store_up", 1);
}

static void without_redis_nothing_old_is_shown_and_a_reconnect_is_counted(void **state)
{
    struct watched *watched = *state;
    struct gateway_fixture *fixture = &watched->gateway;
    double value;

    start(watched, NULL);
    wait_for_value(watched, "recfleet_queue_up", 1);
    assert_true(has(watched, "recfleet_redis_reconnects_total", &value));
    assert_float_equal(value, 0, 0);
    server_kill(&fixture->queue->server);
    wait_for_value(watched, "recfleet_queue_up", 0);
    for (int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
         has(watched, "recfleet_queue_open_jobs{queue=\"" QUEUE "\"}", &value);) {
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
    assert_true(server_restart(&fixture->queue->server));
    wait_for_value(watched, "recfleet_queue_up", 1);
    assert_true(has(watched, "recfleet_redis_reconnects_total", &value));
    assert_true(value >= 1);
}

static void a_frozen_redis_does_not_hold_the_scrape(void **state)
{
    struct watched *watched = *state;
    struct gateway_fixture *fixture = &watched->gateway;
    int64_t begun_ms;

    start(watched, NULL);
    server_freeze(&fixture->queue->server);
    begun_ms = gateway_fixture_now_ms();
    free(scrape(watched));
    free(scrape(watched));
    assert_true(gateway_fixture_now_ms() - begun_ms < 8000);
    server_thaw(&fixture->queue->server);
    wait_for_value(watched, "recfleet_queue_open_jobs{queue=\"" QUEUE "\"}", 0);
}

static int status_of(const struct watched *watched, const char *request)
{
    struct http_probe probe;
    struct http_probe_answer answer;
    int status;

    assert_true(http_probe_open(&probe, watched->port));
    assert_true(http_probe_send_text(&probe, request));
    assert_true(http_probe_receive(&probe, &answer, strncmp(request, "HEAD", 4) == 0));
    status = answer.status;
    http_probe_answer_fini(&answer);
    assert_true(http_probe_is_closed(&probe));
    http_probe_close(&probe);
    return status;
}

static void the_address_of_metrics_has_nothing_else_on_it(void **state)
{
    struct watched *watched = *state;
    char *large = malloc(8192);

    assert_non_null(large);
    start(watched, NULL);
    assert_int_equal(status_of(watched, "GET /metrics?x=1 HTTP/1.0\r\n\r\n"), 200);
    assert_int_equal(status_of(watched, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    assert_int_equal(status_of(watched, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
    assert_int_equal(status_of(watched, "GET /v1/jobs HTTP/1.1\r\nX-API-KEY: " API_KEY "\r\n\r\n"), 404);
    assert_int_equal(status_of(watched, "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 405);
    assert_int_equal(status_of(watched, "nonsense\r\n\r\n"), 400);
    assert_int_equal(status_of(watched, "PRI * HTTP/2.0\r\n\r\n"), 400);
    (void)snprintf(large, 8192, "GET /metrics HTTP/1.1\r\nX: %06000d", 0);
    large[4096] = '\0';
    assert_int_equal(status_of(watched, large), 431);
    assert_int_equal(gateway_fixture_status(&watched->gateway, "GET", "/metrics", WITH_KEY, NULL), 404);
    free(large);
}

/* Who connects and says nothing does not keep the scraper out for long. */
static void idle_connections_are_bounded(void **state)
{
    enum { MANY = 40 };
    struct watched *watched = *state;
    struct http_probe probes[MANY];
    int closed = 0;

    start(watched, NULL);
    for (int i = 0; i < MANY; i++)
        assert_true(http_probe_open(&probes[i], watched->port));
    for (int i = MANY - 1; i >= 16; i--)
        closed += http_probe_is_closed(&probes[i]);
    assert_int_equal(closed, MANY - 16);
    for (int i = 0; i < MANY; i++)
        http_probe_close(&probes[i]);
    for (int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;;) { /* their closes must arrive first */
        struct http_probe_answer answer;
        bool answered = http_probe_once(watched->port, "GET", "/metrics", NULL, NULL, &answer);

        if (answered) {
            http_probe_answer_fini(&answer);
            break;
        }
        assert_true(gateway_fixture_now_ms() < deadline_ms);
    }
}

/* A gateway with these settings that must end by itself; its exit status. */
static int run_to_its_end(struct gateway_fixture *fixture, const char *setting)
{
    char command[1024];

    (void)snprintf(command, sizeof command,
                   "env -i API_KEY=a LISTEN=127.0.0.1 PORT=0 QUEUE_REDIS_URL=%s STORE_URL=%s %s %s/recfleet-gateway "
                   "--env-file /dev/null >>%s/second.log 2>&1",
                   fixture->queue->server.url, fixture->store_url, setting, getenv("RECFLEET_BIN"),
                   fixture->gateway.folder);
    return WEXITSTATUS(system(command));
}

static bool second_log_holds(const struct gateway_fixture *fixture, const char *text)
{
    char command[512];

    (void)snprintf(command, sizeof command, "grep -qF '%s' %s/second.log", text, fixture->gateway.folder);
    return system(command) == 0;
}

static void a_given_port_that_is_taken_is_a_clear_error(void **state)
{
    struct watched *watched = *state;
    char setting[SETTING_BYTES];

    start(watched, NULL);
    (void)snprintf(setting, sizeof setting, "METRICS_LISTEN=127.0.0.1:%d", watched->port);
    assert_int_equal(run_to_its_end(&watched->gateway, setting), 70);
    assert_true(second_log_holds(&watched->gateway, "METRICS_LISTEN: 127.0.0.1 port"));
    assert_true(second_log_holds(&watched->gateway, "address already in use"));
    assert_int_equal(run_to_its_end(&watched->gateway, "METRICS_LISTEN=localhost:1"), 78);
    assert_int_equal(run_to_its_end(&watched->gateway, "METRICS_LISTEN=127.0.0.1"), 78);
    assert_int_equal(run_to_its_end(&watched->gateway, "METRICS_LISTEN=127.0.0.1:70000"), 78);
    assert_true(second_log_holds(&watched->gateway, "METRICS_LISTEN: \"127.0.0.1:70000\" is neither"));
}

/* Two gateways on one machine, and nobody said which has the port. */
static void a_default_port_that_is_taken_is_a_warning(void **state)
{
    struct watched *watched = *state;
    struct gateway_fixture *fixture = &watched->gateway;
    struct test_server second;
    char port[32];
    char redis[SERVER_TEXT_BYTES + 32];
    char program[SERVER_TEXT_BYTES];
    const char *argv[] = {"env", "-u", "METRICS_LISTEN", "API_KEY=a", "LISTEN=127.0.0.1", port, redis, program, NULL};
    struct gateway_fixture view = {0};

    gateway_fixture_start(fixture, (const char *const[]){"METRICS_LISTEN=off", NULL}, false);
    assert_false(gateway_fixture_log_holds(fixture, "metrics.listening"));
    (void)snprintf(redis, sizeof redis, "QUEUE_REDIS_URL=%s", fixture->queue->server.url);
    (void)snprintf(program, sizeof program, "%s/recfleet-gateway", getenv("RECFLEET_BIN"));
    for (int i = 0; i < 2; i++) { /* the first may have the port, if nobody else on this machine does */
        struct test_server *server = i == 0 ? &second : &view.gateway;

        assert_true(server_prepare(server));
        (void)snprintf(port, sizeof port, "PORT=%d", server->port);
        assert_true(server_spawn(server, argv, server_accepts, GATEWAY_WAIT_MS));
    }
    gateway_fixture_wait_for_log(&view, "metrics.port_taken");
    server_stop(&second);
    server_fini(&second);
    server_stop(&view.gateway);
    server_fini(&view.gateway);
}

/* Readiness */

static struct json *readiness(struct gateway_fixture *fixture, int *status)
{
    struct http_probe_answer answer = gateway_fixture_ask(fixture, "GET", "/readyz", NULL, NULL);
    struct json *view = gateway_fixture_json(&answer);

    *status = answer.status;
    http_probe_answer_fini(&answer);
    return view;
}

static void readiness_follows_redis(void **state)
{
    struct gateway_fixture *fixture = &((struct watched *)*state)->gateway;
    const struct json *queue;
    struct json *view;
    int status;

    start(*state, NULL);
    view = readiness(fixture, &status);
    assert_int_equal(status, 200);
    assert_string_equal(json_value_get_text(view, "status"), "ready");
    assert_string_equal(json_value_get_text(json_value_get(view, "queue"), "state"), "up");
    assert_string_equal(json_value_get_text(json_value_get(view, "store"), "state"), "up");
    assert_int_equal(json_value_kind(json_value_get(json_value_get(view, "store"), "last_error")), JSON_KIND_NULL);
    json_value_destroy(view);

    server_kill(&fixture->queue->server);
    gateway_fixture_wait_for_status(fixture, 503, "GET", "/readyz", NULL, NULL);
    view = readiness(fixture, &status);
    queue = json_value_get(view, "queue");
    assert_string_equal(json_value_get_text(view, "status"), "not_ready");
    assert_string_equal(json_value_get_text(queue, "state"), "down");
    assert_non_null(json_value_get_text(queue, "since"));
    assert_non_null(json_value_get_text(json_value_get(queue, "last_error"), "code"));
    assert_null(json_value_get_text(json_value_get(queue, "last_error"), "message")); /* ENV=Prod */
    assert_string_equal(json_value_get_text(json_value_get(view, "store"), "state"), "up");
    json_value_destroy(view);

    assert_true(server_restart(&fixture->queue->server));
    gateway_fixture_wait_for_status(fixture, 200, "GET", "/readyz", NULL, NULL);
    view = readiness(fixture, &status);
    assert_non_null(json_value_get_text(json_value_get(json_value_get(view, "queue"), "last_error"), "at"));
    json_value_destroy(view);
}

static void a_frozen_redis_is_not_ready_in_time(void **state)
{
    static const char *const settings[] = {"ENV=Dev", NULL};
    struct gateway_fixture *fixture = &((struct watched *)*state)->gateway;
    struct json *view;
    int64_t begun_ms;
    int status;

    start(*state, settings);
    server_freeze(&fixture->queue->server);
    begun_ms = gateway_fixture_now_ms();
    view = readiness(fixture, &status);
    assert_true(gateway_fixture_now_ms() - begun_ms < 5000);
    assert_int_equal(status, 503);
    assert_string_equal(json_value_get_text(json_value_get(json_value_get(view, "queue"), "last_error"), "message"),
                        "no answer within 800 ms"); /* ENV=Dev */
    json_value_destroy(view);
    server_thaw(&fixture->queue->server);
    gateway_fixture_wait_for_status(fixture, 200, "GET", "/readyz", NULL, NULL);
}

static void readiness_follows_the_store(void **state)
{
    struct gateway_fixture *fixture = &((struct watched *)*state)->gateway;
    char folder[SERVER_TEXT_BYTES + 16];
    struct json *view;
    int status;

    start(*state, NULL);
    assert_int_equal(gateway_fixture_end_gateway(fixture), 0);
    (void)snprintf(folder, sizeof folder, "%s/later", fixture->gateway.folder);
    (void)snprintf(fixture->store_url, sizeof fixture->store_url, "sqlite:%.200s/later/jobs.db",
                   fixture->gateway.folder);
    gateway_fixture_start_gateway(fixture, NULL);
    view = readiness(fixture, &status);
    assert_int_equal(status, 503);
    assert_string_equal(json_value_get_text(json_value_get(view, "store"), "state"), "down");
    json_value_destroy(view);
    assert_int_equal(mkdir(folder, 0700), 0);
    gateway_fixture_wait_for_status(fixture, 200, "GET", "/readyz", NULL, NULL);
}

static void a_storm_of_probes_asks_the_store_once_a_second(void **state)
{
    enum { PROBES = 300 };
    struct watched *watched = *state;
    struct http_probe probe;
    int64_t begun_ms;
    double before;
    double after;

    start(watched, NULL);
    assert_true(has(watched, "recfleet_store_calls_total{operation=\"ping\"}", &before));
    begun_ms = gateway_fixture_now_ms();
    assert_true(http_probe_open(&probe, watched->gateway.gateway.port));
    for (int i = 0; i < PROBES; i++) {
        struct http_probe_answer answer;

        assert_true(http_probe_ask(&probe, "GET", "/readyz", NULL, NULL));
        assert_true(http_probe_receive(&probe, &answer, false));
        assert_int_equal(answer.status, 200);
        http_probe_answer_fini(&answer);
    }
    http_probe_close(&probe);
    assert_true(has(watched, "recfleet_store_calls_total{operation=\"ping\"}", &after));
    assert_true(after - before <= 2 + (double)(gateway_fixture_now_ms() - begun_ms) / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_are_counted_by_route_method_and_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(prometheus_own_checker_has_no_complaint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_queue_shows_its_depth_age_and_workers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(workers_and_all_queues_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_success_is_told_by_type_and_shop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_redis_nothing_old_is_shown_and_a_reconnect_is_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_frozen_redis_does_not_hold_the_scrape, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_address_of_metrics_has_nothing_else_on_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(idle_connections_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_given_port_that_is_taken_is_a_clear_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_default_port_that_is_taken_is_a_warning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readiness_follows_redis, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frozen_redis_is_not_ready_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readiness_follows_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_storm_of_probes_asks_the_store_once_a_second, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
