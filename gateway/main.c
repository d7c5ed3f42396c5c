#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/env.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/job/job_shops.h"
#include "gateway/api_keys.h"
#include "gateway/server.h"
#include "gateway/settings.h"

enum { EXIT_USAGE = 64, EXIT_SERVER = 70 }; /* EX_USAGE, EX_SOFTWARE of sysexits.h */

static const char help[] =
    "usage: recfleet-gateway [--env-file PATH] [--print-config]\n"
    "\n"
    "Serves the HTTP API: takes jobs, hands them to the queue, tells how they go.\n"
    "\n"
    "  --env-file PATH  settings beside the environment (default: .env beside the program)\n"
    "  --print-config   show the settings in effect, secrets masked, and exit\n"
    "  --version        show the version and exit\n"
    "  --help           show this and exit\n"
    "\n"
    "Settings are environment variables: API_KEY or API_KEYS_FILE (one is required), PORT, LISTEN,\n"
    "QUEUE_REDIS_URL, QUEUE_NAME, STORE_URL, …; --print-config lists them all.\n"
    "Exit status: 0 ended by a signal, 64 usage, 70 it failed, 78 a setting is wrong.\n";

/* PATH/.env beside the program; malloc'd, NULL where that cannot be told. */
static char *default_env_path(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash;

    if (length <= 0)
        return NULL;
    path[length] = '\0';
    slash = strrchr(path, '/');
    return slash != NULL ? str_format("%.*s/.env", (int)(slash - path), path) : NULL;
}

/* Reads what the settings name; what is wrong with it is one more problem. */
static void open_files(const struct gateway_settings *settings, struct env *env, struct api_keys **keys,
                       struct job_shops **shops)
{
    struct err err;

    if ((settings->api_key != NULL || settings->api_keys_file != NULL) &&
        api_keys_create(keys, settings->api_key, settings->api_keys_file, &err) != ERR_OK)
        env_problem(env, "API_KEYS_FILE: %s", err.message);
    job_shops_open(shops, settings->job.shop, settings->job.namespaces_file, env);
}

static int report_problems(const struct env *env)
{
    for (size_t i = 0; i < env_problem_count(env); i++)
        (void)fprintf(stderr, "recfleet-gateway: %s\n", env_problem_at(env, i));
    return ENV_EXIT_CONFIG;
}

static int run(struct env *env, enum settings_action action)
{
    struct gateway_settings settings;
    struct api_keys *keys = NULL;
    struct job_shops *shops = NULL;
    struct err err;

    settings_read(&settings, env);
    open_files(&settings, env, &keys, &shops);
    if (action == SETTINGS_PRINT) {
        env_print(env, stdout);
        if (shops != NULL && job_shops_print(shops, stdout, &err) != ERR_OK)
            env_problem(env, "%s", err.message);
    }
    if (env_problem_count(env) > 0 || action == SETTINGS_PRINT) {
        api_keys_destroy(keys);
        job_shops_destroy(shops);
        return env_problem_count(env) > 0 ? report_problems(env) : EXIT_SUCCESS;
    }
    if (server_run(&settings, env, keys, shops, &err) != ERR_OK) {
        log_err("gateway.failed", &err);
        return EXIT_SERVER;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const char *env_file;
    const char *problem;
    char *fallback = NULL;
    struct env *env = NULL;
    struct err err;
    enum settings_action action = settings_parse_arguments(argc, (const char *const *)argv, &env_file, &problem);
    int status;

    if (action == SETTINGS_HELP || action == SETTINGS_VERSION)
        return printf("%s", action == SETTINGS_HELP ? help : "recfleet-gateway " RECFLEET_VERSION "\n") > 0
                   ? EXIT_SUCCESS
                   : EXIT_SERVER;
    if (action == SETTINGS_USAGE) {
        (void)fprintf(stderr, "recfleet-gateway: unknown argument %s; try --help\n", problem);
        return EXIT_USAGE;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a client that left shows as a failed write */
    /* Store calls wait for disks and networks, so more threads than cores help; must be set before the pool starts. */
    (void)setenv("UV_THREADPOOL_SIZE", "8", 0);
    fallback = env_file == NULL ? default_env_path() : NULL;
    if (env_create(&env, environ, env_file != NULL ? env_file : fallback, env_file != NULL, &err) == ERR_OK) {
        status = run(env, action);
    } else {
        (void)fprintf(stderr, "recfleet-gateway: %s\n", err.message);
        status = ENV_EXIT_CONFIG;
    }
    env_destroy(env);
    free(fallback);
    return status;
}
