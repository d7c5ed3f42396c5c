/* The queue's promises, call by call, against a real Redis. Time is turned by ageing entries, never by waiting. */
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

#define FIRST_KEY   QUEUE_KEY("j:01HZ0000000000000000000001")
#define SECOND_KEY  QUEUE_KEY("j:01HZ0000000000000000000002")

static const char *const first = "01HZ0000000000000000000001";
static const char *const second = "01HZ0000000000000000000002";
static const char *const third = "01HZ0000000000000000000003";

static void assert_field(struct queue_fixture *fixture, const char *id, const char *field, const char *wanted)
{
    assert_string_equal(queue_fixture_job_field(fixture, id, field), wanted);
}

static void assert_count(struct queue_fixture *fixture, const char *command, const char *key, int64_t wanted)
{
    assert_int_equal(queue_fixture_ask_int(fixture, command, key, NULL), wanted);
}

static int64_t pending_count(struct queue_fixture *fixture)
{
    struct redis_command command;
    struct redis_reply *reply;
    int64_t count = -1;

    redis_command_init(&command, "XPENDING");
    redis_command_add(&command, QUEUE_KEY("s"));
    redis_command_add(&command, "g");
    reply = queue_fixture_send(fixture, &command);
    assert_true(redis_reply_to_int64(redis_reply_at(reply, 0), &count));
    redis_reply_destroy(reply);
    return count;
}

static void the_group_can_be_made_twice(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_command command;
    struct redis_reply *reply = NULL;
    struct err err = {0};

    job_queue_group_command(&command, QUEUE);
    assert_int_equal(redis_client_append(fixture->client, &command, &err), ERR_OK);
    assert_int_equal(redis_client_receive(fixture->client, &reply, &err), ERR_OK);
    assert_true(redis_reply_is_error(reply, "BUSYGROUP"));
    assert_int_equal(job_queue_group_parse(reply, &err), ERR_OK);
    redis_reply_destroy(reply);
    redis_command_fini(&command);
}

static void a_lost_group_is_told_apart(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_command command;
    struct redis_reply *reply = NULL;
    struct job_queue_entry entry;
    struct err err = {0};

    (void)queue_fixture_ask(fixture, "FLUSHALL", NULL);
    job_queue_read_command(&command, QUEUE, WORKER_A, 0);
    assert_int_equal(redis_client_append(fixture->client, &command, &err), ERR_OK);
    assert_int_equal(redis_client_receive(fixture->client, &reply, &err), ERR_OK);
    assert_int_equal(job_queue_entry_parse(reply, &entry, &err), ERR_NOT_FOUND);
    redis_reply_destroy(reply);
    redis_command_fini(&command);
}

static void a_new_job_is_queued_whole(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;

    queue_fixture_enqueue_new(fixture, first, "toys");
    assert_field(fixture, first, "state", "queued");
    assert_field(fixture, first, "type", "homepage_and_similar_products");
    assert_field(fixture, first, "max_lost", "3");
    assert_field(fixture, first, "max_errs", "2");
    assert_field(fixture, first, "uniq", UNIQUE_TOYS);
    assert_string_equal(queue_fixture_ask(fixture, "GET", UNIQUE_TOYS, NULL), first);
    assert_int_equal(queue_fixture_ask_int(fixture, "TTL", UNIQUE_TOYS, NULL), -1);
    assert_count(fixture, "ZCARD", QUEUE_KEY("open"), 1);
    assert_count(fixture, "XLEN", QUEUE_KEY("ev"), 1);
    entry = queue_fixture_read(fixture, WORKER_A);
    assert_string_equal(entry.job_id, first);
    entry = queue_fixture_read(fixture, WORKER_B);
    assert_string_equal(entry.job_id, "");
}

static void the_same_document_twice_is_replayed(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_enqueue request = queue_fixture_request(first, "toys");
    char id[JOB_ID_BYTES];

    queue_fixture_enqueue_new(fixture, first, "toys");
    assert_int_equal(queue_fixture_enqueue(fixture, &request, id), JOB_QUEUE_REPLAY);
    assert_string_equal(id, first);
    assert_count(fixture, "XLEN", QUEUE_KEY("s"), 1);
}

