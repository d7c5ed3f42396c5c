/*
 * Kill -9 of the child in every stage and at random moments, of the worker, and a worker that stands still and comes
 * back: the job ends `succeeded` with the right lists, and nobody's late effect survives. RECFLEET_SEED repeats a run.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/worker_fixture.h"

enum { TTL_S = 604800, RANDOM_KILLS = 6 };

static const enum job_type homepage = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS;

static unsigned take_seed(void)
{
    const char *given = getenv("RECFLEET_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

    print_message("RECFLEET_SEED=%u\n", seed);
    return seed;
}

/* A run of about a second, with lists that a dry run gives too: with a seed it begins cold. */
static void submit(struct worker_fixture *fixture, char *id)
{
    char params[128];

    (void)snprintf(params, sizeof params, "{\"now\":%lld,\"iterations\":%d,\"factors\":32,\"seed\":7}",
                   (long long)fixture->now_s, WORKER_SWEEPS);
    worker_fixture_submit(fixture, homepage, params, id);
}

static void assert_lists_are_right(struct worker_fixture *fixture)
{
    static const char *const params[] = {"--param", "iterations=" WORKER_TEXT(WORKER_SWEEPS), "--param", "factors=32"};
    char now[32];
    char dump[SERVER_TEXT_BYTES + 64];
    const char *const arguments[] = {"--once",  "homepage_and_similar_products",
                                     "--param", "publish=false",
                                     "--param", now,
                                     "--param", "seed=7",
                                     params[0], params[1],
                                     params[2], params[3],
                                     "--dump",  dump,
                                     NULL};

    (void)snprintf(now, sizeof now, "now=%lld", (long long)fixture->now_s);
    (void)snprintf(dump, sizeof dump, "%s", worker_fixture_folder(fixture, "dump-kills"));
    assert_int_equal(worker_fixture_call(fixture, NULL, arguments, NULL), 0);
    worker_fixture_assert_published(fixture, dump, TTL_S);
}

static void assert_succeeds(struct worker_fixture *fixture, const char *id)
{
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    worker_fixture_wait_for_document(fixture, id, "succeeded");
    worker_fixture_assert_queue_is_empty(fixture);
}

/* Kills the process of worker 0's job; false: there is none any more. */
static bool kill_child(struct worker_fixture *fixture)
{
    int child = worker_fixture_child(fixture, 0);

    return child > 0 && kill(child, SIGKILL) == 0;
}

static void assert_tried_again(struct worker_fixture *fixture, const char *id, const char *where)
{
    const char *attempts = queue_fixture_job_field(fixture->queue, id, "attempt");

    print_message("killed in %s: %s attempts\n", where, attempts);
    assert_string_equal(attempts, "2");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "errs"), "1");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "lost"), "0");
}

static void a_child_killed_in_any_stage_is_tried_again(void **state)
{
    static const char *const stages[] = {"fetch", "outliers", "weigh", "matrix", "als", "recommend"};
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];

    worker_fixture_run(fixture, 0, NULL);
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        submit(fixture, id);
        worker_fixture_wait_for_stage(fixture, id, stages[i]);
        if (!kill_child(fixture)) {
            print_message("it had ended before it was killed in %s\n", stages[i]);
            worker_fixture_wait_for_state(fixture, id, "succeeded");
            continue;
        }
        assert_succeeds(fixture, id);
        assert_tried_again(fixture, id, stages[i]);
    }
    assert_lists_are_right(fixture);
}

static void a_child_killed_at_random_is_tried_again(void **state)
{
    struct worker_fixture *fixture = *state;
    unsigned seed = take_seed();
    char id[JOB_ID_BYTES];
    int64_t run_ms;

    worker_fixture_run(fixture, 0, NULL);
    submit(fixture, id);
    worker_fixture_wait_for_state(fixture, id, "running");
    run_ms = worker_fixture_now_ms();
    worker_fixture_wait_for_state(fixture, id, "succeeded");
    run_ms = worker_fixture_now_ms() - run_ms;
    for (int i = 0; i < RANDOM_KILLS; i++) {
        int64_t wait_ms = (int64_t)((unsigned)rand_r(&seed) % (unsigned)run_ms);
        bool killed;

        submit(fixture, id);
        worker_fixture_wait_for_state(fixture, id, "running");
        for (int64_t until = worker_fixture_now_ms() + wait_ms; worker_fixture_now_ms() < until;)
            worker_fixture_pause();
        killed = kill_child(fixture);
        print_message("after %lld of %lld ms, in %s: %s\n", (long long)wait_ms, (long long)run_ms,
                      queue_fixture_job_field(fixture->queue, id, "stage"), killed ? "killed" : "no child");
        assert_succeeds(fixture, id);
    }
    assert_lists_are_right(fixture);
}

