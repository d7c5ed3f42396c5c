/* A job's events as they reach clients: in order, none missed, whatever Redis, the gateway and the client do. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/integration/event_stream.h"
#include "tests/integration/gateway_fixture.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SANITIZED = 1, STREAMS = 100, IDLE = 200 };
#else
enum { SANITIZED = 0, STREAMS = 1000, IDLE = 2000 };
#endif

enum { EVENTS_KEPT = 1000, SOON_MS = 4000, RECONNECT_MS = 15000, MAX_RSS_KIB = 200 * 1024 };

struct job {
    char id[JOB_ID_BYTES];
    char path[64]; /* of its events */
    struct job_queue_lease lease;
};

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

static struct gateway_fixture *start(void **state, const char *const *settings)
{
    gateway_fixture_start(*state, settings, false);
    return *state;
}

static void submit_type(struct gateway_fixture *fixture, const char *type, const char *shop, struct job *job)
{
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, type, shop, id);
    memcpy(job->id, id, sizeof id);
    (void)snprintf(job->path, sizeof job->path, "/v1/jobs/%s/events", id);
}

static void submit(struct gateway_fixture *fixture, const char *shop, struct job *job)
{
    submit_type(fixture, "warehouse", shop, job);
}

/* The next job of the queue, which must be this one, runs. */
static void run(struct gateway_fixture *fixture, struct job *job)
{
    struct job_queue_entry entry = queue_fixture_read(fixture->queue, WORKER_A);
    struct redis_command command;
    struct redis_reply *reply;
    struct err err = {0};
    enum job_queue_started started;
    char *args = NULL;
    char unique[128];

    assert_string_equal(entry.job_id, job->id);
    (void)snprintf(unique, sizeof unique, "%s", queue_fixture_job_field(fixture->queue, job->id, "uniq"));
    job_queue_start_command(&command, QUEUE, &entry, unique, WORKER_A, LEASE_MS, 0);
    reply = queue_fixture_send(fixture->queue, &command);
    assert_int_equal(job_queue_start_parse(reply, &started, &job->lease, &args, &err), ERR_OK);
    assert_int_equal(started, JOB_QUEUE_RUN);
    job->lease.entry = entry;
    redis_reply_destroy(reply);
    free(args);
}

static void beat(struct gateway_fixture *fixture, const struct job *job, double progress, const char *stage)
{
    assert_int_equal(queue_fixture_beat(fixture->queue, &job->lease, WORKER_A, progress, stage), JOB_QUEUE_BEAT_OK);
}

