/*
 * What the base, JSON, jobs and the store do when memory runs out: the n-th allocation fails, for n = 1, 2, … until the
 * call succeeds; jansson's allocations too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/base/arena.h"
#include "common/base/env.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_new.h"
#include "common/job/job_params.h"
#include "common/job/job_store.h"
#include "tests/support/failing_memory.h"

/* jansson takes a text that it has no memory for for an invalid token. */
static enum err_code known(enum err_code rc)
{
    return rc == ERR_FORMAT && failing_memory_has_failed() ? ERR_NO_MEMORY : rc;
}

/* Calls until nothing fails any more. A call that met a failure says so, unless there was another way. */
static void fail_each_allocation(enum err_code (*call)(void *context), void *context, size_t at_least)
{
    size_t failures = 0;
    size_t n = 0;

    do {
        enum err_code rc;

        assert_true(++n < 10000);
        failing_memory_set(n);
        rc = call(context);
        failing_memory_set(0);
        if (rc != ERR_OK && (rc != ERR_NO_MEMORY || !failing_memory_has_failed()))
            fail_msg("allocation %zu: %s", n, err_code_name(rc));
        failures += rc == ERR_NO_MEMORY;
    } while (failing_memory_has_failed());
    if (failures < at_least)
        fail_msg("%zu failures, not %zu", failures, at_least);
}

static enum err_code make_env(void *path)
{
    static char variable[] = "NAME=value";
    static char *const environment[] = {variable, NULL};
    struct env *env = NULL;
    enum err_code rc = env_create(&env, environment, path, true, NULL);

    assert_true((env != NULL) == (rc == ERR_OK));
    env_destroy(env);
    return rc;
}

static void settings_are_whole_or_refused(void **state)
{
    char path[] = "/tmp/recfleet-memory-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "A=1\nB=\"two\"\n", 12), 12);
    (void)close(fd);
    fail_each_allocation(make_env, path, 8);
    (void)unlink(path);
}

static void a_setting_is_read_though_it_cannot_be_remembered(void **state)
{
    char variable[] = "NAME=7";
    char *const environment[] = {variable, NULL};
    struct env *env = NULL;

    (void)state;
    assert_int_equal(env_create(&env, environment, NULL, false, NULL), ERR_OK);
    for (size_t n = 1; n < 5; n++) {
        failing_memory_set(n);
        assert_int_equal(env_int(env, "NAME", 1, 0, 9), 7);
        failing_memory_set(n);
        env_problem(env, "a problem");
        failing_memory_set(0);
    }
    env_destroy(env);
}

static enum err_code use_arena(void *unused)
{
    struct arena *arena = arena_create(100000);
    enum err_code rc = ERR_NO_MEMORY;

    (void)unused;
    if (arena != NULL && arena_alloc(arena, 100) != NULL && arena_alloc(arena, 9000) != NULL &&
        arena_dup(arena, "text", 4) != NULL)
        rc = ERR_OK;
    arena_destroy(arena);
    return rc;
}

static enum err_code use_text(void *unused)
{
    struct str str = {0};
    char *formatted = str_format("%d", 7);
    char *taken;
    bool ok;

    (void)unused;
    for (int i = 0; i < 50; i++)
        str_append_format(&str, "%d and ", i);
    str_append_json(&str, "\xff\"", 2);
    taken = str_take(&str);
    ok = formatted != NULL && taken != NULL;
    free(taken);
    free(formatted);
    return ok ? ERR_OK : ERR_NO_MEMORY;
}

static enum err_code use_memory(void *unused)
{
    int *array = NULL;
    size_t capacity = 0;
    void *zeroed = mem_zeroed(3, 4);
    void *aligned = mem_aligned(3, 4);
    enum err_code rc = zeroed != NULL && aligned != NULL ? ERR_OK : ERR_NO_MEMORY;

    (void)unused;
    for (int i = 0; rc == ERR_OK && i < 40; i++) {
        rc = mem_grow(&array, &capacity, (size_t)i + 1, sizeof *array, NULL);
        if (rc == ERR_OK)
            array[i] = i;
        else
            assert_true(i == 0 || array[i - 1] == i - 1); /* the old array stays */
    }
    free(array);
    free(aligned);
    free(zeroed);
    return rc;
}

