/*
 * Where a shop's recommendations are published, by kind: what the worker writes to and the gateway shows.
 */
#ifndef COMMON_JOB_JOB_TARGETS_H
#define COMMON_JOB_JOB_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/env.h"
#include "common/net/redis_url.h"

enum job_target_kind { JOB_TARGET_HOMEPAGE, JOB_TARGET_SIMILAR, JOB_TARGET_CROSS_SELL, JOB_TARGET_COUNT };

struct job_target {
    struct redis_url url; /* HOMEPAGE_REDIS_URL, … */
    const char *prefix;   /* HOMEPAGE_KEY_PREFIX, …: what keys begin with; borrowed from the env */
    int64_t ttl_s;        /* RECOMMENDATION_TTL_S, CROSS_SELL_TTL_S; 0: none */
};

/* Reads targets[JOB_TARGET_COUNT]; what is not set is a database of the queue's server. Two that could write the same
 * keys, or the queue's, are a problem noted in the env, as is all else that is wrong. */
void job_targets_read(struct job_target *targets, const struct redis_url *queue, struct env *env);

/* Whether a key with the one prefix could be a key with the other: every text may follow a prefix. */
bool job_targets_prefixes_meet(const char *a, const char *b);

#endif
