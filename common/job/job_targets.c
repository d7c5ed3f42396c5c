#include "common/job/job_targets.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/job/job_settings.h"

enum { YEAR_S = 366 * 86400 };

struct kind {
    const char *name;
    const char *url;
    const char *prefix;
    const char *default_prefix;
    int default_db;
};

static const struct kind kinds[JOB_TARGET_COUNT] = {
    [JOB_TARGET_HOMEPAGE] = {"homepage", "HOMEPAGE_REDIS_URL", "HOMEPAGE_KEY_PREFIX", "", 1},
    [JOB_TARGET_SIMILAR] = {"similar", "SIMILAR_REDIS_URL", "SIMILAR_KEY_PREFIX", "similar:", 2},
    [JOB_TARGET_CROSS_SELL] = {"cross-sell", "CROSS_SELL_REDIS_URL", "CROSS_SELL_KEY_PREFIX", "", 3},
};

/* The queue's server with another database, as a URL without credentials. */
static void default_target_url(char *out, size_t size, const struct redis_url *queue, int db)
{
    bool bracketed = strchr(queue->host, ':') != NULL; /* IPv6 */

    if (queue->path[0] != '\0')
        (void)snprintf(out, size, "unix://%s?db=%d", queue->path, db);
    else
        (void)snprintf(out, size, "%s://%s%s%s:%d/%d", queue->tls ? "rediss" : "redis", bracketed ? "[" : "",
                       queue->host, bracketed ? "]" : "", queue->port, db);
}

static void read_target(struct job_target *target, enum job_target_kind kind, const struct redis_url *queue,
                        struct env *env)
{
    char fallback[REDIS_URL_TEXT_BYTES + 64];

    default_target_url(fallback, sizeof fallback, queue, kinds[kind].default_db);
    job_settings_read_redis(&target->url, env, kinds[kind].url, fallback);
    if (!env_is_set(env, kinds[kind].url)) {
        memcpy(target->url.user, queue->user, sizeof target->url.user);
        memcpy(target->url.password, queue->password, sizeof target->url.password);
    }
    target->prefix = env_text(env, kinds[kind].prefix, kinds[kind].default_prefix);
}

bool job_targets_prefixes_meet(const char *a, const char *b)
{
    return str_starts_with(a, b) || str_starts_with(b, a);
}

static void check_targets(const struct job_target *targets, const struct redis_url *queue, struct env *env)
{
    static const char *const queue_keys[] = {"q:{", "rl:{"};

    for (unsigned a = 0; a < JOB_TARGET_COUNT; a++) {
        const struct job_target *one = &targets[a];

        for (unsigned b = a + 1; b < JOB_TARGET_COUNT; b++) {
            const struct job_target *other = &targets[b];

            if (redis_url_same_database(&one->url, &other->url) &&
                job_targets_prefixes_meet(one->prefix, other->prefix))
                env_problem(env,
                            "%s, %s: %s and %s lists share a database, and their prefixes \"%s\" and \"%s\" let them "
                            "share keys; give each a database or a prefix of its own",
                            kinds[a].url, kinds[b].url, kinds[a].name, kinds[b].name, one->prefix, other->prefix);
        }
        for (size_t i = 0; i < sizeof queue_keys / sizeof queue_keys[0]; i++) {
            if (redis_url_same_database(&one->url, queue) && job_targets_prefixes_meet(one->prefix, queue_keys[i])) {
                env_problem(env,
                            "%s, QUEUE_REDIS_URL: %s lists share the queue's database, and the prefix \"%s\" lets them "
                            "share its keys; give them a database or a prefix of their own",
                            kinds[a].url, kinds[a].name, one->prefix);
                break;
            }
        }
    }
}

void job_targets_read(struct job_target *targets, const struct redis_url *queue, struct env *env)
{
    int64_t ttl_s;

    for (unsigned kind = 0; kind < JOB_TARGET_COUNT; kind++)
        read_target(&targets[kind], (enum job_target_kind)kind, queue, env);
    ttl_s = env_int(env, "RECOMMENDATION_TTL_S", 604800, 0, 10L * YEAR_S);
    targets[JOB_TARGET_HOMEPAGE].ttl_s = ttl_s;
    targets[JOB_TARGET_SIMILAR].ttl_s = ttl_s;
    targets[JOB_TARGET_CROSS_SELL].ttl_s = env_int(env, "CROSS_SELL_TTL_S", 0, 0, 10L * YEAR_S);
    check_targets(targets, queue, env);
}