static void an_idempotency_key_replays_or_mismatches(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_enqueue request = queue_fixture_request(first, "toys");
    char id[JOB_ID_BYTES];

    request.idempotency_hash = "abc";
    request.fingerprint = "body1";
    assert_int_equal(queue_fixture_enqueue(fixture, &request, id), JOB_QUEUE_NEW);
    request.id = second;
    assert_int_equal(queue_fixture_enqueue(fixture, &request, id), JOB_QUEUE_REPLAY);
    assert_string_equal(id, first);
    request.fingerprint = "body2";
    assert_int_equal(queue_fixture_enqueue(fixture, &request, id), JOB_QUEUE_MISMATCH);
    assert_string_equal(id, first);
    assert_int_equal(queue_fixture_ask_int(fixture, "EXISTS", SECOND_KEY, NULL), 0);
    assert_true(queue_fixture_ask_int(fixture, "TTL", QUEUE_KEY("idem:abc"), NULL) > 86000);
}

static void a_lost_job_is_made_anew_though_its_idempotency_key_is_there(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_enqueue request = queue_fixture_request(first, "toys");
    char id[JOB_ID_BYTES];

    request.idempotency_hash = "abc";
    request.fingerprint = "body1";
    assert_int_equal(queue_fixture_enqueue(fixture, &request, id), JOB_QUEUE_NEW);
    assert_int_equal(queue_fixture_ask_int(fixture, "DEL", FIRST_KEY, NULL), 1);
    assert_int_equal(queue_fixture_enqueue(fixture, &request, id), JOB_QUEUE_NEW);
    assert_field(fixture, first, "state", "queued");
}

static void one_live_job_per_type_and_shop(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_enqueue request = queue_fixture_request(second, "toys");
    char id[JOB_ID_BYTES];

    queue_fixture_enqueue_new(fixture, first, "toys");
    assert_int_equal(queue_fixture_enqueue(fixture, &request, id), JOB_QUEUE_DUPLICATE);
    assert_string_equal(id, first);
    queue_fixture_enqueue_new(fixture, third, "books");
}

static void a_lock_whose_owner_is_gone_or_done_is_taken_over(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);

    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    (void)queue_fixture_ask(fixture, "SET", UNIQUE_TOYS, first, NULL); /* as a lost delete leaves it */
    queue_fixture_enqueue_new(fixture, second, "toys");
    assert_string_equal(queue_fixture_ask(fixture, "GET", UNIQUE_TOYS, NULL), second);

    assert_int_equal(queue_fixture_ask_int(fixture, "DEL", SECOND_KEY, NULL), 1);
    queue_fixture_enqueue_new(fixture, third, "toys");
    assert_string_equal(queue_fixture_ask(fixture, "GET", UNIQUE_TOYS, NULL), third);
}

static void a_retrying_job_keeps_its_lock(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);
    struct job_queue_enqueue request = queue_fixture_request(second, "toys");

    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_DEAD, 60000), JOB_QUEUE_FINISH_OK);
    assert_int_equal(queue_fixture_enqueue(fixture, &request, NULL), JOB_QUEUE_DUPLICATE);
}

static void a_started_job_has_fence_attempt_and_arguments(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);

    assert_int_equal(lease.attempt, 1);
    assert_true(lease.fence > 1600000000000); /* Redis' clock in ms */
    assert_int_equal(lease.type, JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS);
    assert_string_equal(lease.shop, "toys");
    assert_field(fixture, first, "state", "running");
    assert_field(fixture, first, "worker", WORKER_A);
}

