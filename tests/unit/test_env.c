#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/env.h"

struct file {
    char path[64];
};

static struct file write_file(const char *text)
{
    struct file file = {.path = "/tmp/recfleet-env-XXXXXX"};
    int fd = mkstemp(file.path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    return file;
}

static struct env *load(char *const *environment, const char *text)
{
    struct file file = write_file(text);
    struct env *env = NULL;
    struct err err;

    if (env_create(&env, environment, file.path, true, &err) != ERR_OK)
        fail_msg("%s", err.message);
    (void)unlink(file.path);
    return env;
}

static char *const nothing[] = {NULL};

static void the_environment_wins_over_the_file(void **state)
{
    char both[] = "A=environment";
    char *const environment[] = {both, NULL};
    struct env *env = load(environment, "A=file\nB=file\n");

    (void)state;
    assert_string_equal(env_text(env, "A", NULL), "environment");
    assert_string_equal(env_text(env, "B", NULL), "file");
    assert_string_equal(env_text(env, "C", "fallback"), "fallback");
    assert_null(env_text(env, "C", NULL));
    assert_false(env_is_set(env, "C"));
    env_destroy(env);
}

static void values_are_unquoted(void **state)
{
    struct env *env =
        load(nothing, "# comment\n\nexport B=two words # tail\nC=a#b\nD='$x \\n'\nE=\"a\\n\\\"b\\\"\" # t\nF=\n");

    (void)state;
    assert_string_equal(env_text(env, "B", NULL), "two words");
    assert_string_equal(env_text(env, "C", NULL), "a#b");
    assert_string_equal(env_text(env, "D", NULL), "$x \\n");
    assert_string_equal(env_text(env, "E", NULL), "a\n\"b\"");
    assert_string_equal(env_text(env, "F", "empty is unset"), "empty is unset");
    env_destroy(env);
}

static void a_malformed_line_is_named(void **state)
{
    static const char *const bad[] = {"OK=1\nno equals\n", "OK=1\nA='open\n", "OK=1\nA=\"x\" y\n", "OK=1\n1A=x\n"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct file file = write_file(bad[i]);
        struct env *env = NULL;
        struct err err;

        assert_int_equal(env_create(&env, nothing, file.path, true, &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, "line 2"));
        assert_non_null(strstr(err.message, file.path));
        assert_null(env);
        (void)unlink(file.path);
    }
}

static void a_missing_file_is_an_error_only_when_required(void **state)
{
    struct env *env = NULL;
    struct err err;

    (void)state;
    assert_int_equal(env_create(&env, nothing, "/nonexistent/.env", true, &err), ERR_CONFIG);
    assert_int_equal(env_create(&env, nothing, "/nonexistent/.env", false, &err), ERR_OK);
    env_destroy(env);
}

static void all_problems_are_collected(void **state)
{
    static const char *const colours[] = {"red", "green", NULL};
    struct env *env = load(nothing, "INT=12x\nBIG=99\nREAL=nan\nBOOL=perhaps\nCOLOUR=blue\nGOOD=7\n");

    (void)state;
    assert_int_equal(env_int(env, "INT", 5, 0, 10), 5);
    assert_int_equal(env_int(env, "BIG", 5, 0, 10), 5);
    assert_true(env_double(env, "REAL", 0.5, 0, 1) == 0.5);
    assert_true(env_bool(env, "BOOL", true));
    assert_int_equal(env_choice(env, "COLOUR", colours, 1), 1);
    assert_int_equal(env_int(env, "GOOD", 5, 0, 10), 7);
    env_problem(env, "OTHER: %d", 3);
    assert_int_equal(env_problem_count(env), 6);
    assert_string_equal(env_problem_at(env, 0), "INT: \"12x\" is not a whole number from 0 to 10");
    assert_string_equal(env_problem_at(env, 4), "COLOUR: \"blue\" is none of red, green");
    assert_string_equal(env_problem_at(env, 5), "OTHER: 3");
    env_destroy(env);
}

static void secrets_are_masked_when_printed(void **state)
{
    struct env *env = load(nothing, "KEY=geheim\nURL=redis://me:geheim@host:1/2\nPLAIN=redis://host\n");
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    (void)env_secret(env, "KEY", NULL);
    (void)env_secret(env, "NO_KEY", NULL);
    (void)env_url(env, "URL", NULL);
    (void)env_url(env, "PLAIN", NULL);
    (void)env_int(env, "N", 3, 0, 10);
    env_print(env, file);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "KEY=****\nNO_KEY=\nURL=redis://me:****@host:1/2\nPLAIN=redis://host\nN=3\n");
    free(text);
    env_destroy(env);
}

static void a_copy_has_the_variables_and_none_of_the_readings(void **state)
{
    char one[] = "A=1";
    char two[] = "B=two";
    char *const environment[] = {one, two, NULL};
    struct env *env;
    struct env *copy;
    struct err err;
    char *text = NULL;
    size_t size;
    FILE *file;

    (void)state;
    assert_int_equal(env_create(&env, environment, NULL, false, &err), ERR_OK);
    (void)env_int(env, "B", 0, 0, 9);
    assert_int_equal(env_problem_count(env), 1);
    assert_int_equal(env_dup(&copy, env, &err), ERR_OK);
    env_destroy(env);
    assert_int_equal(env_problem_count(copy), 0);
    assert_string_equal(env_text(copy, "A", ""), "1");
    file = open_memstream(&text, &size);
    assert_non_null(file);
    env_print_prefixed(copy, "> ", file);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "> A=1\n");
    free(text);
    env_destroy(copy);
}

static void an_override_wins_over_all(void **state)
{
    char one[] = "A=1";
    char *const environment[] = {one, NULL};
    struct env *env = load(environment, "A=2\nB=3\n");
    struct err err;

    (void)state;
    assert_string_equal(env_text(env, "A", ""), "1");
    assert_int_equal(env_override(env, "A", "4", &err), ERR_OK);
    assert_int_equal(env_override(env, "B", "", &err), ERR_OK);
    assert_int_equal(env_override(env, "C", "5", &err), ERR_OK);
    assert_string_equal(env_text(env, "A", ""), "4");
    assert_string_equal(env_text(env, "B", "unset"), "unset");
    assert_string_equal(env_text(env, "C", ""), "5");
    env_destroy(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_wins_over_the_file),
        cmocka_unit_test(values_are_unquoted),
        cmocka_unit_test(a_malformed_line_is_named),
        cmocka_unit_test(a_missing_file_is_an_error_only_when_required),
        cmocka_unit_test(all_problems_are_collected),
        cmocka_unit_test(secrets_are_masked_when_printed),
        cmocka_unit_test(a_copy_has_the_variables_and_none_of_the_readings),
        cmocka_unit_test(an_override_wins_over_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
