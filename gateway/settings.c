#include "gateway/settings.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/base/str.h"

enum { MAX_RATE = 1000000000 };

static void read_address(struct gateway_settings *out, struct env *env)
{
    const char *text = env_text(env, "LISTEN", "0.0.0.0");
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, text, address) != 1 && inet_pton(AF_INET6, text, address) != 1) {
        env_problem(env, "LISTEN: \"%s\" is not a numeric address", text);
        text = "0.0.0.0";
    }
    str_copy(out->listen, sizeof out->listen, text);
}

static void read_limits(struct gateway_settings *out, struct env *env)
{
    const char *proxies = env_text(env, "TRUSTED_PROXIES", "");
    struct err err;

    out->rate_limit_submit = env_int(env, "RATE_LIMIT_SUBMIT", 200, 0, MAX_RATE);
    out->rate_limit_read = env_int(env, "RATE_LIMIT_READ", 3600, 0, MAX_RATE);
    if (client_address_parse_proxies(&out->trusted_proxies, proxies, &err) != ERR_OK)
        env_problem(env, "TRUSTED_PROXIES: %s", err.message);
}

void settings_read(struct gateway_settings *out, struct env *env)
{
    memset(out, 0, sizeof *out);
    read_address(out, env);
    out->port = (int)env_int(env, "PORT", 8080, 0, 65535);
    out->api_key = env_secret(env, "API_KEY", NULL);
    out->api_keys_file = env_text(env, "API_KEYS_FILE", NULL);
    out->legacy_wait_ms = job_settings_read_seconds(env, "LEGACY_WAIT_S", 3600, 0, 86400);
    out->request_timeout_ms = job_settings_read_seconds(env, "REQUEST_TIMEOUT_S", 30, 0.1, 3600);
    out->idle_timeout_ms = job_settings_read_seconds(env, "IDLE_TIMEOUT_S", 60, 0.1, 3600);
    out->settle_after_ms = job_settings_read_seconds(env, "SETTLE_AFTER_S", 60, 0.2, 86400);
    out->max_connections = (int)env_int(env, "MAX_CONNECTIONS", 4096, 1, 1000000);
    out->max_event_streams = (int)env_int(env, "MAX_EVENT_STREAMS", 2048, 0, 1000000);
    out->event_comment_ms = job_settings_read_seconds(env, "EVENT_COMMENT_S", 15, 0.1, 60);
    read_limits(out, env);
    metrics_listener_read_address(&out->metrics, env, "127.0.0.1:9464");
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
