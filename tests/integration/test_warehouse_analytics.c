/*
 * The pipelines of deploy/analytics, over what a job warehouse loaded, give the figures that the report of a training
 * on the same data has.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/file_text.h"
#include "common/base/str.h"
#include "tests/integration/warehouse_look.h"
#include "tests/integration/worker_fixture.h"

enum { NOW = 1767225600, ROWS = 6000, USERS = 150, PRODUCTS = 60, DAYS = 80, FILE_BYTES = 1 << 20 };

static const double as_rounded = 0.00101; /* both round to three decimals */

struct scene {
    struct worker_fixture *fixture;
    struct warehouse_look look;
    struct json *analytics; /* of the report */
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Sessions of some users who look, put into the cart, and buy; a few products lack in the catalogue. */
static void write_export(const char *folder)
{
    static const char *const actions[] = {"view", "view", "view", "cart", "view", "purchase", "cart", "wishlist"};
    char path[SERVER_TEXT_BYTES + 96];
    uint32_t random = 11;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/interactions.csv", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "id,user,product,action,time\n");
    for (int i = 0; i < ROWS;) {
        unsigned user = next_random(&random) % USERS * (next_random(&random) % USERS) / USERS;
        long long time = NOW - 3600 - (long long)(next_random(&random) % (DAYS * 86400u));

        for (unsigned left = 1 + next_random(&random) % 9; left > 0; left--) {
            unsigned product = 1 + next_random(&random) % PRODUCTS * (next_random(&random) % PRODUCTS) / PRODUCTS;

            (void)fprintf(file, "%d,user-%u,%u,%s,%lld\n", ++i, user, product, actions[next_random(&random) % 8], time);
            time += next_random(&random) % 900;
        }
    }
    assert_int_equal(fclose(file), 0);
    (void)snprintf(path, sizeof path, "%s/products.csv", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "id,title,status,stock\n");
    for (int id = 1; id <= PRODUCTS - 3; id++)
        (void)fprintf(file, "%d,Thing %d,Published,1\n", id == 2 ? PRODUCTS : id, id);
    assert_int_equal(fclose(file), 0);
}

static void call(struct scene *scene, const char *export, const char *type, const char *dump)
{
    const char *const settings[] = {export, "TIMEZONE=Asia/Kolkata", NULL};
    const char *arguments[12] = {"--once", type, "--param", "window_days=0", "--param", "now=1767225600"};
    size_t count = 6;
    char *output = NULL;
    int status;

    if (dump != NULL) {
        arguments[count++] = "--param";
        arguments[count++] = "publish=false";
        arguments[count++] = "--dump";
        arguments[count++] = dump;
    }
    arguments[count] = NULL;
    status = worker_fixture_call(scene->fixture, settings, arguments, &output);
    if (status != 0)
        fail_msg("%s: %d\n%s", type, status, output);
    free(output);
}

static struct json *read_json(const char *path)
{
    char *text = NULL;
    size_t length = 0;
    struct json *value = NULL;
    struct err err = {0};

    if (file_text_read(&text, &length, path, FILE_BYTES, &err) != ERR_OK ||
        json_value_parse(&value, text, length, &err) != ERR_OK)
        fail_msg("%s: %s", path, err.message);
    free(text);
    return value;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    void *fixture = NULL;
    char export[SERVER_TEXT_BYTES + 96];
    char dump[SERVER_TEXT_BYTES + 64];
    char path[SERVER_TEXT_BYTES + 96];

    assert_non_null(scene);
    *state = scene;
    if (worker_fixture_start(&fixture) != 0)
        return -1;
    scene->fixture = fixture;
    (void)worker_fixture_clear(&fixture);
    if (!worker_fixture_use_mongo(scene->fixture))
        return 0;
    warehouse_look_open(&scene->look, scene->fixture->mongo.url);
    write_export(worker_fixture_folder(scene->fixture, "export"));
    (void)snprintf(export, sizeof export, "API_URL=file:%s", worker_fixture_folder(scene->fixture, "export"));
    (void)snprintf(dump, sizeof dump, "%s", worker_fixture_folder(scene->fixture, "dump"));
    call(scene, export, "homepage_and_similar_products", dump);
    call(scene, export, "warehouse", NULL);
    (void)snprintf(path, sizeof path, "%s/analytics.json", dump);
    scene->analytics = read_json(path);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    void *fixture = scene->fixture;
    int rc;

    json_value_destroy(scene->analytics);
    if (scene->look.client != NULL)
        warehouse_look_close(&scene->look);
    rc = worker_fixture_stop(&fixture);
    free(scene);
    return rc;
}

/* What a pipeline finds, as an array. A command of the database: libmongoc 1.30.4 cannot send it by the collection. */
static struct json *ask(const struct scene *scene, const char *name)
{
    const char *source = getenv("RECFLEET_SOURCE");
    char *path = str_format("%s/deploy/analytics/%s.json", source != NULL ? source : ".", name);
    struct json *file = read_json(path);
    char *pipeline = json_value_print(json_value_get(file, "pipeline"), false, 0);
    char *text = str_format("{\"aggregate\":\"%s\",\"pipeline\":%s,\"cursor\":{\"batchSize\":1000}}",
                            json_value_get_text(file, "collection"), pipeline);
    bson_error_t error;
    bson_t *command = bson_new_from_json((const uint8_t *)text, -1, &error);
    struct json *answer = NULL;
    struct json *found;
    bson_t reply;
    char *json;

