#include "gateway/settings.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void read_address(struct gateway_settings *out, struct env *env)
{
    const char *text = env_text(env, "LISTEN", "0.0.0.0");
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, text, address) != 1 && inet_pton(AF_INET6, text, address) != 1) {
        env_problem(env, "LISTEN: \"%s\" is not a numeric address", text);
        text = "0.0.0.0";
    }
    (void)snprintf(out->listen, sizeof out->listen, "%s", text);
}

void settings_read(struct gateway_settings *out, struct env *env)
{
    memset(out, 0, sizeof *out);
    read_address(out, env);
    out->port = (int)env_int(env, "PORT", 8080, 0, 65535);
    out->api_key = env_secret(env, "API_KEY", NULL);
    out->api_keys_file = env_text(env, "API_KEYS_FILE", NULL);
    out->namespaces_file = env_text(env, "NAMESPACES_FILE", NULL);
    out->legacy_wait_ms = job_settings_read_seconds(env, "LEGACY_WAIT_S", 3600, 0, 86400);
    out->request_timeout_ms = job_settings_read_seconds(env, "REQUEST_TIMEOUT_S", 30, 0.1, 3600);
    out->idle_timeout_ms = job_settings_read_seconds(env, "IDLE_TIMEOUT_S", 60, 0.1, 3600);
    out->settle_after_ms = job_settings_read_seconds(env, "SETTLE_AFTER_S", 60, 0.2, 86400);
    out->max_connections = (int)env_int(env, "MAX_CONNECTIONS", 4096, 1, 1000000);
    job_settings_read(&out->job, env);
    if (out->api_key == NULL && out->api_keys_file == NULL)
        env_problem(env, "API_KEY: no key is configured; set it, or API_KEYS_FILE");
}

enum settings_action settings_parse_arguments(int count, const char *const *arguments, const char **env_file,
                                              const char **problem)
{
    enum settings_action action = SETTINGS_RUN;

    *env_file = NULL;
    *problem = NULL;
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];

        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
            return SETTINGS_HELP;
        if (strcmp(argument, "--version") == 0)
            return SETTINGS_VERSION;
        if (strcmp(argument, "--print-config") == 0) {
            action = SETTINGS_PRINT;
        } else if (strncmp(argument, "--env-file=", strlen("--env-file=")) == 0) {
            *env_file = argument + strlen("--env-file=");
        } else if (strcmp(argument, "--env-file") == 0 && i + 1 < count) {
            *env_file = arguments[++i];
        } else {
            *problem = argument;
            return SETTINGS_USAGE;
        }
    }
    return action;
}
