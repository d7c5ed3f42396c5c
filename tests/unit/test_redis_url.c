#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/redis_url.h"

static void every_form_is_read(void **state)
{
    static const struct {
        const char *text;
        struct redis_url url;
    } cases[] = {
        {"redis://h", {.host = "h", .port = 6379}},
        {"redis://h/", {.host = "h", .port = 6379}},
        {"redis://h:7000", {.host = "h", .port = 7000}},
        {"redis://h:7000/3", {.host = "h", .port = 7000, .db = 3}},
        {"redis://h/15", {.host = "h", .port = 6379, .db = 15}},
        {"redis://:pw@h", {.host = "h", .port = 6379, .password = "pw"}},
        {"redis://u:pw@h:1/2", {.host = "h", .port = 1, .db = 2, .user = "u", .password = "pw"}},
        {"redis://u@h", {.host = "h", .port = 6379, .user = "u"}},
        {"redis://u:p%40%2f%3A%25@h", {.host = "h", .port = 6379, .user = "u", .password = "p@/:%"}},
        {"redis://u:p@ss/w:d@h:65535", {.host = "h", .port = 65535, .user = "u", .password = "p@ss/w:d"}},
        {"redis://u:%41@h", {.host = "h", .port = 6379, .user = "u", .password = "A"}},
        {"redis://[::1]", {.host = "::1", .port = 6379}},
        {"redis://[fe80::1]:7000/1", {.host = "fe80::1", .port = 7000, .db = 1}},
        {"rediss://cache.example.com:6380", {.host = "cache.example.com", .port = 6380, .tls = true}},
        {"unix:///run/redis.sock", {.path = "/run/redis.sock", .port = 6379}},
        {"unix:///run/redis.sock?db=4", {.path = "/run/redis.sock", .port = 6379, .db = 4}},
        {"unix://u:pw@/run/redis.sock", {.path = "/run/redis.sock", .port = 6379, .user = "u", .password = "pw"}},
        {"unix:///run/re@dis.sock", {.path = "/run/re@dis.sock", .port = 6379}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct redis_url *wanted = &cases[i].url;
        struct redis_url url;
        struct err err = {0};

        if (redis_url_parse(&url, cases[i].text, &err) != ERR_OK)
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_string_equal(url.host, wanted->host);
        assert_string_equal(url.path, wanted->path);
        assert_string_equal(url.user, wanted->user);
        assert_string_equal(url.password, wanted->password);
        assert_int_equal(url.port, wanted->port);
        assert_int_equal(url.db, wanted->db);
        assert_int_equal(url.tls, wanted->tls);
    }
}

static void what_is_wrong_is_refused_and_never_shows_the_password(void **state)
{
    static const char *const cases[] = {
        "",
        "hunter2",
        "http://hunter2@h",
        "redis:hunter2",
        "redis://",
        "redis://:hunter2@",
        "redis://u:hunter2@:6379",
        "redis://u:hunter2@h:0",
        "redis://u:hunter2@h:65536",
        "redis://u:hunter2@h:port",
        "redis://u:hunter2@h:1234567890",
        "redis://u:hunter2@h:",
        "redis://u:hunter2@h/-1",
        "redis://u:hunter2@h/x",
        "redis://u:hunter2@h/99999999999999999999",
        "redis://u:hunter2@[::1",
        "redis://u:hunter2@[::1]x",
        "redis://u:hunter2@[]",
        "redis://u:hunter2%4@h",
        "redis://u:hunter2%@h",
        "redis://u:hunter2%zz@h",
        "redis://u:hunter2%00@h",
        "redis://u:hunter2", /* the host was forgotten */
        "redis://:hunter2",
        "redis://h/hunter2",
        "unix://relative",
        "unix://u:hunter2@relative",
        "unix://u:hunter2@/path?x=hunter2",
        "unix://u:hunter2@/path?db=hunter2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url url;
        struct err err = {0};

        if (redis_url_parse(&url, cases[i], &err) != ERR_CONFIG)
            fail_msg("\"%s\" was taken", cases[i]);
        assert_true(err.message[0] != '\0');
        if (strstr(err.message, "hunter2") != NULL)
            fail_msg("\"%s\" is shown: %s", cases[i], err.message);
    }
}

static void parts_that_are_too_long_are_refused(void **state)
{
    char part[REDIS_URL_TEXT_BYTES + 1];
    char text[2 * REDIS_URL_TEXT_BYTES];
    struct redis_url url;
    static const char *const forms[] = {"redis://%s", "redis://%s@h", "redis://:%s@h", "unix:///%s"};

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *mark = strstr(forms[i], "%s");

        for (size_t length = sizeof url.host - 2; length <= sizeof url.host; length++) {
            bool fits = length + (i == 3) < sizeof url.host;

            memset(part, 'x', length);
            part[length] = '\0';
            (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - forms[i]), forms[i], part, mark + 2);
            assert_int_equal(redis_url_parse(&url, text, NULL), fits ? ERR_OK : ERR_CONFIG);
        }
    }
}

static struct redis_url parsed(const char *text)
{
    struct redis_url url;

    assert_int_equal(redis_url_parse(&url, text, NULL), ERR_OK);
    return url;
}

static void the_same_database_is_told_by_place_not_by_credentials(void **state)
{
    struct redis_url a = parsed("redis://u:pw@h:6379/1");
    struct redis_url b = parsed("redis://h/1");
    struct redis_url other_db = parsed("redis://h/2");
    struct redis_url other_port = parsed("redis://h:6380/1");
    struct redis_url socket_a = parsed("unix:///s?db=1");
    struct redis_url socket_b = parsed("unix:///t?db=1");

    (void)state;
    assert_true(redis_url_same_database(&a, &b));
    assert_false(redis_url_same_database(&a, &other_db));
    assert_false(redis_url_same_database(&a, &other_port));
    assert_false(redis_url_same_database(&a, &socket_a));
    assert_false(redis_url_same_database(&socket_a, &socket_b));
    assert_true(redis_url_same_database(&socket_a, &socket_a));
}

static void a_description_has_no_credentials(void **state)
{
    struct redis_url url = parsed("redis://user:hunter2@h:7000/1");
    char text[64];

    (void)state;
    redis_url_describe(&url, text, (int)sizeof text);
    assert_string_equal(text, "h:7000/1");
    url = parsed("unix://user:hunter2@/run/s?db=2");
    redis_url_describe(&url, text, (int)sizeof text);
    assert_string_equal(text, "/run/s/2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(what_is_wrong_is_refused_and_never_shows_the_password),
        cmocka_unit_test(parts_that_are_too_long_are_refused),
        cmocka_unit_test(the_same_database_is_told_by_place_not_by_credentials),
        cmocka_unit_test(a_description_has_no_credentials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
