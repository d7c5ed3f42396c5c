#include "worker/connect/redis_sink.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_queue_target.h"
#include "common/net/redis_client.h"
#include "worker/pipeline/id_table.h"

enum { TIMEOUT_MS = 30000, CHECK_TIMEOUT_MS = 2000, MAX_IN_FLIGHT = 8, PRUNE_AT_ONCE = 500 };

/* One kind's target. Commands in flight are kept, so that one answered NOSCRIPT can be sent again with its text. */
struct target {
    struct redis_client *client; /* NULL: not met yet */
    struct redis_url url;
    char *prefix;
    char *fence_key;
    char *index_key;
    int64_t ttl_s;
    struct redis_command in_flight[MAX_IN_FLIGHT]; /* a ring */
    size_t first;
    size_t count;
    struct id_table *published; /* keys of this run, where they never expire; else NULL */
};

struct redis_sink {
    struct target targets[PUBLISH_KIND_COUNT];
    int64_t fence;
    int64_t newest_fence;
    int timeout_ms;
    redis_sink_permit_fn permit;
    void *context;
};

static enum err_code fill_target(struct target *target, const struct redis_sink_target *config, enum publish_kind kind,
                                 struct err *err)
{
    const char *prefix = config->prefix != NULL ? config->prefix : "";

    target->url = config->url;
    target->ttl_s = config->ttl_s;
    target->prefix = strdup(prefix);
    target->fence_key = str_format("%srecfleet:fence:%s", prefix, publish_kind_name(kind));
    target->index_key = str_format("%srecfleet:keys:%s", prefix, publish_kind_name(kind));
    if (target->prefix == NULL || target->fence_key == NULL || target->index_key == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to publish");
    return config->ttl_s == 0 ? id_table_create(&target->published, err) : ERR_OK;
}

enum err_code redis_sink_create(struct redis_sink **out, const struct redis_sink_config *config, struct err *err)
{
    struct redis_sink *sink = mem_zeroed(1, sizeof *sink);
    enum err_code rc = ERR_OK;

    *out = NULL;
    if (sink == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to publish");
    sink->fence = config->fence;
    sink->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : TIMEOUT_MS;
    sink->permit = config->permit;
    sink->context = config->context;
    for (unsigned kind = 0; rc == ERR_OK && kind < PUBLISH_KIND_COUNT; kind++)
        rc = fill_target(&sink->targets[kind], &config->targets[kind], (enum publish_kind)kind, err);
    if (rc != ERR_OK) {
        redis_sink_destroy(sink);
        return rc;
    }
    *out = sink;
    return ERR_OK;
}

static void target_fini(struct target *target)
{
    for (; target->count > 0; target->count--) {
        redis_command_fini(&target->in_flight[target->first]);
        target->first = (target->first + 1) % MAX_IN_FLIGHT;
    }
    redis_client_destroy(target->client);
    id_table_destroy(target->published);
    free(target->prefix);
    free(target->fence_key);
    free(target->index_key);
}

void redis_sink_destroy(struct redis_sink *sink)
{
    if (sink == NULL)
        return;
    for (unsigned kind = 0; kind < PUBLISH_KIND_COUNT; kind++)
        target_fini(&sink->targets[kind]);
    free(sink);
}

int64_t redis_sink_newest_fence(const struct redis_sink *sink)
{
    return sink->newest_fence;
}

/* The shop's key names fix no slot, so a cluster would refuse most of them midway. */
static enum err_code refuse_cluster(struct redis_client *client, const struct redis_url *url, struct err *err)
{
    struct redis_command command;
    struct redis_reply *reply = NULL;
    char where[REDIS_URL_TEXT_BYTES + 32];
    enum err_code rc;

    redis_command_init(&command, "INFO");
    redis_command_add(&command, "cluster");
    rc = redis_client_send(client, &command, &reply, err);
    if (rc == ERR_REMOTE) /* who may not ask finds out when publishing */
        rc = ERR_OK;
    if (rc == ERR_OK && redis_reply_text(reply) != NULL &&
        strstr(redis_reply_text(reply), "cluster_enabled:1") != NULL) {
        redis_url_describe(url, where, sizeof where);
        rc = ERR_SET(err, ERR_CONFIG,
                     "Redis %s is a cluster: recommendations are published to plain or replicated Redis", where);
    }
    redis_reply_destroy(reply);
    redis_command_fini(&command);
    return rc;
}

enum err_code redis_sink_check(const struct redis_url *url, struct err *err)
{
    struct redis_client *client = NULL;
    enum err_code rc = redis_client_connect(&client, url, CHECK_TIMEOUT_MS, err);

