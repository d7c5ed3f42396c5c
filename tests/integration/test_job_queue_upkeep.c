/* What the gateway does beside enqueue: promotion, repair, trimming, cancel; and fences. Against a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_scripts.h"
#include "tests/integration/queue_fixture.h"

#define UNIQUE_TOYS QUEUE_KEY("u:homepage_and_similar_products:toys")
#define FIRST       "01HZ0000000000000000000001"
#define SECOND      "01HZ0000000000000000000002"
#define FIRST_KEY   QUEUE_KEY("j:" FIRST)

static void assert_field(struct queue_fixture *fixture, const char *id, const char *field, const char *wanted)
{
    assert_string_equal(queue_fixture_job_field(fixture, id, field), wanted);
}

static void enqueue_for_later(struct queue_fixture *fixture, const char *id)
{
    struct job_queue_enqueue request = queue_fixture_request(id, "toys");

    request.run_at_ms = 99999999999999;
    assert_int_equal(queue_fixture_enqueue(fixture, &request, NULL), JOB_QUEUE_NEW);
}

static void a_scheduled_job_takes_no_lock_until_promoted(void **state)
{
    struct queue_fixture *fixture = *state;

    enqueue_for_later(fixture, FIRST);
    assert_field(fixture, FIRST, "state", "scheduled");
    assert_int_equal(queue_fixture_ask_int(fixture, "EXISTS", UNIQUE_TOYS, NULL), 0);
    assert_int_equal(queue_fixture_ask_int(fixture, "ZCARD", QUEUE_KEY("open"), NULL), 0);
    assert_int_equal(queue_fixture_promote(fixture, FIRST, "toys"), 0);
    (void)queue_fixture_ask(fixture, "ZADD", QUEUE_KEY("delay"), "1", FIRST, NULL);
    assert_int_equal(queue_fixture_promote(fixture, FIRST, "toys"), 1);
    assert_string_equal(queue_fixture_ask(fixture, "GET", UNIQUE_TOYS, NULL), FIRST);
    assert_string_equal(queue_fixture_read(fixture, WORKER_A).job_id, FIRST);
}

static void a_scheduled_job_is_superseded_by_the_holder_of_the_lock(void **state)
{
    struct queue_fixture *fixture = *state;

    enqueue_for_later(fixture, FIRST);
    queue_fixture_enqueue_new(fixture, SECOND, "toys");
    (void)queue_fixture_ask(fixture, "ZADD", QUEUE_KEY("delay"), "1", FIRST, NULL);
    assert_int_equal(queue_fixture_promote(fixture, FIRST, "toys"), -1);
    assert_field(fixture, FIRST, "state", "superseded");
    assert_true(queue_fixture_ask_int(fixture, "TTL", FIRST_KEY, NULL) > 86000);
    assert_string_equal(queue_fixture_ask(fixture, "GET", UNIQUE_TOYS, NULL), SECOND);
}

static void due_jobs_are_listed_and_others_are_not(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_command command;
    struct redis_reply *reply;

    (void)queue_fixture_ask(fixture, "ZADD", QUEUE_KEY("delay"), "1000", FIRST, "3000", SECOND, NULL);
    job_queue_due_command(&command, QUEUE, 2000);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(redis_reply_count(reply), 1);
    assert_string_equal(redis_reply_text(redis_reply_at(reply, 0)), FIRST);
    redis_reply_destroy(reply);
}

static const char *repair(struct queue_fixture *fixture)
{
    const char *const keys[] = {FIRST_KEY, QUEUE_KEY("s"), QUEUE_KEY("open"), QUEUE_KEY("ev"), NULL};
    const char *const arguments[] = {"g", FIRST, "60000", NULL};

    return queue_fixture_script(fixture, &job_script_repair, keys, arguments);
}

static void repair_leaves_what_is_well(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    queue_fixture_enqueue_new(fixture, FIRST, "toys");
    assert_string_equal(repair(fixture), "QUEUED");
    entry = queue_fixture_read(fixture, WORKER_A);
    assert_string_equal(repair(fixture), "PENDING");
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_A, &lease), JOB_QUEUE_RUN);
    (void)queue_fixture_ask(fixture, "XACK", QUEUE_KEY("s"), "g", entry.stream_id, NULL);
    assert_string_equal(repair(fixture), "FRESH"); /* it beats, though its entry is gone */
}

