/* `recfleet-worker --once` on an export in a folder, tried as somebody new would: two settings and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/file_text.h"
#include "common/base/str.h"
#include "tests/integration/worker_fixture.h"

#define ONCE "--once homepage_and_similar_products"

enum { USERS = 90, PRODUCTS = 30, ROWS_OF_A_USER = 9, DRAFT = 7, SOLD_OUT = 8, MOST_BYTES = 16 << 20 };

static void assert_holds(const char *output, const char *text)
{
    if (strstr(output, text) == NULL)
        fail_msg("\"%s\" is not in:\n%s", text, output);
}

static char *path_of(struct worker_fixture *fixture, const char *folder, const char *name)
{
    char *path = str_format("%s/%s", worker_fixture_folder(fixture, folder), name);

    assert_non_null(path);
    return path;
}

static void write_text(struct worker_fixture *fixture, const char *folder, const char *name, const char *text)
{
    char *path = path_of(fixture, folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    free(path);
}

/* Each user looks at and buys of nine products that are neighbours; among the lines are three bad ones. */
static void write_interactions(struct worker_fixture *fixture, const char *folder)
{
    struct str text = {0};

    str_append_text(&text, "action;user;time;product\r\n");
    str_append_text(&text, "view;nobody;yesterday;1\r\nclick;nobody;1;1\r\nview;nobody\r\n"); /* lines 2 to 4 */
    for (int user = 0; user < USERS; user++) {
        for (int i = 0; i < ROWS_OF_A_USER; i++)
            str_append_format(&text, "%s;\"shopper; %d\";%lld;%d\r\n", i % 3 == 0 ? "purchase" : "view", user,
                              (long long)fixture->now_s - 3600 - user * 60 - i, 1 + (user * 7 + i * i) % PRODUCTS);
    }
    assert_false(text.failed);
    write_text(fixture, folder, "interactions.csv", text.text);
    str_fini(&text);
}

static void write_products(struct worker_fixture *fixture, const char *folder)
{
    struct str text = {0};

    str_append_text(&text, "id,stock,title,status\n");
    for (int id = 1; id <= PRODUCTS; id++)
        str_append_format(&text, "%d,%d,\"Toy, no. %d\",%s\n", id, id == SOLD_OUT ? 0 : 5, id,
                          id == DRAFT ? "Draft" : "Published");
    assert_false(text.failed);
    write_text(fixture, folder, "products.csv", text.text);
    str_fini(&text);
}

