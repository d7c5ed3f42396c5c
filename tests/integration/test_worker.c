/* The worker on a queue: from the stream's entry to lists, document and report, and what may go wrong between. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/integration/worker_fixture.h"

enum { TTL_S = 604800 };

static const enum job_type homepage = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS;

static int64_t int_of(const struct json *object, const char *key)
{
    int64_t value = -1;

    (void)json_value_get_int64(object, key, &value);
    return value;
}

static void assert_text(const struct json *object, const char *key, const char *wanted)
{
    const char *text = json_value_get_text(object, key);

    assert_non_null(text);
    assert_string_equal(text, wanted);
}

/* The document's error, which must have that code. */
static void assert_error(struct worker_fixture *fixture, const char *id, const char *code, const char *part)
{
    struct json *document = worker_fixture_document(fixture, id);
    const struct json *error = json_value_get(document, "error");

    assert_text(error, "code", code);
    if (strstr(json_value_get_text(error, "message"), part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, json_value_get_text(error, "message"));
    assert_int_equal(json_value_kind(json_value_get(document, "finished_at")), JSON_KIND_TEXT);
    json_value_destroy(document);
}

static void check_document(struct worker_fixture *fixture, const char *id)
{
    struct json *document = worker_fixture_document(fixture, id);
    const struct json *result = json_value_get(document, "result");

    assert_text(document, "state", "succeeded");
    assert_text(document, "stage", "publish");
    assert_int_equal(int_of(document, "attempt"), 1);
    assert_int_equal(int_of(document, "errors"), 0);
    assert_true(int_of(document, "fence") > 0);
    assert_int_equal(json_value_kind(json_value_get(document, "error")), JSON_KIND_NULL);
    assert_int_equal(json_value_kind(json_value_get(document, "started_at")), JSON_KIND_TEXT);
    assert_int_equal(json_value_kind(json_value_get(document, "finished_at")), JSON_KIND_TEXT);
    assert_true(strncmp(json_value_get_text(document, "backend"), "cpu", 3) == 0);
    assert_true(int_of(result, "users") > WORKER_SHOP_USERS / 2);
    assert_true(int_of(result, "published") > int_of(result, "users"));
    json_value_destroy(document);
}

static void check_report(struct worker_fixture *fixture, const char *id, size_t iterations)
{
    struct json *report = NULL;
    struct err err = {0};
    bool published = false;

    assert_int_equal(job_store_get_report(fixture->store, id, &report, &err), ERR_OK);
    assert_true(json_value_get_bool(report, "published", &published) && published);
    assert_text(report, "namespace", WORKER_SHOP);
    assert_int_equal(json_value_count(json_value_get(report, "stages")), 9);
    assert_int_equal(json_value_count(json_value_get(report, "loss")), iterations);
    assert_non_null(json_value_get_text(report, "text"));
    json_value_destroy(report);
}

/* A job with the parameter `now`, so that a dry run of the same gives the same lists. */
static void run_to_the_end(struct worker_fixture *fixture, char *id)
{
    char params[64];
    char now[32];
    char dump[SERVER_TEXT_BYTES + 64];
    const char *const arguments[] = {"--once",  "homepage_and_similar_products",
                                     "--param", "publish=false",
                                     "--param", now,
                                     "--param", "seed=7",
                                     "--dump",  dump,
                                     NULL};

    (void)snprintf(params, sizeof params, "{\"now\":%lld,\"seed\":7}", (long long)fixture->now_s);
    (void)snprintf(now, sizeof now, "now=%lld", (long long)fixture->now_s);
    (void)snprintf(dump, sizeof dump, "%s", worker_fixture_folder(fixture, "dump"));
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, params, id);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    check_document(fixture, id);
    check_report(fixture, id, 8);
    worker_fixture_assert_queue_is_empty(fixture);
    assert_int_equal(worker_fixture_call(fixture, NULL, arguments, NULL), 0);
    worker_fixture_assert_published(fixture, dump, TTL_S);
}

static void a_job_runs_and_is_published_and_documented(void **state)
{
    char id[JOB_ID_BYTES];

    run_to_the_end(*state, id);
}

static void with_mongodb_it_is_the_same(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    if (!worker_fixture_use_mongo(fixture))
        skip();
    run_to_the_end(fixture, id);
}

