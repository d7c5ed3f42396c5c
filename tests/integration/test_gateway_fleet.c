/* How the fleet stands, by HTTP: lists of jobs, places in the queue, several queues, pausing, workers, what is
 * published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_queue_control.h"
#include "tests/integration/gateway_play.h"

#define TYPE "warehouse"

struct scene {
    struct gateway_fixture fixture;
    char shops[SERVER_TEXT_BYTES];
};

/* Cross-sells go to a queue of their own; the shop `books` publishes under a prefix, and `gone` to a Redis that is
 * away. */
static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    const char *const settings[] = {scene->shops, "QUEUE_ROUTES=cross_sell=cpu,*=" QUEUE, "LEASE_S=0.5",
                                    "HEARTBEAT_S=0.1", NULL};
    FILE *file;

    *state = scene;
    (void)snprintf(scene->shops, sizeof scene->shops, "NAMESPACES_FILE=/tmp/recfleet-fleet-%d.json",
                   server_free_port());
    file = fopen(strchr(scene->shops, '=') + 1, "w");
    assert_non_null(file);
    (void)fprintf(file,
                  "{\"shop-1\":{},\"shop-2\":{},\"shop-3\":{},\"books\":{\"HOMEPAGE_KEY_PREFIX\":\"books:\","
                  "\"SIMILAR_KEY_PREFIX\":\"books:similar:\",\"CROSS_SELL_KEY_PREFIX\":\"books:\"},"
                  "\"gone\":{\"HOMEPAGE_REDIS_URL\":\"redis://127.0.0.1:%d/1\"}}",
                  server_free_port());
    assert_int_equal(fclose(file), 0);
    gateway_fixture_start(&scene->fixture, settings, GATEWAY_TEST_MONGO);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    gateway_fixture_stop(&scene->fixture);
    (void)remove(strchr(scene->shops, '=') + 1);
    free(scene);
    return 0;
}

static struct gateway_fixture *fixture_of(void **state)
{
    struct scene *scene = *state;

    return &scene->fixture;
}

/* Lists */

