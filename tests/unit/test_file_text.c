#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/file_text.h"

enum { LARGE = 100000 };

/* A file of `size` times x, read with that limit. */
static enum err_code read_back(size_t size, size_t max_bytes, char **text, size_t *length, struct err *err)
{
    char path[] = "/tmp/recfleet-text-XXXXXX";
    char *bytes = malloc(size + 1);
    int fd = mkstemp(path);
    enum err_code rc;

    assert_true(fd >= 0);
    assert_non_null(bytes);
    memset(bytes, 'x', size);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(close(fd), 0);
    free(bytes);
    rc = file_text_read(text, length, path, max_bytes, err);
    (void)unlink(path);
    return rc;
}

static void a_file_comes_whole_and_terminated(void **state)
{
    static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 4097, 8191, 8192, LARGE};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *text = NULL;
        size_t length = 1;

        assert_int_equal(read_back(sizes[i], LARGE, &text, &length, &err), ERR_OK);
        assert_int_equal(length, sizes[i]);
        assert_int_equal(strlen(text), sizes[i]);
        free(text);
    }
}

static void one_byte_over_the_limit_is_too_large(void **state)
{
    struct err err;
    char *text;
    size_t length;

    (void)state;
    assert_int_equal(read_back(100, 100, &text, &length, &err), ERR_OK);
    free(text);
    assert_int_equal(read_back(101, 100, &text, &length, &err), ERR_TOO_LARGE);
    assert_null(text);
    assert_int_equal(length, 0);
}

static void what_cannot_be_read_says_why(void **state)
{
    struct err err;
    char *text;
    size_t length;

    (void)state;
    assert_int_equal(file_text_read(&text, &length, "/nonexistent/file", 10, &err), ERR_IO);
    assert_string_equal(err.message, "open: No such file or directory");
    assert_int_equal(file_text_read(&text, &length, "/tmp", 10, &err), ERR_IO);
    assert_string_equal(err.message, "read: Is a directory");
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_whole_and_terminated),
        cmocka_unit_test(one_byte_over_the_limit_is_too_large),
        cmocka_unit_test(what_cannot_be_read_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
