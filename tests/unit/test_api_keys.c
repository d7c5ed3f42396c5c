#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/api_keys.h"

/* printf %s secret | sha256sum */
#define SECRET_SHA256 "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

static void write_file(char *path, const char *text)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static enum err_code load(const char *text, const char *key, struct api_keys **keys, struct err *err)
{
    char path[] = "/tmp/recfleet-keys-XXXXXX";
    enum err_code rc;

    write_file(path, text);
    rc = api_keys_create(keys, key, path, err);
    (void)unlink(path);
    return rc;
}

static void the_one_key_may_do_everything(void **state)
{
    struct api_keys *keys;
    unsigned scopes;
    struct err err;

    (void)state;
    assert_int_equal(api_keys_create(&keys, "secret", NULL, &err), ERR_OK);
    assert_string_equal(api_keys_find(keys, "secret", &scopes), "default");
    assert_int_equal(scopes, API_SCOPE_ALL);
    assert_null(api_keys_find(keys, "Secret", &scopes));
    assert_int_equal(scopes, API_SCOPE_NONE);
    assert_null(api_keys_find(keys, "secret ", &scopes));
    assert_null(api_keys_find(keys, "", &scopes));
    api_keys_destroy(keys);
}

/* Some of these share their hash's first byte or two with the key's. */
static void no_other_text_passes(void **state)
{
    struct api_keys *keys;
    unsigned scopes;
    struct err err;

    (void)state;
    assert_int_equal(api_keys_create(&keys, "secret", NULL, &err), ERR_OK);
    for (int i = 0; i < 200000; i++) {
        char text[16];

        (void)snprintf(text, sizeof text, "k%d", i);
        assert_null(api_keys_find(keys, text, &scopes));
    }
    api_keys_destroy(keys);
}

static void keys_of_a_file_have_their_names_and_scopes(void **state)
{
    struct api_keys *keys;
    unsigned scopes;
    struct err err;

    (void)state;
    assert_int_equal(load("[{\"name\":\"cron\",\"sha256\":\"" SECRET_SHA256 "\",\"scopes\":[\"submit\",\"read\"]}]",
                          "other", &keys, &err),
                     ERR_OK);
    assert_int_equal(api_keys_count(keys), 2);
    assert_string_equal(api_keys_find(keys, "secret", &scopes), "cron");
    assert_int_equal(scopes, API_SCOPE_SUBMIT | API_SCOPE_READ);
    assert_string_equal(api_keys_find(keys, "other", &scopes), "default");
    api_keys_destroy(keys);
}

static void a_wrong_file_is_refused_with_what_is_wrong(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{}", "list of keys"},
        {"[", "line 1"},
        {"[{\"sha256\":\"" SECRET_SHA256 "\",\"scopes\":[\"read\"]}]", "key 1: \"name\""},
        {"[{\"name\":\"a\",\"sha256\":\"zz\",\"scopes\":[\"read\"]}]", "key \"a\": \"sha256\""},
        {"[{\"name\":\"a\",\"sha256\":\"" SECRET_SHA256 "\",\"scopes\":[\"write\"]}]", "key \"a\": \"scopes\""},
        {"[{\"name\":\"a\",\"sha256\":\"" SECRET_SHA256 "\",\"scopes\":[]}]", "key \"a\": \"scopes\""},
        {"[{\"name\":\"a\",\"sha256\":\"" SECRET_SHA256 "\"}]", "key \"a\": \"scopes\""},
        {"[{\"name\":\"a\",\"sha256\":\"" SECRET_SHA256 "\",\"scopes\":[\"read\"]},"
         "{\"name\":\"a\",\"sha256\":\"" SECRET_SHA256 "\",\"scopes\":[\"read\"]}]",
         "twice"},
        {"[]", "no key"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct api_keys *keys;
        struct err err = {0};

        assert_int_not_equal(load(cases[i].text, NULL, &keys, &err), ERR_OK);
        assert_null(keys);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].message);
    }
}

static void without_any_key_nothing_starts(void **state)
{
    struct api_keys *keys;
    struct err err;

    (void)state;
    assert_int_equal(api_keys_create(&keys, NULL, NULL, &err), ERR_CONFIG);
    assert_int_equal(api_keys_create(&keys, NULL, "/nonexistent/keys.json", &err), ERR_IO);
    assert_non_null(strstr(err.message, "/nonexistent/keys.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_key_may_do_everything),
        cmocka_unit_test(no_other_text_passes),
        cmocka_unit_test(keys_of_a_file_have_their_names_and_scopes),
        cmocka_unit_test(a_wrong_file_is_refused_with_what_is_wrong),
        cmocka_unit_test(without_any_key_nothing_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