static void assert_page(struct gateway_fixture *fixture, const char *query, const char *const *ids, size_t count)
{
    struct json *page;
    const struct json *jobs;
    char path[256];

    (void)snprintf(path, sizeof path, "/v1/jobs?%s", query);
    page = gateway_play_get(fixture, path);
    jobs = json_value_get(page, "jobs");
    if (json_value_count(jobs) != count)
        fail_msg("%s: %zu jobs, not %zu", path, json_value_count(jobs), count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(json_value_get_text(json_value_at(jobs, i), "id"), ids[i]);
    json_value_destroy(page);
}

static void jobs_are_listed_by_what_is_asked_for(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    char ids[3][JOB_ID_BYTES];
    const char *newest_first[3];

    gateway_fixture_submit(fixture, TYPE, "shop-1", ids[0]);
    gateway_fixture_submit(fixture, "homepage_and_similar_products", "shop-1", ids[1]);
    gateway_fixture_submit(fixture, TYPE, "shop-2", ids[2]);
    for (int i = 0; i < 3; i++) {
        newest_first[i] = ids[2 - i];
        gateway_fixture_wait_for_state(fixture, ids[i], "queued");
    }
    assert_page(fixture, "", newest_first, 3);
    assert_page(fixture, "state=queued&limit=100", newest_first, 3);
    assert_page(fixture, "state=dead", NULL, 0);
    assert_page(fixture, "type=homepage_and_similar_products", &newest_first[1], 1);
    assert_page(fixture, "namespace=shop-2", newest_first, 1);
    assert_page(fixture, "type=warehouse&namespace=shop%2D1&state=queued", &newest_first[2], 1);
    assert_page(fixture, "namespace=nobody", NULL, 0);
}

static void pages_follow_one_another_to_the_end(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    char cursor[64] = "";
    char before[JOB_ID_BYTES] = "Z";
    size_t total = 0;
    size_t pages = 0;
    struct json *whole;

    for (int i = 0; i < 7; i++) { /* one at a time lives, the others are over */
        char id[JOB_ID_BYTES];

        gateway_fixture_submit(fixture, TYPE, "shop-1", id);
        assert_int_equal(gateway_play_post(fixture, id, "cancel", NULL), 200);
    }
    do {
        char path[128];
        struct json *page;
        const struct json *jobs;
        const char *next;

        (void)snprintf(path, sizeof path, "/v1/jobs?limit=3%s%s", cursor[0] != '\0' ? "&cursor=" : "", cursor);
        page = gateway_play_get(fixture, path);
        jobs = json_value_get(page, "jobs");
        for (size_t i = 0; i < json_value_count(jobs); i++) {
            const char *id = json_value_get_text(json_value_at(jobs, i), "id");

            assert_true(strcmp(id, before) < 0);
            (void)snprintf(before, sizeof before, "%s", id);
        }
        total += json_value_count(jobs);
        next = json_value_get_text(page, "next_cursor");
        (void)snprintf(cursor, sizeof cursor, "%s", next != NULL ? next : "");
        json_value_destroy(page);
        pages++;
    } while (cursor[0] != '\0' && pages < 9);
    assert_int_equal(total, 7);
    assert_int_equal(pages, 3);
    whole = gateway_play_get(fixture, "/v1/jobs?limit=7");
    assert_int_equal(json_value_count(json_value_get(whole, "jobs")), 7);
    assert_int_equal(json_value_kind(json_value_get(whole, "next_cursor")), JSON_KIND_NULL);
    json_value_destroy(whole);
}

static void bad_parameters_are_named(void **state)
{
    static const struct {
        const char *path;
        const char *named;
    } cases[] = {
        {"/v1/jobs?state=done", "state:"},
        {"/v1/jobs?type=x", "type:"},
        {"/v1/jobs?limit=0", "limit:"},
        {"/v1/jobs?limit=101", "limit:"},
        {"/v1/jobs?limit=ten", "limit:"},
        {"/v1/jobs?cursor=xyz", "cursor:"},
        {"/v1/jobs?namespace=a%20b", "namespace:"},
        {"/v1/jobs?stat=dead", "stat"},
        {"/v1/jobs?state=dead&state=queued", "state"},
        {"/v1/jobs?state=%zz", "hexadecimal"},
        {"/v1/recommendations/homepage/%zz", "hexadecimal"},
        {"/v1/recommendations/homepage/7?shop=x", "namespace"},
    };
    struct gateway_fixture *fixture = fixture_of(state);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_probe_answer answer = gateway_fixture_ask(fixture, "GET", cases[i].path, WITH_KEY, NULL);

        if (answer.status != 400 || strstr(answer.body, cases[i].named) == NULL)
            fail_msg("%s answers %d: %s", cases[i].path, answer.status, answer.body);
        http_probe_answer_fini(&answer);
    }
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/queue/pause?queue=none", WITH_KEY, NULL), 400);
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/queue/resume?all=1", WITH_KEY, NULL), 400);
}