static void a_job_that_fails_for_good_is_dead_at_once(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, "{\"min_product_interactions\":100000}", id);
    worker_fixture_wait_for_state(fixture, id, "dead");
    assert_error(fixture, id, "no_data", "");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "attempt"), "1");
    worker_fixture_submit(fixture, homepage, "{\"colour\":1}", id);
    worker_fixture_wait_for_state(fixture, id, "dead");
    assert_error(fixture, id, "argument", "no parameter \"colour\"");
    worker_fixture_assert_queue_is_empty(fixture);
}

static void a_job_that_cannot_be_read_is_dead(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];
    char key[64];

    worker_fixture_submit(fixture, homepage, "{}", id);
    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), id);
    (void)queue_fixture_ask(fixture->queue, "HSET", key, "args", "{\"params\":", NULL);
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_wait_for_state(fixture, id, "dead");
    assert_error(fixture, id, "format", "cannot be read");
}

static void an_error_that_may_pass_is_tried_again(void **state)
{
    struct worker_fixture *fixture = *state;
    struct json *document;
    char id[JOB_ID_BYTES];

    /* five retries of the CMS's own, then the job's */
    assert_true(cms_server_control(&fixture->cms, "{\"fault\":{\"kind\":\"reset\"}}"));
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, "{}", id);
    worker_fixture_wait_for_document(fixture, id, "retrying");
    assert_true(cms_server_control(&fixture->cms, "{\"fault\":null}"));
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    document = worker_fixture_document(fixture, id);
    assert_int_equal(int_of(document, "errors"), 1);
    assert_int_equal(int_of(document, "attempt"), 2);
    assert_int_equal(json_value_kind(json_value_get(document, "error")), JSON_KIND_NULL);
    json_value_destroy(document);
}

static void a_run_over_its_time_is_killed_and_dead_in_the_end(void **state)
{
    struct worker_fixture *fixture = *state;
    static const char *const hurried[] = {"MAX_RUNTIME_S=0.4", NULL};
    char id[JOB_ID_BYTES];

    assert_true(cms_server_control(&fixture->cms, "{\"fault\":{\"kind\":\"slow\",\"ms\":3000}}"));
    worker_fixture_run(fixture, 0, hurried);
    worker_fixture_submit(fixture, homepage, "{}", id);
    worker_fixture_wait_for_state(fixture, id, "dead");
    assert_error(fixture, id, "unavailable", "MAX_RUNTIME_S");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "errs"), "2");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "attempt"), "3");
}

static void cancel(struct worker_fixture *fixture, const char *id)
{
    char key[64];

    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), id);
    (void)queue_fixture_ask(fixture->queue, "HSET", key, "cancel", "enough", NULL);
}

static void a_cancelled_run_stops_and_publishes_nothing(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, "{\"iterations\":1000,\"factors\":128}", id);
    worker_fixture_wait_for_stage(fixture, id, "als");
    cancel(fixture, id);
    worker_fixture_wait_for_state(fixture, id, "cancelled");
    worker_fixture_wait_for_document(fixture, id, "cancelled");
    assert_string_equal(worker_fixture_target(fixture, 1, "EXISTS", "user-7", NULL), "0");
    worker_fixture_assert_queue_is_empty(fixture);
}

static void a_worker_without_a_job_stops_at_once(void **state)
{
    struct worker_fixture *fixture = *state;
    int64_t began_ms;

    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_wait_for_log(fixture, 0, "queue.ready");
    began_ms = worker_fixture_now_ms();
    assert_int_equal(kill(fixture->workers[0].pid, SIGTERM), 0);
    assert_int_equal(worker_fixture_await_end(fixture, 0), 0);
    assert_true(worker_fixture_now_ms() - began_ms < 1500); /* reading blocks for 2 s */
}

static void a_stopping_worker_finishes_its_job_in_time(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, "{}", id);
    worker_fixture_wait_for_stage(fixture, id, "fetch");
    assert_int_equal(kill(fixture->workers[0].pid, SIGTERM), 0);
    assert_int_equal(worker_fixture_await_end(fixture, 0), 0);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "succeeded");
}

