#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_settings.h"

static struct env *with(const char *const *environment)
{
    char *copies[16] = {NULL};
    struct env *env;
    struct err err;

    for (size_t i = 0; environment[i] != NULL; i++)
        copies[i] = strdup(environment[i]);
    assert_int_equal(env_create(&env, copies, NULL, false, &err), ERR_OK);
    for (size_t i = 0; copies[i] != NULL; i++)
        free(copies[i]);
    return env;
}

static void nothing_set_gives_the_defaults(void **state)
{
    static const char *const environment[] = {NULL};
    struct env *env = with(environment);
    struct job_settings settings;

    (void)state;
    job_settings_read(&settings, env);
    assert_int_equal(env_problem_count(env), 0);
    assert_true(settings.dev);
    assert_string_equal(settings.queue_redis.host, "127.0.0.1");
    assert_int_equal(settings.queue_redis.port, 6379);
    assert_string_equal(settings.queue_name, "train");
    assert_string_equal(settings.routes.queue[JOB_CROSS_SELL], "train");
    assert_int_equal(settings.worker_queues.count, 1);
    assert_string_equal(settings.worker_queues.names[0], "train");
    assert_string_equal(settings.store_url, "sqlite:recfleet.db");
    assert_string_equal(settings.shop, "shop");
    assert_int_equal(settings.lease_ms, 60000);
    assert_int_equal(settings.heartbeat_ms, 10000);
    assert_int_equal(settings.retry_base_ms, 60000);
    assert_int_equal(settings.max_runtime_ms, 14400000);
    assert_int_equal(settings.grace_ms, 30000);
    assert_int_equal(settings.retention_days, 90);
    env_destroy(env);
}

static void mongo_parts_make_a_url_with_escaped_credentials(void **state)
{
    static const char *const environment[] = {"MONGO_HOST=db.example",   "MONGO_PORT=27018",
                                              "MONGO_USERNAME=us:er",    "MONGO_PASSWORD=p@ss/%1",
                                              "MONGO_AUTH_SOURCE=admin", NULL};
    struct env *env = with(environment);
    struct job_settings settings;

    (void)state;
    job_settings_read(&settings, env);
    assert_int_equal(env_problem_count(env), 0);
    assert_string_equal(settings.store_url,
                        "mongodb://us%3Aer:p%40ss%2F%251@db.example:27018/pa_recommender?authSource=admin");
    env_destroy(env);
}

static void a_store_url_wins_over_mongo_parts(void **state)
{
    static const char *const environment[] = {"MONGO_HOST=db.example", "STORE_URL=sqlite:/tmp/x.db", NULL};
    struct env *env = with(environment);
    struct job_settings settings;

    (void)state;
    job_settings_read(&settings, env);
    assert_string_equal(settings.store_url, "sqlite:/tmp/x.db");
    env_destroy(env);
}

static void redis_credentials_fill_urls_that_have_none(void **state)
{
    static const char *const environment[] = {"REDIS_USERNAME=u", "REDIS_PASSWORD=p", "A_URL=redis://own:key@h:1/2",
                                              "QUEUE_REDIS_URL=redis://h:1", NULL};
    struct env *env = with(environment);
    struct job_settings settings;
    struct redis_url url;

    (void)state;
    job_settings_read(&settings, env);
    assert_string_equal(settings.queue_redis.user, "u");
    assert_string_equal(settings.queue_redis.password, "p");
    job_settings_read_redis(&url, env, "A_URL", NULL);
    assert_string_equal(url.user, "own");
    assert_string_equal(url.password, "key");
    assert_int_equal(url.db, 2);
    env_destroy(env);
}

static void routes_and_queues_default_to_the_queue_that_is_named(void **state)
{
    static const char *const environment[] = {"QUEUE_NAME=main", "QUEUE_ROUTES=cross_sell=cpu",
                                              "WORKER_QUEUES=cpu,main", NULL};
    struct env *env = with(environment);
    struct job_settings settings;

    (void)state;
    job_settings_read(&settings, env);
    assert_int_equal(env_problem_count(env), 0);
    assert_string_equal(settings.routes.queue[JOB_CROSS_SELL], "cpu");
    assert_string_equal(settings.routes.queue[JOB_WAREHOUSE], "main");
    assert_string_equal(settings.worker_queues.names[0], "cpu");
    env_destroy(env);
}

static void with_a_file_of_shops_there_is_a_default_one_only_if_it_is_named(void **state)
{
    static const char *const unnamed[] = {"NAMESPACES_FILE=shops.json", NULL};
    static const char *const named[] = {"NAMESPACES_FILE=shops.json", "API_NAMESPACE=toys", NULL};
    struct env *env = with(unnamed);
    struct job_settings settings;

    (void)state;
    job_settings_read(&settings, env);
    assert_string_equal(settings.namespaces_file, "shops.json");
    assert_string_equal(settings.shop, "");
    assert_int_equal(env_problem_count(env), 0);
    env_destroy(env);
    env = with(named);
    job_settings_read(&settings, env);
    assert_string_equal(settings.shop, "toys");
    env_destroy(env);
}

static void seconds_may_have_fractions(void **state)
{
    static const char *const environment[] = {"LEASE_S=1.5", "HEARTBEAT_S=0.25", NULL};
    struct env *env = with(environment);
    struct job_settings settings;

    (void)state;
    job_settings_read(&settings, env);
    assert_int_equal(env_problem_count(env), 0);
    assert_int_equal(settings.lease_ms, 1500);
    assert_int_equal(settings.heartbeat_ms, 250);
    env_destroy(env);
}

static void all_problems_are_told_at_once(void **state)
{
    static const char *const environment[] = {
        "QUEUE_NAME=a b", "STORE_URL=mysql://x",      "QUEUE_REDIS_URL=http://x", "API_NAMESPACE={}", "LEASE_S=10",
        "ENV=Test",       "QUEUE_ROUTES=nothing=cpu", "WORKER_QUEUES=a,a",        "GRACE_S=-1",       NULL};
    static const char *const names[] = {
        "ENV:",       "QUEUE_REDIS_URL:", "QUEUE_NAME:", "QUEUE_ROUTES:", "WORKER_QUEUES:",
        "STORE_URL:", "API_NAMESPACE:",   "GRACE_S:",    "HEARTBEAT_S:"};
    struct env *env = with(environment);
    struct job_settings settings;

    (void)state;
    job_settings_read(&settings, env);
    assert_int_equal(env_problem_count(env), sizeof names / sizeof names[0]);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_ptr_equal(strstr(env_problem_at(env, i), names[i]), env_problem_at(env, i));
    assert_int_equal(settings.worker_queues.count, 1); /* what was wrong leaves the default */
    assert_string_equal(settings.worker_queues.names[0], "train");
    env_destroy(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_set_gives_the_defaults),
        cmocka_unit_test(mongo_parts_make_a_url_with_escaped_credentials),
        cmocka_unit_test(a_store_url_wins_over_mongo_parts),
        cmocka_unit_test(redis_credentials_fill_urls_that_have_none),
        cmocka_unit_test(routes_and_queues_default_to_the_queue_that_is_named),
        cmocka_unit_test(with_a_file_of_shops_there_is_a_default_one_only_if_it_is_named),
        cmocka_unit_test(seconds_may_have_fractions),
        cmocka_unit_test(all_problems_are_told_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
