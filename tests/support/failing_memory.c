#include "tests/support/failing_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { MOST = 5000 };

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker makes these names */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t length);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
/* NOLINTEND(bugprone-reserved-identifier) */

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

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
    return fails() ? NULL : __real_strndup(text, length);
}

void failing_memory_set(size_t n)
{
    fails_in = n;
    if (n > 0)
        has_failed = false;
}

bool failing_memory_has_failed(void)
{
    return has_failed;
}

void failing_memory_try(failing_memory_fn attempt, void *context)
{
    enum err_code rc;
    size_t n = 0;

    do {
        struct err err = {0};

        assert_true(++n < MOST);
        failing_memory_set(n);
        rc = attempt(context, &err);
        failing_memory_set(0);
        assert_true(rc == ERR_OK || rc == ERR_NO_MEMORY);
        assert_true(has_failed || rc == ERR_OK);
    } while (has_failed);
    assert_true(n > 1); /* else nothing was tried */
}