static void repair_brings_an_orphan_back(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, FIRST, "toys", WORKER_A);

    (void)queue_fixture_ask(fixture, "XACK", QUEUE_KEY("s"), "g", lease.entry.stream_id, NULL);
    (void)queue_fixture_ask(fixture, "HSET", FIRST_KEY, "hb", "1", NULL);
    assert_string_equal(repair(fixture), "REQUEUED");
    assert_field(fixture, FIRST, "lost", "1");
    assert_string_equal(repair(fixture), "QUEUED");
    assert_int_equal(queue_fixture_beat(fixture, &lease, WORKER_A, 0, "als"), JOB_QUEUE_BEAT_LOST);
    assert_string_equal(queue_fixture_read(fixture, WORKER_B).job_id, FIRST);
}

static void repair_brings_back_a_delivered_entry_that_nobody_holds(void **state)
{
    struct queue_fixture *fixture = *state;

    queue_fixture_enqueue_new(fixture, FIRST, "toys");
    (void)queue_fixture_read(fixture, WORKER_A);
    (void)queue_fixture_ask(fixture, "XGROUP", "DELCONSUMER", QUEUE_KEY("s"), "g", WORKER_A, NULL);
    assert_string_equal(repair(fixture), "REQUEUED");
    assert_field(fixture, FIRST, "lost", "0");
    assert_string_equal(queue_fixture_read(fixture, WORKER_B).job_id, FIRST);
}

static void a_job_that_repair_found_lost_too_often_ends(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    queue_fixture_enqueue_new(fixture, FIRST, "toys");
    (void)queue_fixture_ask(fixture, "HSET", FIRST_KEY, "lost", "4", NULL);
    entry = queue_fixture_read(fixture, WORKER_A);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_A, &lease), JOB_QUEUE_START_DEAD);
}

static void repair_takes_what_is_done_or_gone_out_of_open(void **state)
{
    struct queue_fixture *fixture = *state;

    queue_fixture_enqueue_new(fixture, FIRST, "toys");
    (void)queue_fixture_ask(fixture, "HSET", FIRST_KEY, "state", "dead", NULL);
    assert_string_equal(repair(fixture), "CLOSED");
    (void)queue_fixture_ask(fixture, "ZADD", QUEUE_KEY("open"), "1", FIRST, NULL);
    (void)queue_fixture_ask(fixture, "DEL", FIRST_KEY, NULL);
    assert_string_equal(repair(fixture), "GONE");
    assert_int_equal(queue_fixture_ask_int(fixture, "ZCARD", QUEUE_KEY("open"), NULL), 0);
}

static void trimming_passes_neither_pending_nor_undelivered(void **state)
{
    struct queue_fixture *fixture = *state;
    const char *const keys[] = {QUEUE_KEY("s"), NULL};
    const char *const arguments[] = {"g", NULL};
    struct job_queue_lease lease;

    for (int i = 0; i < 3; i++)
        (void)queue_fixture_ask(fixture, "XADD", QUEUE_KEY("s"), "*", "id", "x", NULL);
    for (int i = 0; i < 3; i++) {
        struct job_queue_entry entry = queue_fixture_read(fixture, WORKER_A);

        (void)queue_fixture_ask(fixture, "XACK", QUEUE_KEY("s"), "g", entry.stream_id, NULL);
    }
    lease = queue_fixture_run(fixture, FIRST, "toys", WORKER_A);
    queue_fixture_enqueue_new(fixture, SECOND, "books");
    assert_string_equal(queue_fixture_script(fixture, &job_script_trim, keys, arguments), "3");
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    assert_string_equal(queue_fixture_script(fixture, &job_script_trim, keys, arguments), "1");
    assert_int_equal(queue_fixture_ask_int(fixture, "XLEN", QUEUE_KEY("s"), NULL), 1);
    assert_string_equal(queue_fixture_read(fixture, WORKER_B).job_id, SECOND);
}

