/* From an export to GET /v1/analytics/latest: the real worker and the real gateway with one store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/str.h"
#include "tests/integration/gateway_play.h"

#define LATEST "/v1/analytics/latest"

/* 2026-01-31 23:30 UTC: in Kolkata (UTC + 5:30) it is the first of February, 5 o'clock, a Sunday. */
enum { NIGHT = 1769902200, NOW = NIGHT + 86400, USERS = 16, VIEWED = 6, PRODUCTS = 16, HOUR = 3600 };

struct scene {
    struct gateway_fixture fixture;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    *state = scene;
    gateway_fixture_start(&scene->fixture, NULL, GATEWAY_TEST_MONGO);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    gateway_fixture_stop(&scene->fixture);
    free(scene);
    return 0;
}

/* Each user views six of sixteen products, an hour later puts them into the cart, and buys the first `bought`. */
static void write_export(struct scene *scene, int bought)
{
    char *dir = str_format("%s/export", scene->fixture.gateway.folder);
    char *path = str_format("%s/interactions.csv", dir);
    FILE *file;

    assert_true(dir != NULL && path != NULL);
    (void)mkdir(dir, 0700);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "time,action,user,product\n");
    for (int user = 0; user < USERS; user++) {
        for (int i = 0; i < VIEWED; i++) {
            int product = 1 + (user + i) % PRODUCTS;

            (void)fprintf(file, "%d,view,user-%d,%d\n", NIGHT, user, product);
            (void)fprintf(file, "%d,cart,user-%d,%d\n", NIGHT + HOUR, user, product);
            if (i < bought)
                (void)fprintf(file, "%d,purchase,user-%d,%d\n", NIGHT + HOUR, user, product);
        }
    }
    assert_int_equal(fclose(file), 0);
    free(path);
    free(dir);
}

static void train(struct scene *scene, const char *settings)
{
    const struct gateway_fixture *fixture = &scene->fixture;
    const char *bin = getenv("RECFLEET_BIN");
    char *command = str_format("cd '%s' && env %s API_URL=file:export STORE_URL='%s' QUEUE_REDIS_URL=%s ALS_FACTORS=8 "
                               "THREADS=1 EVALUATION_DAYS=0 '%s/recfleet-worker' --once homepage_and_similar_products "
                               "--param publish=false --param now=%d >worker.log 2>&1",
                               fixture->gateway.folder, settings, fixture->store_url, fixture->queue->server.url,
                               bin != NULL ? bin : ".", NOW);
    int status;

    assert_non_null(command);
    status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    free(command);
}

static void check(const struct json *json, const char *name, const char *expected)
{
    char *text = json_value_print(json_value_get(json, name), false, 0);

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static int ask_status(struct scene *scene, const char *path, const char *headers)
{
    return gateway_fixture_status(&scene->fixture, "GET", path, headers, NULL);
}

static void the_newest_analytics_of_a_shop_are_served(void **state)
{
    struct scene *scene = *state;
    struct json *json;
    struct json *report;
    char *path;

    assert_int_equal(ask_status(scene, LATEST, WITH_KEY), 404);
    write_export(scene, 1);
    train(scene, "TIMEZONE=UTC");
    write_export(scene, 2);
    train(scene, "TIMEZONE=Asia/Kolkata");
    json = gateway_play_get(&scene->fixture, LATEST);
    check(json, "namespace", "\"shop\"");
    check(json, "timezone", "\"Asia/Kolkata\"");
    check(json, "now", "1769988600");
    check(json, "rows", "224");
    check(json, "interactions_by_action",
          "{\"purchase\":32,\"initiate_checkout\":0,\"add_to_cart\":96,\"add_to_wishlist\":0,\"content_view\":96}");
    check(json, "by_month", "[{\"month\":\"2026-02\",\"rows\":224}]");
    check(json, "by_hour", "[0,0,0,0,0,96,128,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]");
    check(json, "funnel", "{\"viewed\":16,\"carted\":16,\"viewed_and_carted\":16,\"purchased\":16}");
    check(json, "view_to_cart_hours", "{\"pairs\":96,\"mean\":1.0,\"p25\":1.0,\"median\":1.0,\"p75\":1.0,\"p95\":1.0}");
    assert_int_equal(json_value_count(json_value_get(json, "most_recommended")), PRODUCTS);
    assert_non_null(json_value_get(json, "created_at"));
    assert_null(json_value_get(json, "_id"));
    assert_null(json_value_get(json, "fence"));

    path = str_format("/v1/jobs/%s/report", json_value_get_text(json, "job"));
    report = gateway_play_get(&scene->fixture, path);
    assert_null(json_value_get(report, "analytics"));
    json_value_destroy(report);
    json_value_destroy(json);
    free(path);
}

static void each_shop_has_its_own(void **state)
{
    struct scene *scene = *state;
    struct json *json;

    write_export(scene, 0);
    train(scene, "API_NAMESPACE=shop-7");
    json = gateway_play_get(&scene->fixture, LATEST "?namespace=shop-7");
    check(json, "namespace", "\"shop-7\"");
    check(json, "timezone", "\"UTC\"");
    check(json, "rows", "192");
    check(json, "by_month", "[{\"month\":\"2026-01\",\"rows\":96},{\"month\":\"2026-02\",\"rows\":96}]");
    json_value_destroy(json);
    assert_int_equal(ask_status(scene, LATEST, WITH_KEY), 404);
    assert_int_equal(ask_status(scene, LATEST "?namespace=shop-8", WITH_KEY), 404);
}

static void what_cannot_be_answered_is_refused(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(ask_status(scene, LATEST, NULL), 401);
    assert_int_equal(ask_status(scene, LATEST "?namespace=nobody", WITH_KEY), 422);
    assert_int_equal(ask_status(scene, LATEST "?colour=red", WITH_KEY), 400);
    assert_int_equal(gateway_fixture_status(&scene->fixture, "POST", LATEST, WITH_KEY, ""), 405);
}

/* In place of all, where there is no server; mongo_server_program has said so. */
static void analytics_with_mongodb(void **state)
{
    (void)state;
    skip();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_analytics_of_a_shop_are_served),
        TEST(each_shop_has_its_own),
        TEST(what_cannot_be_answered_is_refused),
    };

    const struct CMUnitTest skipped[] = {cmocka_unit_test(analytics_with_mongodb)};

    if (GATEWAY_TEST_MONGO && mongo_server_program() == NULL)
        return cmocka_run_group_tests(skipped, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
