/*
 * The settings that the gateway and the worker share, read from an env as plain data. What is wrong is noted in the env
 * (env_problem), so that a program can report all its problems at once.
 */
#ifndef COMMON_JOB_JOB_SETTINGS_H
#define COMMON_JOB_JOB_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/env.h"
#include "common/job/job_routes.h"
#include "common/net/redis_url.h"

enum {
    JOB_SETTINGS_NAME_BYTES = 64, /* of a queue or a shop, with its terminator */
    JOB_SETTINGS_URL_BYTES = 2048,
    JOB_SETTINGS_MAX_ERRORS = 2, /* retries of a job unless it asks otherwise */
    JOB_SETTINGS_MAX_LOST = 3    /* lost workers of a job before it is dead */
};

struct job_settings {
    bool dev;                                 /* ENV=Dev: answers show error detail */
    struct redis_url queue_redis;             /* QUEUE_REDIS_URL with REDIS_USERNAME and REDIS_PASSWORD filled in */
    char queue_name[JOB_SETTINGS_NAME_BYTES]; /* QUEUE_NAME: the queue of what no route names */
    struct job_routes routes;                 /* QUEUE_ROUTES */
    struct job_queue_names worker_queues;     /* WORKER_QUEUES: those that a worker reads, in order */
    char store_url[JOB_SETTINGS_URL_BYTES];   /* STORE_URL, or made of MONGO_*; holds credentials */
    char shop[JOB_SETTINGS_NAME_BYTES];       /* API_NAMESPACE: the shop of a job that names none; "": there is none */
    const char *namespaces_file;              /* NAMESPACES_FILE, borrowed from the env; NULL: none */
    int retention_days;                       /* JOB_RETENTION_DAYS */
    int64_t lease_ms;                         /* LEASE_S */
    int64_t heartbeat_ms;                     /* HEARTBEAT_S; under half the lease */
    int64_t retry_base_ms;                    /* RETRY_BASE_S */
    int64_t max_runtime_ms;                   /* MAX_RUNTIME_S */
    int64_t grace_ms;                         /* GRACE_S: what SIGTERM leaves for what is in flight */
};

void job_settings_read(struct job_settings *out, struct env *env);

/* Reads a Redis URL; without credentials of its own it takes REDIS_USERNAME and REDIS_PASSWORD. */
void job_settings_read_redis(struct redis_url *out, struct env *env, const char *name, const char *fallback);

/* Seconds, fractions allowed, as milliseconds. */
int64_t job_settings_read_seconds(struct env *env, const char *name, double fallback, double low, double high);

/* Whether text can name a queue or a shop: 1 to 63 of A-Z a-z 0-9 . _ - */
bool job_settings_is_name(const char *text);

#endif
