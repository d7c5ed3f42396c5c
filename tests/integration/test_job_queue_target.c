/* What runs in the target Redis: the fence, fenced writes and removals, and how fast they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/integration/queue_fixture.h"

#define FENCE_KEY "recfleet:fence:homepage"
#define INDEX_KEY "recfleet:keys:homepage"

enum { CHUNK_PAIRS = 1000, CHUNKS = 100, CHUNKS_IN_FLIGHT = 8, VALUE_BYTES = 110 };

static int64_t parse_written(struct redis_reply *reply, int64_t *sink_fence)
{
    int64_t written = -99;
    struct err err = {0};

    if (job_queue_publish_parse(reply, &written, sink_fence, &err) != ERR_OK)
        fail_msg("%s", err.message);
    redis_reply_destroy(reply);
    return written;
}

/* Publishes key -> value (NULL: raises the fence alone). */
static int64_t publish(struct queue_fixture *fixture, int64_t fence, int64_t ttl_s, const char *key, const char *value,
                       int64_t *sink_fence)
{
    struct redis_command command;

    job_queue_publish_command(&command, FENCE_KEY, fence, ttl_s);
    if (key != NULL) {
        redis_command_add(&command, key);
        redis_command_add(&command, value);
    }
    return parse_written(queue_fixture_send(fixture, &command), sink_fence);
}

static void an_older_fence_writes_nothing(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t sink_fence = 0;

    assert_int_equal(publish(fixture, 100, 60, NULL, NULL, &sink_fence), 0);
    assert_int_equal(sink_fence, 100);
    assert_int_equal(publish(fixture, 99, 60, "user", "[9]", &sink_fence), -1);
    assert_int_equal(sink_fence, 100);
    assert_string_equal(queue_fixture_ask(fixture, "GET", "user", NULL), "(nil)");
    assert_int_equal(publish(fixture, 100, 60, "user", "[1]", &sink_fence), 1); /* its own fence again */
    assert_int_equal(publish(fixture, 101, 60, "user", "[2]", &sink_fence), 1);
    assert_int_equal(sink_fence, 101);
    assert_int_equal(publish(fixture, 100, 60, "user", "[3]", &sink_fence), -1);
    assert_string_equal(queue_fixture_ask(fixture, "GET", "user", NULL), "[2]");
    assert_string_equal(queue_fixture_ask(fixture, "GET", FENCE_KEY, NULL), "101");
}

static void fences_of_today_keep_all_their_digits(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t sink_fence = 0;
    int64_t fence = 1795000000123;

    assert_int_equal(publish(fixture, fence, 0, NULL, NULL, &sink_fence), 0);
    assert_int_equal(publish(fixture, fence - 1, 0, "user", "[1]", &sink_fence), -1);
    assert_int_equal(sink_fence, fence);
}

static void a_ttl_of_zero_means_none(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t sink_fence = 0;

    assert_int_equal(publish(fixture, 1, 604800, "user", "[1]", &sink_fence), 1);
    assert_true(queue_fixture_ask_int(fixture, "TTL", "user", NULL) > 604700);
    assert_int_equal(publish(fixture, 1, 0, "user", "[1]", &sink_fence), 1);
    assert_int_equal(queue_fixture_ask_int(fixture, "TTL", "user", NULL), -1);
    assert_int_equal(queue_fixture_ask_int(fixture, "TTL", FENCE_KEY, NULL), -1);
}

static int64_t prune(struct queue_fixture *fixture, int64_t fence, const char *key, int64_t *sink_fence)
{
    struct redis_command command;

    job_queue_prune_command(&command, FENCE_KEY, INDEX_KEY, fence);
    redis_command_add(&command, key);
    redis_command_add(&command, "never there");
    return parse_written(queue_fixture_send(fixture, &command), sink_fence);
}