static void live_jobs_are_listed_as_the_queue_has_them(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct job_queue_lease lease;
    struct json *page;
    const struct json *job;
    double progress = 0;
    bool stalled = true;
    char id[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-1", id);
    gateway_fixture_wait_for_state(fixture, id, "queued");
    lease = gateway_play_take(fixture); /* the document knows nothing of it */
    assert_int_equal(queue_fixture_beat(fixture->queue, &lease, WORKER_A, 0.5, "als"), JOB_QUEUE_BEAT_OK);
    page = gateway_play_get(fixture, "/v1/jobs");
    job = json_value_at(json_value_get(page, "jobs"), 0);
    assert_string_equal(json_value_get_text(job, "state"), "running");
    assert_true(json_value_get_double(job, "progress", &progress) && progress > 0.4);
    assert_true(json_value_get_bool(job, "stalled", &stalled));
    assert_false(stalled);
    json_value_destroy(page);
}

/* Places */

static int64_t position_of(struct gateway_fixture *fixture, const char *id)
{
    struct json *job = gateway_play_job(fixture, id);
    int64_t position = 0;

    (void)json_value_get_int64(job, "queue_position", &position);
    json_value_destroy(job);
    return position;
}

static void queued_jobs_know_their_place_and_silent_ones_stall(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    int64_t deadline_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS;
    bool stalled = false;
    char ids[3][JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-1", ids[0]);
    gateway_fixture_submit(fixture, TYPE, "shop-2", ids[1]);
    gateway_fixture_submit(fixture, TYPE, "shop-3", ids[2]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(position_of(fixture, ids[i]), i + 1);
    (void)gateway_play_take(fixture);
    for (int i = 0; i < 3; i++)
        assert_int_equal(position_of(fixture, ids[i]), i); /* who runs has none */
    while (!stalled) {                                     /* no beat comes within the lease */
        struct json *job = gateway_play_job(fixture, ids[0]);

        assert_true(json_value_get_bool(job, "stalled", &stalled));
        assert_string_equal(json_value_get_text(job, "state"), "running");
        json_value_destroy(job);
        assert_true(gateway_fixture_now_ms() < deadline_ms);
        gateway_fixture_pause();
    }
}

/* Queues */

static const struct json *queue_of(const struct json *body, const char *name)
{
    const struct json *queues = json_value_get(body, "queues");

    for (size_t i = 0; i < json_value_count(queues); i++) {
        if (strcmp(json_value_get_text(json_value_at(queues, i), "queue"), name) == 0)
            return json_value_at(queues, i);
    }
    fail_msg("there is no queue %s", name);
    return NULL;
}

static void types_go_to_their_queues_and_each_is_counted(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct json *body;
    struct json *job;
    double age = -1;
    char trained[JOB_ID_BYTES];
    char crossed[JOB_ID_BYTES];

    gateway_fixture_submit(fixture, TYPE, "shop-1", trained);
    gateway_fixture_submit(fixture, "cross_sell", "shop-1", crossed);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", "q:{cpu}:s", NULL), 1);
    assert_string_equal(queue_fixture_ask(fixture->queue, "XGROUP", "CREATE", "q:{cpu}:s", "other", "0", NULL), "OK");
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 1);
    job = gateway_play_job(fixture, crossed);
    assert_string_equal(json_value_get_text(job, "state"), "queued");
    assert_int_equal(gateway_play_int(job, "queue_position"), 1);
    json_value_destroy(job);
    (void)gateway_play_take(fixture);
    body = gateway_play_get(fixture, "/v1/queue");
    assert_int_equal(json_value_count(json_value_get(body, "queues")), 2);
    assert_int_equal(gateway_play_int(json_value_get(queue_of(body, QUEUE), "states"), "running"), 1);
    assert_int_equal(gateway_play_int(json_value_get(queue_of(body, QUEUE), "states"), "queued"), 0);
    assert_int_equal(gateway_play_int(queue_of(body, QUEUE), "pending"), 1);
    assert_int_equal(json_value_kind(json_value_get(queue_of(body, QUEUE), "oldest_age_s")), JSON_KIND_NULL);
    assert_int_equal(gateway_play_int(json_value_get(queue_of(body, "cpu"), "states"), "queued"), 1);
    assert_int_equal(gateway_play_int(queue_of(body, "cpu"), "open"), 1);
    assert_int_equal(gateway_play_int(queue_of(body, "cpu"), "lag"), 1);
    assert_true(json_value_get_double(queue_of(body, "cpu"), "oldest_age_s", &age) && age >= 0 && age < 20);
    assert_non_null(json_value_get_text(queue_of(body, "cpu"), "oldest_queued_at"));
    json_value_destroy(body);
    assert_int_equal(gateway_play_post(fixture, crossed, "cancel", NULL), 200);
}

/* Though each queue keeps its own keys. */
static void an_idempotency_key_is_one_for_all_queues(void **state)
{
    static const char key[] = AS_JSON "Idempotency-Key: order-1\r\n";
    struct gateway_fixture *fixture = fixture_of(state);
    struct http_probe_answer first =
        gateway_fixture_ask(fixture, "POST", "/v1/jobs", key, JOB_BODY("cross_sell", "shop-1"));
    struct http_probe_answer again;
    struct json *job = gateway_fixture_json(&first);
    struct json *replayed;
    char idem[128];
    char value[128];

    assert_int_equal(first.status, 202);
    assert_int_equal(gateway_fixture_status(fixture, "POST", "/v1/jobs", key, JOB_BODY("warehouse", "shop-1")), 422);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), 0);
    /* The type had another queue then. */
    (void)snprintf(idem, sizeof idem, "%s", queue_fixture_ask(fixture->queue, "KEYS", "q:{cpu}:idem:*", NULL));
    (void)snprintf(value, sizeof value, QUEUE_KEY("%s"), strstr(idem, "idem:"));
    assert_string_equal(queue_fixture_ask(fixture->queue, "RENAME", idem, value, NULL), "OK");
    again = gateway_fixture_ask(fixture, "POST", "/v1/jobs", key, JOB_BODY("cross_sell", "shop-1"));
    replayed = gateway_fixture_json(&again);
    assert_int_equal(again.status, 200);
    assert_string_equal(json_value_get_text(replayed, "id"), json_value_get_text(job, "id"));
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", "q:{cpu}:s", NULL), 1);
    json_value_destroy(job);
    json_value_destroy(replayed);
    http_probe_answer_fini(&first);
    http_probe_answer_fini(&again);
}