/* Stops worker 0 in a long run by `signals` signals; another one ends the job. */
static void give_back(struct worker_fixture *fixture, const char *const *settings, int signals)
{
    char id[JOB_ID_BYTES];

    worker_fixture_run(fixture, 0, settings);
    worker_fixture_submit(fixture, homepage, "{\"iterations\":1000,\"factors\":64}", id);
    worker_fixture_wait_for_stage(fixture, id, "als");
    for (int i = 0; i < signals; i++) {
        assert_int_equal(kill(fixture->workers[0].pid, SIGTERM), 0);
        worker_fixture_wait_for_log(fixture, 0, i == 0 ? "worker.stopping" : "worker.gives_back");
    }
    assert_int_equal(worker_fixture_await_end(fixture, 0), 0);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "queued");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "attempt"), "0");
    worker_fixture_wait_for_document(fixture, id, "queued");
    worker_fixture_run(fixture, 1, NULL);
    worker_fixture_wait_for_state(fixture, id, "running");
    cancel(fixture, id);
    worker_fixture_wait_for_state(fixture, id, "cancelled");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "lost"), "0");
}

static void a_stopping_worker_gives_its_job_back_uncounted(void **state)
{
    static const char *const impatient[] = {"GRACE_S=0.1", NULL};

    give_back(*state, impatient, 1);
}

static void a_second_signal_gives_it_back_at_once(void **state)
{
    static const char *const patient[] = {"GRACE_S=600", NULL};

    give_back(*state, patient, 2);
}

static void a_worker_waits_for_a_redis_that_is_away(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    worker_fixture_submit(fixture, homepage, "{}", id);
    server_kill(&fixture->queue->server);
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_wait_for_log(fixture, 0, "queue.away");
    assert_true(server_restart(&fixture->queue->server));
    redis_client_destroy(fixture->queue->client);
    fixture->queue->client = queue_fixture_connect(fixture->queue);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
}

static void a_redis_that_goes_away_midway_does_not_lose_the_job(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, WORKER_LONG_PARAMS, id);
    worker_fixture_wait_for_stage(fixture, id, "als");
    server_kill(&fixture->queue->server);
    worker_fixture_wait_for_log(fixture, 0, "queue.away");
    assert_true(server_restart(&fixture->queue->server));
    redis_client_destroy(fixture->queue->client);
    fixture->queue->client = queue_fixture_connect(fixture->queue);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    worker_fixture_wait_for_document(fixture, id, "succeeded");
    worker_fixture_assert_queue_is_empty(fixture);
}

static void a_store_that_is_away_is_waited_for(void **state)
{
    struct worker_fixture *fixture = *state;
    char url[SERVER_TEXT_BYTES + 32];
    char folder[SERVER_TEXT_BYTES];
    char id[JOB_ID_BYTES];

    (void)snprintf(folder, sizeof folder, "%.200s/later", fixture->folder);
    (void)snprintf(url, sizeof url, "STORE_URL=sqlite:%s/store.db", folder);
    worker_fixture_run(fixture, 0, (const char *const[]){url, NULL});
    worker_fixture_submit(fixture, homepage, "{}", id);
    worker_fixture_wait_for_log(fixture, 0, "store.away");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "running");
    assert_int_equal(mkdir(folder, 0700), 0);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
}

static void a_store_that_goes_away_midway_gets_its_report_later(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    if (!worker_fixture_use_mongo(fixture))
        skip();
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, WORKER_LONG_PARAMS, id);
    worker_fixture_wait_for_stage(fixture, id, "als");
    server_kill(&fixture->mongo);
    worker_fixture_wait_for_log(fixture, 0, "store.away"); /* at the end; it beats on */
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "running");
    assert_true(server_restart(&fixture->mongo));
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    worker_fixture_wait_for_document(fixture, id, "succeeded");
    check_report(fixture, id, WORKER_SWEEPS);
}

static void the_guard_holds_back_what_a_cut_catalogue_makes(void **state)
{
    struct worker_fixture *fixture = *state;
    char before[4096];
    char id[JOB_ID_BYTES];

    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, "{}", id);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    (void)snprintf(before, sizeof before, "%s", worker_fixture_target(fixture, 1, "GET", "user-7", NULL));
    assert_true(cms_server_control(&fixture->cms, "{\"catalogue\":0.33}"));
    worker_fixture_submit(fixture, homepage, "{}", id);
    worker_fixture_wait_for_state(fixture, id, "dead");
    assert_error(fixture, id, "guard", "recommendable products against");
    assert_string_equal(worker_fixture_target(fixture, 1, "GET", "user-7", NULL), before);
    worker_fixture_submit(fixture, homepage, "{\"force\":true}", id);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    assert_string_not_equal(worker_fixture_target(fixture, 1, "GET", "user-7", NULL), before);
}

