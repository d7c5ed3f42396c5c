/* A .env file, and all that a worker's settings are read from. */
#include <stdio.h>

#include "tests/fuzz/fuzz_support.h"
#include "worker/settings.h"

static void print(const struct env *env)
{
    static char text[65536];
    static FILE *file;

    if (file == NULL)
        file = fmemopen(text, sizeof text, "w");
    FUZZ_CHECK(file != NULL);
    rewind(file);
    env_print(env, file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *const none[] = {NULL};
    struct worker_settings settings;
    struct env *env = NULL;
    struct env *copy = NULL;
    struct err err = {0};

    if (env_create(&env, none, fuzz_file(data, size), true, &err) != ERR_OK) {
        FUZZ_CHECK(env == NULL && err.message[0] != '\0');
        return 0;
    }
    settings_read(&settings, env);
    FUZZ_CHECK(settings.job.lease_ms > 0 && settings.als.factors > 0 && settings.job.worker_queues.count > 0);
    print(env);
    FUZZ_CHECK(env_dup(&copy, env, &err) == ERR_OK && env_is_set(copy, "API_URL") == env_is_set(env, "API_URL"));
    env_destroy(copy);
    env_destroy(env);
    return 0;
}
