/*
 * Shops and their settings when memory runs out: the n-th allocation fails, for n = 1, 2, … until all goes well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/job/job_shops.h"
#include "tests/support/failing_memory.h"
#include "worker/fleet.h"

static const char shops_text[] =
    "{\"toys\":{\"API_URL\":\"http://t\",\"ALS_FACTORS\":16,\"HOMEPAGE_KEY_PREFIX\":\"t:\","
    "\"SIMILAR_KEY_PREFIX\":\"t:\",\"CROSS_SELL_KEY_PREFIX\":\"t:\"},"
    "\"books\":{\"BEARER_TOKEN\":\"b\",\"HOMEPAGE_KEY_PREFIX\":\"b:\","
    "\"SIMILAR_KEY_PREFIX\":\"b:\",\"CROSS_SELL_KEY_PREFIX\":\"b:\"}}";

struct scene {
    char path[64];
    char setting[96];
    FILE *sink;
};

static enum err_code load_shops(void *context, struct err *err)
{
    static char *const none[] = {NULL};
    const struct scene *scene = context;
    struct job_shops *shops = NULL;
    struct env *env = NULL;
    struct env *copy = NULL;
    enum err_code rc = job_shops_create(&shops, "main", scene->path, err);

    assert_true((rc == ERR_OK) == (shops != NULL));
    if (rc == ERR_OK)
        rc = env_create(&env, none, NULL, false, err);
    if (rc == ERR_OK)
        rc = job_shops_apply(shops, "toys", env, err);
    if (rc == ERR_OK)
        rc = env_dup(&copy, env, err);
    if (rc == ERR_OK)
        rc = job_shops_print(shops, scene->sink, err);
    env_destroy(copy);
    env_destroy(env);
    job_shops_destroy(shops);
    return rc;
}

/* A problem that is noted is as good as an error. */
static enum err_code take_settings(void *context, struct err *err)
{
    const struct scene *scene = context;
    char setting[sizeof scene->setting];
    char url[] = "API_URL=http://x";
    char *const environment[] = {setting, url, NULL};
    const struct worker_settings *settings = NULL;
    struct fleet *fleet = NULL;
    struct env *env = NULL;
    enum err_code rc;

    memcpy(setting, scene->setting, sizeof setting);
    rc = env_create(&env, environment, NULL, false, err);
    if (rc == ERR_OK)
        rc = fleet_create(&fleet, env, err);
    if (rc == ERR_OK)
        rc = fleet_check(fleet, NULL, err);
    if (rc == ERR_OK && env_problem_count(env) > 0)
        rc = ERR_NO_MEMORY;
    if (rc == ERR_OK)
        rc = fleet_take(fleet, "toys", &settings, err);
    if (rc == ERR_OK) {
        assert_string_equal(settings->job.shop, "toys");
        assert_string_equal(settings->cache_dir, "cache/shop-toys");
        assert_int_equal(settings->als.factors, 16);
    }
    fleet_destroy(fleet);
    env_destroy(env);
    return rc;
}

static void shops_are_read_whole_or_not_at_all(void **state)
{
    failing_memory_try(load_shops, *state);
}

static void settings_of_a_shop_are_there_or_an_error_is(void **state)
{
    failing_memory_try(take_settings, *state);
}

static int start(void **state)
{
    static struct scene scene = {.path = "/tmp/recfleet-shops-XXXXXX"};
    int fd = mkstemp(scene.path);

    *state = &scene;
    scene.sink = fopen("/dev/null", "w");
    (void)snprintf(scene.setting, sizeof scene.setting, "NAMESPACES_FILE=%s", scene.path);
    return fd >= 0 && scene.sink != NULL && write(fd, shops_text, strlen(shops_text)) > 0 ? close(fd) : -1;
}

static int stop(void **state)
{
    struct scene *scene = *state;

    (void)unlink(scene->path);
    return fclose(scene->sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shops_are_read_whole_or_not_at_all),
        cmocka_unit_test(settings_of_a_shop_are_there_or_an_error_is),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