/* The targets are on a Redis of their own, so that it alone can be frozen. */
struct target {
    struct test_server server;
    char homepage[SERVER_TEXT_BYTES + 32];
    char similar[SERVER_TEXT_BYTES + 32];
    const char *settings[3];
};

static void start_target(struct target *target)
{
    assert_true(server_start_redis(&target->server, NULL));
    (void)snprintf(target->homepage, sizeof target->homepage, "HOMEPAGE_REDIS_URL=%s/1", target->server.url);
    (void)snprintf(target->similar, sizeof target->similar, "SIMILAR_REDIS_URL=%s/2", target->server.url);
    target->settings[0] = target->homepage;
    target->settings[1] = target->similar;
    target->settings[2] = NULL;
}

/* Looks at the target instead of the queue's server, until it is called again. */
static void swap_servers(struct worker_fixture *fixture, struct target *target)
{
    struct test_server server = fixture->queue->server;
    struct err err = {0};

    fixture->queue->server = target->server;
    target->server = server;
    redis_client_destroy(fixture->queue->client);
    assert_int_equal(redis_url_parse(&fixture->queue->url, fixture->queue->server.url, &err), ERR_OK);
    fixture->queue->client = queue_fixture_connect(fixture->queue);
}

static void a_child_killed_while_it_publishes_is_tried_again(void **state)
{
    struct worker_fixture *fixture = *state;
    struct target target;
    char id[JOB_ID_BYTES];

    start_target(&target);
    worker_fixture_run(fixture, 0, target.settings);
    submit(fixture, id);
    worker_fixture_wait_for_stage(fixture, id, "als");
    server_freeze(&target.server);
    worker_fixture_wait_for_stage(fixture, id, "publish");
    assert_true(kill_child(fixture));
    worker_fixture_wait_for_document(fixture, id, "retrying");
    server_thaw(&target.server);
    assert_succeeds(fixture, id);
    assert_tried_again(fixture, id, "publish");
    swap_servers(fixture, &target);
    assert_lists_are_right(fixture);
    swap_servers(fixture, &target);
    server_fini(&target.server);
}

static bool is_alive(int pid)
{
    char path[32];

    (void)snprintf(path, sizeof path, "/proc/%d/exe", pid);
    return access(path, F_OK) == 0;
}

static void assert_dies(int pid)
{
    int64_t deadline = worker_fixture_now_ms() + WORKER_WAIT_MS;

    while (is_alive(pid)) {
        assert_true(worker_fixture_now_ms() < deadline);
        worker_fixture_pause();
    }
}

static void a_killed_workers_job_is_taken_over_and_its_child_dies(void **state)
{
    struct worker_fixture *fixture = *state;
    unsigned seed = take_seed();
    char id[JOB_ID_BYTES];
    int child;

    worker_fixture_run(fixture, 0, NULL);
    submit(fixture, id);
    worker_fixture_wait_for_stage(fixture, id, (unsigned)rand_r(&seed) % 2 == 0 ? "fetch" : "als");
    child = worker_fixture_child(fixture, 0);
    assert_true(child > 0);
    worker_fixture_run(fixture, 1, NULL);
    server_kill(&fixture->workers[0]);
    assert_dies(child);
    assert_succeeds(fixture, id);
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "lost"), "1");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "errs"), "0");
    assert_lists_are_right(fixture);
}

static void a_job_that_loses_too_many_workers_is_dead(void **state)
{
    struct worker_fixture *fixture = *state;
    struct json *document;
    char id[JOB_ID_BYTES];
    char key[64];

    worker_fixture_run(fixture, 0, NULL);
    submit(fixture, id);
    worker_fixture_wait_for_stage(fixture, id, "fetch");
    (void)snprintf(key, sizeof key, QUEUE_KEY("j:%s"), id);
    (void)queue_fixture_ask(fixture->queue, "HSET", key, "max_lost", "0", NULL);
    worker_fixture_run(fixture, 1, NULL);
    server_kill(&fixture->workers[0]);
    worker_fixture_wait_for_state(fixture, id, "dead");
    worker_fixture_wait_for_document(fixture, id, "dead");
    document = worker_fixture_document(fixture, id);
    assert_string_equal(json_value_get_text(json_value_get(document, "error"), "message"),
                        "its worker was lost too often");
    json_value_destroy(document);
    worker_fixture_assert_queue_is_empty(fixture);
}