static void the_base_says_so(void **state)
{
    (void)state;
    fail_each_allocation(use_arena, NULL, 3);
    fail_each_allocation(use_text, NULL, 5);
    fail_each_allocation(use_memory, NULL, 4);
}

static enum err_code parse_and_print(void *unused)
{
    static const char text[] = "{\"a\":[1,2.5,true,null,{\"b\":\"text\"}],\"c\":\"\\n\"}";
    struct json *value = NULL;
    enum err_code rc = known(json_value_parse(&value, text, strlen(text), NULL));
    struct json *copy = json_value_dup(value);
    struct json *mended = json_value_new_text("\xff");
    char *printed = copy != NULL ? json_value_print(copy, false, 0) : NULL;

    (void)unused;
    assert_true((value != NULL) == (rc == ERR_OK));
    assert_true(printed == NULL || strcmp(printed, text) == 0); /* never a part of it */
    if (rc == ERR_OK && (copy == NULL || mended == NULL || printed == NULL || !json_value_merge(copy, value)))
        rc = ERR_NO_MEMORY;
    free(printed);
    json_value_destroy(mended);
    json_value_destroy(copy);
    json_value_destroy(value);
    return rc;
}

static const char job_id[] = "01J0000000000000000000000A";

static struct json *make_document(void)
{
    const struct job_request request = {.id = job_id,
                                        .type = JOB_CROSS_SELL,
                                        .shop = "s",
                                        .queue = "q",
                                        .requested_by = "k",
                                        .run_at_ms = 1,
                                        .fingerprint = "f"};

    return job_document_create(&request, 1767225600000);
}

static enum err_code make_view(void *unused)
{
    struct json *document = make_document();
    struct json *view = document != NULL ? job_document_view(document) : NULL;
    enum err_code rc = view != NULL ? ERR_OK : ERR_NO_MEMORY;

    (void)unused;
    json_value_destroy(view);
    json_value_destroy(document);
    return rc;
}

static enum err_code set_params(void *unused)
{
    struct json *params = json_value_new_object();
    enum job_type type = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS;
    enum err_code rc = params != NULL ? ERR_OK : ERR_NO_MEMORY;

    (void)unused;
    if (rc == ERR_OK)
        rc = job_params_set_text(params, type, "factors", "64", NULL);
    if (rc == ERR_OK)
        rc = job_params_set_text(params, type, "alpha", "1.5", NULL);
    if (rc == ERR_OK)
        rc = job_params_set_text(params, type, "solver", "cg", NULL);
    json_value_destroy(params);
    return rc;
}

/* Its document, view and arguments, one behind the other. */
static enum err_code print_new_job(void *params)
{
    const struct job_request request = {.id = job_id,
                                        .type = JOB_CROSS_SELL,
                                        .shop = "shop",
                                        .queue = "train",
                                        .params = params,
                                        .requested_by = "key",
                                        .fingerprint = "f"};
    struct str text = {0};
    struct job_new job;
    enum err_code rc;

    if (!job_new_init(&job, &request, 1))
        return ERR_NO_MEMORY;
    job_new_print_document(&text, &job);
    job_new_print_view(&text, &job, JOB_QUEUED);
    job_new_print_args(&text, &job);
    rc = text.failed ? ERR_NO_MEMORY : ERR_OK;
    if (rc == ERR_OK)
        assert_non_null(strstr(text.text, "{\"params\":{\"namespace\":\"shop\"},\"namespace\":\"shop\"}"));
    str_fini(&text);
    job_new_fini(&job);
    return rc;
}

static void documents_and_parameters_are_whole_or_refused(void **state)
{
    struct json *params = json_value_new_object();

    (void)state;
    assert_true(json_value_set_text(params, "namespace", "shop"));
    fail_each_allocation(print_new_job, params, 4);
    json_value_destroy(params);
    fail_each_allocation(parse_and_print, NULL, 20);
    fail_each_allocation(make_view, NULL, 50);
    fail_each_allocation(set_params, NULL, 5);
}