static void only_a_consumer_with_nothing_pending_is_collected(void **state)
{
    struct queue_fixture *fixture = *state;
    const char *const keys[] = {QUEUE_KEY("s"), NULL};
    const char *const arguments[] = {"g", "-1", NULL};

    (void)queue_fixture_run(fixture, FIRST, "toys", WORKER_A);
    (void)queue_fixture_ask(fixture, "XGROUP", "CREATECONSUMER", QUEUE_KEY("s"), "g", WORKER_B, NULL);
    assert_string_equal(queue_fixture_script(fixture, &job_script_gc_consumer, keys, arguments), "1");
    assert_string_equal(queue_fixture_script(fixture, &job_script_gc_consumer, keys, arguments), "0");
}

static const char *cancel(struct queue_fixture *fixture)
{
    const char *const keys[] = {FIRST_KEY, QUEUE_KEY("open"), UNIQUE_TOYS, QUEUE_KEY("delay"), QUEUE_KEY("ev"), NULL};
    const char *const arguments[] = {FIRST, "why", "86400", NULL};

    return queue_fixture_script(fixture, &job_script_cancel, keys, arguments);
}

static void a_waiting_job_is_cancelled_at_once(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    assert_string_equal(cancel(fixture), "NOT_FOUND");
    queue_fixture_enqueue_new(fixture, FIRST, "toys");
    assert_string_equal(cancel(fixture), "CANCELLED");
    assert_string_equal(cancel(fixture), "CANCELLED");
    assert_int_equal(queue_fixture_ask_int(fixture, "EXISTS", UNIQUE_TOYS, NULL), 0);
    entry = queue_fixture_read(fixture, WORKER_A);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_A, &lease), JOB_QUEUE_STALE);
}

static void a_finished_job_cannot_be_cancelled(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, FIRST, "toys", WORKER_A);

    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    assert_string_equal(cancel(fixture), "TERMINAL");
}

static int64_t next_fence(struct queue_fixture *fixture, int64_t floor_fence)
{
    struct redis_command command;
    struct redis_reply *reply;
    int64_t fence = 0;

    job_queue_fence_command(&command, QUEUE, floor_fence);
    reply = queue_fixture_send(fixture, &command);
    assert_true(redis_reply_to_int64(reply, &fence));
    redis_reply_destroy(reply);
    return fence;
}

static int64_t redis_now_ms(struct queue_fixture *fixture)
{
    struct redis_command command;
    struct redis_reply *reply;
    int64_t seconds = 0;
    int64_t microseconds = 0;

    redis_command_init(&command, "TIME");
    reply = queue_fixture_send(fixture, &command);
    assert_true(redis_reply_to_int64(redis_reply_at(reply, 0), &seconds));
    assert_true(redis_reply_to_int64(redis_reply_at(reply, 1), &microseconds));
    redis_reply_destroy(reply);
    return seconds * 1000 + microseconds / 1000;
}

static void fences_only_rise(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t last = 0;
    int64_t ahead = 99999999999999;

    for (int i = 0; i < 20; i++) { /* many in one millisecond */
        int64_t fence = next_fence(fixture, 0);

        assert_true(fence > last);
        last = fence;
    }
    while (redis_now_ms(fixture) <= last) {
    }
    (void)queue_fixture_ask(fixture, "DEL", QUEUE_KEY("fence"), NULL); /* as a failover loses it */
    assert_true(next_fence(fixture, 0) > last);
    assert_int_equal(next_fence(fixture, ahead), ahead + 1); /* a sink has seen more than this clock says */
    assert_int_equal(next_fence(fixture, 0), ahead + 2);
}