static void assert_paused(struct gateway_fixture *fixture, const char *path, bool train, bool cpu)
{
    struct http_probe_answer answer = gateway_fixture_ask(fixture, "POST", path, WITH_KEY, NULL);
    struct json *body = gateway_fixture_json(&answer);
    bool paused;

    assert_int_equal(answer.status, 200);
    assert_true(json_value_get_bool(queue_of(body, QUEUE), "paused", &paused));
    assert_int_equal(paused, train);
    assert_true(json_value_get_bool(queue_of(body, "cpu"), "paused", &paused));
    assert_int_equal(paused, cpu);
    json_value_destroy(body);
    http_probe_answer_fini(&answer);
}

static void a_paused_queue_starts_nothing(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct job_queue_entry entry;
    struct job_queue_lease lease;
    char id[JOB_ID_BYTES];

    assert_paused(fixture, "/v1/queue/pause?queue=" QUEUE, true, false);
    gateway_fixture_submit(fixture, "homepage_and_similar_products", "shop-1", id);
    entry = queue_fixture_read(fixture->queue, WORKER_A);
    assert_int_equal(queue_fixture_start_job(fixture->queue, &entry, WORKER_A, &lease), JOB_QUEUE_PAUSED);
    assert_paused(fixture, "/v1/queue/pause", true, true);
    assert_paused(fixture, "/v1/queue/resume?queue=cpu", true, false);
    assert_paused(fixture, "/v1/queue/resume", false, false);
    entry = queue_fixture_claim(fixture->queue, WORKER_A);
    assert_int_equal(queue_fixture_start_job(fixture->queue, &entry, WORKER_A, &lease), JOB_QUEUE_RUN);
}

static void workers_of_all_queues_are_shown_once(void **state)
{
    static const char *const queues[] = {QUEUE, "cpu"};
    struct job_queue_worker workers[] = {
        {.name = "w-2", .host = "h", .device = "cpu", .version = "1", .job = "", .state = "working", .pid = 7},
        {.name = "w-1", .host = "h", .device = "cpu", .version = "1", .job = "", .state = "stopping", .pid = 8}};
    struct gateway_fixture *fixture = fixture_of(state);
    struct json *body = gateway_play_get(fixture, "/v1/workers");
    const struct json *list;

    assert_int_equal(json_value_count(json_value_get(body, "workers")), 0);
    json_value_destroy(body);
    for (size_t i = 0; i < 3; i++) { /* w-2 reads both queues */
        struct redis_command command;

        workers[i / 2].queues = i / 2 == 0 ? QUEUE ",cpu" : "cpu";
        job_queue_register_command(&command, queues[i > 0], &workers[i / 2]);
        redis_reply_destroy(queue_fixture_send(fixture->queue, &command));
    }
    body = gateway_play_get(fixture, "/v1/workers");
    list = json_value_get(body, "workers");
    assert_int_equal(json_value_count(list), 2);
    assert_string_equal(json_value_get_text(json_value_at(list, 0), "worker"), "w-1");
    assert_string_equal(json_value_get_text(json_value_at(list, 0), "state"), "stopping");
    assert_string_equal(json_value_get_text(json_value_at(list, 1), "queues"), QUEUE ",cpu");
    json_value_destroy(body);
}

/* What is published */

static void publish(struct gateway_fixture *fixture, const char *database, const char *key, const char *value,
                    const char *seconds)
{
    assert_string_equal(queue_fixture_ask(fixture->queue, "SELECT", database, NULL), "OK");
    assert_string_equal(queue_fixture_ask(fixture->queue, "SET", key, value, NULL), "OK");
    if (seconds != NULL)
        assert_int_equal(queue_fixture_ask_int(fixture->queue, "EXPIRE", key, seconds, NULL), 1);
    assert_string_equal(queue_fixture_ask(fixture->queue, "SELECT", "0", NULL), "OK");
}

