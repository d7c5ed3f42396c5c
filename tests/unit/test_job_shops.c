#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "common/job/job_shops.h"

struct file {
    char path[64];
};

static struct file write_file(const char *text)
{
    struct file file = {.path = "/tmp/recfleet-shops-XXXXXX"};
    int fd = mkstemp(file.path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    return file;
}

static enum err_code load(const char *text, const char *fallback, struct job_shops **shops, struct err *err)
{
    struct file file = write_file(text);
    enum err_code rc = job_shops_create(shops, fallback, file.path, err);

    (void)unlink(file.path);
    return rc;
}

static struct env *environment_of(const char *const *variables)
{
    static char *const none[] = {NULL};
    struct env *env;
    struct err err;

    assert_int_equal(env_create(&env, none, NULL, false, &err), ERR_OK);
    for (; variables[0] != NULL; variables += 2)
        assert_int_equal(env_override(env, variables[0], variables[1], &err), ERR_OK);
    return env;
}

static void the_one_shop_is_known_without_a_file(void **state)
{
    struct job_shops *shops;
    struct err err;

    (void)state;
    assert_int_equal(job_shops_create(&shops, "main", NULL, &err), ERR_OK);
    assert_int_equal(job_shops_count(shops), 1);
    assert_true(job_shops_know(shops, "main"));
    assert_false(job_shops_know(shops, "other"));
    assert_false(job_shops_know(shops, ""));
    job_shops_destroy(shops);
}

static void the_members_of_the_file_are_shops_beside_the_default(void **state)
{
    static const char *const names[] = {"alpha", "main", "zoo"};
    struct job_shops *shops;
    struct err err;

    (void)state;
    assert_int_equal(load("{\"zoo\":{},\"alpha\":{\"API_URL\":\"http://x\"}}", "main", &shops, &err), ERR_OK);
    assert_int_equal(job_shops_count(shops), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(job_shops_name(shops, i), names[i]);
        assert_true(job_shops_know(shops, names[i]));
    }
    assert_false(job_shops_know(shops, "alph"));
    job_shops_destroy(shops);
}

static void the_default_may_be_in_the_file_or_be_none(void **state)
{
    struct job_shops *shops;
    struct err err;

    (void)state;
    assert_int_equal(load("{\"main\":{},\"zoo\":{}}", "main", &shops, &err), ERR_OK);
    assert_int_equal(job_shops_count(shops), 2);
    job_shops_destroy(shops);
    assert_int_equal(load("{\"zoo\":{}}", "", &shops, &err), ERR_OK);
    assert_int_equal(job_shops_count(shops), 1);
    assert_false(job_shops_know(shops, ""));
    job_shops_destroy(shops);
    assert_int_equal(load("{}", "", &shops, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "it has no shops"));
}

static void what_is_wrong_is_named_with_file_shop_and_member(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"[]", "not a JSON object of shops"},
        {"{", "line 1"},
        {"{\"a b\":{}}", "\"a b\" cannot name a shop"},
        {"{\"\":{}}", "\"\" cannot name a shop"},
        {"{\"a{b}\":{}}", "\"a{b}\" cannot name a shop"},
        {"{\"toys\":1}", "toys is not a JSON object of settings"},
        {"{\"toys\":{\"API_URLL\":\"x\"}}", "toys: API_URLL is no setting of a shop"},
        {"{\"toys\":{\"QUEUE_NAME\":\"x\"}}", "toys: QUEUE_NAME is no setting of a shop"},
        {"{\"toys\":{\"API_NAMESPACE\":\"x\"}}", "toys: API_NAMESPACE is no setting of a shop"},
        {"{\"toys\":{\"ALS_FACTORS\":[]}}", "toys: ALS_FACTORS is not a text, a number, true or false"},
        {"{\"toys\":{\"API_URL\":null}}", "toys: API_URL is not a text"},
        {"{\"toys\":{\"API_URL\":\"a\\u0000b\"}}", ""},
        {"{\"toys\":{},\"toys\":{}}", "toys"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct job_shops *shops;
        struct err err = {0};

        assert_int_equal(load(cases[i].text, "main", &shops, &err), ERR_CONFIG);
        assert_null(shops);
        assert_non_null(strstr(err.message, "NAMESPACES_FILE: /tmp/recfleet-shops-"));
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", cases[i].message, err.message);
    }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    struct job_shops *shops;
    struct err err = {0};

    (void)state;
    assert_int_equal(job_shops_create(&shops, "main", "/nonexistent/shops.json", &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "/nonexistent/shops.json: open: No such file"));
}