/* Runs the worker in `work` with these settings and no other environment; the exit status, and all it wrote. */
static int try_once(struct worker_fixture *fixture, const char *work, const char *settings, const char *arguments,
                    char **output)
{
    const char *bin = getenv("RECFLEET_BIN");
    char *path = path_of(fixture, work, "output");
    char *command = str_format("cd '%s' && env -i %s '%s/recfleet-worker' " ONCE " %s > output 2>&1",
                               worker_fixture_folder(fixture, work), settings, bin != NULL ? bin : ".", arguments);
    struct err err = {0};
    size_t length;
    int status;

    assert_non_null(command);
    status = system(command);
    if (file_text_read(output, &length, path, MOST_BYTES, &err) != ERR_OK)
        fail_msg("%s", err.message);
    free(command);
    free(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static void a_csv_export_is_trained_and_published_with_two_settings(void **state)
{
    struct worker_fixture *fixture = *state;
    char *settings;
    char *dump;
    char *output = NULL;

    write_interactions(fixture, "export");
    write_products(fixture, "export");
    settings = str_format("API_URL=file:../export QUEUE_REDIS_URL=%s", fixture->queue->server.url);
    dump = path_of(fixture, "try", "dump");
    if (try_once(fixture, "try", settings, "--dump dump", &output) != 0)
        fail_msg("%s", output);
    assert_holds(output, "homepage_and_similar_products: succeeded");
    assert_holds(output, "813 lines, 0 of them too old, 30 products");
    assert_holds(output, "interactions.csv line 2: not understood: \"yesterday\"");
    assert_holds(output, "interactions.csv line 3: not understood: \"click\"");
    assert_holds(output, "interactions.csv line 4: 2 fields under a header of 4");
    assert_holds(output, "90 users x 30 products");
    assert_holds(output, "28 of 30 products recommendable");
    assert_holds(output, "Toy, no. ");
    worker_fixture_assert_published(fixture, dump, 604800);
    free(output);

    if (try_once(fixture, "try", settings, "--dump dump", &output) != 0) /* what the first left is in nobody's way */
        fail_msg("%s", output);
    assert_holds(output, "813 lines, 0 of them too old");
    assert_holds(output, "3 iterations"); /* from the factors of the first */
    worker_fixture_assert_published(fixture, dump, 604800);
    free(output);
    free(dump);
    free(settings);
}

static void a_dry_run_needs_one_setting_and_no_products(void **state)
{
    struct worker_fixture *fixture = *state;
    char *settings;
    char *output = NULL;

    write_interactions(fixture, "bare");
    settings = str_format("API_URL=file:%s", worker_fixture_folder(fixture, "bare"));
    if (try_once(fixture, "try-bare", settings, "--param publish=false", &output) != 0)
        fail_msg("%s", output);
    assert_holds(output, "30 of 30 products recommendable");
    assert_holds(output, "a dry run");
    free(output);
    free(settings);
}

static void what_is_wrong_with_an_export_is_said(void **state)
{
    static const struct {
        const char *name; /* of a file */
        const char *text;
        int status;
        const char *part;
    } cases[] = {
        {NULL, NULL, 1, "has neither events.jsonl nor interactions.csv"},
        {"interactions.csv", "user,product,action\nu,1,view\n", 1, "the header has no column \"time\""},
        {"interactions.csv", "user,product,action,time\nu,1,view,never\n", 1, "line 2: not understood: \"never\""},
        {"interactions.csv", "user,product,action,time\nu,1,view,2001-01-01\n", 1,
         "1 are older than the window of 365"},
    };
    struct worker_fixture *fixture = *state;
    char *output = NULL;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *settings = str_format("API_URL=file:%s", worker_fixture_folder(fixture, "wrong"));

        if (cases[i].name != NULL)
            write_text(fixture, "wrong", cases[i].name, cases[i].text);
        assert_int_equal(try_once(fixture, "try-wrong", settings, "--param publish=false", &output), cases[i].status);
        assert_holds(output, cases[i].part);
        free(output);
        free(settings);
    }
    assert_int_equal(try_once(fixture, "try-wrong", "API_URL=file:nowhere", "", &output), 78);
    assert_holds(output, "API_URL: the folder nowhere: No such file or directory");
    free(output);
    assert_int_equal(try_once(fixture, "try-wrong", "API_URL=file:output", "", &output), 78);
    assert_holds(output, "API_URL: output is no folder");
    free(output);
}

static struct json *read_json(struct worker_fixture *fixture, const char *dump, const char *name)
{
    char *path = path_of(fixture, dump, name);
    struct json *json = NULL;
    char *text = NULL;
    size_t length;

    assert_int_equal(file_text_read(&text, &length, path, MOST_BYTES, NULL), ERR_OK);
    assert_int_equal(json_value_parse(&json, text, length, NULL), ERR_OK);
    free(text);
    free(path);
    return json;
}

static void dump_counts(struct worker_fixture *fixture, const char *url, const char *dump, char **counts)
{
    const char *const settings[] = {url, NULL};
    char folder[SERVER_TEXT_BYTES + 64];
    char now[64];
    const char *const arguments[] = {
        "--once", "homepage_and_similar_products", "--param", "publish=false", "--param", now, "--dump", folder, NULL};
    struct json *json;
    char *output = NULL;

    (void)snprintf(folder, sizeof folder, "%s", worker_fixture_folder(fixture, dump));
    (void)snprintf(now, sizeof now, "now=%lld", (long long)fixture->now_s);
    if (worker_fixture_call(fixture, url != NULL ? settings : NULL, arguments, &output) != 0)
        fail_msg("%s", output);
    json = read_json(fixture, dump, "counts.json");
    json_value_remove(json_value_get_mutable(json, "fetch"), "pages");
    *counts = json_value_print(json, true, 0);
    json_value_destroy(json);
    free(output);
}

/* The fixture's shop, as its CMS serves it and as the files that the CMS reads. */
static void a_folder_gives_what_the_cms_gives(void **state)
{
    struct worker_fixture *fixture = *state;
    char *url = str_format("API_URL=file:%s", worker_fixture_folder(fixture, "shop"));
    char *by_cms;
    char *by_folder;

    dump_counts(fixture, NULL, "dump-cms", &by_cms);
    dump_counts(fixture, url, "dump-folder", &by_folder);
    assert_string_equal(by_folder, by_cms);
    free(by_cms);
    free(by_folder);
    free(url);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_fixture_clear, worker_fixture_end_workers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_csv_export_is_trained_and_published_with_two_settings),
        TEST(a_dry_run_needs_one_setting_and_no_products),
        TEST(what_is_wrong_with_an_export_is_said),
        TEST(a_folder_gives_what_the_cms_gives),
    };

    return cmocka_run_group_tests_name("once_folder", tests, worker_fixture_start, worker_fixture_stop);
}