static void finish(struct gateway_fixture *fixture, const struct job *job)
{
    assert_int_equal(queue_fixture_finish(fixture->queue, &job->lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
}

/* A new client of the fixture, since the server it had was killed. */
static void restart_redis(struct gateway_fixture *fixture)
{
    assert_true(server_restart(&fixture->queue->server));
    redis_client_destroy(fixture->queue->client);
    fixture->queue->client = queue_fixture_connect(fixture->queue);
}

static int64_t calls_of(struct gateway_fixture *fixture, const char *command)
{
    char text[64];
    char *calls;
    const char *info = queue_fixture_ask(fixture->queue, "INFO", "commandstats", NULL);

    (void)snprintf(text, sizeof text, "cmdstat_%s:calls=", command);
    calls = strstr(info, text);
    return calls != NULL ? strtoll(calls + strlen(text), NULL, 10) : 0;
}

static void await_calls(struct gateway_fixture *fixture, const char *command, int64_t count)
{
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;

    while (calls_of(fixture, command) < count) {
        if (gateway_fixture_now_ms() > deadline_ms)
            fail_msg("%s was not called %lld times", command, (long long)count);
        gateway_fixture_pause();
    }
}

static void a_stream_tells_the_state_now_and_every_change_until_the_end(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct event_stream stream;
    struct event_stream_block block;
    struct http_probe_answer answer;
    struct job job;
    char expected[128];
    char value[64];
    int64_t begun_ms;

    submit(fixture, "shop-1", &job);
    event_stream_open(&stream, fixture->gateway.port, "1.1", job.path, WITH_KEY);
    assert_int_equal(stream.answer.status, 200);
    assert_true(stream.chunked);
    assert_true(http_probe_header(&stream.answer, "content-type", value, sizeof value));
    assert_string_equal(value, "text/event-stream");
    assert_false(http_probe_header(&stream.answer, "content-length", value, sizeof value));
    assert_true(event_stream_next(&stream, &block));
    assert_int_equal(strncmp(block.text, "retry: ", strlen("retry: ")), 0);
    (void)snprintf(expected, sizeof expected, "{\"id\":\"%s\",\"state\":\"queued\",\"stage\":\"\",\"progress\":0}",
                   job.id);
    event_stream_expect(&stream, "state", expected, &block);
    assert_true(strchr(block.id, '-') != NULL);
    run(fixture, &job);
    event_stream_expect(&stream, "state", "\"state\":\"running\",\"stage\":\"\",\"progress\":0}", &block);
    beat(fixture, &job, 0.25, "als");
    event_stream_expect(&stream, "progress", "\"state\":\"running\",\"stage\":\"als\",\"progress\":0.25}", NULL);
    begun_ms = gateway_fixture_now_ms();
    finish(fixture, &job);
    event_stream_expect(&stream, "state", "\"state\":\"succeeded\",\"stage\":\"als\",\"progress\":1}", NULL);
    event_stream_expect_end(&stream);
    assert_true(gateway_fixture_now_ms() - begun_ms < SOON_MS);
    assert_true(http_probe_ask(&stream.probe, "GET", "/health", NULL, NULL)); /* the connection is good for more */
    assert_true(http_probe_receive(&stream.probe, &answer, false));
    assert_int_equal(answer.status, 200);
    http_probe_answer_fini(&answer);
    event_stream_close(&stream);
}

static void a_client_that_comes_back_gets_what_it_missed_and_then_nothing(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct event_stream stream;
    struct event_stream_block block;
    struct job job;
    struct job other;
    char headers[128];
    char path[160];

    submit(fixture, "shop-1", &job);
    event_stream_open(&stream, fixture->gateway.port, "1.1", job.path, WITH_KEY);
    event_stream_expect(&stream, "state", "queued", &block);
    event_stream_close(&stream);
    run(fixture, &job);
    submit(fixture, "shop-2", &other); /* events of others are none of its */
    beat(fixture, &job, 0.25, "als");
    (void)snprintf(headers, sizeof headers, WITH_KEY "Last-Event-ID: %s\r\n", block.id);
    event_stream_open(&stream, fixture->gateway.port, "1.1", job.path, headers);
    event_stream_expect(&stream, "state", "running", NULL);
    event_stream_expect(&stream, "progress", "\"progress\":0.25}", &block);
    event_stream_close(&stream);
    finish(fixture, &job);
    (void)snprintf(path, sizeof path, "%s?last_event_id=%s", job.path, block.id);
    event_stream_open(&stream, fixture->gateway.port, "1.1", path, WITH_KEY);
    event_stream_expect(&stream, "state", "succeeded", &block);
    event_stream_expect_end(&stream);
    event_stream_close(&stream);
    (void)snprintf(path, sizeof path, "%s?last_event_id=%s", job.path, block.id);
    assert_int_equal(gateway_fixture_status(fixture, "GET", path, WITH_KEY, NULL), 204);
    assert_int_equal(gateway_fixture_status(fixture, "GET", job.path, WITH_KEY "Last-Event-ID: x\r\n", NULL), 200);
}

static void who_comes_back_after_the_stream_was_trimmed_is_told_the_end(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct event_stream stream;
    struct event_stream_block block;
    struct job job;
    struct job other;
    char headers[128];

    submit(fixture, "shop-1", &job);
    event_stream_open(&stream, fixture->gateway.port, "1.1", job.path, WITH_KEY);
    event_stream_expect(&stream, "state", "queued", &block);
    event_stream_close(&stream);
    run(fixture, &job);
    finish(fixture, &job);
    submit(fixture, "shop-2", &other);
    (void)queue_fixture_ask(fixture->queue, "XTRIM", QUEUE_KEY("ev"), "MAXLEN", "1", NULL);
    (void)snprintf(headers, sizeof headers, WITH_KEY "Last-Event-ID: %s\r\n", block.id);
    event_stream_open(&stream, fixture->gateway.port, "1.1", job.path, headers);
    event_stream_expect(&stream, "state", "succeeded", NULL);
    event_stream_expect_end(&stream);
    event_stream_close(&stream);
}

static void jobs_of_all_queues_are_followed(void **state)
{
    static const char *const settings[] = {"QUEUE_ROUTES=warehouse=cpu,*=" QUEUE, NULL};
    static const char *const types[] = {"warehouse", "cross_sell"};
    static const char *const keys[] = {"q:{cpu}:ev", QUEUE_KEY("ev")};
    struct gateway_fixture *fixture = start(state, settings);
    struct event_stream streams[2];
    struct job jobs[2];

    for (int i = 0; i < 2; i++) {
        submit_type(fixture, types[i], "shop-1", &jobs[i]);
        event_stream_open(&streams[i], fixture->gateway.port, "1.1", jobs[i].path, WITH_KEY);
        event_stream_expect(&streams[i], "state", "queued", NULL);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++)
            (void)queue_fixture_ask(fixture->queue, "XADD", keys[i], "*", "id", jobs[i].id, "state",
                                    round == 0 ? "running" : "succeeded", NULL);
        for (int i = 0; i < 2; i++)
            event_stream_expect(&streams[i], "state", round == 0 ? "running" : "succeeded", NULL);
    }
    for (int i = 0; i < 2; i++) {
        event_stream_expect_end(&streams[i]);
        event_stream_close(&streams[i]);
    }
}

static void a_client_of_http_1_0_is_told_the_end_by_the_connections(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct event_stream stream;
    struct event_stream_block block;
    struct job job;
    char value[32];

    submit(fixture, "shop-1", &job);
    event_stream_open(&stream, fixture->gateway.port, "1.0", job.path, WITH_KEY "Connection: keep-alive\r\n");
    assert_false(stream.chunked);
    assert_true(http_probe_header(&stream.answer, "connection", value, sizeof value));
    assert_string_equal(value, "close");
    assert_true(event_stream_next(&stream, &block));
    assert_int_equal(strncmp(block.text, "retry: ", strlen("retry: ")), 0);
    event_stream_expect(&stream, "state", "queued", NULL);
    run(fixture, &job);
    finish(fixture, &job);
    event_stream_expect(&stream, "state", "running", NULL);
    event_stream_expect(&stream, "state", "succeeded", NULL);
    event_stream_expect_end(&stream);
    event_stream_close(&stream);
}

static void head_has_the_head_of_a_stream_and_an_unknown_job_is_404(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct http_probe probe;
    struct http_probe_answer answer;
    struct job job;
    char value[64];

    submit(fixture, "shop-1", &job);
    assert_true(http_probe_open(&probe, fixture->gateway.port));
    for (int i = 0; i < 2; i++) { /* a body would be taken for the next answer */
        assert_true(http_probe_ask(&probe, "HEAD", job.path, WITH_KEY, NULL));
        assert_true(http_probe_receive(&probe, &answer, true));
        assert_int_equal(answer.status, 200);
        assert_true(http_probe_header(&answer, "content-type", value, sizeof value));
        assert_string_equal(value, "text/event-stream");
        http_probe_answer_fini(&answer);
    }
    http_probe_close(&probe);
    assert_int_equal(
        gateway_fixture_status(fixture, "GET", "/v1/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV/events", WITH_KEY, NULL), 404);
    assert_int_equal(gateway_fixture_status(fixture, "GET", job.path, NULL, NULL), 401);
}

static void streams_are_capped_and_one_that_leaves_makes_room(void **state)
{
    static const char *const settings[] = {"MAX_EVENT_STREAMS=2", NULL};
    struct gateway_fixture *fixture = start(state, settings);
    struct event_stream streams[2];
    struct http_probe_answer answer;
    struct job job;
    char value[32];

    submit(fixture, "shop-1", &job);
    for (int i = 0; i < 2; i++) {
        event_stream_open(&streams[i], fixture->gateway.port, "1.1", job.path, WITH_KEY);
        event_stream_expect(&streams[i], "state", "queued", NULL);
    }
    answer = gateway_fixture_ask(fixture, "GET", job.path, WITH_KEY, NULL);
    assert_int_equal(answer.status, 503);
    assert_true(http_probe_header(&answer, "retry-after", value, sizeof value));
    assert_non_null(strstr(answer.body, "too_many_streams"));
    http_probe_answer_fini(&answer);
    event_stream_close(&streams[0]);
    gateway_fixture_wait_for_status(fixture, 200, "GET", job.path, WITH_KEY, NULL);
    event_stream_close(&streams[1]);
}

static void a_silent_stream_says_a_comment(void **state)
{
    static const char *const settings[] = {"EVENT_COMMENT_S=0.1", NULL};
    struct gateway_fixture *fixture = start(state, settings);
    struct event_stream stream;
    struct event_stream_block block;
    struct job job;

    submit(fixture, "shop-1", &job);
    event_stream_open(&stream, fixture->gateway.port, "1.1", job.path, WITH_KEY);
    event_stream_expect(&stream, "state", "queued", NULL);
    for (int i = 0; i < 2; i++) {
        assert_true(event_stream_next(&stream, &block));
        assert_int_equal(block.text[0], ':');
    }
    event_stream_close(&stream);
}

/* A client that never reads, beside one that does. */
static void a_client_that_does_not_read_is_cut_off_and_others_go_on(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct event_stream stream;
    struct http_probe deaf;
    struct job job;
    int bytes = 4096;
    char request[256];
    char progress[32];

    (void)queue_fixture_ask(fixture->queue, "CONFIG", "SET", "appendfsync", "no", NULL);
    submit(fixture, "shop-1", &job);
    assert_true(http_probe_open(&deaf, fixture->gateway.port));
    assert_int_equal(setsockopt(deaf.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n" WITH_KEY "\r\n", job.path);
    assert_true(http_probe_send_text(&deaf, request));
    event_stream_open(&stream, fixture->gateway.port, "1.1", job.path, WITH_KEY);
    event_stream_expect(&stream, "state", "queued", NULL);
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(progress, sizeof progress, "%.4f", 0.0001 * (i + 1));
        (void)queue_fixture_ask(fixture->queue, "XADD", QUEUE_KEY("ev"), "*", "id", job.id, "state", "running", "stage",
                                "als", "progress", progress, NULL);
        event_stream_expect(&stream, i == 0 ? "state" : "progress", "running", NULL);
    }
    gateway_fixture_wait_for_log(fixture, "http.stream_overrun");
    http_probe_close(&deaf);
    event_stream_close(&stream);
}

/* The change happens before the gateway is connected again, and its event is gone: only a look can tell. */
static void no_change_is_missed_while_redis_is_away(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct event_stream kept;
    struct event_stream lost;
    struct job jobs[2];
    int64_t begun_ms;

    for (int i = 0; i < 2; i++) {
        submit(fixture, i == 0 ? "shop-1" : "shop-2", &jobs[i]);
        run(fixture, &jobs[i]);
    }
    event_stream_open(&kept, fixture->gateway.port, "1.1", jobs[0].path, WITH_KEY);
    event_stream_open(&lost, fixture->gateway.port, "1.1", jobs[1].path, WITH_KEY);
    event_stream_expect(&kept, "state", "running", NULL);
    event_stream_expect(&lost, "state", "running", NULL);
    server_kill(&fixture->queue->server);
    gateway_fixture_wait_for_log(fixture, "events.away");
    restart_redis(fixture);
    finish(fixture, &jobs[1]);
    (void)queue_fixture_ask(fixture->queue, "DEL", QUEUE_KEY("ev"), NULL);
    finish(fixture, &jobs[0]);
    begun_ms = gateway_fixture_now_ms();
    event_stream_expect(&kept, "state", "succeeded", NULL);
    event_stream_expect(&lost, "state", "succeeded", NULL);
    event_stream_expect_end(&lost);
    assert_true(gateway_fixture_now_ms() - begun_ms < RECONNECT_MS);
    event_stream_close(&kept);
    event_stream_close(&lost);
}

/* The gateway stands still while more happens than Redis keeps. */
static void no_change_is_missed_when_the_queues_events_were_trimmed(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct event_stream stream;
    struct job job;
    struct job other;

    (void)queue_fixture_ask(fixture->queue, "CONFIG", "SET", "appendfsync", "no", NULL);
    submit(fixture, "shop-1", &job);
    run(fixture, &job);
    submit(fixture, "shop-2", &other);
    event_stream_open(&stream, fixture->gateway.port, "1.1", job.path, WITH_KEY);
    event_stream_expect(&stream, "state", "running", NULL);
    server_freeze(&fixture->gateway);
    (void)queue_fixture_ask(fixture->queue, "XADD", QUEUE_KEY("ev"), "*", "id", other.id, "state", "queued", NULL);
    finish(fixture, &job); /* behind the one that answers the read which was under way */
    for (int i = 0; i < EVENTS_KEPT; i++)
        (void)queue_fixture_ask(fixture->queue, "XADD", QUEUE_KEY("ev"), "MAXLEN", "1000", "*", "id", other.id, "state",
                                "queued", NULL);
    server_thaw(&fixture->gateway);
    event_stream_expect(&stream, "state", "succeeded", NULL);
    event_stream_expect_end(&stream);
    event_stream_close(&stream);
}

static void streams_end_in_good_order_when_the_gateway_does(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct event_stream stream;
    struct job job;
    int64_t begun_ms;

    submit(fixture, "shop-1", &job);
    event_stream_open(&stream, fixture->gateway.port, "1.1", job.path, WITH_KEY);
    event_stream_expect(&stream, "state", "queued", NULL);
    begun_ms = gateway_fixture_now_ms();
    assert_int_equal(kill(fixture->gateway.pid, SIGTERM), 0);
    event_stream_expect_end(&stream);
    event_stream_close(&stream);
    assert_int_equal(gateway_fixture_await_end(fixture), 0);
    assert_true(gateway_fixture_now_ms() - begun_ms < SOON_MS);
}

static void a_wait_ends_with_the_event_and_asks_nothing_meanwhile(void **state)
{
    struct gateway_fixture *fixture = start(state, NULL);
    struct http_probe probe;
    struct http_probe_answer answer;
    struct job job;
    int64_t begun_ms;
    char path[64];

    submit(fixture, "shop-1", &job);
    run(fixture, &job);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", job.id);
    (void)queue_fixture_ask(fixture->queue, "CONFIG", "RESETSTAT", NULL);
    assert_true(http_probe_open(&probe, fixture->gateway.port));
    assert_true(http_probe_ask(&probe, "GET", path, WITH_KEY "Prefer: wait=60\r\n", NULL));
    await_calls(fixture, "hgetall", 2); /* the look before the wait, and the one at its begin */
    beat(fixture, &job, 0.5, "als");    /* no change of state */
    begun_ms = gateway_fixture_now_ms();
    while (gateway_fixture_now_ms() - begun_ms < 1000)
        gateway_fixture_pause();
    assert_int_equal(calls_of(fixture, "hgetall"), 2);
    begun_ms = gateway_fixture_now_ms();
    finish(fixture, &job);
    assert_true(http_probe_receive(&probe, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, "\"state\":\"succeeded\""));
    assert_true(gateway_fixture_now_ms() - begun_ms < SOON_MS);
    http_probe_answer_fini(&answer);
    http_probe_close(&probe);
}

static long resident_kib(const struct gateway_fixture *fixture)
{
    char path[64];
    char line[128];
    long kib = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)fixture->gateway.pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmHWM:", strlen("VmHWM:")) == 0)
            kib = strtol(line + strlen("VmHWM:"), NULL, 10);
    }
    (void)fclose(file);
    return kib;
}

