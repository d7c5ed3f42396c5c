/* The one read of all queues' events, on a loop of the test's own, beside a real redis-server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/events.h"
#include "tests/integration/queue_fixture.h"

#define JOB_A "01ARZ3NDEKTSV4RRFFQ69G5FAA"
#define JOB_B "01ARZ3NDEKTSV4RRFFQ69G5FAB"

enum { WAIT_MS = 20000, BLOCK_MS = 500, MAX_HEARD = 64, LISTENERS = 2048, TOLD = 20, AGAIN_MS = 1000 };

struct test {
    struct queue_fixture *queue;
    uv_loop_t loop;
    uv_timer_t tick;
    struct events *events;
};

struct listener {
    struct test *test;
    struct events_subscriber subscriber;
    int looks; /* calls to look for itself */
    int count;
    char heard[MAX_HEARD][JOB_QUEUE_STREAM_ID_BYTES];
    struct listener *drops; /* whom it unsubscribes when it hears something */
};

static const char *const queues[] = {"test", "other"};

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* so that the loop turns */
}

static int set_up(void **state)
{
    struct test *test = calloc(1, sizeof *test);
    struct events_config config = {.queues = queues, .queue_count = 2, .block_ms = BLOCK_MS};
    struct err err;
    void *queue = NULL;

    *state = test;
    assert_int_equal(queue_fixture_start(&queue), 0);
    test->queue = queue;
    config.url = test->queue->url;
    assert_int_equal(uv_loop_init(&test->loop), 0);
    assert_int_equal(uv_timer_init(&test->loop, &test->tick), 0);
    assert_int_equal(uv_timer_start(&test->tick, on_tick, 5, 5), 0);
    assert_int_equal(events_create(&test->events, &test->loop, &config, &err), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct test *test = *state;
    void *queue = test->queue;

    assert_int_equal(events_count(test->events), 0);
    events_close(test->events);
    uv_close((uv_handle_t *)&test->tick, NULL);
    assert_int_equal(uv_run(&test->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&test->loop), 0);
    (void)queue_fixture_stop(&queue);
    free(test);
    return 0;
}

static void turn_until(struct test *test, bool (*is_reached)(const void *), const void *what, const char *name)
{
    uint64_t deadline_ms = uv_hrtime() / 1000000 + WAIT_MS;

    while (!is_reached(what)) {
        if (uv_hrtime() / 1000000 > deadline_ms)
            fail_msg("%s does not come", name);
        (void)uv_run(&test->loop, UV_RUN_ONCE);
    }
}

static bool are_followed(const void *test)
{
    return events_are_followed(((const struct test *)test)->events);
}

static bool are_not_followed(const void *test)
{
    return !are_followed(test);
}

static bool was_told_to_look(const void *listener)
{
    return ((const struct listener *)listener)->looks > 0;
}

static bool has_heard(const void *listener)
{
    return ((const struct listener *)listener)->count > 0;
}

static bool has_heard_thrice(const void *listener)
{
    return ((const struct listener *)listener)->count >= 3;
}

static void on_event(void *context, const struct job_queue_event *event)
{
    struct listener *listener = context;

    if (event == NULL) {
        listener->looks++;
        return;
    }
    assert_string_equal(event->job_id, listener->subscriber.job_id);
    assert_true(listener->count < MAX_HEARD);
    (void)snprintf(listener->heard[listener->count++], sizeof listener->heard[0], "%s", event->stream_id);
    if (listener->drops != NULL)
        events_unsubscribe(listener->test->events, &listener->drops->subscriber);
}

static void listen_to(struct test *test, struct listener *listener, const char *job_id)
{
    listener->test = test;
    events_subscribe(test->events, &listener->subscriber, job_id, on_event, listener);
}

static void leave(struct listener *listener)
{
    events_unsubscribe(listener->test->events, &listener->subscriber);
}

/* Its id, in a static buffer. */
static const char *tell(struct test *test, const char *key, const char *job_id)
{
    return queue_fixture_ask(test->queue, "XADD", key, "*", "id", job_id, "state", "queued", NULL);
}

static void who_subscribed_to_a_job_hears_of_it_from_any_queue_and_of_no_other(void **state)
{
    struct test *test = *state;
    struct listener a = {0};
    struct listener also_a = {0};
    struct listener b = {0};
    char ids[3][JOB_QUEUE_STREAM_ID_BYTES];

    (void)tell(test, QUEUE_KEY("ev"), JOB_A); /* before anybody listens */
    turn_until(test, are_followed, test, "the connection");
    listen_to(test, &a, JOB_A);
    listen_to(test, &also_a, JOB_A);
    listen_to(test, &b, JOB_B);
    (void)snprintf(ids[0], sizeof ids[0], "%s", tell(test, QUEUE_KEY("ev"), JOB_A));
    turn_until(test, has_heard, &a, "an event"); /* the other queue's next read begins where this one did */
    (void)snprintf(ids[1], sizeof ids[1], "%s", tell(test, "q:{other}:ev", JOB_A));
    (void)snprintf(ids[2], sizeof ids[2], "%s", tell(test, QUEUE_KEY("ev"), JOB_A));
    (void)tell(test, QUEUE_KEY("ev"), JOB_B);
    turn_until(test, has_heard_thrice, &a, "the third event");
    turn_until(test, has_heard_thrice, &also_a, "the third event of the second");
    turn_until(test, has_heard, &b, "the other job's event");
    assert_int_equal(a.count, 3);
    assert_int_equal(b.count, 1);
    assert_string_equal(a.heard[0], ids[0]);
    leave(&a);
    leave(&a); /* idempotent */
    leave(&also_a);
    leave(&b);
}

/* More than there are places in the table. */
static void thousands_of_jobs_are_told_apart(void **state)
{
    struct test *test = *state;
    struct listener *listeners = calloc(LISTENERS, sizeof *listeners);
    int heard = 0;

    assert_non_null(listeners);
    turn_until(test, are_followed, test, "the connection");
    for (int i = 0; i < LISTENERS; i++) {
        char id[JOB_ID_BYTES];

        (void)snprintf(id, sizeof id, "01ARZ3NDEKTSV4RRFFQ69%05d", i);
        listen_to(test, &listeners[i], id);
    }
    for (int i = 0; i < TOLD; i++)
        (void)tell(test, QUEUE_KEY("ev"), listeners[i].subscriber.job_id);
    turn_until(test, has_heard, &listeners[TOLD - 1], "the last event");
    for (int i = 0; i < LISTENERS; i++) {
        heard += listeners[i].count;
        leave(&listeners[i]);
    }
    assert_int_equal(heard, TOLD);
    free(listeners);
}

static void a_listener_may_leave_and_send_others_away_while_it_is_told(void **state)
{
    struct test *test = *state;
    struct listener listeners[3] = {0};
    int heard = 0;

    turn_until(test, are_followed, test, "the connection");
    for (int i = 0; i < 3; i++)
        listen_to(test, &listeners[i], JOB_A);
    listeners[2].drops = &listeners[1]; /* the newest is told first; the next to be told goes */
    listeners[0].drops = &listeners[0];
    (void)tell(test, QUEUE_KEY("ev"), JOB_A);
    turn_until(test, has_heard, &listeners[0], "an event");
    for (int i = 0; i < 3; i++)
        heard += listeners[i].count;
    assert_int_equal(heard, 2);
    assert_int_equal(listeners[1].count, 0);
    assert_int_equal(events_count(test->events), 1);
    leave(&listeners[2]);
}

static void what_comes_while_the_connection_is_lost_is_told_once_and_all_look(void **state)
{
    struct test *test = *state;
    struct listener listener = {0};
    struct listener bystander = {0};
    char id[JOB_QUEUE_STREAM_ID_BYTES];

    turn_until(test, are_followed, test, "the connection");
    listen_to(test, &listener, JOB_A);
    listen_to(test, &bystander, JOB_B);
    (void)tell(test, QUEUE_KEY("ev"), JOB_A);
    turn_until(test, has_heard, &listener, "an event");
    (void)queue_fixture_ask(test->queue, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes", NULL);
    turn_until(test, are_not_followed, test, "the loss");
    (void)snprintf(id, sizeof id, "%s", tell(test, QUEUE_KEY("ev"), JOB_A));
    turn_until(test, was_told_to_look, &bystander, "the call to look");
    (void)tell(test, QUEUE_KEY("ev"), JOB_A);
    turn_until(test, has_heard_thrice, &listener, "the event behind the loss");
    assert_int_equal(listener.count, 3);
    assert_string_equal(listener.heard[1], id);
    assert_true(listener.looks > 0);
    leave(&listener);
    leave(&bystander);
}

/* As after a failover that lost writes: the ids begin anew below the last one that was seen. */
static void ids_that_went_back_are_followed_from_there(void **state)
{
    struct test *test = *state;
    struct listener listener = {0};

    turn_until(test, are_followed, test, "the connection");
    listen_to(test, &listener, JOB_A);
    (void)queue_fixture_ask(test->queue, "XADD", QUEUE_KEY("ev"), "9000000000000-0", "id", JOB_A, "state", "queued",
                            NULL);
    turn_until(test, has_heard, &listener, "an event");
    (void)queue_fixture_ask(test->queue, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes", NULL);
    turn_until(test, are_not_followed, test, "the loss");
    (void)queue_fixture_ask(test->queue, "DEL", QUEUE_KEY("ev"), NULL);
    (void)tell(test, QUEUE_KEY("ev"), JOB_A);
    turn_until(test, was_told_to_look, &listener, "the call to look");
    (void)tell(test, QUEUE_KEY("ev"), JOB_A);
    (void)tell(test, QUEUE_KEY("ev"), JOB_A);
    turn_until(test, has_heard_thrice, &listener, "the events behind the loss");
    leave(&listener);
}

static void what_cannot_be_read_is_passed_over(void **state)
{
    struct test *test = *state;
    struct listener listener = {0};

    turn_until(test, are_followed, test, "the connection");
    listen_to(test, &listener, JOB_A);
    (void)queue_fixture_ask(test->queue, "XADD", QUEUE_KEY("ev"), "*", "what", "is this", NULL);
    turn_until(test, was_told_to_look, &listener, "the call to look");
    listener.looks = 0;
    for (uint64_t end_ms = uv_hrtime() / 1000000 + AGAIN_MS * 3 / 2; uv_hrtime() / 1000000 < end_ms;)
        (void)uv_run(&test->loop, UV_RUN_ONCE);
    assert_int_equal(listener.looks, 0); /* it is not met again */
    (void)tell(test, QUEUE_KEY("ev"), JOB_A);
    turn_until(test, has_heard, &listener, "the event behind it");
    leave(&listener);
}

/* Whether a connection of the server waits for events. */
static bool is_read(const void *test)
{
    struct queue_fixture *queue = ((const struct test *)test)->queue;

    return strstr(queue_fixture_ask(queue, "CLIENT", "LIST", "TYPE", "normal", NULL), " flags=b ") != NULL;
}

static void while_nobody_listens_nothing_is_read_and_who_comes_hears_from_then_on(void **state)
{
    struct test *test = *state;
    struct listener first = {0};
    struct listener second = {0};

    turn_until(test, is_read, test, "the first read");
    turn_until(test, are_not_followed, test, "the rest");
    assert_false(is_read(test));
    (void)tell(test, QUEUE_KEY("ev"), JOB_A); /* nobody's */
    listen_to(test, &first, JOB_A);
    turn_until(test, was_told_to_look, &first, "the call to look");
    (void)tell(test, QUEUE_KEY("ev"), JOB_A);
    turn_until(test, has_heard, &first, "an event");
    assert_int_equal(first.count, 1);
    leave(&first);
    turn_until(test, are_not_followed, test, "the second rest");
    listen_to(test, &second, JOB_B);
    turn_until(test, was_told_to_look, &second, "the second call to look");
    (void)tell(test, "q:{other}:ev", JOB_B);
    turn_until(test, has_heard, &second, "an event of the other queue");
    assert_int_equal(second.looks, 1);
    leave(&second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_subscribed_to_a_job_hears_of_it_from_any_queue_and_of_no_other),
        TEST(thousands_of_jobs_are_told_apart),
        TEST(a_listener_may_leave_and_send_others_away_while_it_is_told),
        TEST(what_comes_while_the_connection_is_lost_is_told_once_and_all_look),
        TEST(ids_that_went_back_are_followed_from_there),
        TEST(what_cannot_be_read_is_passed_over),
        TEST(while_nobody_listens_nothing_is_read_and_who_comes_hears_from_then_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
