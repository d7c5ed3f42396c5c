/* What operators ask of the queue: cancel, retry, pause, counts, positions, workers. Against a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_queue_control.h"
#include "tests/integration/queue_fixture.h"

#define UNIQUE_TOYS QUEUE_KEY("u:homepage_and_similar_products:toys")
#define FIRST       "01HZ0000000000000000000001"
#define SECOND      "01HZ0000000000000000000002"
#define THIRD       "01HZ0000000000000000000003"
#define FIRST_KEY   QUEUE_KEY("j:" FIRST)

static enum job_queue_cancel cancel(struct queue_fixture *fixture, const char *id)
{
    struct redis_command command;
    struct redis_reply *reply;
    enum job_queue_cancel outcome = JOB_QUEUE_CANCEL_NOT_FOUND;

    job_queue_cancel_command(&command, QUEUE, id, UNIQUE_TOYS, "by hand");
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_cancel_parse(reply, &outcome, NULL), ERR_OK);
    redis_reply_destroy(reply);
    return outcome;
}

static struct job_queue_counts count(struct queue_fixture *fixture)
{
    struct job_queue_counts counts;
    struct redis_command command;
    struct redis_reply *reply;

    job_queue_counts_command(&command, QUEUE);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_counts_parse(reply, &counts, NULL), ERR_OK);
    redis_reply_destroy(reply);
    return counts;
}

static int64_t position_of(struct queue_fixture *fixture, const char *id)
{
    struct redis_command command;
    struct redis_reply *reply;
    int64_t position = -1;

    job_queue_position_command(&command, QUEUE, id);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_position_parse(reply, &position, NULL), ERR_OK);
    redis_reply_destroy(reply);
    return position;
}

static void a_waiting_job_is_cancelled_at_once_and_its_lock_is_free(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    queue_fixture_enqueue_new(fixture, FIRST, "toys");
    assert_int_equal(cancel(fixture, FIRST), JOB_QUEUE_CANCEL_DONE);
    assert_int_equal(cancel(fixture, FIRST), JOB_QUEUE_CANCEL_DONE);
    assert_string_equal(queue_fixture_job_field(fixture, FIRST, "state"), "cancelled");
    assert_int_equal(queue_fixture_ask_int(fixture, "EXISTS", UNIQUE_TOYS, NULL), 0);
    assert_int_equal(queue_fixture_ask_int(fixture, "ZCARD", QUEUE_KEY("open"), NULL), 0);
    entry = queue_fixture_read(fixture, WORKER_A);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_A, &lease), JOB_QUEUE_STALE);
}

static void a_running_job_is_told_by_its_beat(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, FIRST, "toys", WORKER_A);

    assert_int_equal(queue_fixture_beat(fixture, &lease, WORKER_A, 0.1, "als"), JOB_QUEUE_BEAT_OK);
    assert_int_equal(cancel(fixture, FIRST), JOB_QUEUE_CANCEL_REQUESTED);
    assert_int_equal(queue_fixture_beat(fixture, &lease, WORKER_A, 0.2, "als"), JOB_QUEUE_BEAT_CANCEL);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_CANCELLED, -1), JOB_QUEUE_FINISH_OK);
    assert_int_equal(cancel(fixture, FIRST), JOB_QUEUE_CANCEL_DONE);
}

static void assert_past_the_point(struct queue_fixture *fixture, const char *stage)
{
    struct job_queue_lease lease = queue_fixture_run(fixture, FIRST, "toys", WORKER_A);

    assert_int_equal(queue_fixture_beat(fixture, &lease, WORKER_A, 0.9, stage), JOB_QUEUE_BEAT_OK);
    assert_int_equal(cancel(fixture, FIRST), JOB_QUEUE_CANCEL_PUBLISHING);
    assert_int_equal(queue_fixture_beat(fixture, &lease, WORKER_A, 0.95, stage), JOB_QUEUE_BEAT_OK);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    assert_int_equal(cancel(fixture, FIRST), JOB_QUEUE_CANCEL_TERMINAL);
    assert_int_equal(cancel(fixture, SECOND), JOB_QUEUE_CANCEL_NOT_FOUND);
}

static void a_job_that_publishes_ends_as_it_would_have(void **state)
{
    assert_past_the_point(*state, "publish");
}

static void a_job_that_swaps_ends_as_it_would_have(void **state)
{
    assert_past_the_point(*state, "swap");
}

static void a_dead_job_is_made_anew_by_a_later_generation_only(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_enqueue request = queue_fixture_request(FIRST, "toys");
    struct job_queue_lease lease = queue_fixture_run(fixture, FIRST, "toys", WORKER_A);
    struct job_queue_lease again;
    struct job_queue_entry entry;

    request.generation = 1;
    assert_int_equal(queue_fixture_enqueue(fixture, &request, NULL), JOB_QUEUE_REPLAY); /* it runs */
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_DEAD, -1), JOB_QUEUE_FINISH_OK);
    request.generation = 0;
    assert_int_equal(queue_fixture_enqueue(fixture, &request, NULL), JOB_QUEUE_REPLAY);
    request.generation = 1;
    assert_int_equal(queue_fixture_enqueue(fixture, &request, NULL), JOB_QUEUE_NEW);
    assert_int_equal(queue_fixture_enqueue(fixture, &request, NULL), JOB_QUEUE_REPLAY);
    assert_string_equal(queue_fixture_job_field(fixture, FIRST, "attempt"), "0");
    assert_int_equal(queue_fixture_ask_int(fixture, "TTL", FIRST_KEY, NULL), -1);
    entry = queue_fixture_read(fixture, WORKER_B);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_B, &again), JOB_QUEUE_RUN);
    assert_true(again.fence > lease.fence);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_FENCED);
}

