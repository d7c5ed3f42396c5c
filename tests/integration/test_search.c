/* A hyperparameter search from its submission over HTTP to its end: killed, cancelled and retried on its way it does
 * nothing twice; its best trains a model. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/gateway_fixture.h"
#include "tests/integration/worker_fixture.h"

/* Six combinations of a second or so each: long enough to be met on their way. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SWEEPS 40
#else
#define SWEEPS 400
#endif
#define LONG_SEARCH \
    "{\"factors\":32,\"regularization\":[0.5,1,2,4,8,16],\"alpha\":20,\"iterations\":" WORKER_TEXT(SWEEPS) "}"

enum { COMBINATIONS = 6 };

struct scene {
    struct worker_fixture *worker;
    bool lacks_mongo;
    struct gateway_fixture gateway;
};

static int start(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    void *worker = NULL;

    *state = scene;
    if (scene == NULL || worker_fixture_start(&worker) != 0)
        return -1;
    scene->worker = worker;
    return 0;
}

static int stop(void **state)
{
    struct scene *scene = *state;
    void *worker = scene->worker;

    (void)worker_fixture_stop(&worker);
    free(scene);
    return 0;
}

static int clear_on(void **state, bool mongo)
{
    static const char *const settings[] = {"NAMESPACES_FILE=", "API_NAMESPACE=" WORKER_SHOP, "ENV=Dev", NULL};
    struct scene *scene = *state;
    void *worker = scene->worker;

    (void)worker_fixture_clear(&worker);
    scene->lacks_mongo = mongo && !worker_fixture_use_mongo(scene->worker);
    scene->gateway = (struct gateway_fixture){.queue = scene->worker->queue};
    assert_true(server_prepare(&scene->gateway.gateway));
    (void)snprintf(scene->gateway.store_url, sizeof scene->gateway.store_url, "%s", scene->worker->store_url);
    gateway_fixture_start_gateway(&scene->gateway, settings);
    gateway_fixture_wait_for_log(&scene->gateway, "queue.ready");
    gateway_fixture_wait_for_log(&scene->gateway, "store.ready");
    worker_fixture_open_store(scene->worker);
    return 0;
}

static int clear(void **state)
{
    return clear_on(state, false);
}

static int clear_on_mongo(void **state)
{
    return clear_on(state, true);
}

static int end(void **state)
{
    struct scene *scene = *state;
    void *worker = scene->worker;

    assert_int_equal(gateway_fixture_end_gateway(&scene->gateway), 0);
    job_store_close(scene->gateway.store);
    server_fini(&scene->gateway.gateway);
    return worker_fixture_end_workers(&worker);
}

/* The answer's body as JSON, after its status was looked at. */
static struct json *ask(struct scene *scene, int status, const char *method, const char *path, const char *body)
{
    struct http_probe_answer answer =
        gateway_fixture_ask(&scene->gateway, method, path, body != NULL ? AS_JSON : WITH_KEY, body);
    struct json *json;

    if (answer.status != status)
        fail_msg("%s %s: %d, %s", method, path, answer.status, answer.body);
    json = gateway_fixture_json(&answer);
    http_probe_answer_fini(&answer);
    return json;
}

static struct json *ask_of(struct scene *scene, int status, const char *method, const char *id, const char *rest)
{
    char path[96];

    (void)snprintf(path, sizeof path, "/v1/jobs/%s%s", id, rest);
    return ask(scene, status, method, path, NULL);
}

static void submit(struct scene *scene, const char *type, const char *params, char *id)
{
    char body[512];
    struct json *job;

    (void)snprintf(body, sizeof body, "{\"type\":\"%s\",\"params\":%s}", type, params);
    job = ask(scene, 202, "POST", "/v1/jobs", body);
    (void)snprintf(id, JOB_ID_BYTES, "%s", json_value_get_text(job, "id"));
    json_value_destroy(job);
}

static void submit_search(struct scene *scene, const char *params, char *id)
{
    submit(scene, "hyperparameter_search", params, id);
}