    if (rc == ERR_OK)
        rc = refuse_cluster(client, url, err);
    redis_client_destroy(client);
    return rc;
}

/* What the publish and prune scripts answered. *affected: pairs or keys. */
static enum err_code check_answer(struct redis_sink *sink, const struct redis_reply *reply, int64_t *affected,
                                  struct err *err)
{
    int64_t sink_fence;
    enum err_code rc = job_queue_publish_parse(reply, affected, &sink_fence, err);

    if (rc != ERR_OK)
        return rc;
    if (sink_fence > sink->newest_fence)
        sink->newest_fence = sink_fence;
    if (*affected < 0)
        return ERR_SET(err, ERR_FENCED, "a newer run publishes: its fence is %lld, this run's %lld",
                       (long long)sink_fence, (long long)sink->fence);
    return ERR_OK;
}

/* Sends one command and waits for its answer. */
static enum err_code send_fenced(struct redis_sink *sink, struct target *target, const struct redis_command *command,
                                 int64_t *affected, struct err *err)
{
    struct redis_reply *reply = NULL;
    enum err_code rc = redis_client_send(target->client, command, &reply, err);

    if (rc == ERR_OK)
        rc = check_answer(sink, reply, affected, err);
    redis_reply_destroy(reply);
    return rc;
}

static enum err_code ask(const struct redis_sink *sink, struct err *err)
{
    return sink->permit != NULL ? sink->permit(sink->context, err) : ERR_OK;
}

static enum err_code sink_raise_fence(void *self, enum publish_kind kind, struct err *err)
{
    struct redis_sink *sink = self;
    struct target *target = &sink->targets[kind];
    struct redis_command command;
    int64_t affected;
    enum err_code rc = ERR_OK;

    if (target->client == NULL) {
        rc = redis_client_connect(&target->client, &target->url, sink->timeout_ms, err);
        if (rc == ERR_OK)
            rc = refuse_cluster(target->client, &target->url, err);
        if (rc != ERR_OK)
            return rc;
    }
    job_queue_publish_command(&command, target->fence_key, sink->fence, 0);
    rc = send_fenced(sink, target, &command, &affected, err);
    redis_command_fini(&command);
    return rc;
}

/* Takes the oldest answer. */
static enum err_code receive_one(struct redis_sink *sink, struct target *target, struct err *err)
{
    struct redis_command *command = &target->in_flight[target->first];
    struct redis_reply *reply = NULL;
    int64_t affected;
    enum err_code rc = redis_client_receive(target->client, &reply, err);

    if (rc == ERR_OK && redis_reply_is_error(reply, "NOSCRIPT") && target->count == 1)
        rc = send_fenced(sink, target, command, &affected, err);
    else if (rc == ERR_OK && redis_reply_is_error(reply, "NOSCRIPT"))
        rc = ERR_SET(err, ERR_UNAVAILABLE, "Redis forgot its scripts while lists were published");
    else if (rc == ERR_OK && command->script != NULL)
        rc = check_answer(sink, reply, &affected, err);
    else if (rc == ERR_OK)
        rc = redis_reply_check(reply, err);
    redis_reply_destroy(reply);
    redis_command_fini(command);
    target->first = (target->first + 1) % MAX_IN_FLIGHT;
    target->count--;
    return rc;
}

/* Sends a command without waiting for its answer, but for older ones when many are under way. Takes the command. */
static enum err_code append(struct redis_sink *sink, struct target *target, struct redis_command *command,
                            struct err *err)
{
    enum err_code rc = ERR_OK;