static void a_description_names_the_unique_lock(void **state)
{
    struct queue_fixture *fixture = *state;
    struct redis_command command;
    struct redis_reply *reply;
    struct json *document = NULL;
    struct err err = {0};

    queue_fixture_enqueue_new(fixture, first, "toys");
    job_queue_describe_command(&command, QUEUE, first);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_describe_parse(reply, &document, &err), ERR_OK);
    assert_string_equal(json_value_get_text(document, "uniq"), UNIQUE_TOYS);
    assert_string_equal(json_value_get_text(document, "errs"), "0");
    json_value_destroy(document);
    redis_reply_destroy(reply);

    job_queue_describe_command(&command, QUEUE, second);
    reply = queue_fixture_send(fixture, &command);
    assert_int_equal(job_queue_describe_parse(reply, &document, &err), ERR_NOT_FOUND);
    assert_null(document);
    redis_reply_destroy(reply);
}

static void an_entry_without_its_job_is_acked(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    queue_fixture_enqueue_new(fixture, first, "toys");
    (void)queue_fixture_ask(fixture, "DEL", FIRST_KEY, NULL);
    entry = queue_fixture_read(fixture, WORKER_A);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_A, &lease), JOB_QUEUE_GONE);
    assert_int_equal(pending_count(fixture), 0);
    assert_count(fixture, "ZCARD", QUEUE_KEY("open"), 0);
}

static void an_entry_that_names_no_job_is_acked(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    (void)queue_fixture_ask(fixture, "XADD", QUEUE_KEY("s"), "*", "garbage", "1", NULL);
    entry = queue_fixture_read(fixture, WORKER_A);
    assert_string_equal(entry.job_id, "-");
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_A, &lease), JOB_QUEUE_GONE);
    assert_int_equal(pending_count(fixture), 0);
}

static void an_older_entry_of_a_job_is_stale(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    queue_fixture_enqueue_new(fixture, first, "toys");
    (void)queue_fixture_ask(fixture, "XADD", QUEUE_KEY("s"), "*", "id", first, NULL);
    (void)queue_fixture_read(fixture, WORKER_A);
    entry = queue_fixture_read(fixture, WORKER_B); /* the one that the HASH does not name */
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_B, &lease), JOB_QUEUE_STALE);
    assert_int_equal(pending_count(fixture), 1);
    assert_field(fixture, first, "state", "queued");
}

static void an_entry_of_a_finished_job_is_stale(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);
    struct job_queue_entry entry = lease.entry;

    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_A, &lease), JOB_QUEUE_STALE);
}

static void a_cancelled_job_does_not_start(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    queue_fixture_enqueue_new(fixture, first, "toys");
    (void)queue_fixture_ask(fixture, "HSET", FIRST_KEY, "cancel", "why", NULL);
    entry = queue_fixture_read(fixture, WORKER_A);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_A, &lease), JOB_QUEUE_START_CANCELLED);
    assert_field(fixture, first, "state", "cancelled");
    assert_int_equal(pending_count(fixture), 0);
    assert_count(fixture, "ZCARD", QUEUE_KEY("open"), 0);
    assert_count(fixture, "EXISTS", UNIQUE_TOYS, 0);
    assert_true(queue_fixture_ask_int(fixture, "TTL", FIRST_KEY, NULL) > 86000);
}

static void a_live_job_is_not_stolen(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);
    struct job_queue_lease thief;

    queue_fixture_age(fixture, &lease.entry, WORKER_A, LEASE_MS + 1);
    (void)queue_fixture_ask(fixture, "HSET", FIRST_KEY, "hb", "99999999999999", NULL); /* it beats */
    assert_string_equal(queue_fixture_claim(fixture, WORKER_B).job_id, first);
    assert_int_equal(queue_fixture_start_job(fixture, &lease.entry, WORKER_B, &thief), JOB_QUEUE_HELD);
    assert_field(fixture, first, "lost", "0");
    assert_int_equal(queue_fixture_beat(fixture, &lease, WORKER_A, 0.5, "als"), JOB_QUEUE_BEAT_OK);
    assert_string_equal(queue_fixture_claim(fixture, WORKER_B).job_id, ""); /* the beat took the entry back */
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    assert_int_equal(pending_count(fixture), 0);
}