static void wait_for(struct scene *scene, const char *id, const char *state)
{
    worker_fixture_wait_for_state(scene->worker, id, state);
    worker_fixture_wait_for_document(scene->worker, id, state);
}

static int64_t int_of(const struct json *object, const char *key)
{
    int64_t value = -1;

    (void)json_value_get_int64(object, key, &value);
    return value;
}

static size_t count_of(const struct json *report)
{
    return json_value_count(json_value_get(report, "all_results"));
}

static int64_t combinations(const struct json *report, const char *which)
{
    return int_of(json_value_get(json_value_get(report, "test_info"), "combinations"), which);
}

/* The report once it has so many results, as the store keeps it while the search runs. */
static struct json *await_results(struct scene *scene, const char *id, size_t count)
{
    int64_t deadline = worker_fixture_now_ms() + WORKER_WAIT_MS;

    for (;;) {
        struct json *report = NULL;

        if (job_store_get_report(scene->worker->store, id, &report, NULL) == ERR_OK && count_of(report) >= count)
            return report;
        json_value_destroy(report);
        assert_true(worker_fixture_now_ms() < deadline);
        worker_fixture_pause();
    }
}

static const struct json *find_same(const struct json *report, const struct json *params)
{
    const struct json *results = json_value_get(report, "all_results");
    char *wanted = json_value_print(params, true, 0);
    const struct json *found = NULL;

    for (size_t i = 0; found == NULL && i < json_value_count(results); i++) {
        char *text = json_value_print(json_value_get(json_value_at(results, i), "params"), true, 0);

        found = strcmp(text, wanted) == 0 ? json_value_at(results, i) : NULL;
        free(text);
    }
    free(wanted);
    assert_non_null(found);
    return found;
}

/* Every result of `before` is in `after` with the very same figures, and was not found out again. */
static void assert_taken_over(const struct json *before, const struct json *after)
{
    for (size_t i = 0; i < count_of(before); i++) {
        const struct json *old = json_value_at(json_value_get(before, "all_results"), i);
        const struct json *now = find_same(after, json_value_get(old, "params"));
        double then_s = -1;
        double now_s = -2;
        double then_score = -1;
        double now_score = -2;
        bool reused = false;

        assert_true(json_value_get_bool(now, "reused", &reused) && reused);
        (void)json_value_get_double(old, "seconds", &then_s);
        (void)json_value_get_double(now, "seconds", &now_s);
        (void)json_value_get_double(old, "score", &then_score);
        (void)json_value_get_double(now, "score", &now_score);
        assert_true(then_s == now_s && then_score == now_score);
    }
}

/* The job's end after it was cut short: all is there, and what was known is not done again. */
static void assert_went_on(struct scene *scene, const char *id, const struct json *before)
{
    struct json *report;

    wait_for(scene, id, "succeeded");
    report = ask_of(scene, 200, "GET", id, "/report");
    assert_int_equal(count_of(report), COMBINATIONS);
    assert_int_equal(combinations(report, "ended"), COMBINATIONS);
    assert_true(combinations(report, "reused") >= (int64_t)count_of(before));
    assert_true(combinations(report, "reused") < COMBINATIONS);
    assert_int_equal(int_of(report, "now"), int_of(before, "now"));
    assert_taken_over(before, report);
    assert_null(json_value_get(report, "partial"));
    print_message("%zu of %d had ended, %lld were taken over\n", count_of(before), COMBINATIONS,
                  (long long)combinations(report, "reused"));
    json_value_destroy(report);
}

