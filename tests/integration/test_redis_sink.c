/* The sink on a real Redis: fences, chunks, what never expires, and how fast it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/integration/queue_fixture.h"
#include "worker/connect/redis_sink.h"

enum { MANY_CHUNKS = 60 };

static struct redis_sink *make_sink(struct queue_fixture *fixture, int64_t fence, int64_t ttl_s,
                                    redis_sink_permit_fn permit, void *context)
{
    struct redis_sink_config config = {.fence = fence, .permit = permit, .context = context};
    struct redis_sink *sink;
    struct err err = {0};

    for (unsigned kind = 0; kind < PUBLISH_KIND_COUNT; kind++) {
        config.targets[kind] = (struct redis_sink_target){.url = fixture->url, .prefix = "x:", .ttl_s = ttl_s};
        config.targets[kind].url.db = (int)kind + 1;
    }
    if (redis_sink_create(&sink, &config, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return sink;
}

static enum err_code raise_fence(struct redis_sink *sink)
{
    struct sink interface = redis_sink_interface(sink);
    struct err err = {0};

    return interface.raise_fence(interface.self, PUBLISH_HOMEPAGE, &err);
}

/* Keys first … first + count - 1, each with the value. */
static enum err_code put(struct redis_sink *sink, size_t first, size_t count, const char *value)
{
    static char keys[SINK_CHUNK_PAIRS][24];
    static struct sink_pair pairs[SINK_CHUNK_PAIRS];
    struct sink interface = redis_sink_interface(sink);
    struct err err = {0};

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "user-%zu", first + i);
        pairs[i] = (struct sink_pair){.key = keys[i], .value = value};
    }
    return interface.put(interface.self, PUBLISH_HOMEPAGE, pairs, count, &err);
}

static enum err_code complete(struct redis_sink *sink, size_t *removed)
{
    struct sink interface = redis_sink_interface(sink);
    struct err err = {0};

    return interface.complete(interface.self, PUBLISH_HOMEPAGE, removed, &err);
}

static const char *get(struct queue_fixture *fixture, const char *word, const char *key)
{
    const char *answer;

    (void)queue_fixture_ask(fixture, "SELECT", "1", NULL);
    answer = queue_fixture_ask(fixture, word, key, NULL);
    return answer;
}

static void pairs_are_written_with_prefix_and_ttl(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_sink *sink = make_sink(fixture, 5, 600, NULL, NULL);
    size_t removed = 7;

    assert_int_equal(raise_fence(sink), ERR_OK);
    assert_string_equal(get(fixture, "GET", "x:recfleet:fence:homepage"), "5");
    assert_int_equal(put(sink, 0, SINK_CHUNK_PAIRS, "[1,2]"), ERR_OK);
    assert_int_equal(put(sink, 1000, 1, "[3]"), ERR_OK);
    assert_int_equal(complete(sink, &removed), ERR_OK);
    assert_int_equal(removed, 0);
    assert_string_equal(get(fixture, "GET", "x:user-999"), "[1,2]");
    assert_string_equal(get(fixture, "GET", "x:user-1000"), "[3]");
    assert_in_range(strtoll(get(fixture, "TTL", "x:user-0"), NULL, 10), 590, 600);
    redis_sink_destroy(sink);
}

static void an_older_run_is_refused_at_the_start_and_later(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_sink *old = make_sink(fixture, 5, 600, NULL, NULL);
    struct redis_sink *newer = make_sink(fixture, 6, 600, NULL, NULL);
    struct redis_sink *late = make_sink(fixture, 5, 600, NULL, NULL);
    size_t removed;

    assert_int_equal(raise_fence(old), ERR_OK);
    assert_int_equal(put(old, 0, 10, "[1]"), ERR_OK);
    assert_int_equal(raise_fence(newer), ERR_OK);
    assert_int_equal(put(newer, 0, 10, "[2]"), ERR_OK);
    assert_int_equal(complete(newer, &removed), ERR_OK);
    assert_int_equal(put(old, 0, 10, "[3]"), ERR_OK); /* on its way; the answer comes later */
    assert_int_equal(complete(old, &removed), ERR_FENCED);
    assert_int_equal(redis_sink_newest_fence(old), 6);
    assert_int_equal(raise_fence(late), ERR_FENCED);
    assert_string_equal(get(fixture, "GET", "x:user-3"), "[2]");
    redis_sink_destroy(old);
    redis_sink_destroy(newer);
    redis_sink_destroy(late);
}