static void a_thousand_streams_and_two_thousand_idle_connections_fit_in_200_mb(void **state)
{
    static struct http_probe idle[IDLE];
    static struct event_stream streams[STREAMS];
    static const char *const settings[] = {"IDLE_TIMEOUT_S=600", NULL};
    struct rlimit limit;
    struct gateway_fixture *fixture;
    struct job job;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    fixture = start(state, settings);
    submit(fixture, "shop-1", &job);
    for (int i = 0; i < IDLE; i++) {
        struct http_probe_answer answer;

        assert_true(http_probe_open(&idle[i], fixture->gateway.port));
        assert_true(http_probe_ask(&idle[i], "GET", "/health", NULL, NULL));
        assert_true(http_probe_receive(&idle[i], &answer, false));
        http_probe_answer_fini(&answer);
    }
    for (int i = 0; i < STREAMS; i++) {
        event_stream_open(&streams[i], fixture->gateway.port, "1.1", job.path, WITH_KEY);
        event_stream_expect(&streams[i], "state", "queued", NULL);
    }
    run(fixture, &job);
    finish(fixture, &job);
    for (int i = 0; i < STREAMS; i++) {
        event_stream_expect(&streams[i], "state", "running", NULL);
        event_stream_expect(&streams[i], "state", "succeeded", NULL);
        event_stream_expect_end(&streams[i]);
    }
    print_message("%d streams and %d idle connections: %ld MiB\n", STREAMS, IDLE, resident_kib(fixture) / 1024);
    if (!SANITIZED)
        assert_true(resident_kib(fixture) < MAX_RSS_KIB);
    for (int i = 0; i < IDLE; i++)
        http_probe_close(&idle[i]);
    for (int i = 0; i < STREAMS; i++)
        event_stream_close(&streams[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_tells_the_state_now_and_every_change_until_the_end),
        TEST(a_client_that_comes_back_gets_what_it_missed_and_then_nothing),
        TEST(who_comes_back_after_the_stream_was_trimmed_is_told_the_end),
        TEST(jobs_of_all_queues_are_followed),
        TEST(a_client_of_http_1_0_is_told_the_end_by_the_connections),
        TEST(head_has_the_head_of_a_stream_and_an_unknown_job_is_404),
        TEST(streams_are_capped_and_one_that_leaves_makes_room),
        TEST(a_silent_stream_says_a_comment),
        TEST(a_client_that_does_not_read_is_cut_off_and_others_go_on),
        TEST(no_change_is_missed_while_redis_is_away),
        TEST(no_change_is_missed_when_the_queues_events_were_trimmed),
        TEST(streams_end_in_good_order_when_the_gateway_does),
        TEST(a_wait_ends_with_the_event_and_asks_nothing_meanwhile),
        TEST(a_thousand_streams_and_two_thousand_idle_connections_fit_in_200_mb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