static void an_idle_job_is_taken_over_and_its_zombie_refused(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease zombie = queue_fixture_run(fixture, first, "toys", WORKER_A);
    struct job_queue_lease lease;
    struct job_queue_entry entry;

    assert_string_equal(queue_fixture_claim(fixture, WORKER_B).job_id, ""); /* its lease still runs */
    queue_fixture_age(fixture, &zombie.entry, WORKER_A, LEASE_MS + 1);
    entry = queue_fixture_claim(fixture, WORKER_B);
    assert_string_equal(entry.job_id, first);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_B, &lease), JOB_QUEUE_RUN);
    assert_int_equal(lease.attempt, 2);
    assert_true(lease.fence > zombie.fence);
    assert_field(fixture, first, "lost", "1");

    assert_int_equal(queue_fixture_beat(fixture, &zombie, WORKER_A, 0.9, "als"), JOB_QUEUE_BEAT_LOST);
    assert_true(queue_fixture_release_is_fenced(fixture, &zombie, WORKER_A));
    assert_int_equal(queue_fixture_finish(fixture, &zombie, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_FENCED);
    assert_int_equal(queue_fixture_finish(fixture, &zombie, JOB_DEAD, 1000), JOB_QUEUE_FINISH_FENCED);
    assert_field(fixture, first, "state", "running");
    assert_field(fixture, first, "worker", WORKER_B);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
}

static void two_claimers_never_both_win(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);
    struct redis_command command;
    struct redis_reply *replies[2] = {NULL, NULL};
    int winners = 0;
    struct err err = {0};

    queue_fixture_age(fixture, &lease.entry, WORKER_A, LEASE_MS + 1);
    for (int i = 0; i < 2; i++) { /* both saw the same idle entry */
        job_queue_claim_command(&command, QUEUE, i == 0 ? WORKER_B : "worker-c", LEASE_MS, lease.entry.stream_id);
        assert_int_equal(redis_client_append(fixture->client, &command, &err), ERR_OK);
        redis_command_fini(&command);
    }
    for (int i = 0; i < 2; i++) {
        struct job_queue_entry entry;

        assert_int_equal(redis_client_receive(fixture->client, &replies[i], &err), ERR_OK);
        assert_int_equal(job_queue_entry_parse(replies[i], &entry, &err), ERR_OK);
        winners += entry.job_id[0] != '\0';
        redis_reply_destroy(replies[i]);
    }
    assert_int_equal(winners, 1);
}

static void a_worker_lost_too_often_ends_its_job(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", "worker-0");
    char worker[32] = "worker-0";

    for (int i = 1; i <= 4; i++) {
        queue_fixture_age(fixture, &lease.entry, worker, LEASE_MS + 1);
        (void)snprintf(worker, sizeof worker, "worker-%d", i);
        assert_string_equal(queue_fixture_claim(fixture, worker).job_id, first);
        assert_int_equal(queue_fixture_start_job(fixture, &lease.entry, worker, &lease),
                         i < 4 ? JOB_QUEUE_RUN : JOB_QUEUE_START_DEAD);
    }
    assert_field(fixture, first, "state", "dead");
    assert_non_null(strstr(queue_fixture_job_field(fixture, first, "err"), "lost too often"));
    assert_count(fixture, "ZCARD", QUEUE_KEY("open"), 0);
    assert_int_equal(pending_count(fixture), 0);
}

static void a_paused_queue_starts_nothing_and_counts_nothing(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_entry entry;
    struct job_queue_lease lease;

    queue_fixture_enqueue_new(fixture, first, "toys");
    entry = queue_fixture_read(fixture, WORKER_A);
    (void)queue_fixture_ask(fixture, "SET", QUEUE_KEY("paused"), "1", NULL);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_A, &lease), JOB_QUEUE_PAUSED);
    assert_field(fixture, first, "attempt", "0");
    assert_field(fixture, first, "state", "queued");
    (void)queue_fixture_ask(fixture, "DEL", QUEUE_KEY("paused"), NULL);
    entry = queue_fixture_claim(fixture, WORKER_B); /* at once, with no lease to wait for */
    assert_string_equal(entry.job_id, first);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_B, &lease), JOB_QUEUE_RUN);
    assert_int_equal(lease.attempt, 1);
}

