/*
 * The command line when memory runs out: the n-th allocation fails, for n = 1, 2, … until all goes well.
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
#include "tests/support/failing_memory.h"

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
    failing_memory_try(ask, NULL);
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
    failing_memory_try(make_table, NULL);
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
    failing_memory_try(sum_up, report);
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