static void all_problems_are_told_at_once_at_the_start(void **state)
{
    static const char *const parts[] = {"toys: API_URLL is", "toys: ALS_FACTORS is", "\"a b\" cannot", "zoo is not"};
    static const char *const none[] = {NULL};
    struct env *env = environment_of(none);
    struct file file =
        write_file("{\"toys\":{\"API_URLL\":\"x\",\"ALS_ALPHA\":2,\"ALS_FACTORS\":{}},\"a b\":{},\"zoo\":[]}");
    struct job_shops *shops;

    (void)state;
    job_shops_open(&shops, "main", file.path, env);
    (void)unlink(file.path);
    assert_null(shops);
    assert_int_equal(env_problem_count(env), 4);
    for (size_t i = 0; i < 4; i++)
        assert_non_null(strstr(env_problem_at(env, i), parts[i]));
    env_destroy(env);
}

static void a_shops_members_win_over_the_environment(void **state)
{
    static const char *const variables[] = {"API_URL", "http://all",    "BEARER_TOKEN", "all", "ALS_FACTORS",
                                            "64",      "API_NAMESPACE", "main",         NULL};
    struct env *env = environment_of(variables);
    struct job_shops *shops;
    struct err err;

    (void)state;
    assert_int_equal(load("{\"toys\":{\"API_URL\":\"http://toys\",\"BEARER_TOKEN\":\"\",\"ALS_ALPHA\":2.5,"
                          "\"ALS_ITERATIONS\":7,\"OUTLIER_REGULAR_GAPS\":true}}",
                          "main", &shops, &err),
                     ERR_OK);
    assert_int_equal(job_shops_apply(shops, "toys", env, &err), ERR_OK);
    assert_string_equal(env_text(env, "API_URL", NULL), "http://toys");
    assert_null(env_text(env, "BEARER_TOKEN", NULL)); /* as an empty one is in the environment */
    assert_string_equal(env_text(env, "API_NAMESPACE", NULL), "toys");
    assert_int_equal(env_int(env, "ALS_FACTORS", 0, 0, 100), 64);
    assert_int_equal(env_int(env, "ALS_ITERATIONS", 0, 0, 100), 7);
    assert_true(env_double(env, "ALS_ALPHA", 0, 0, 100) == 2.5);
    assert_true(env_bool(env, "OUTLIER_REGULAR_GAPS", false));
    assert_int_equal(job_shops_apply(shops, "books", env, &err), ERR_NOT_FOUND);
    assert_int_equal(env_problem_count(env), 0);
    job_shops_destroy(shops);
    env_destroy(env);
}

static void secrets_are_masked_when_shops_are_shown(void **state)
{
    struct job_shops *shops;
    struct err err;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    assert_non_null(file);
    assert_int_equal(load("{\"toys\":{\"BEARER_TOKEN\":\"hush\",\"ALS_FACTORS\":16},"
                          "\"books\":{\"HOMEPAGE_REDIS_URL\":\"redis://u:hidden@h:1/4\"}}",
                          "main", &shops, &err),
                     ERR_OK);
    assert_int_equal(job_shops_print(shops, file, &err), ERR_OK);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "# shop books: HOMEPAGE_REDIS_URL=redis://u:****@h:1/4\n"
                              "# shop toys: BEARER_TOKEN=****\n"
                              "# shop toys: ALS_FACTORS=16\n");
    free(text);
    job_shops_destroy(shops);
}

static void more_shops_than_are_allowed_are_refused(void **state)
{
    struct str text = {0};
    struct job_shops *shops;
    struct err err = {0};

    (void)state;
    str_append_char(&text, '{');
    for (int i = 0; i <= JOB_SHOPS_MAX; i++)
        str_append_format(&text, "%s\"shop-%d\":{}", i > 0 ? "," : "", i);
    str_append_char(&text, '}');
    assert_false(text.failed);
    assert_int_equal(load(text.text, "", &shops, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "more than 10000 shops"));
    str_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_shop_is_known_without_a_file),
        cmocka_unit_test(the_members_of_the_file_are_shops_beside_the_default),
        cmocka_unit_test(the_default_may_be_in_the_file_or_be_none),
        cmocka_unit_test(what_is_wrong_is_named_with_file_shop_and_member),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(all_problems_are_told_at_once_at_the_start),
        cmocka_unit_test(a_shops_members_win_over_the_environment),
        cmocka_unit_test(secrets_are_masked_when_shops_are_shown),
        cmocka_unit_test(more_shops_than_are_allowed_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