static void what_is_published_can_be_looked_at(void **state)
{
    struct gateway_fixture *fixture = fixture_of(state);
    struct json *body;

    publish(fixture, "1", "anna@example.com/7", "[3,1,2]", "600");
    publish(fixture, "1", "books:7", "[9]", NULL);
    publish(fixture, "2", "similar:7", "[8,\"x\"]", NULL);
    publish(fixture, "3", "7", "[]", NULL);
    publish(fixture, "3", "text", "not a list", NULL);
    body = gateway_play_get(fixture, "/v1/recommendations/homepage/anna%40example.com%2f7");
    assert_string_equal(json_value_get_text(body, "kind"), "homepage");
    assert_string_equal(json_value_get_text(body, "user"), "anna@example.com/7");
    assert_string_equal(json_value_get_text(body, "key"), "anna@example.com/7");
    assert_int_equal(json_value_count(json_value_get(body, "products")), 3);
    assert_true(gateway_play_int(body, "ttl_s") > 500 && gateway_play_int(body, "ttl_s") <= 600);
    json_value_destroy(body);
    body = gateway_play_get(fixture, "/v1/recommendations/similar/7");
    assert_string_equal(json_value_get_text(body, "key"), "similar:7");
    assert_string_equal(json_value_get_text(body, "product"), "7");
    assert_int_equal(json_value_kind(json_value_get(body, "ttl_s")), JSON_KIND_NULL);
    json_value_destroy(body);
    body = gateway_play_get(fixture, "/v1/recommendations/cross-sell/7");
    assert_int_equal(json_value_count(json_value_get(body, "products")), 0);
    json_value_destroy(body);
    body = gateway_play_get(fixture, "/v1/recommendations/homepage/7?namespace=books");
    assert_string_equal(json_value_get_text(body, "key"), "books:7");
    json_value_destroy(body);
}

static void what_is_not_published_is_404_and_an_unknown_shop_422(void **state)
{
    static const struct {
        const char *path;
        int status;
    } cases[] = {{"/v1/recommendations/homepage/nobody", 404},
                 {"/v1/recommendations/cross-sell/7", 404},
                 {"/v1/recommendations/cross-sell/text", 404},
                 {"/v1/recommendations/homepage/7?namespace=nobody", 422},
                 {"/v1/recommendations/homepage/7?namespace=gone", 503},
                 {"/v1/recommendations/homepage/", 404},
                 {"/v1/recommendations/other/7", 404}};
    struct gateway_fixture *fixture = fixture_of(state);

    publish(fixture, "3", "text", "not a list", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = gateway_fixture_status(fixture, "GET", cases[i].path, WITH_KEY, NULL);

        if (status != cases[i].status)
            fail_msg("%s answers %d, not %d", cases[i].path, status, cases[i].status);
    }
    assert_int_equal(gateway_fixture_status(fixture, "GET", "/v1/recommendations/homepage/7", NULL, NULL), 401);
}

/* In place of all, where there is no server; mongo_server_program has said so. */
static void fleet_with_mongodb(void **state)
{
    (void)state;
    skip();
}

#define WITH_GATEWAY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest lists[] = {
        WITH_GATEWAY(jobs_are_listed_by_what_is_asked_for),
        WITH_GATEWAY(pages_follow_one_another_to_the_end),
        WITH_GATEWAY(live_jobs_are_listed_as_the_queue_has_them),
    };
    const struct CMUnitTest tests[] = {
        WITH_GATEWAY(bad_parameters_are_named),
        WITH_GATEWAY(queued_jobs_know_their_place_and_silent_ones_stall),
        WITH_GATEWAY(types_go_to_their_queues_and_each_is_counted),
        WITH_GATEWAY(an_idempotency_key_is_one_for_all_queues),
        WITH_GATEWAY(a_paused_queue_starts_nothing),
        WITH_GATEWAY(workers_of_all_queues_are_shown_once),
        WITH_GATEWAY(what_is_published_can_be_looked_at),
        WITH_GATEWAY(what_is_not_published_is_404_and_an_unknown_shop_422),
    };
    const struct CMUnitTest skipped[] = {cmocka_unit_test(fleet_with_mongodb)};

    if (GATEWAY_TEST_MONGO && mongo_server_program() == NULL)
        return cmocka_run_group_tests(skipped, NULL, NULL);
    if (GATEWAY_TEST_MONGO) /* the rest has nothing to do with the store */
        return cmocka_run_group_tests(lists, NULL, NULL);
    return cmocka_run_group_tests(lists, NULL, NULL) + cmocka_run_group_tests(tests, NULL, NULL);
}