struct store_call {
    struct job_store *store;
    struct json *document;
    struct json *changes;
};

static enum err_code update_job(void *context)
{
    struct store_call *call = context;
    bool applied = false;
    enum err_code rc = job_store_update(call->store, job_id, 1, call->changes, &applied, NULL);

    assert_true(applied == (rc == ERR_OK));
    return known(rc);
}

static enum err_code update_jobs(void *context)
{
    struct store_call *call = context;
    const struct job_store_change batch[] = {{.id = job_id, .fence = 1, .changes = call->changes},
                                             {.id = "nobody", .fence = 1, .changes = call->changes}};

    return known(job_store_update_many(call->store, batch, 2, NULL));
}

static enum err_code put_report(void *context)
{
    struct store_call *call = context;
    bool applied = false;
    enum err_code rc = job_store_put_report(call->store, job_id, 1, call->changes, &applied, NULL);

    assert_true(applied == (rc == ERR_OK));
    return rc;
}

static enum err_code read_back(void *context)
{
    struct store_call *call = context;
    struct json *document = NULL;
    struct json *list = NULL;
    enum err_code rc = job_store_get(call->store, job_id, &document, NULL);

    assert_true((document != NULL) == (rc == ERR_OK));
    if (rc == ERR_OK)
        rc = job_store_find(call->store, &(struct job_store_filter){.limit = 5}, &list, NULL);
    json_value_destroy(list);
    json_value_destroy(document);
    return known(rc);
}

static enum err_code insert_job(void *context)
{
    struct store_call *call = context;
    enum err_code rc = job_store_insert(call->store, call->document, NULL);

    if (rc == ERR_OK && failing_memory_has_failed()) /* for the next one */
        assert_int_equal(job_store_delete_accepted(call->store, job_id, NULL), ERR_OK);
    return rc;
}

static enum err_code open_and_close(void *url)
{
    struct job_store *store = NULL;
    enum err_code rc = job_store_open(&store, url, 90, NULL);

    assert_true((store != NULL) == (rc == ERR_OK));
    job_store_close(store);
    return rc;
}

/* The document is what was to be inserted. (Not so after updates: jansson's reader drops bytes when memory is short.)
 */
static void assert_stored(const struct store_call *call)
{
    struct json *stored = NULL;
    char *expected;
    char *found;

    assert_int_equal(job_store_get(call->store, job_id, &stored, NULL), ERR_OK);
    expected = json_value_print(call->document, true, 0);
    found = json_value_print(stored, true, 0);
    assert_string_equal(found, expected);
    free(found);
    free(expected);
    json_value_destroy(stored);
}

static void the_store_keeps_what_it_had(void **state)
{
    static char url[] = "sqlite::memory:";
    struct store_call call = {.document = make_document(), .changes = json_value_new_object()};

    (void)state;
    assert_true(json_value_set_text(call.changes, "started_at", "2026-01-01T00:00:00Z"));
    assert_int_equal(job_store_open(&call.store, url, 90, NULL), ERR_OK);
    fail_each_allocation(open_and_close, url, 2);
    assert_true(json_value_set_text(call.document, "created_at", "2026-01-01T00:00:00Z"));
    fail_each_allocation(insert_job, &call, 20);
    assert_int_equal(job_store_delete_accepted(call.store, job_id, NULL), ERR_OK);
    json_value_destroy(call.document);
    call.document = make_document();
    fail_each_allocation(insert_job, &call, 2);
    assert_stored(&call);
    fail_each_allocation(update_job, &call, 20);
    fail_each_allocation(update_jobs, &call, 20);
    fail_each_allocation(put_report, &call, 5);
    fail_each_allocation(read_back, &call, 20);
    job_store_close(call.store);
    json_value_destroy(call.changes);
    json_value_destroy(call.document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_whole_or_refused),
        cmocka_unit_test(a_setting_is_read_though_it_cannot_be_remembered),
        cmocka_unit_test(the_base_says_so),
        cmocka_unit_test(documents_and_parameters_are_whole_or_refused),
        cmocka_unit_test(the_store_keeps_what_it_had),
    };

    json_set_alloc_funcs(malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