static void a_beat_renews_the_lease_and_tells_of_a_cancel(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);
    const char *const keys[] = {FIRST_KEY, QUEUE_KEY("open"), UNIQUE_TOYS, QUEUE_KEY("delay"), QUEUE_KEY("ev"), NULL};
    const char *const arguments[] = {first, "the user's wish", "86400", NULL};

    queue_fixture_age(fixture, &lease.entry, WORKER_A, LEASE_MS + 1);
    assert_int_equal(queue_fixture_beat(fixture, &lease, WORKER_A, 0.25, "fetch"), JOB_QUEUE_BEAT_OK);
    assert_string_equal(queue_fixture_claim(fixture, WORKER_B).job_id, "");
    assert_field(fixture, first, "stage", "fetch");
    assert_field(fixture, first, "progress", "0.2500");
    assert_string_equal(queue_fixture_script(fixture, &job_script_cancel, keys, arguments), "CANCELLING");
    assert_int_equal(queue_fixture_beat(fixture, &lease, WORKER_A, 0.5, "fetch"), JOB_QUEUE_BEAT_CANCEL);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_CANCELLED, -1), JOB_QUEUE_FINISH_OK);
    assert_string_equal(queue_fixture_script(fixture, &job_script_cancel, keys, arguments), "CANCELLED");
}

static void progress_is_told_coarsely(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);
    int64_t before = queue_fixture_ask_int(fixture, "XLEN", QUEUE_KEY("ev"), NULL);

    for (int i = 0; i <= 100; i++)
        (void)queue_fixture_beat(fixture, &lease, WORKER_A, i / 100.0, "als");
    assert_count(fixture, "XLEN", QUEUE_KEY("ev"), before + 11); /* the stage, then each tenth */
}

static void finishing_twice_is_finishing_once(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);
    int64_t events;

    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    events = queue_fixture_ask_int(fixture, "XLEN", QUEUE_KEY("ev"), NULL);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    assert_count(fixture, "XLEN", QUEUE_KEY("ev"), events);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_DEAD, -1), JOB_QUEUE_FINISH_FENCED);
    assert_field(fixture, first, "state", "succeeded");
    assert_count(fixture, "ZCARD", QUEUE_KEY("open"), 0);
    assert_count(fixture, "EXISTS", UNIQUE_TOYS, 0);
    assert_int_equal(pending_count(fixture), 0);
    assert_true(queue_fixture_ask_int(fixture, "TTL", FIRST_KEY, NULL) > 86000);
}

static void a_retry_waits_in_delay_and_comes_back(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);
    struct job_queue_entry entry;

    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_DEAD, 60000), JOB_QUEUE_FINISH_OK);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_DEAD, 60000), JOB_QUEUE_FINISH_OK); /* answer lost */
    assert_field(fixture, first, "state", "retrying");
    assert_field(fixture, first, "errs", "1");
    assert_count(fixture, "ZCARD", QUEUE_KEY("open"), 0);
    assert_int_equal(queue_fixture_promote(fixture, first, "toys"), 0); /* not due */

    (void)queue_fixture_ask(fixture, "ZADD", QUEUE_KEY("delay"), "1", first, NULL);
    assert_int_equal(queue_fixture_promote(fixture, first, "toys"), 1);
    assert_int_equal(queue_fixture_promote(fixture, first, "toys"), 0); /* another gateway did */
    assert_count(fixture, "ZCARD", QUEUE_KEY("delay"), 0);
    assert_count(fixture, "ZCARD", QUEUE_KEY("open"), 1);
    entry = queue_fixture_read(fixture, WORKER_B);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_B, &lease), JOB_QUEUE_RUN);
    assert_int_equal(lease.attempt, 2);
    assert_field(fixture, first, "lost", "0"); /* an error is not a lost worker */
}

static void a_cancel_overtakes_a_retry(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);

    (void)queue_fixture_ask(fixture, "HSET", FIRST_KEY, "cancel", "why", NULL);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_DEAD, 1000), JOB_QUEUE_FINISH_CANCELLED);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_DEAD, 1000), JOB_QUEUE_FINISH_CANCELLED);
    assert_field(fixture, first, "state", "cancelled");
    assert_count(fixture, "ZCARD", QUEUE_KEY("delay"), 0);
}

