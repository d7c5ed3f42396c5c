#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/settings.h"

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

static void defaults_are_as_documented(void **state)
{
    static const char *const environment[] = {"API_KEY=k", NULL};
    struct env *env = with(environment);
    struct gateway_settings settings;

    (void)state;
    settings_read(&settings, env);
    assert_int_equal(env_problem_count(env), 0);
    assert_string_equal(settings.listen, "0.0.0.0");
    assert_int_equal(settings.port, 8080);
    assert_string_equal(settings.api_key, "k");
    assert_int_equal(settings.legacy_wait_ms, 3600000);
    assert_int_equal(settings.request_timeout_ms, 30000);
    assert_int_equal(settings.idle_timeout_ms, 60000);
    assert_int_equal(settings.max_connections, 4096);
    assert_int_equal(settings.rate_limit_submit, 200);
    assert_int_equal(settings.rate_limit_read, 3600);
    assert_int_equal(settings.trusted_proxies.count, 0);
    assert_string_equal(settings.metrics.host, "127.0.0.1");
    assert_int_equal(settings.metrics.port, 9464);
    assert_false(settings.metrics.given);
    env_destroy(env);
}

static void without_a_key_it_does_not_start(void **state)
{
    static const char *const environment[] = {"PORT=99999", "LISTEN=localhost", NULL};
    struct env *env = with(environment);
    struct gateway_settings settings;

    (void)state;
    settings_read(&settings, env);
    assert_int_equal(env_problem_count(env), 3);
    assert_non_null(strstr(env_problem_at(env, 0), "LISTEN:"));
    assert_non_null(strstr(env_problem_at(env, 1), "PORT:"));
    assert_non_null(strstr(env_problem_at(env, 2), "API_KEY:"));
    env_destroy(env);
}

static void what_is_printed_hides_secrets(void **state)
{
    static const char *const environment[] = {"API_KEY=topsecret", "REDIS_PASSWORD=hidden1",
                                              "QUEUE_REDIS_URL=redis://u:hidden2@h:1",
                                              "STORE_URL=mongodb://u:hidden3@h/db", NULL};
    struct env *env = with(environment);
    struct gateway_settings settings;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    settings_read(&settings, env);
    env_print(env, file);
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, "API_KEY=****\n"));
    assert_non_null(strstr(text, "QUEUE_REDIS_URL=redis://u:****@h:1\n"));
    assert_null(strstr(text, "topsecret"));
    assert_null(strstr(text, "hidden"));
    free(text);
    env_destroy(env);
}

static void limits_and_proxies_are_read(void **state)
{
    static const char *const environment[] = {"API_KEY=k", "RATE_LIMIT_SUBMIT=0", "RATE_LIMIT_READ=7",
                                              "TRUSTED_PROXIES=10.0.0.0/8,::1", NULL};
    static const char *const wrong[] = {"API_KEY=k", "RATE_LIMIT_SUBMIT=-1", "RATE_LIMIT_READ=many",
                                        "TRUSTED_PROXIES=10.0.0.0/8,proxy", NULL};
    struct gateway_settings settings;
    struct env *env = with(environment);

    (void)state;
    settings_read(&settings, env);
    assert_int_equal(env_problem_count(env), 0);
    assert_int_equal(settings.rate_limit_submit, 0);
    assert_int_equal(settings.rate_limit_read, 7);
    assert_int_equal(settings.trusted_proxies.count, 2);
    env_destroy(env);
    env = with(wrong);
    settings_read(&settings, env);
    assert_int_equal(env_problem_count(env), 3);
    assert_non_null(strstr(env_problem_at(env, 2), "TRUSTED_PROXIES: \"proxy\""));
    env_destroy(env);
}

/* The text of --print-config; for free(). */
static char *print_of(struct env *env)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    env_print(env, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void metrics_are_served_where_it_says_or_nowhere(void **state)
{
    static const struct {
        const char *setting;
        const char *host;
        int port;
        bool given;
        const char *printed;
    } cases[] = {
        {"METRICS_LISTEN=0.0.0.0:80", "0.0.0.0", 80, true, "METRICS_LISTEN=0.0.0.0:80\n"},
        {"METRICS_LISTEN=[::1]:9", "::1", 9, true, "METRICS_LISTEN=[::1]:9\n"},
        {"METRICS_LISTEN=off", "", 0, true, "METRICS_LISTEN=off\n"},
        {"METRICS_LISTEN=", "", 0, false, "METRICS_LISTEN=off\n"},
        {"OTHER=x", "127.0.0.1", 9464, false, "METRICS_LISTEN=127.0.0.1:9464\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const environment[] = {"API_KEY=k", cases[i].setting, NULL};
        struct env *env = with(environment);
        struct gateway_settings settings;
        char *text;

        settings_read(&settings, env);
        assert_int_equal(env_problem_count(env), 0);
        assert_string_equal(settings.metrics.host, cases[i].host);
        assert_int_equal(settings.metrics.port, cases[i].port);
        assert_int_equal(settings.metrics.given, cases[i].given);
        text = print_of(env);
        assert_non_null(strstr(text, cases[i].printed));
        free(text);
        env_destroy(env);
    }
}

static enum settings_action parse(const char *first, const char *second, const char **env_file, const char **problem)
{
    const char *const arguments[] = {"recfleet-gateway", first, second, NULL};
    int count = first == NULL ? 1 : second == NULL ? 2 : 3;

    return settings_parse_arguments(count, arguments, env_file, problem);
}

static void the_command_line_is_read(void **state)
{
    const char *env_file;
    const char *problem;

    (void)state;
    assert_int_equal(parse(NULL, NULL, &env_file, &problem), SETTINGS_RUN);
    assert_null(env_file);
    assert_int_equal(parse("--env-file", "x", &env_file, &problem), SETTINGS_RUN);
    assert_string_equal(env_file, "x");
    assert_int_equal(parse("--env-file=y", "--print-config", &env_file, &problem), SETTINGS_PRINT);
    assert_string_equal(env_file, "y");
    assert_int_equal(parse("--help", NULL, &env_file, &problem), SETTINGS_HELP);
    assert_int_equal(parse("--version", NULL, &env_file, &problem), SETTINGS_VERSION);
    assert_int_equal(parse("--env-file", NULL, &env_file, &problem), SETTINGS_USAGE);
    assert_int_equal(parse("serve", NULL, &env_file, &problem), SETTINGS_USAGE);
    assert_string_equal(problem, "serve");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_documented),
        cmocka_unit_test(without_a_key_it_does_not_start),
        cmocka_unit_test(what_is_printed_hides_secrets),
        cmocka_unit_test(limits_and_proxies_are_read),
        cmocka_unit_test(metrics_are_served_where_it_says_or_nowhere),
        cmocka_unit_test(the_command_line_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
