/* NAMESPACES_FILE: each shop that is read can be put over an environment and shown. */
#include <stdio.h>
#include <stdlib.h>

#include "common/job/job_shops.h"
#include "tests/fuzz/fuzz_support.h"

static char *const none[] = {NULL};

static void apply(const struct job_shops *shops, const char *name)
{
    struct env *env = NULL;
    struct err err;

    FUZZ_CHECK(job_shops_know(shops, name));
    FUZZ_CHECK(env_create(&env, none, NULL, false, &err) == ERR_OK);
    FUZZ_CHECK(job_shops_apply(shops, name, env, &err) == ERR_OK);
    FUZZ_CHECK(env_is_set(env, "API_NAMESPACE"));
    env_destroy(env);
}

static void print(const struct job_shops *shops)
{
    struct err err;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    FUZZ_CHECK(file != NULL && job_shops_print(shops, file, &err) == ERR_OK && fclose(file) == 0);
    free(text);
}

/* All problems, where one was told. */
static void note(const char *path, bool expected)
{
    struct job_shops *shops = NULL;
    struct env *env = NULL;
    struct err err;

    FUZZ_CHECK(env_create(&env, none, NULL, false, &err) == ERR_OK);
    job_shops_open(&shops, "", path, env);
    FUZZ_CHECK((shops == NULL) == expected && (env_problem_count(env) > 0) == expected);
    job_shops_destroy(shops);
    env_destroy(env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    struct job_shops *shops = NULL;
    struct err err = {0};
    enum err_code rc = job_shops_create(&shops, "", path, &err);

    FUZZ_CHECK(rc == ERR_OK || (shops == NULL && rc == ERR_CONFIG && err.message[0] != '\0'));
    note(path, rc != ERR_OK);
    if (rc != ERR_OK)
        return 0;
    for (size_t i = 0; i < job_shops_count(shops); i++)
        apply(shops, job_shops_name(shops, i));
    print(shops);
    job_shops_destroy(shops);
    return 0;
}
