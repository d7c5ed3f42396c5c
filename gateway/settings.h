/*
 * The gateway's settings and command line, as plain data; configuration.md describes each.
 */
#ifndef GATEWAY_SETTINGS_H
#define GATEWAY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/job/job_settings.h"
#include "common/net/metrics_listener.h"
#include "gateway/client_address.h"

enum { GATEWAY_ADDRESS_BYTES = 64 };

struct gateway_settings {
    struct job_settings job;
    char listen[GATEWAY_ADDRESS_BYTES]; /* LISTEN: a numeric address */
    int port;                           /* PORT; 0: any free one */
    const char *api_key;                /* borrowed from the env, as the next; NULL: none */
    const char *api_keys_file;
    int64_t legacy_wait_ms;     /* LEGACY_WAIT_S */
    int64_t request_timeout_ms; /* REQUEST_TIMEOUT_S: a request must have arrived, an answer be taken */
    int64_t idle_timeout_ms;    /* IDLE_TIMEOUT_S: a connection without a request */
    int64_t settle_after_ms;    /* SETTLE_AFTER_S: a job may stay `accepted` before it is enqueued again */
    int max_connections;        /* MAX_CONNECTIONS */
    int max_event_streams;      /* MAX_EVENT_STREAMS */
    int64_t event_comment_ms;   /* EVENT_COMMENT_S: a stream of events says at least a comment */
    int64_t rate_limit_submit;  /* RATE_LIMIT_SUBMIT, an hour and client; 0: none */
    int64_t rate_limit_read;    /* RATE_LIMIT_READ, the same */
    struct client_address_proxies trusted_proxies; /* TRUSTED_PROXIES */
    struct metrics_address metrics;                /* METRICS_LISTEN */
};

/* Reads all; problems are noted in the env. */
void settings_read(struct gateway_settings *out, struct env *env);

enum settings_action { SETTINGS_RUN, SETTINGS_PRINT, SETTINGS_HELP, SETTINGS_VERSION, SETTINGS_USAGE };

/* What the command line asks for. *env_file: the path given, or NULL. SETTINGS_USAGE: *problem says what is wrong. */
enum settings_action settings_parse_arguments(int count, const char *const *arguments, const char **env_file,
                                              const char **problem);

#endif