static void counts_tell_what_waits_and_runs(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_enqueue later = queue_fixture_request(THIRD, "books");
    struct job_queue_counts counts = count(fixture);
    struct redis_command command;

    assert_int_equal(counts.open, 0);
    assert_int_equal(counts.oldest_queued_ms, 0);
    assert_int_equal(counts.lag, 0);
    (void)queue_fixture_run(fixture, FIRST, "toys", WORKER_A);
    queue_fixture_enqueue_new(fixture, SECOND, "tools");
    later.run_at_ms = 99999999999999;
    assert_int_equal(queue_fixture_enqueue(fixture, &later, NULL), JOB_QUEUE_NEW);
    job_queue_pause_command(&command, QUEUE);
    redis_reply_destroy(queue_fixture_send(fixture, &command));
    counts = count(fixture);
    assert_int_equal(counts.by_state[JOB_RUNNING], 1);
    assert_int_equal(counts.by_state[JOB_QUEUED], 1);
    assert_int_equal(counts.by_state[JOB_SCHEDULED], 1);
    assert_int_equal(counts.open, 2);
    assert_int_equal(counts.pending, 1);
    assert_int_equal(counts.lag, 1);
    assert_int_equal(counts.stream_length, 2);
    assert_true(counts.oldest_queued_ms > 1700000000000);
    assert_true(counts.paused);
    job_queue_resume_command(&command, QUEUE);
    redis_reply_destroy(queue_fixture_send(fixture, &command));
    assert_false(count(fixture).paused);
}

/* An AOF and a replica do not keep how many entries a group has read. XGROUP SETID forgets it in the same way. */
static void a_lag_that_a_restart_forgot_is_known_again_after_trimming(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease last;
    struct redis_command command;

    (void)queue_fixture_run(fixture, FIRST, "toys", WORKER_A);
    last = queue_fixture_run(fixture, SECOND, "tools", WORKER_B);
    queue_fixture_enqueue_new(fixture, THIRD, "books");
    (void)queue_fixture_ask(fixture, "XGROUP", "SETID", QUEUE_KEY("s"), "g", last.entry.stream_id, NULL);
    assert_int_equal(count(fixture).lag, -1);
    job_queue_trim_command(&command, QUEUE);
    redis_reply_destroy(queue_fixture_send(fixture, &command));
    assert_int_equal(count(fixture).lag, 1);
    assert_string_equal(queue_fixture_read(fixture, WORKER_B).job_id, THIRD);
    assert_int_equal(count(fixture).lag, 0);
}