    if (target->count == MAX_IN_FLIGHT)
        rc = receive_one(sink, target, err);
    if (rc == ERR_OK)
        rc = redis_client_append(target->client, command, err);
    if (rc != ERR_OK) {
        redis_command_fini(command);
        return rc;
    }
    target->in_flight[(target->first + target->count) % MAX_IN_FLIGHT] = *command;
    target->count++;
    return ERR_OK;
}

/* Before the keys themselves: a run that dies between both must not leave keys that the index does not know. */
static enum err_code append_index(struct redis_sink *sink, struct target *target, const struct sink_pair *pairs,
                                  size_t count, struct err *err)
{
    struct redis_command command;
    uint32_t index;
    enum err_code rc = ERR_OK;

    redis_command_init(&command, "SADD");
    redis_command_add(&command, target->index_key);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        size_t length;
        const char *key;

        redis_command_add_format(&command, "%s%s", target->prefix, pairs[i].key);
        if (command.bytes.failed) {
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to publish");
            break;
        }
        key = redis_command_argument(&command, command.count - 1, &length);
        rc = id_table_intern(target->published, key, length, &index, err);
    }
    if (rc != ERR_OK) {
        redis_command_fini(&command);
        return rc;
    }
    return append(sink, target, &command, err);
}

static enum err_code sink_put(void *self, enum publish_kind kind, const struct sink_pair *pairs, size_t count,
                              struct err *err)
{
    struct redis_sink *sink = self;
    struct target *target = &sink->targets[kind];
    struct redis_command command;
    enum err_code rc = ask(sink, err);

    if (rc == ERR_OK && target->client == NULL)
        rc = ERR_SET(err, ERR_INTERNAL, "lists are published before the fence was raised");
    if (rc == ERR_OK && target->published != NULL)
        rc = append_index(sink, target, pairs, count, err);
    if (rc != ERR_OK)
        return rc;
    job_queue_publish_command(&command, target->fence_key, sink->fence, target->ttl_s);
    for (size_t i = 0; i < count; i++) {
        redis_command_add_format(&command, "%s%s", target->prefix, pairs[i].key);
        redis_command_add(&command, pairs[i].value);
    }
    return append(sink, target, &command, err);
}

/* Deletes the members [begin, end) of `members` that this run did not publish. */
static enum err_code prune_some(struct redis_sink *sink, struct target *target, const struct redis_reply *members,
                                size_t begin, size_t end, size_t *removed, struct err *err)
{
    struct redis_command command;
    int64_t affected = 0;
    uint32_t index;
    size_t stale = 0;
    enum err_code rc = ERR_OK;

    job_queue_prune_command(&command, target->fence_key, target->index_key, sink->fence);
    for (size_t i = begin; i < end; i++) {
        const char *key = redis_reply_text(redis_reply_at(members, i));

        if (key == NULL || id_table_find(target->published, key, strlen(key), &index))
            continue;
        redis_command_add(&command, key);
        stale++;
    }
    if (stale > 0)
        rc = ask(sink, err);
    if (rc == ERR_OK && stale > 0)
        rc = send_fenced(sink, target, &command, &affected, err);
    redis_command_fini(&command);
    *removed += rc == ERR_OK ? (size_t)affected : 0;
    return rc;
}

static enum err_code prune(struct redis_sink *sink, struct target *target, size_t *removed, struct err *err)
{
    struct redis_command command;
    struct redis_reply *members = NULL;
    size_t count;
    enum err_code rc;

    redis_command_init(&command, "SMEMBERS");
    redis_command_add(&command, target->index_key);
    rc = redis_client_send(target->client, &command, &members, err);
    redis_command_fini(&command);
    count = redis_reply_count(members);
    for (size_t begin = 0; rc == ERR_OK && begin < count; begin += PRUNE_AT_ONCE)
        rc = prune_some(sink, target, members, begin, begin + PRUNE_AT_ONCE < count ? begin + PRUNE_AT_ONCE : count,
                        removed, err);
    redis_reply_destroy(members);
    return rc;
}

static enum err_code sink_complete(void *self, enum publish_kind kind, size_t *removed, struct err *err)
{
    struct redis_sink *sink = self;
    struct target *target = &sink->targets[kind];
    enum err_code rc = ERR_OK;

    *removed = 0;
    while (rc == ERR_OK && target->count > 0)
        rc = receive_one(sink, target, err);
    return rc == ERR_OK && target->published != NULL ? prune(sink, target, removed, err) : rc;
}

struct sink redis_sink_interface(struct redis_sink *sink)
{
    return (struct sink){.raise_fence = sink_raise_fence, .put = sink_put, .complete = sink_complete, .self = sink};
}