static void an_older_fence_removes_nothing(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t sink_fence = 0;

    assert_int_equal(publish(fixture, 5, 0, "gone product", "[1]", &sink_fence), 1);
    (void)queue_fixture_ask(fixture, "SADD", INDEX_KEY, "gone product", "product", NULL);
    assert_int_equal(prune(fixture, 4, "gone product", &sink_fence), -1);
    assert_int_equal(sink_fence, 5);
    assert_int_equal(queue_fixture_ask_int(fixture, "EXISTS", "gone product", NULL), 1);
    assert_int_equal(prune(fixture, 5, "gone product", &sink_fence), 1);
    assert_int_equal(queue_fixture_ask_int(fixture, "EXISTS", "gone product", NULL), 0);
    assert_int_equal(queue_fixture_ask_int(fixture, "SCARD", INDEX_KEY, NULL), 1);
}

static void keys_and_values_may_hold_any_byte(void **state)
{
    static const char key[] = {'u', '\0', '\n', ' ', (char)0xff};
    struct queue_fixture *fixture = *state;
    struct redis_command command;
    struct redis_reply *reply;
    int64_t sink_fence = 0;

    job_queue_publish_command(&command, FENCE_KEY, 7, 0);
    redis_command_add_bytes(&command, key, sizeof key);
    redis_command_add_bytes(&command, key, sizeof key);
    assert_int_equal(parse_written(queue_fixture_send(fixture, &command), &sink_fence), 1);
    redis_command_init(&command, "GET");
    redis_command_add_bytes(&command, key, sizeof key);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(redis_reply_text_length(reply), sizeof key);
    assert_memory_equal(redis_reply_text(reply), key, sizeof key);
    redis_reply_destroy(reply);
}

static void append_chunk(struct queue_fixture *fixture, int chunk)
{
    char value[VALUE_BYTES + 1];
    struct redis_command command;
    struct err err = {0};

    memset(value, '7', VALUE_BYTES);
    value[VALUE_BYTES] = '\0';
    job_queue_publish_command(&command, FENCE_KEY, 11, 604800);
    for (int i = 0; i < CHUNK_PAIRS; i++) {
        redis_command_add_format(&command, "%d", chunk * CHUNK_PAIRS + i);
        redis_command_add(&command, value);
    }
    assert_int_equal(redis_client_append(fixture->client, &command, &err), ERR_OK);
    redis_command_fini(&command);
}

/* The figure is printed, not asserted: the machine that runs the tests may be busy. */
static void pipelined_chunks_are_all_written(void **state)
{
    struct queue_fixture *fixture = *state;
    struct clock_source clock = clock_system();
    int64_t sink_fence = 0;
    int64_t total = 0;
    int64_t begin_ms;
    int64_t took_ms;

    (void)queue_fixture_ask(fixture, "CONFIG", "SET", "appendonly", "no", NULL);
    assert_int_equal(publish(fixture, 11, 0, NULL, NULL, &sink_fence), 0); /* loads the script */
    begin_ms = clock_monotonic_ms(&clock);
    for (int i = 0; i < CHUNKS + CHUNKS_IN_FLIGHT; i++) {
        struct redis_reply *reply = NULL;
        struct err err = {0};

        if (i < CHUNKS)
            append_chunk(fixture, i);
        if (i < CHUNKS_IN_FLIGHT)
            continue;
        assert_int_equal(redis_client_receive(fixture->client, &reply, &err), ERR_OK);
        total += parse_written(reply, &sink_fence);
    }
    took_ms = clock_monotonic_ms(&clock) - begin_ms;
    assert_int_equal(total, CHUNKS * CHUNK_PAIRS);
    assert_int_equal(queue_fixture_ask_int(fixture, "DBSIZE", NULL), CHUNKS * CHUNK_PAIRS + 2); /* fence and stream */
    print_message("published %d keys in %lld ms: %lld keys/s\n", CHUNKS * CHUNK_PAIRS, (long long)took_ms,
                  (long long)(total * 1000 / (took_ms > 0 ? took_ms : 1)));
}

int main(void)
{
#define QUEUE_TEST(f) cmocka_unit_test_setup(f, queue_fixture_clear)
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(an_older_fence_writes_nothing),     QUEUE_TEST(fences_of_today_keep_all_their_digits),
        QUEUE_TEST(a_ttl_of_zero_means_none),          QUEUE_TEST(an_older_fence_removes_nothing),
        QUEUE_TEST(keys_and_values_may_hold_any_byte), QUEUE_TEST(pipelined_chunks_are_all_written),
    };

    return cmocka_run_group_tests(tests, queue_fixture_start, queue_fixture_stop);
}
