#include "worker/targets.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "worker/connect/redis_sink.h"

enum { ASK_LIMIT_MS = 20000 }; /* all servers together, each of which may keep one waiting */

/* The keys of one kind and shop. */
struct target {
    char *database; /* as redis_url_describe: equal texts are one database */
    char *prefix;
    char *shop;
    enum publish_kind kind;
    struct redis_url url;
};

struct targets {
    struct target *targets;
    size_t count;
    size_t capacity;
};

enum err_code targets_create(struct targets **out, struct err *err)
{
    *out = mem_zeroed(1, sizeof **out);
    return *out != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for targets");
}

static void target_fini(struct target *target)
{
    free(target->database);
    free(target->prefix);
    free(target->shop);
}

void targets_destroy(struct targets *targets)
{
    if (targets == NULL)
        return;
    for (size_t i = 0; i < targets->count; i++)
        target_fini(&targets->targets[i]);
    free(targets->targets);
    free(targets);
}

static enum err_code add(struct targets *targets, const char *shop, enum publish_kind kind,
                         const struct job_target *config, struct err *err)
{
    struct target target = {.kind = kind, .url = config->url};
    char database[REDIS_URL_TEXT_BYTES + 32];
    enum err_code rc =
        mem_grow(&targets->targets, &targets->capacity, targets->count + 1, sizeof *targets->targets, err);

    if (rc != ERR_OK)
        return rc;
    redis_url_describe(&config->url, database, sizeof database);
    target.database = strdup(database);
    target.prefix = strdup(config->prefix);
    target.shop = strdup(shop);
    if (target.database == NULL || target.prefix == NULL || target.shop == NULL) {
        target_fini(&target);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for targets");
    }
    targets->targets[targets->count++] = target;
    return ERR_OK;
}

enum err_code targets_add(struct targets *targets, const char *shop, const struct worker_settings *settings,
                          struct err *err)
{
    enum err_code rc = ERR_OK;

    for (unsigned kind = 0; rc == ERR_OK && kind < PUBLISH_KIND_COUNT; kind++)
        rc = add(targets, shop, (enum publish_kind)kind, &settings->targets[kind], err);
    return rc;
}

/* A prefix comes before all that begin with it, and nothing else comes between. */
static int compare(const void *a, const void *b)
{
    const struct target *one = a;
    const struct target *other = b;
    int order = strcmp(one->database, other->database);

    if (order == 0)
        order = strcmp(one->prefix, other->prefix);
    if (order == 0)
        order = strcmp(one->shop, other->shop);
    return order != 0 ? order : (int)one->kind - (int)other->kind;
}

static void sort(struct targets *targets)
{
    if (targets->count > 0)
        qsort(targets->targets, targets->count, sizeof *targets->targets, compare);
}

static void note_collision(const struct target *one, const struct target *other, struct env *env)
{
    env_problem(env,
                "NAMESPACES_FILE: the %s lists of shop %s and the %s lists of shop %s share the database %s, and their "
                "prefixes \"%s\" and \"%s\" let them share keys; give each a database or a prefix of its own",
                publish_kind_name(one->kind), one->shop, publish_kind_name(other->kind), other->shop, one->database,
                one->prefix, other->prefix);
}

/* What one shop does to itself was told when its settings were read. Each target is compared with the first whose
 * prefix it begins with: of a group of shops that share keys, each but one is told. */
void targets_note_collisions(struct targets *targets, const char *only, struct env *env)
{
    const struct target *first = NULL;

    sort(targets);
    for (size_t i = 0; i < targets->count; i++) {
        const struct target *target = &targets->targets[i];

        if (first == NULL || strcmp(first->database, target->database) != 0 ||
            !job_targets_prefixes_meet(first->prefix, target->prefix))
            first = target;
        else if (strcmp(first->shop, target->shop) != 0 &&
                 (only == NULL || strcmp(first->shop, only) == 0 || strcmp(target->shop, only) == 0))
            note_collision(first, target, env);
    }
}

/* Whether two databases, "SERVER/DB", are of one server. */
static bool is_same_server(const char *a, const char *b)
{
    size_t length = (size_t)(strrchr(a, '/') - a);

    return length == (size_t)(strrchr(b, '/') - b) && strncmp(a, b, length) == 0;
}

void targets_note_unusable(struct targets *targets, struct env *env)
{
    struct clock_source clock = clock_system();
    int64_t deadline_ms = clock_unix_ms(&clock) + ASK_LIMIT_MS;

    sort(targets);
    for (size_t i = 0; i < targets->count; i++) {
        const struct target *target = &targets->targets[i];
        struct err err;
        enum err_code rc;

        if (i > 0 && is_same_server(target->database, targets->targets[i - 1].database))
            continue;
        if (clock_unix_ms(&clock) > deadline_ms) {
            log_warn("targets.not_all_asked", log_int("targets", (int64_t)(targets->count - i)));
            return;
        }
        rc = redis_sink_check(&target->url, &err);
        if (rc == ERR_CONFIG)
            env_problem(env, "%s", err.message);
        else if (rc != ERR_OK)
            log_warn("target.away", log_text("shop", target->shop), log_text("kind", publish_kind_name(target->kind)),
                     log_text("message", err.message));
    }
}