static void what_a_complete_run_lacks_is_removed_where_nothing_expires(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_sink *first = make_sink(fixture, 5, 0, NULL, NULL);
    struct redis_sink *second = make_sink(fixture, 6, 0, NULL, NULL);
    size_t removed;

    (void)queue_fixture_ask(fixture, "SELECT", "1", NULL);
    (void)queue_fixture_ask(fixture, "SET", "x:not-ours", "1", NULL);
    assert_int_equal(raise_fence(first), ERR_OK);
    assert_int_equal(put(first, 0, 900, "[1]"), ERR_OK);
    assert_int_equal(put(first, 900, 900, "[1]"), ERR_OK);
    assert_int_equal(complete(first, &removed), ERR_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(raise_fence(second), ERR_OK);
    assert_int_equal(put(second, 600, 100, "[2]"), ERR_OK);
    assert_int_equal(complete(second, &removed), ERR_OK);
    assert_int_equal(removed, 1700);
    assert_string_equal(get(fixture, "EXISTS", "x:user-599"), "0");
    assert_string_equal(get(fixture, "GET", "x:user-650"), "[2]");
    assert_string_equal(get(fixture, "TTL", "x:user-650"), "-1");
    assert_string_equal(get(fixture, "EXISTS", "x:not-ours"), "1");
    assert_string_equal(get(fixture, "SCARD", "x:recfleet:keys:homepage"), "100");
    redis_sink_destroy(first);
    redis_sink_destroy(second);
}

static enum err_code count_and_refuse(void *context, struct err *err)
{
    int *left = context;

    if (*left == 0)
        return ERR_SET(err, ERR_CANCELLED, "no more");
    --*left;
    return ERR_OK;
}

static void each_chunk_waits_for_its_permit(void **state)
{
    struct queue_fixture *fixture = *state;
    int left = 2;
    struct redis_sink *sink = make_sink(fixture, 5, 600, count_and_refuse, &left);
    size_t removed;

    assert_int_equal(raise_fence(sink), ERR_OK); /* needs none: it writes no list */
    assert_int_equal(put(sink, 0, 10, "[1]"), ERR_OK);
    assert_int_equal(put(sink, 10, 10, "[1]"), ERR_OK);
    assert_int_equal(put(sink, 20, 10, "[1]"), ERR_CANCELLED);
    assert_int_equal(complete(sink, &removed), ERR_OK);
    assert_string_equal(get(fixture, "EXISTS", "x:user-19"), "1");
    assert_string_equal(get(fixture, "EXISTS", "x:user-20"), "0");
    redis_sink_destroy(sink);
}

static void forgotten_scripts_are_taught_again_or_the_run_is_tried_again(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_sink *sink = make_sink(fixture, 5, 600, NULL, NULL);
    enum err_code rc = ERR_OK;
    size_t removed;

    assert_int_equal(raise_fence(sink), ERR_OK);
    (void)queue_fixture_ask(fixture, "SCRIPT", "FLUSH", NULL);
    assert_int_equal(put(sink, 0, 10, "[1]"), ERR_OK);
    assert_int_equal(complete(sink, &removed), ERR_OK);
    assert_string_equal(get(fixture, "GET", "x:user-9"), "[1]");
    (void)queue_fixture_ask(fixture, "SCRIPT", "FLUSH", NULL);
    for (size_t i = 0; rc == ERR_OK && i < 4; i++)
        rc = put(sink, i * 10, 10, "[2]");
    if (rc == ERR_OK)
        rc = complete(sink, &removed);
    assert_true(rc == ERR_OK || err_is_transient(rc));
    if (rc == ERR_OK)
        assert_string_equal(get(fixture, "GET", "x:user-0"), "[2]");
    redis_sink_destroy(sink);
}

static void a_server_that_goes_away_is_a_passing_error(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_sink *sink = make_sink(fixture, 5, 600, NULL, NULL);
    enum err_code rc = ERR_OK;
    size_t removed;

    assert_int_equal(raise_fence(sink), ERR_OK);
    server_kill(&fixture->server);
    for (size_t i = 0; rc == ERR_OK && i < 20; i++)
        rc = put(sink, i * 10, 10, "[1]");
    if (rc == ERR_OK)
        rc = complete(sink, &removed);
    assert_true(err_is_transient(rc));
    redis_sink_destroy(sink);
    sink = make_sink(fixture, 6, 600, NULL, NULL);
    assert_true(err_is_transient(raise_fence(sink)));
    redis_sink_destroy(sink);
    assert_true(server_restart(&fixture->server));
    redis_client_destroy(fixture->client);
    fixture->client = queue_fixture_connect(fixture);
}

static void a_cluster_is_refused(void **state)
{
    struct queue_fixture *fixture = *state;
    struct test_server cluster;
    struct redis_url url;
    struct err err = {0};

    assert_int_equal(redis_sink_check(&fixture->url, &err), ERR_OK);
    assert_true(server_start_redis(&cluster, "--cluster-enabled", "yes", NULL));
    assert_int_equal(redis_url_parse(&url, cluster.url, &err), ERR_OK);
    assert_int_equal(redis_sink_check(&url, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "is a cluster"));
    server_fini(&cluster);
}

static void chunks_are_pipelined(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_sink *sink = make_sink(fixture, 5, 600, NULL, NULL);
    struct timespec begin;
    struct timespec end;
    double seconds;
    size_t removed;

    assert_int_equal(raise_fence(sink), ERR_OK);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < MANY_CHUNKS; i++)
        assert_int_equal(
            put(sink, i * SINK_CHUNK_PAIRS, SINK_CHUNK_PAIRS,
                "[1001,1002,1003,1004,1005,1006,1007,1008,1009,1010,1011,1012,1013,1014,1015,1016,1017,1018]"),
            ERR_OK);
    assert_int_equal(complete(sink, &removed), ERR_OK);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    print_message("%.0f keys a second\n", MANY_CHUNKS * SINK_CHUNK_PAIRS / seconds);
    assert_string_equal(get(fixture, "DBSIZE", NULL), "60001");
    redis_sink_destroy(sink);
}

static int clear(void **state)
{
    struct queue_fixture *fixture = *state;

    (void)queue_fixture_ask(fixture, "SELECT", "0", NULL);
    return queue_fixture_clear(state);
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pairs_are_written_with_prefix_and_ttl),
        TEST(an_older_run_is_refused_at_the_start_and_later),
        TEST(what_a_complete_run_lacks_is_removed_where_nothing_expires),
        TEST(each_chunk_waits_for_its_permit),
        TEST(forgotten_scripts_are_taught_again_or_the_run_is_tried_again),
        TEST(a_server_that_goes_away_is_a_passing_error),
        TEST(a_cluster_is_refused),
        TEST(chunks_are_pipelined),
    };

    return cmocka_run_group_tests_name("redis_sink", tests, queue_fixture_start, queue_fixture_stop);
}