static void a_search_tells_its_best_as_result(void **state)
{
    struct scene *scene = *state;
    struct json *job;
    struct json *report;
    const struct json *result;
    char id[JOB_ID_BYTES];
    double best;

    worker_fixture_run(scene->worker, 0, NULL);
    submit_search(scene, "{\"factors\":[4,8],\"regularization\":[1,10],\"alpha\":20,\"iterations\":[2,4]}", id);
    wait_for(scene, id, "succeeded");
    job = ask_of(scene, 200, "GET", id, "");
    result = json_value_get(job, "result");
    assert_int_equal(json_value_count(result), 3);
    assert_true(json_value_get_double(result, "best_score", &best) && best > .1 && best < 1);
    assert_int_equal(json_value_count(json_value_get(result, "best_params")), 5);
    assert_string_equal(json_value_get_text(json_value_get(result, "test_info"), "validation"), "time");
    assert_int_equal(strncmp(json_value_get_text(job, "backend"), "cpu", 3), 0);
    report = ask_of(scene, 200, "GET", id, "/report");
    assert_int_equal(count_of(report), 8);
    assert_int_equal(int_of(find_same(report, json_value_get(result, "best_params")), "reused"), -1);
    json_value_destroy(report);
    json_value_destroy(job);
}

static void its_report_is_shown_while_it_runs(void **state)
{
    struct scene *scene = *state;
    struct json *report;
    char id[JOB_ID_BYTES];
    bool partial = false;

    worker_fixture_run(scene->worker, 0, NULL);
    submit_search(scene, LONG_SEARCH, id);
    json_value_destroy(await_results(scene, id, 1));
    report = ask_of(scene, 200, "GET", id, "/report");
    assert_string_equal(queue_fixture_job_field(scene->worker->queue, id, "state"), "running");
    assert_true(json_value_get_bool(report, "partial", &partial) && partial);
    assert_in_range(count_of(report), 1, COMBINATIONS - 1);
    assert_non_null(json_value_get(report, "best_params"));
    json_value_destroy(report);
    wait_for(scene, id, "succeeded");
}

static void a_child_that_is_killed_is_gone_on_from(void **state)
{
    struct scene *scene = *state;
    struct json *before;
    char id[JOB_ID_BYTES];
    int child;

    worker_fixture_run(scene->worker, 0, NULL);
    submit_search(scene, LONG_SEARCH, id);
    json_value_destroy(await_results(scene, id, 2));
    child = worker_fixture_child(scene->worker, 0);
    assert_true(child > 0 && kill(child, SIGKILL) == 0);
    before = await_results(scene, id, 2);
    assert_went_on(scene, id, before);
    assert_string_equal(queue_fixture_job_field(scene->worker->queue, id, "errs"), "1");
    json_value_destroy(before);
}

static void with_mongodb_it_is_the_same(void **state)
{
    const struct scene *scene = *state;

    if (scene->lacks_mongo)
        skip();
    a_child_that_is_killed_is_gone_on_from(state);
}

static void a_worker_that_is_lost_is_gone_on_from(void **state)
{
    struct scene *scene = *state;
    struct json *before;
    char id[JOB_ID_BYTES];

    worker_fixture_run(scene->worker, 0, NULL);
    submit_search(scene, LONG_SEARCH, id);
    json_value_destroy(await_results(scene, id, 1));
    worker_fixture_run(scene->worker, 1, NULL);
    server_kill(&scene->worker->workers[0]);
    before = await_results(scene, id, 1);
    assert_went_on(scene, id, before);
    assert_string_equal(queue_fixture_job_field(scene->worker->queue, id, "lost"), "1");
    json_value_destroy(before);
}

static void a_cancel_keeps_what_ended_and_a_retry_goes_on(void **state)
{
    struct scene *scene = *state;
    struct json *before;
    char id[JOB_ID_BYTES];

    worker_fixture_run(scene->worker, 0, NULL);
    submit_search(scene, LONG_SEARCH, id);
    json_value_destroy(await_results(scene, id, 1));
    json_value_destroy(ask_of(scene, 202, "POST", id, "/cancel"));
    wait_for(scene, id, "cancelled");
    before = ask_of(scene, 200, "GET", id, "/report");
    assert_in_range(count_of(before), 1, COMBINATIONS - 1);
    assert_string_equal(json_value_get_text(json_value_get(before, "error"), "code"), "cancelled");
    assert_non_null(json_value_get(before, "best_params"));
    json_value_destroy(ask_of(scene, 202, "POST", id, "/retry"));
    assert_went_on(scene, id, before);
    json_value_destroy(before);
}