/* Until bytes have come to the port that its frozen server does not read. */
static void wait_for_unread_bytes(int port)
{
    int64_t deadline = worker_fixture_now_ms() + WORKER_WAIT_MS;
    unsigned long unread = 0;

    while (unread == 0) {
        FILE *file = fopen("/proc/net/tcp", "r");
        char line[256];

        assert_non_null(file);
        while (unread == 0 && fgets(line, sizeof line, file) != NULL) {
            unsigned local = 0;
            unsigned long queued = 0;

            if (sscanf(line, " %*d: %*8x:%4x %*8x:%*4x %*2x %*8x:%8lx", &local, &queued) == 2 && (int)local == port)
                unread = queued;
        }
        (void)fclose(file);
        assert_true(worker_fixture_now_ms() < deadline);
        worker_fixture_pause();
    }
}

/* Worker and child stand still in the middle of publishing; another worker takes over and publishes; they go on. */
static void what_a_zombie_publishes_late_is_refused(void **state)
{
    struct worker_fixture *fixture = *state;
    struct target target;
    char id[JOB_ID_BYTES];
    int child;

    start_target(&target);
    worker_fixture_run(fixture, 0, target.settings);
    submit(fixture, id);
    worker_fixture_wait_for_stage(fixture, id, "als");
    server_freeze(&target.server); /* the first chunks are sent and not answered */
    worker_fixture_wait_for_stage(fixture, id, "publish");
    child = worker_fixture_child(fixture, 0);
    assert_true(child > 0);
    wait_for_unread_bytes(target.server.port);
    worker_fixture_wait_for_noted_stage(fixture, id, "publish");
    assert_int_equal(kill(child, SIGSTOP), 0);
    server_freeze(&fixture->workers[0]);
    server_thaw(&target.server);
    worker_fixture_run(fixture, 1, target.settings);
    assert_succeeds(fixture, id);

    swap_servers(fixture, &target);
    (void)worker_fixture_target(fixture, 1, "SET", "user-7", "marked", "EX", "600", NULL);
    (void)worker_fixture_target(fixture, 2, "SET", "similar:7", "marked", "EX", "600", NULL);
    (void)kill(child, SIGCONT);
    /* its publish is refused, since it was promised the next chunk; or it waits for that word, which does not come */
    for (int64_t until = worker_fixture_now_ms() + 5000; is_alive(child) && worker_fixture_now_ms() < until;)
        worker_fixture_pause();
    print_message(is_alive(child) ? "it waits for its parent's word\n" : "its publish was refused\n");
    assert_string_equal(worker_fixture_target(fixture, 1, "GET", "user-7", NULL), "marked");
    assert_string_equal(worker_fixture_target(fixture, 2, "GET", "similar:7", NULL), "marked");
    swap_servers(fixture, &target);
    server_thaw(&fixture->workers[0]);
    worker_fixture_wait_for_log(fixture, 0, "job.ended"); /* lost, or superseded: nothing of it is written */
    worker_fixture_wait_for_document(fixture, id, "succeeded");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "state"), "succeeded");
    assert_string_equal(queue_fixture_job_field(fixture->queue, id, "lost"), "1");
    server_fini(&target.server);
}

static void a_zombies_child_does_not_publish_without_its_parents_word(void **state)
{
    struct worker_fixture *fixture = *state;
    char id[JOB_ID_BYTES];
    int child;

    worker_fixture_run(fixture, 0, NULL);
    worker_fixture_submit(fixture, homepage, WORKER_LONG_PARAMS, id);
    worker_fixture_wait_for_noted_stage(fixture, id, "als");
    child = worker_fixture_child(fixture, 0);
    server_freeze(&fixture->workers[0]);
    worker_fixture_run(fixture, 1, NULL);
    assert_succeeds(fixture, id);
    (void)worker_fixture_target(fixture, 1, "SET", "user-7", "marked", "EX", "600", NULL);
    assert_int_equal(kill(child, 0), 0); /* it waits for a word that does not come */
    server_thaw(&fixture->workers[0]);
    worker_fixture_wait_for_log(fixture, 0, "job.lost");
    assert_dies(child);
    assert_string_equal(worker_fixture_target(fixture, 1, "GET", "user-7", NULL), "marked");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_fixture_clear, worker_fixture_end_workers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_killed_in_any_stage_is_tried_again),
        TEST(a_child_killed_at_random_is_tried_again),
        TEST(a_child_killed_while_it_publishes_is_tried_again),
        TEST(a_killed_workers_job_is_taken_over_and_its_child_dies),
        TEST(a_job_that_loses_too_many_workers_is_dead),
        TEST(what_a_zombie_publishes_late_is_refused),
        TEST(a_zombies_child_does_not_publish_without_its_parents_word),
    };

    return cmocka_run_group_tests_name("kills", tests, worker_fixture_start, worker_fixture_stop);
}
