/*
 * The command line when memory runs out: the n-th allocation fails, for n = 1, 2, … until all goes well. Linked with
 * --wrap for the allocating functions; what leaks is found by the sanitizers' builds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/cli/cli_client.h"
#include "gateway/cli/cli_report.h"
#include "gateway/cli/cli_table.h"

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

static enum err_code ask(void *context, struct err *err)
{
    struct cli_request request = {.method = "POST", .path = "/v1/jobs", .body = "{}", .idempotency_key = "key"};
    struct cli_client *client;
    struct cli_answer answer;
    enum err_code rc = cli_client_create(&client, "http://127.0.0.1:1/", "key", err);

    (void)context;
    assert_true((rc == ERR_OK) == (client != NULL));
    if (rc == ERR_OK) {
        rc = cli_client_ask(client, &request, &answer, err);
        assert_int_not_equal(rc, ERR_OK); /* nobody listens there */
        rc = rc == ERR_NETWORK ? ERR_OK : rc;
    }
    cli_client_destroy(client);
    return rc;
}

static void asking_without_memory_fails_cleanly(void **state)
{
    (void)state;
    try_until_it_succeeds(ask, NULL);
}

static enum err_code make_table(void *context, struct err *err)
{
    static const struct cli_column columns[] = {{"a", false, 0}, {"b", true, 0}};
    const struct cli_style style = {.columns = 0};
    struct cli_table table;
    struct str out = {0};
    bool made;

    (void)context;
    cli_table_init(&table, columns, 2);
    for (int i = 0; i < 100; i++)
        cli_table_add(&table, CLI_PLAIN, "some text");
    made = cli_table_append(&table, &style, 0, 50, &out);
    cli_table_fini(&table);
    str_fini(&out);
    return made ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for a table");
}

static void a_table_without_memory_fails_cleanly(void **state)
{
    (void)state;
    try_until_it_succeeds(make_table, NULL);
}

static enum err_code sum_up(void *context, struct err *err)
{
    const struct cli_style style = {.columns = 0};
    struct str out = {0};

    cli_report_append(&style, &out, context);
    if (out.failed) {
        str_fini(&out);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a report");
    }
    str_fini(&out);
    return ERR_OK;
}

static void a_report_without_memory_fails_cleanly(void **state)
{
    static const char text[] =
        "{\"stages\":[{\"name\":\"fetch\",\"seconds\":1}],\"loss\":[2,1],\"matrix\":{\"users\":3},"
        "\"all_results\":[{\"score\":0.2},{\"score\":0.3}],\"baselines\":{\"popularity\":{\"score\":0.1}}}";
    struct json *report = NULL;

    (void)state;
    assert_int_equal(json_value_parse(&report, text, strlen(text), NULL), ERR_OK);
    try_until_it_succeeds(sum_up, report);
    json_value_destroy(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_without_memory_fails_cleanly),
        cmocka_unit_test(a_table_without_memory_fails_cleanly),
        cmocka_unit_test(a_report_without_memory_fails_cleanly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
