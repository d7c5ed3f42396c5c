#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/shops.h"

static enum err_code load(const char *text, struct shops **shops, struct err *err)
{
    char path[] = "/tmp/recfleet-shops-XXXXXX";
    int fd = mkstemp(path);
    enum err_code rc;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
    rc = shops_create(shops, "main", path, err);
    (void)unlink(path);
    return rc;
}

static void the_one_shop_is_known_without_a_file(void **state)
{
    struct shops *shops;
    struct err err;

    (void)state;
    assert_int_equal(shops_create(&shops, "main", NULL, &err), ERR_OK);
    assert_true(shops_know(shops, "main"));
    assert_false(shops_know(shops, "other"));
    shops_destroy(shops);
}

static void the_members_of_the_file_are_shops(void **state)
{
    struct shops *shops;
    struct err err;

    (void)state;
    assert_int_equal(load("{\"zoo\":{},\"alpha\":{\"api_url\":\"x\"}}", &shops, &err), ERR_OK);
    assert_int_equal(shops_count(shops), 3);
    assert_true(shops_know(shops, "zoo"));
    assert_true(shops_know(shops, "alpha"));
    assert_true(shops_know(shops, "main"));
    assert_false(shops_know(shops, "alph"));
    shops_destroy(shops);
}

static void a_wrong_file_is_refused(void **state)
{
    static const char *const texts[] = {"[]", "{", "{\"a b\":{}}", "{\"\":{}}", "{\"a\":1}", "{\"a{b}\":{}}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct shops *shops;
        struct err err = {0};

        assert_int_not_equal(load(texts[i], &shops, &err), ERR_OK);
        assert_null(shops);
        assert_non_null(strstr(err.message, "recfleet-shops"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_shop_is_known_without_a_file),
        cmocka_unit_test(the_members_of_the_file_are_shops),
        cmocka_unit_test(a_wrong_file_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
