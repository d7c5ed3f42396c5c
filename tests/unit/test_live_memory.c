/*
 * What follows events when memory runs out: the n-th allocation fails, for n = 1, 2, … until the call succeeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/api_events.h"
#include "gateway/events.h"
#include "gateway/exchange.h"
#include "gateway/waiters.h"
#include "tests/support/failing_memory.h"

static void end_loop(uv_loop_t *loop)
{
    failing_memory_set(0);
    assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void events_are_created_or_nothing_is(void **state)
{
    static const char *const queues[] = {"a", "b"};
    struct events_config config = {.url = {.host = "127.0.0.1", .port = 1}, .queues = queues, .queue_count = 2};
    size_t failures = 0;
    enum err_code rc;

    (void)state;
    do {
        struct events *events;
        struct err err = {0};
        uv_loop_t loop;

        assert_int_equal(uv_loop_init(&loop), 0);
        failing_memory_set(failures + 1);
        rc = events_create(&events, &loop, &config, &err);
        failing_memory_set(0);
        if (rc != ERR_OK) {
            assert_int_equal(rc, ERR_NO_MEMORY);
            assert_null(events);
            failures++;
        }
        events_close(events);
        events_close(NULL);
        end_loop(&loop);
    } while (rc != ERR_OK);
    assert_true(failures >= 4); /* itself, its positions, their ids, its connection */
}

static void waiters_streams_and_exchanges_are_created_or_nothing_is(void **state)
{
    struct services services = {0};
    size_t failures = 0;
    bool complete;

    (void)state;
    do {
        struct waiters *waiters = NULL;
        struct api_events *streams = NULL;
        struct exchange *exchange = NULL;
        uv_loop_t loop;

        assert_int_equal(uv_loop_init(&loop), 0);
        services.loop = &loop;
        failing_memory_set(failures + 1);
        waiters = waiters_create(&services);
        streams = api_events_create(&services);
        exchange = exchange_create(&services, NULL, NULL, NULL);
        failing_memory_set(0);
        complete = waiters != NULL && streams != NULL && exchange != NULL;
        failures += !complete;
        if (waiters != NULL)
            waiters_close(waiters, NULL, NULL);
        api_events_close(streams);
        exchange_destroy(exchange);
        end_loop(&loop);
    } while (!complete);
    assert_true(failures >= 5); /* two of them, an exchange, its arena and the arena's block */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_created_or_nothing_is),
        cmocka_unit_test(waiters_streams_and_exchanges_are_created_or_nothing_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
