/*
 * Shops and their settings when memory runs out: the n-th allocation fails, for n = 1, 2, … until all goes well. Linked
 * with --wrap for the allocating functions; what leaks is found by the sanitizers' builds.
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
#include "worker/fleet.h"

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker makes these names */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
/* NOLINTEND(bugprone-reserved-identifier) */

/* 0: none fails; n: the n-th from now */
static size_t fails_in;
static bool has_failed;

static bool fails(void)
{
    if (fails_in == 0 || --fails_in > 0)
        return false;
    has_failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
    return fails() ? NULL : __real_strndup(text, length);
}

enum { MOST = 5000 };

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

typedef enum err_code (*attempt_fn)(void *context, struct err *err);

/* Until it succeeds with nothing failing. */
static void try_until_it_succeeds(attempt_fn attempt, void *context)
{
    enum err_code rc = ERR_NO_MEMORY;

    has_failed = true;
    for (size_t n = 1; has_failed && n < MOST; n++) {
        struct err err = {0};

        has_failed = false;
        fails_in = n;
        rc = attempt(context, &err);
        fails_in = 0;
        assert_true(rc == ERR_OK || rc == ERR_NO_MEMORY);
        assert_true(has_failed || rc == ERR_OK);
    }
    assert_false(has_failed);
    assert_int_equal(rc, ERR_OK);
}

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
    try_until_it_succeeds(load_shops, *state);
}

static void settings_of_a_shop_are_there_or_an_error_is(void **state)
{
    try_until_it_succeeds(take_settings, *state);
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
