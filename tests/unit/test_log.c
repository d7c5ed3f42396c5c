#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "common/net/json_value.h"

/* What the call writes to stderr. */
static char *captured(void (*call)(void))
{
    int saved = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    char *text = calloc(1, 4096);

    assert_non_null(file);
    assert_non_null(text);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    call();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    rewind(file);
    assert_int_equal(fread(text, 1, 4095, file) < 4095, 1);
    (void)fclose(file);
    return text;
}

static void write_fields(void)
{
    log_info("job.started", log_text("job", "a\"b"), log_int("attempt", 2), log_real("loss", 0.5), log_text("no", NULL),
             log_ms("ms", 12034), log_ms("short", 7));
}

static void a_line_is_one_json_object(void **state)
{
    char *text = captured(write_fields);
    struct json *line = NULL;
    int64_t attempt;

    (void)state;
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_int_equal(json_value_parse(&line, text, strlen(text), NULL), ERR_OK);
    assert_string_equal(json_value_get_text(line, "event"), "job.started");
    assert_string_equal(json_value_get_text(line, "level"), "info");
    assert_string_equal(json_value_get_text(line, "job"), "a\"b");
    assert_true(json_value_get_int64(line, "attempt", &attempt));
    assert_int_equal(attempt, 2);
    assert_int_equal(json_value_kind(json_value_get(line, "no")), JSON_KIND_NULL);
    assert_non_null(json_value_get_text(line, "time"));
    assert_non_null(strstr(text, ",\"ms\":12.034,\"short\":0.007}"));
    json_value_destroy(line);
    free(text);
}

static void write_below(void)
{
    log_debug("quiet", LOG_NO_FIELDS);
}

static void below_the_level_nothing_is_written(void **state)
{
    char *text = captured(write_below);

    (void)state;
    assert_string_equal(text, "");
    free(text);
}

static void write_error(void)
{
    struct err err;

    (void)ERR_SET(&err, ERR_IO, "disk");
    log_err("x.failed", &err);
}

static void an_error_is_logged_with_its_place(void **state)
{
    char *text = captured(write_error);

    (void)state;
    assert_non_null(strstr(text, "\"code\":\"io\",\"message\":\"disk\""));
    assert_non_null(strstr(text, "test_log.c"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_json_object),
        cmocka_unit_test(below_the_level_nothing_is_written),
        cmocka_unit_test(an_error_is_logged_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