    if (command == NULL ||
        !mongoc_database_read_command_with_opts(scene->look.database, command, NULL, NULL, &reply, &error))
        fail_msg("%s: %s", name, error.message);
    json = bson_as_relaxed_extended_json(&reply, NULL);
    assert_int_equal(json_value_parse(&answer, json, strlen(json), NULL), ERR_OK);
    found = json_value_dup(json_value_get(json_value_get(answer, "cursor"), "firstBatch"));
    assert_non_null(found);
    bson_free(json);
    bson_destroy(&reply);
    bson_destroy(command);
    json_value_destroy(answer);
    json_value_destroy(file);
    free(text);
    free(pipeline);
    free(path);
    return found;
}

static void assert_same(const char *where, const struct json *expected, const struct json *found);

struct members {
    const char *where;
    const struct json *found;
};

static bool on_member(void *context, const char *key, const struct json *expected)
{
    const struct members *members = context;
    char where[128];

    (void)snprintf(where, sizeof where, "%s.%s", members->where, key);
    assert_same(where, expected, json_value_get(members->found, key));
    return true;
}

static void assert_same(const char *where, const struct json *expected, const struct json *found)
{
    struct members members = {.where = where, .found = found};
    double a = 0;
    double b = 0;

    if (json_value_to_double(expected, &a)) {
        if (!json_value_to_double(found, &b) || fabs(a - b) > as_rounded)
            fail_msg("%s: %.6f in the report, %.6f here", where, a, b);
    } else if (json_value_kind(expected) == JSON_KIND_OBJECT) {
        json_value_each(expected, on_member, &members);
    } else if (json_value_kind(expected) == JSON_KIND_ARRAY) {
        if (json_value_count(expected) != json_value_count(found))
            fail_msg("%s: %zu in the report, %zu here", where, json_value_count(expected), json_value_count(found));
        for (size_t i = 0; i < json_value_count(expected); i++)
            assert_same(where, json_value_at(expected, i), json_value_at(found, i));
    } else if (json_value_text(expected) != NULL) {
        if (json_value_text(found) == NULL || strcmp(json_value_text(expected), json_value_text(found)) != 0)
            fail_msg("%s: \"%s\" in the report, \"%s\" here", where, json_value_text(expected), json_value_text(found));
    } else if (json_value_kind(found) != JSON_KIND_NULL) {
        fail_msg("%s: null in the report, and not here", where);
    }
}

static struct scene *scene_of(void **state)
{
    struct scene *scene = *state;

    if (scene->look.client == NULL)
        skip(); /* mongo_server_program has said why */
    return scene;
}

static void lists_and_documents_are_the_reports(void **state)
{
    static const char *const lists[] = {"top_users", "top_products", "users_by_activity",    "best_conversion",
                                        "by_month",  "retention",    "most_recommendations", "most_recommended"};
    static const char *const documents[] = {"funnel", "rows_per_user_day", "carts", "weights", "view_to_cart_hours"};
    struct scene *scene = scene_of(state);

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct json *found = ask(scene, lists[i]);

        assert_true(json_value_count(found) > 1);
        assert_same(lists[i], json_value_get(scene->analytics, lists[i]), found);
        json_value_destroy(found);
    }
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        struct json *found = ask(scene, documents[i]);

        assert_int_equal(json_value_count(found), 1);
        assert_same(documents[i], json_value_get(scene->analytics, documents[i]), json_value_at(found, 0));
        json_value_destroy(found);
    }
}

/* The rows of the document whose `key` is that; 0 without one. */
static int64_t rows_of(const struct json *found, const char *key, const char *name)
{
    int64_t rows = 0;

    for (size_t i = 0; i < json_value_count(found); i++) {
        const struct json *document = json_value_at(found, i);
        const char *text = json_value_get_text(document, key);

        if (text != NULL && strcmp(text, name) == 0)
            (void)json_value_get_int64(document, "rows", &rows);
    }
    return rows;
}

struct named {
    const struct json *found;
    const char *key;
    int64_t sum;
};

static bool on_named(void *context, const char *name, const struct json *expected)
{
    struct named *named = context;
    int64_t rows = -1;

    assert_true(json_value_to_int64(expected, &rows));
    assert_int_equal(rows_of(named->found, named->key, name), rows);
    named->sum += rows;
    return true;
}

static void what_the_report_names_is_there_by_name(void **state)
{
    static const char *const names[][2] = {{"interactions_by_action", "action"}, {"by_weekday", "weekday"}};
    struct scene *scene = scene_of(state);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct named named = {.found = ask(scene, names[i][0]), .key = names[i][1]};

        json_value_each(json_value_get(scene->analytics, names[i][0]), on_named, &named);
        assert_true(named.sum > ROWS / 2);
        json_value_destroy((struct json *)(uintptr_t)named.found);
    }
}

static void hours_are_the_shops(void **state)
{
    struct scene *scene = scene_of(state);
    struct json *found = ask(scene, "by_hour");
    const struct json *expected = json_value_get(scene->analytics, "by_hour");

    assert_int_equal(json_value_count(found), 24);
    for (size_t i = 0; i < 24; i++) {
        int64_t hour = -1;
        int64_t rows = -1;
        int64_t in_report = -2;

        assert_true(json_value_get_int64(json_value_at(found, i), "hour", &hour) && hour == (int64_t)i);
        assert_true(json_value_get_int64(json_value_at(found, i), "rows", &rows));
        assert_true(json_value_to_int64(json_value_at(expected, i), &in_report));
        assert_int_equal(rows, in_report);
    }
    json_value_destroy(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_documents_are_the_reports),
        cmocka_unit_test(what_the_report_names_is_there_by_name),
        cmocka_unit_test(hours_are_the_shops),
    };

    return cmocka_run_group_tests_name("warehouse_analytics", tests, set_up, tear_down);
}