static void the_route_of_old_answers_with_the_best(void **state)
{
    static const char *const settings[] = {"ALS_FACTORS=8", "ALS_ITERATIONS=1", NULL}; /* little work */
    struct scene *scene = *state;
    struct json *answer;
    struct json *jobs;
    const struct json *result;
    double best;
    double score;

    worker_fixture_run(scene->worker, 0, settings);
    answer = ask(scene, 200, "GET", "/test_hyperparameter_optimization", NULL);
    assert_string_equal(json_value_get_text(answer, "message"), "Hyperparameter optimization completed");
    jobs = ask(scene, 200, "GET", "/v1/jobs?type=hyperparameter_search", NULL);
    result = json_value_get(json_value_at(json_value_get(jobs, "jobs"), 0), "result");
    assert_true(json_value_get_double(answer, "best_score", &best) &&
                json_value_get_double(result, "best_score", &score) && best == score);
    assert_true(int_of(json_value_get(answer, "best_params"), "factors") > 0);
    /* 2 factors x 6 regularizations x 3 alphas, of which 30 are drawn */
    assert_int_equal(combinations(answer, "grid"), 36);
    assert_int_equal(combinations(answer, "ended"), 30);
    json_value_destroy(jobs);
    json_value_destroy(answer);
}

static void a_search_without_data_is_dead_and_the_route_of_old_says_why(void **state)
{
    static const char *const settings[] = {"INTERACTIONS_WINDOW_DAYS=2", NULL}; /* fewer than can be split */
    struct scene *scene = *state;
    struct json *answer;
    char id[JOB_ID_BYTES];

    worker_fixture_run(scene->worker, 0, settings);
    submit_search(scene, "{\"min_product_interactions\":100000,\"validation\":\"random\"}", id);
    wait_for(scene, id, "dead");
    answer = ask(scene, 400, "GET", "/test_hyperparameter_optimization", NULL);
    assert_string_equal(json_value_get_text(answer, "message"), "1 days of interactions are too few to hold some out");
    json_value_destroy(answer);
}

/* Of a training: the member of its params, or of what it trained with. */
static void assert_trained_with(struct scene *scene, const char *id, const struct json *best, double alpha)
{
    struct json *job = ask_of(scene, 200, "GET", id, "");
    struct json *report = ask_of(scene, 200, "GET", id, "/report");
    const struct json *als = json_value_get(report, "als");
    double value;

    assert_non_null(json_value_get(json_value_get(job, "params"), "params_from"));
    assert_int_equal(int_of(als, "factors"), int_of(best, "factors"));
    assert_int_equal(int_of(als, "iterations"), int_of(best, "iterations"));
    assert_true(json_value_get_double(als, "alpha", &value) && value == alpha);
    assert_int_equal(int_of(json_value_get(job, "params"), "factors"), int_of(best, "factors"));
    json_value_destroy(report);
    json_value_destroy(job);
}

static void a_training_takes_the_best_of_a_search(void **state)
{
    struct scene *scene = *state;
    struct json *search;
    char params[256];
    char id[JOB_ID_BYTES];
    char trained[JOB_ID_BYTES];

    worker_fixture_run(scene->worker, 0, NULL);
    submit_search(scene, "{\"factors\":[5,7],\"regularization\":1,\"alpha\":20,\"iterations\":[2,3]}", id);
    wait_for(scene, id, "succeeded");
    search = ask_of(scene, 200, "GET", id, "");
    (void)snprintf(params, sizeof params, "{\"params_from\":\"%s\",\"publish\":false,\"seed\":7}", id);
    submit(scene, "homepage_and_similar_products", params, trained);
    wait_for(scene, trained, "succeeded");
    assert_trained_with(scene, trained, json_value_get(json_value_get(search, "result"), "best_params"), 20);
    (void)snprintf(params, sizeof params, "{\"params_from\":\"%s\",\"publish\":false,\"seed\":7,\"alpha\":33}", id);
    submit(scene, "homepage_and_similar_products", params, trained);
    wait_for(scene, trained, "succeeded");
    assert_trained_with(scene, trained, json_value_get(json_value_get(search, "result"), "best_params"), 33);
    json_value_destroy(search);
}