static void the_position_tells_who_starts_before(void **state)
{
    struct queue_fixture *fixture = *state;

    (void)queue_fixture_run(fixture, FIRST, "toys", WORKER_A);
    queue_fixture_enqueue_new(fixture, SECOND, "tools");
    queue_fixture_enqueue_new(fixture, THIRD, "books");
    assert_int_equal(position_of(fixture, FIRST), 0); /* it runs */
    assert_int_equal(position_of(fixture, SECOND), 1);
    assert_int_equal(position_of(fixture, THIRD), 2);
    assert_int_equal(position_of(fixture, "01HZ0000000000000000000009"), 0);
}

static void register_worker(struct queue_fixture *fixture, const char *name, const char *job)
{
    const struct job_queue_worker worker = {.name = name,
                                            .host = "box",
                                            .device = "cpu",
                                            .version = "1",
                                            .job = job,
                                            .state = "working",
                                            .queues = QUEUE,
                                            .pid = 42,
                                            .started_ms = 1767225600000};
    struct redis_command command;

    job_queue_register_command(&command, QUEUE, &worker);
    redis_reply_destroy(queue_fixture_send(fixture, &command));
}

static struct json *list_workers(struct queue_fixture *fixture)
{
    struct json *workers = NULL;
    struct redis_command command;
    struct redis_reply *reply;

    job_queue_workers_command(&command, QUEUE);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_workers_parse(reply, &workers, NULL), ERR_OK);
    redis_reply_destroy(reply);
    return workers;
}

static void workers_are_listed_while_they_are_there(void **state)
{
    struct queue_fixture *fixture = *state;
    struct json *workers = list_workers(fixture);
    const struct json *first;
    int64_t pid = 0;
    struct redis_command command;

    assert_int_equal(json_value_count(workers), 0);
    json_value_destroy(workers);
    register_worker(fixture, WORKER_B, "");
    register_worker(fixture, WORKER_A, FIRST);
    workers = list_workers(fixture);
    assert_int_equal(json_value_count(workers), 2);
    first = json_value_at(workers, 0);
    assert_string_equal(json_value_get_text(first, "worker"), WORKER_A);
    assert_string_equal(json_value_get_text(first, "job"), FIRST);
    assert_string_equal(json_value_get_text(first, "started_at"), "2026-01-01T00:00:00.000Z");
    assert_non_null(json_value_get_text(first, "heartbeat_at"));
    assert_true(json_value_get_int64(first, "pid", &pid) && pid == 42);
    assert_int_equal(json_value_kind(json_value_get(json_value_at(workers, 1), "job")), JSON_KIND_NULL);
    json_value_destroy(workers);
    job_queue_unregister_command(&command, QUEUE, WORKER_A);
    redis_reply_destroy(queue_fixture_send(fixture, &command));
    workers = list_workers(fixture);
    assert_int_equal(json_value_count(workers), 1);
    json_value_destroy(workers);
}

int main(void)
{
#define QUEUE_TEST(f) cmocka_unit_test_setup(f, queue_fixture_clear)
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_waiting_job_is_cancelled_at_once_and_its_lock_is_free),
        QUEUE_TEST(a_running_job_is_told_by_its_beat),
        QUEUE_TEST(a_job_that_publishes_ends_as_it_would_have),
        QUEUE_TEST(a_job_that_swaps_ends_as_it_would_have),
        QUEUE_TEST(a_dead_job_is_made_anew_by_a_later_generation_only),
        QUEUE_TEST(counts_tell_what_waits_and_runs),
        QUEUE_TEST(a_lag_that_a_restart_forgot_is_known_again_after_trimming),
        QUEUE_TEST(the_position_tells_who_starts_before),
        QUEUE_TEST(workers_are_listed_while_they_are_there),
    };

    return cmocka_run_group_tests(tests, queue_fixture_start, queue_fixture_stop);
}
