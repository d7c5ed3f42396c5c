#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/env.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "worker/als/als.h"
#include "worker/arguments.h"
#include "worker/child.h"
#include "worker/fleet.h"
#include "worker/once.h"
#include "worker/supervisor.h"

enum { EXIT_USAGE = 64, EXIT_WORKER = 70 }; /* EX_USAGE, EX_SOFTWARE of sysexits.h */

/* .env beside the program; malloc'd, NULL where that cannot be told. */
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

static int report_problems(const struct env *env)
{
    for (size_t i = 0; i < env_problem_count(env); i++)
        (void)fprintf(stderr, "recfleet-worker: %s\n", env_problem_at(env, i));
    return ENV_EXIT_CONFIG;
}

static int report_failure(const struct err *err)
{
    log_err("worker.failed", err);
    return err->code == ERR_CONFIG ? ENV_EXIT_CONFIG : EXIT_WORKER;
}

static int supervise(struct fleet *fleet, const struct env *env, const char *env_file)
{
    const struct worker_settings *settings = fleet_settings(fleet);
    struct err err;

    fleet_check_targets(fleet);
    if (env_problem_count(env) > 0)
        return report_problems(env);
    if (supervisor_run(&settings->job, &settings->metrics, env_file, &err) == ERR_OK)
        return EXIT_SUCCESS;
    return report_failure(&err);
}

/* What is done with the settings of all shops, or --once with those of the one it is for. */
static int run_checked(struct fleet *fleet, struct env *env, const struct arguments *arguments)
{
    const char *only = arguments->mode == ARGUMENTS_ONCE ? once_shop(arguments) : NULL;
    struct err err;

    if (fleet_check(fleet, only, &err) != ERR_OK ||
        (arguments->mode == ARGUMENTS_PRINT_CONFIG && fleet_print(fleet, stdout, &err) != ERR_OK))
        return report_failure(&err);
    if (env_problem_count(env) > 0)
        return report_problems(env);
    switch (arguments->mode) {
    case ARGUMENTS_ONCE:
        return once_run(fleet, arguments);
    case ARGUMENTS_SUPERVISE:
        return supervise(fleet, env, arguments->env_file);
    default:
        return EXIT_SUCCESS;
    }
}

static int run(struct env *env, const struct arguments *arguments)
{
    struct fleet *fleet = NULL;
    struct err err;
    int status;

    if (arguments->mode == ARGUMENTS_RUN_JOB)
        return child_run(env);
    if (fleet_create(&fleet, env, &err) != ERR_OK)
        return report_failure(&err);
    status = run_checked(fleet, env, arguments);
    fleet_destroy(fleet);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct env *env = NULL;
    char *fallback = NULL;
    const char *path;
    struct err err;
    int status;

    if (arguments_parse(&arguments, argc, argv, &err) != ERR_OK) {
        (void)fprintf(stderr, "recfleet-worker: %s; try --help\n", err.message);
        return EXIT_USAGE;
    }
    if (arguments.mode == ARGUMENTS_HELP || arguments.mode == ARGUMENTS_VERSION)
        return printf("%s", arguments.mode == ARGUMENTS_HELP ? arguments_help()
                                                             : "recfleet-worker " RECFLEET_VERSION "\n") > 0
                   ? EXIT_SUCCESS
                   : EXIT_WORKER;
    /* for the runs: libmongoc would leave a file of shared memory behind each one that is killed */
    (void)setenv("MONGOC_DISABLE_SHM", "1", 0);
    (void)signal(SIGPIPE, SIG_IGN); /* a server or process that left shows as a failed write */
    if (arguments.mode == ARGUMENTS_RUN_JOB || arguments.mode == ARGUMENTS_ONCE)
        als_choose_blas_kernels(argv);
    fallback = arguments.env_file == NULL ? default_env_path() : NULL;
    path = arguments.env_file != NULL ? arguments.env_file : fallback;
    if (env_create(&env, environ, path, arguments.env_file != NULL, &err) == ERR_OK) {
        status = run(env, &arguments);
    } else {
        (void)fprintf(stderr, "recfleet-worker: %s\n", err.message);
        status = ENV_EXIT_CONFIG;
    }
    env_destroy(env);
    free(fallback);
    return status;
}
