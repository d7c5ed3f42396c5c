#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/env.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cli_commands.h"

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

static enum cli_status show_help(const struct cli_command *command)
{
    struct str text = {0};

    cli_commands_append_help(command, &text);
    return cli_print(&text);
}

static enum cli_status run(const struct cli_arguments *arguments, struct env *env)
{
    struct cli cli = {.arguments = arguments, .style = cli_style_detect()};
    const char *url = cli_arguments_value(arguments, "--url");
    const char *key = env_secret(env, "RECFLEET_API_KEY", env_secret(env, "API_KEY", NULL));
    enum cli_status status;
    struct err err;

    cli.json = cli_arguments_has(arguments, "--json");
    if (url == NULL)
        url = env_url(env, "RECFLEET_URL", "http://127.0.0.1:8080");
    if (cli_client_create(&cli.client, url, key, &err) != ERR_OK) {
        cli_complain("%s", err.message);
        return cli_status_of(&err, 0);
    }
    status = (enum cli_status)arguments->command->run(&cli);
    if (status == CLI_REFUSED && key == NULL)
        cli_complain("no key was sent: set RECFLEET_API_KEY, or API_KEY");
    cli_client_destroy(cli.client);
    return status;
}

static enum cli_status run_with_settings(const struct cli_arguments *arguments)
{
    const char *path = cli_arguments_value(arguments, "--env-file");
    char *fallback = path == NULL ? default_env_path() : NULL;
    struct env *env = NULL;
    enum cli_status status;
    struct err err;

    if (env_create(&env, environ, path != NULL ? path : fallback, path != NULL, &err) == ERR_OK) {
        status = run(arguments, env);
    } else {
        cli_complain("%s", err.message);
        status = CLI_CONFIG;
    }
    env_destroy(env);
    free(fallback);
    return status;
}

int main(int argc, char **argv)
{
    struct cli_arguments arguments;
    struct err err;

    (void)signal(SIGPIPE, SIG_IGN); /* a pipe that nobody reads shows as a failed write */
    if (cli_arguments_parse(&arguments, cli_commands_all(), argc, argv, &err) != ERR_OK) {
        cli_complain("%s; try recfleet help%s%s", err.message, arguments.command != NULL ? " " : "",
                     arguments.command != NULL ? arguments.command->name : "");
        return CLI_USAGE;
    }
    if (cli_arguments_has(&arguments, "--version"))
        return printf("recfleet %s\n", RECFLEET_VERSION) > 0 ? CLI_DONE : CLI_INTERNAL;
    if (cli_arguments_has(&arguments, "--help"))
        return (int)show_help(arguments.command);
    if (arguments.command == NULL) {
        (void)show_help(NULL);
        return CLI_USAGE;
    }
    if (arguments.command->run == cli_commands_help)
        return cli_commands_help(&(struct cli){.arguments = &arguments});
    return (int)run_with_settings(&arguments);
}