static void assert_unprocessable(struct scene *scene, const char *params, const char *code, const char *detail)
{
    char body[512];
    struct json *problem;

    (void)snprintf(body, sizeof body, "{\"type\":\"homepage_and_similar_products\",\"params\":%s}", params);
    problem = ask(scene, 422, "POST", "/v1/jobs", body);
    assert_non_null(strstr(json_value_get_text(problem, "type"), code));
    if (strstr(json_value_get_text(problem, "detail"), detail) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", detail, json_value_get_text(problem, "detail"));
    json_value_destroy(problem);
}

static void put_report(struct scene *scene, const char *id, const char *text)
{
    struct json *report = NULL;
    bool applied = false;

    assert_int_equal(json_value_parse(&report, text, strlen(text), NULL), ERR_OK);
    assert_int_equal(job_store_put_report(scene->worker->store, id, 1, report, &applied, NULL), ERR_OK);
    assert_true(applied);
    json_value_destroy(report);
}

static void what_is_no_search_that_succeeded_trains_nothing(void **state)
{
    static const struct {
        const char *report;
        const char *detail;
    } cases[] = {
        {NULL, "there is no search 01K0000000000000000000000"},
        {"{\"type\":\"cross_sell\",\"namespace\":\"toys\"}", "is no hyperparameter_search, but a cross_sell"},
        {"{\"type\":\"hyperparameter_search\",\"namespace\":\"books\",\"best_params\":{}}",
         "is of the shop books, not of toys"},
        {"{\"type\":\"hyperparameter_search\",\"namespace\":\"toys\",\"best_params\":{},\"partial\":true}",
         "has not succeeded"},
        {"{\"type\":\"hyperparameter_search\",\"namespace\":\"toys\",\"best_params\":{},\"error\":{}}",
         "has not succeeded"},
        {"{\"type\":\"hyperparameter_search\",\"namespace\":\"toys\"}", "has not succeeded"},
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[JOB_ID_BYTES];
        char params[128];

        (void)snprintf(id, sizeof id, "01K00000000000000000000%03zu", i);
        (void)snprintf(params, sizeof params, "{\"params_from\":\"%s\"}", id);
        if (cases[i].report != NULL)
            put_report(scene, id, cases[i].report);
        assert_unprocessable(scene, params, "bad_params_from", cases[i].detail);
    }
    put_report(scene, "01K00000000000000000000099",
               "{\"type\":\"hyperparameter_search\",\"namespace\":\"toys\",\"best_params\":{\"factors\":64}}");
    assert_unprocessable(scene, "{\"params_from\":\"01K00000000000000000000099\",\"profile\":\"service\"}",
                         "bad_params_from", "give one of them");
    assert_unprocessable(scene, "{\"params_from\":\"short\"}", "unknown_parameter", "a text of 26 bytes");
    assert_int_equal(gateway_fixture_count(&scene->gateway, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_search_tells_its_best_as_result),
        TEST(its_report_is_shown_while_it_runs),
        TEST(a_child_that_is_killed_is_gone_on_from),
        cmocka_unit_test_setup_teardown(with_mongodb_it_is_the_same, clear_on_mongo, end),
        TEST(a_worker_that_is_lost_is_gone_on_from),
        TEST(a_cancel_keeps_what_ended_and_a_retry_goes_on),
        TEST(the_route_of_old_answers_with_the_best),
        TEST(a_search_without_data_is_dead_and_the_route_of_old_says_why),
        TEST(a_training_takes_the_best_of_a_search),
        TEST(what_is_no_search_that_succeeded_trains_nothing),
    };

    return cmocka_run_group_tests_name("search", tests, start, stop);
}