static void a_success_stays_one_though_a_cancel_came(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);

    (void)queue_fixture_ask(fixture, "HSET", FIRST_KEY, "cancel", "too late", NULL);
    assert_int_equal(queue_fixture_finish(fixture, &lease, JOB_SUCCEEDED, -1), JOB_QUEUE_FINISH_OK);
    assert_field(fixture, first, "state", "succeeded");
}

static void a_released_job_goes_ahead_and_is_not_counted(void **state)
{
    struct queue_fixture *fixture = *state;
    struct job_queue_lease lease = queue_fixture_run(fixture, first, "toys", WORKER_A);
    struct job_queue_entry entry;

    queue_fixture_enqueue_new(fixture, second, "books");
    assert_false(queue_fixture_release_is_fenced(fixture, &lease, WORKER_A));
    assert_false(queue_fixture_release_is_fenced(fixture, &lease, WORKER_A)); /* answer lost */
    assert_field(fixture, first, "state", "queued");
    assert_field(fixture, first, "attempt", "0");
    assert_int_equal(queue_fixture_beat(fixture, &lease, WORKER_A, 0.5, "als"), JOB_QUEUE_BEAT_LOST);
    entry = queue_fixture_claim(fixture, WORKER_B);
    assert_string_equal(entry.job_id, first);
    assert_int_equal(queue_fixture_start_job(fixture, &entry, WORKER_B, &lease), JOB_QUEUE_RUN);
    assert_int_equal(lease.attempt, 1);
    assert_field(fixture, first, "lost", "0");
}

int main(void)
{
#define QUEUE_TEST(f) cmocka_unit_test_setup(f, queue_fixture_clear)
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(the_group_can_be_made_twice),
        QUEUE_TEST(a_lost_group_is_told_apart),
        QUEUE_TEST(a_new_job_is_queued_whole),
        QUEUE_TEST(the_same_document_twice_is_replayed),
        QUEUE_TEST(an_idempotency_key_replays_or_mismatches),
        QUEUE_TEST(a_lost_job_is_made_anew_though_its_idempotency_key_is_there),
        QUEUE_TEST(one_live_job_per_type_and_shop),
        QUEUE_TEST(a_lock_whose_owner_is_gone_or_done_is_taken_over),
        QUEUE_TEST(a_retrying_job_keeps_its_lock),
        QUEUE_TEST(a_started_job_has_fence_attempt_and_arguments),
        QUEUE_TEST(a_description_names_the_unique_lock),
        QUEUE_TEST(an_entry_without_its_job_is_acked),
        QUEUE_TEST(an_entry_that_names_no_job_is_acked),
        QUEUE_TEST(an_older_entry_of_a_job_is_stale),
        QUEUE_TEST(an_entry_of_a_finished_job_is_stale),
        QUEUE_TEST(a_cancelled_job_does_not_start),
        QUEUE_TEST(a_live_job_is_not_stolen),
        QUEUE_TEST(an_idle_job_is_taken_over_and_its_zombie_refused),
        QUEUE_TEST(two_claimers_never_both_win),
        QUEUE_TEST(a_worker_lost_too_often_ends_its_job),
        QUEUE_TEST(a_paused_queue_starts_nothing_and_counts_nothing),
        QUEUE_TEST(a_beat_renews_the_lease_and_tells_of_a_cancel),
        QUEUE_TEST(progress_is_told_coarsely),
        QUEUE_TEST(finishing_twice_is_finishing_once),
        QUEUE_TEST(a_retry_waits_in_delay_and_comes_back),
        QUEUE_TEST(a_cancel_overtakes_a_retry),
        QUEUE_TEST(a_success_stays_one_though_a_cancel_came),
        QUEUE_TEST(a_released_job_goes_ahead_and_is_not_counted),
    };

    return cmocka_run_group_tests(tests, queue_fixture_start, queue_fixture_stop);
}