static void start_goes_on_from_the_last_fence(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease;

    (void)queue_fixture_ask(fixture, "SET", QUEUE_KEY("fence"), "99999999999999", NULL); /* the clock went back */
    lease = queue_fixture_run(fixture, FIRST, "toys", WORKER_A);
    assert_int_equal(lease.fence, 100000000000000);
}

static void start_takes_the_sinks_fence_as_a_floor(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = {0};
    enum job_queue_started started;
    struct redis_command command;
    struct redis_reply *reply;
    struct err err = {0};
    char *args = NULL;

    queue_fixture_enqueue_new(fixture, FIRST, "toys");
    lease.entry = queue_fixture_read(fixture, WORKER_A);
    job_queue_start_command(&command, QUEUE, &lease.entry, UNIQUE_TOYS, WORKER_A, LEASE_MS, 99999999999999);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_start_parse(reply, &started, &lease, &args, &err), ERR_OK);
    assert_int_equal(lease.fence, 100000000000000);
    assert_string_equal(args, "{\"params\":{},\"namespace\":\"toys\"}");
    assert_string_equal(lease.entry.job_id, FIRST); /* start leaves the entry alone */
    redis_reply_destroy(reply);
    free(args);
}

static void a_job_with_unreadable_arguments_can_still_be_ended(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = {0};
    enum job_queue_started started;
    struct redis_command command;
    struct redis_reply *reply;
    struct err err = {0};
    char *args = NULL;

    queue_fixture_enqueue_new(fixture, FIRST, "toys");
    (void)queue_fixture_ask(fixture, "HSET", FIRST_KEY, "args", "{not json", NULL);
    lease.entry = queue_fixture_read(fixture, WORKER_A);
    job_queue_start_command(&command, QUEUE, &lease.entry, UNIQUE_TOYS, WORKER_A, LEASE_MS, 0);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_start_parse(reply, &started, &lease, &args, &err), ERR_FORMAT);
    assert_null(args);
    redis_reply_destroy(reply);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_DEAD, -1), JOB_QUEUE_FINISH_OK);
}

static void one_unknown_script_after_a_flush_is_sent_by_its_text(void **state)
{
    struct queue_fixture *fixture = *state;
    int64_t fence = next_fence(fixture, 0);

    (void)queue_fixture_ask(fixture, "SCRIPT", "FLUSH", NULL);
    assert_true(next_fence(fixture, 0) > fence);
    assert_int_equal(queue_fixture_ask_int(fixture, "SCRIPT", "EXISTS", job_script_fence.sha1, NULL), 1);
}

int main(void)
{
#define QUEUE_TEST(f) cmocka_unit_test_setup(f, queue_fixture_clear)
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_scheduled_job_takes_no_lock_until_promoted),
        QUEUE_TEST(a_scheduled_job_is_superseded_by_the_holder_of_the_lock),
        QUEUE_TEST(due_jobs_are_listed_and_others_are_not),
        QUEUE_TEST(repair_leaves_what_is_well),
        QUEUE_TEST(repair_brings_an_orphan_back),
        QUEUE_TEST(repair_brings_back_a_delivered_entry_that_nobody_holds),
        QUEUE_TEST(a_job_that_repair_found_lost_too_often_ends),
        QUEUE_TEST(repair_takes_what_is_done_or_gone_out_of_open),
        QUEUE_TEST(trimming_passes_neither_pending_nor_undelivered),
        QUEUE_TEST(only_a_consumer_with_nothing_pending_is_collected),
        QUEUE_TEST(a_waiting_job_is_cancelled_at_once),
        QUEUE_TEST(a_finished_job_cannot_be_cancelled),
        QUEUE_TEST(fences_only_rise),
        QUEUE_TEST(start_goes_on_from_the_last_fence),
        QUEUE_TEST(start_takes_the_sinks_fence_as_a_floor),
        QUEUE_TEST(a_job_with_unreadable_arguments_can_still_be_ended),
        QUEUE_TEST(one_unknown_script_after_a_flush_is_sent_by_its_text),
    };

    return cmocka_run_group_tests(tests, queue_fixture_start, queue_fixture_stop);
}
