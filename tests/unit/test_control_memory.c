/*
 * The queue's client, the upkeep and the reader of recommendations when memory runs out: the n-th allocation fails, for
 * n = 1, 2, … until the call succeeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_shops.h"
#include "gateway/queue_client.h"
#include "gateway/recommendation_reader.h"
#include "gateway/settings.h"
#include "gateway/upkeep.h"
#include "tests/support/failing_memory.h"

static void end_loop(uv_loop_t *loop)
{
    failing_memory_set(0);
    assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(loop), 0);
}

static struct gateway_settings settings_of_a_dead_redis(void)
{
    struct gateway_settings settings = {.settle_after_ms = 60000};

    settings.job.queue_redis = (struct redis_url){.host = "127.0.0.1", .port = 1};
    settings.job.routes.all = (struct job_queue_names){.names = {"a", "b"}, .count = 2};
    return settings;
}

static void on_upkeep_closed(void *context)
{
    queue_client_close(context, NULL, NULL);
}

static void the_queue_and_its_upkeep_are_created_or_nothing_is(void **state)
{
    struct gateway_settings settings = settings_of_a_dead_redis();
    struct services services = {.clock = clock_system(), .settings = &settings};
    size_t failures = 0;
    bool complete = false;

    (void)state;
    do {
        struct queue_client_config config = {.url = settings.job.queue_redis, .queues = &settings.job.routes.all};
        struct upkeep *upkeep = NULL;
        struct err err = {0};
        uv_loop_t loop;

        assert_int_equal(uv_loop_init(&loop), 0);
        services.loop = &loop;
        failing_memory_set(failures + 1);
        if (queue_client_create(&services.queue, &loop, &config, &err) == ERR_OK) {
            upkeep = upkeep_create(&services);
            complete = upkeep != NULL;
        } else {
            assert_int_equal(err.code, ERR_NO_MEMORY);
            assert_null(services.queue);
        }
        failing_memory_set(0);
        failures += !complete;
        if (upkeep != NULL)
            upkeep_close(upkeep, on_upkeep_closed, services.queue);
        else
            queue_client_close(services.queue, NULL, NULL);
        end_loop(&loop);
    } while (!complete);
    assert_true(failures >= 3); /* itself, its connection, the upkeep */
}

static void on_read(void *context, struct recommendation *found, const struct err *err)
{
    size_t *answers = context;

    (void)found;
    assert_non_null(err); /* nobody listens there */
    (*answers)++;
}

static void a_read_is_started_and_answered_once_or_refused(void **state)
{
    char target[] = "HOMEPAGE_REDIS_URL=redis://127.0.0.1:1/1";
    char *const environment[] = {target, NULL};
    struct gateway_settings settings = settings_of_a_dead_redis();
    struct services services = {.clock = clock_system(), .settings = &settings};
    size_t tries = 0;
    size_t started = 0;
    size_t answers = 0;
    bool failed;
    struct env *env;

    (void)state;
    assert_int_equal(env_create(&env, environment, NULL, false, NULL), ERR_OK);
    assert_int_equal(job_shops_create(&services.shops, "shop", NULL, NULL), ERR_OK);
    do {
        struct recommendation_reader *reader;
        struct err err = {0};
        uv_loop_t loop;

        assert_int_equal(uv_loop_init(&loop), 0);
        services.loop = &loop;
        reader = recommendation_reader_create(&services, env);
        assert_non_null(reader);
        failing_memory_set(++tries);
        if (recommendation_reader_start(reader, "shop", JOB_TARGET_HOMEPAGE, "7", on_read, &answers, &err) == ERR_OK)
            started++; /* also where what failed was of no consequence */
        else
            assert_true(err.code == ERR_NO_MEMORY || err.code == ERR_CONFIG);
        failed = failing_memory_has_failed();
        end_loop(&loop);
        recommendation_reader_destroy(reader);
    } while (failed);
    assert_true(tries - started >= 4); /* the shop's settings, the key, the read, its connection */
    assert_int_equal(answers, started);
    recommendation_reader_destroy(NULL);
    job_shops_destroy(services.shops);
    env_destroy(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_and_its_upkeep_are_created_or_nothing_is),
        cmocka_unit_test(a_read_is_started_and_answered_once_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