static void a_paused_queue_starts_nothing(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    (void)queue_fixture_ask(fixture->queue, "SET", QUEUE_KEY("paused"), "1", NULL);
    worker_fixture_submit(fixture, homepage, "{\"publish\":false}", id);
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_wait_for_log(fixture, 0, "queue.ready");
    for (int i = 0; i < 100; i++)
        worker_fixture_pause();
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "queued");
    (void)queue_fixture_ask(fixture->queue, "DEL", QUEUE_KEY("paused"), NULL);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
}

static void a_target_that_holds_a_newer_fence_is_the_floor_of_the_next(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    (void)worker_fixture_target(fixture, 1, "SET", "recfleet:fence:homepage", "99999999999999", NULL);
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, "{}", id);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "fence"), "100000000000000");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "attempt"), "1");
}

static void a_publish_that_is_refused_midway_supersedes_the_job(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, WORKER_LONG_PARAMS, id);
    worker_fixture_wait_for_stage(fixture, id, "als");
    (void)worker_fixture_target(fixture, 1, "SET", "recfleet:fence:homepage", "99999999999999", NULL);
    worker_fixture_wait_for_state(fixture, id, "superseded");
    worker_fixture_wait_for_document(fixture, id, "superseded");
    assert_string_equal(worker_fixture_target(fixture, 1, "EXISTS", "user-7", NULL), "0");
}

static void a_job_whose_document_is_over_is_not_run(void **state)
{
    struct worker_fixture *fixture = *state;
    struct json *changes = json_value_new_object();
    struct err err = {0};
    char id[JOB_ID_BYTES];
    bool applied;

    worker_fixture_submit(fixture, homepage, "{}", id);
    assert_true(json_value_set_text(changes, "state", "cancelled"));
    assert_int_equal(job_store_update(fixture->store, id, 0, changes, &applied, &err), ERR_OK);
    assert_true(applied);
    json_value_destroy(changes);
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_wait_for_state(fixture, id, "cancelled");
    assert_string_equal(worker_fixture_target(fixture, 1, "DBSIZE", NULL), "0");
}

/* A gateway that had no queue wrote it there alone. */
static void a_job_whose_document_asks_for_a_cancel_is_not_run(void **state)
{
    struct worker_fixture *fixture = *state;
    struct err err = {0};
    char id[JOB_ID_BYTES];
    bool applied;

    worker_fixture_submit(fixture, homepage, "{}", id);
    assert_int_equal(job_store_request_cancel(fixture->store, id, "tester", &applied, &err), ERR_OK);
    assert_true(applied);
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_wait_for_state(fixture, id, "cancelled");
    worker_fixture_wait_for_document(fixture, id, "cancelled");
    assert_string_equal(worker_fixture_target(fixture, 1, "DBSIZE", NULL), "0");
}

static void a_lost_group_is_made_again(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    (void)queue_fixture_ask(fixture->queue, "DEL", QUEUE_KEY("s"), NULL);
    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, "{\"publish\":false}", id);
    worker_fixture_wait_for_state(fixture, id, "succeeded");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_fixture_clear, worker_fixture_end_workers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_runs_and_is_published_and_documented),
        TEST(with_mongodb_it_is_the_same),
        TEST(a_job_that_fails_for_good_is_dead_at_once),
        TEST(a_job_that_cannot_be_read_is_dead),
        TEST(an_error_that_may_pass_is_tried_again),
        TEST(a_run_over_its_time_is_killed_and_dead_in_the_end),
        TEST(a_cancelled_run_stops_and_publishes_nothing),
        TEST(a_worker_without_a_job_stops_at_once),
        TEST(a_stopping_worker_finishes_its_job_in_time),
        TEST(a_stopping_worker_gives_its_job_back_uncounted),
        TEST(a_second_signal_gives_it_back_at_once),
        TEST(a_worker_waits_for_a_redis_that_is_away),
        TEST(a_redis_that_goes_away_midway_does_not_lose_the_job),
        TEST(a_store_that_is_away_is_waited_for),
        TEST(a_store_that_goes_away_midway_gets_its_report_later),
        TEST(the_guard_holds_back_what_a_cut_catalogue_makes),
        TEST(a_paused_queue_starts_nothing),
        TEST(a_target_that_holds_a_newer_fence_is_the_floor_of_the_next),
        TEST(a_publish_that_is_refused_midway_supersedes_the_job),
        TEST(a_job_whose_document_is_over_is_not_run),
        TEST(a_job_whose_document_asks_for_a_cancel_is_not_run),
        TEST(a_lost_group_is_made_again),
    };

    return cmocka_run_group_tests_name("worker", tests, worker_fixture_start, worker_fixture_stop);
}
