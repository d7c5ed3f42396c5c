#include "gateway/recommendation_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_shops.h"
#include "common/net/redis_async.h"
#include "gateway/settings.h"

enum { TIMEOUT_MS = 3000 };

struct recommendation_reader {
    const struct services *services;
    const struct env *env;
    size_t reading;
};

/* One read: connect, ask twice, close, then tell. */
struct reading {
    struct recommendation_reader *reader;
    struct redis_async *redis;
    char *key;
    struct recommendation found;
    struct err err; /* code ERR_OK: found */
    bool closing;
    recommendation_fn fn;
    void *context;
};

struct recommendation_reader *recommendation_reader_create(const struct services *services, const struct env *env)
{
    struct recommendation_reader *reader = mem_zeroed(1, sizeof *reader);

    if (reader != NULL)
        *reader = (struct recommendation_reader){.services = services, .env = env};
    return reader;
}

void recommendation_reader_destroy(struct recommendation_reader *reader)
{
    free(reader);
}

static void on_closed(void *context)
{
    struct reading *reading = context;

    reading->reader->reading--;
    reading->fn(reading->context, &reading->found, reading->err.code != ERR_OK ? &reading->err : NULL);
    json_value_destroy(reading->found.products);
    free(reading->key);
    free(reading);
}

/* With the first error, or NULL when all is there. */
static void end(struct reading *reading, const struct err *err)
{
    if (reading->closing)
        return;
    reading->closing = true;
    if (err != NULL)
        reading->err = *err;
    redis_async_close(reading->redis, on_closed, reading);
}

static void on_value(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct reading *reading = context;
    const char *text = redis_reply_text(reply);
    struct err failure;

    if (err == NULL && redis_reply_kind(reply) == REDIS_REPLY_KIND_NIL) {
        (void)ERR_SET(&failure, ERR_NOT_FOUND, "nothing is published under the key %s", reading->key);
        err = &failure;
    } else if (redis_reply_is_error(reply, "WRONGTYPE") ||
               (err == NULL &&
                (text == NULL ||
                 json_value_parse(&reading->found.products, text, redis_reply_text_length(reply), NULL) != ERR_OK ||
                 json_value_kind(reading->found.products) != JSON_KIND_ARRAY))) {
        (void)ERR_SET(&failure, ERR_NOT_FOUND, "the key %s does not hold recommendations", reading->key);
        err = &failure;
    }
    if (err != NULL)
        end(reading, err);
}

static void on_ttl(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct reading *reading = context;

    if (err == NULL && !redis_reply_to_int64(reply, &reading->found.ttl_s))
        reading->found.ttl_s = -1;
    end(reading, err);
}

static void ask(struct reading *reading, const char *word, redis_async_reply_fn fn)
{
    struct redis_command command;

    redis_command_init(&command, word);
    redis_command_add(&command, reading->key);
    redis_async_send(reading->redis, &command, fn, reading);
    redis_command_fini(&command);
}

static void on_state(void *context, bool ready, const struct err *err)
{
    struct reading *reading = context;

    if (reading->closing)
        return;
    if (!ready) {
        end(reading, err);
        return;
    }
    ask(reading, "GET", on_value);
    ask(reading, "TTL", on_ttl);
}

/* Where the shop's lists of that kind are; *key: malloc'd. */
static enum err_code find_target(const struct recommendation_reader *reader, const char *shop,
                                 enum job_target_kind kind, const char *name, struct redis_url *url, char **key,
                                 struct err *err)
{
    const struct services *services = reader->services;
    struct job_target targets[JOB_TARGET_COUNT];
    struct env *env = NULL;
    enum err_code rc = env_dup(&env, reader->env, err);

    *key = NULL;
    if (rc == ERR_OK)
        rc = job_shops_apply(services->shops, shop, env, err);
    if (rc != ERR_OK)
        goto done;
    job_targets_read(targets, &services->settings->job.queue_redis, env);
    if (env_problem_count(env) > 0) {
        rc = ERR_SET(err, ERR_CONFIG, "shop %s: %s", shop, env_problem_at(env, 0));
        goto done;
    }
    *url = targets[kind].url;
    *key = str_format("%s%s", targets[kind].prefix, name);
    if (*key == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to read recommendations");
done:
    env_destroy(env);
    return rc;
}

enum err_code recommendation_reader_start(struct recommendation_reader *reader, const char *shop,
                                          enum job_target_kind kind, const char *name, recommendation_fn fn,
                                          void *context, struct err *err)
{
    struct redis_async_config config = {
        .connect_timeout_ms = TIMEOUT_MS, .reply_timeout_ms = TIMEOUT_MS, .on_state = on_state};
    struct reading *reading = NULL;
    char *key = NULL;
    enum err_code rc;

    if (reader->reading >= RECOMMENDATION_READER_MAX)
        return ERR_SET(err, ERR_UNAVAILABLE, "%d reads of recommendations are going on", RECOMMENDATION_READER_MAX);
    rc = find_target(reader, shop, kind, name, &config.url, &key, err);
    if (rc != ERR_OK)
        goto done;
    reading = mem_zeroed(1, sizeof *reading);
    if (reading == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to read recommendations");
        goto done;
    }
    config.context = reading;
    *reading = (struct reading){.reader = reader, .fn = fn, .context = context};
    rc = redis_async_create(&reading->redis, reader->services->loop, &config, err);
    if (rc != ERR_OK)
        goto done;
    reading->key = key;
    reading->found = (struct recommendation){.key = key, .ttl_s = -1};
    reader->reading++;
    key = NULL;
    reading = NULL;
done:
    free(key);
    free(reading);
    return rc;
}
