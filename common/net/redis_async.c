#include "common/net/redis_async.h"

#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/mem.h"
#include "common/net/redis_internal.h"
#include "common/net/redis_link.h"

enum {
    TICK_MS = 100,
    CONNECT_TIMEOUT_MS = 5000,
    REPLY_TIMEOUT_MS = 10000,
    BACKOFF_LOW_MS = 100,
    BACKOFF_HIGH_MS = 10000,
    BACKOFF_DOUBLINGS = 7
};

enum state { STATE_WAITING, STATE_RESOLVING, STATE_CONNECTING, STATE_READY, STATE_CLOSING };

/* One sent command until it is answered. */
struct request {
    struct redis_async *redis;
    struct request *next;
    redis_async_reply_fn fn;
    void *context;
    struct redis_command command; /* kept for a script that may have to be sent again */
    uint64_t deadline_ms;
    bool sent_as_text;
};

struct redis_async {
    uv_loop_t *loop;
    struct redis_async_config config;
    enum state state;
    uv_timer_t tick;
    uv_async_t refuse; /* tells refused sends from the loop */
    uv_getaddrinfo_t resolver;
    bool resolving;
    redisAsyncContext *connection;
    struct request *refused;
    uint64_t due_ms; /* WAITING: when to try again; CONNECTING: when to give up */
    uint64_t ready_since_ms;
    struct request *head; /* sent and unanswered, oldest first */
    struct request *tail;
    unsigned failures; /* tries since it was last ready */
    uint64_t connects;
    int open_handles;
    struct err reason; /* why the connection was broken by us */
    redis_async_closed_fn on_closed;
    void *closed_context;
    bool close_asked;
    bool link_broken;
};

static void connect_now(struct redis_async *redis);

static uint64_t now_ms(const struct redis_async *redis)
{
    return uv_now(redis->loop);
}

static void free_when_closed(struct redis_async *redis)
{
    redis_async_closed_fn on_closed = redis->on_closed;
    void *context = redis->closed_context;

    if (!redis->close_asked || redis->open_handles > 0 || redis->resolving || redis->connection != NULL ||
        redis->head != NULL || redis->refused != NULL)
        return;
    free(redis);
    if (on_closed != NULL)
        on_closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct redis_async *redis = handle->data;

    redis->open_handles--;
    free_when_closed(redis);
}

static void wait_to_reconnect(struct redis_async *redis, const struct err *err)
{
    bool was_ready = redis->state == STATE_READY;
    uint64_t high;
    uint32_t random = 0;

    if (redis->state == STATE_CLOSING || redis->state == STATE_WAITING)
        return;
    (void)getrandom(&random, sizeof random, 0);
    high = (uint64_t)BACKOFF_LOW_MS << (redis->failures < BACKOFF_DOUBLINGS ? redis->failures : BACKOFF_DOUBLINGS);
    if (high > BACKOFF_HIGH_MS)
        high = BACKOFF_HIGH_MS;
    redis->failures++;
    redis->due_ms = now_ms(redis) + BACKOFF_LOW_MS + random % high;
    redis->state = STATE_WAITING;
    if (redis->config.on_state != NULL && (was_ready || redis->failures == 1))
        redis->config.on_state(redis->config.context, false, err);
}

/* Breaks the connection; what is pending is answered with the reason. */
static void break_connection(struct redis_async *redis, enum err_code code, const char *why)
{
    char where[REDIS_URL_TEXT_BYTES + 32];

    redis_url_describe(&redis->config.url, where, sizeof where);
    (void)ERR_SET(&redis->reason, code, "Redis %s: %s", where, why);
    wait_to_reconnect(redis, &redis->reason);
    if (redis->connection != NULL)
        redisAsyncFree(redis->connection);
}

static void on_link_closing(void *owner, struct redisAsyncContext *connection)
{
    struct redis_async *redis = owner;

    if (redis->connection == connection)
        redis->connection = NULL;
}

static void on_link_closed(void *owner)
{
    struct redis_async *redis = owner;

    redis->open_handles--;
    free_when_closed(redis);
}

static void on_link_broken(void *owner)
{
    struct redis_async *redis = owner;

    redis->link_broken = true; /* the next tick breaks the connection, outside of hiredis */
}

static bool attach(struct redis_async *redis, redisAsyncContext *connection)
{
    struct redis_link_owner owner = {
        .closing = on_link_closing, .closed = on_link_closed, .broken = on_link_broken, .self = redis};

    if (!redis_link_attach(connection, redis->loop, &owner))
        return false;
    connection->data = redis;
    redis->link_broken = false;
    redis->open_handles++;
    return true;
}

/* AUTH and SELECT; the answer to SELECT makes the connection ready. */

static void on_introduced(redisAsyncContext *connection, void *reply, void *is_last)
{
    struct redis_async *redis = connection->data;
    struct err err;

    if (reply == NULL || redis->state != STATE_CONNECTING)
        return;
    if (redis_reply_check(reply, &err) != ERR_OK) {
        break_connection(redis, err.code, err.message);
        return;
    }
    if (is_last == NULL)
        return;
    redis->state = STATE_READY;
    redis->reason.message[0] = '\0';
    redis->failures = 0;
    redis->connects++;
    redis->ready_since_ms = now_ms(redis);
    if (redis->config.on_state != NULL)
        redis->config.on_state(redis->config.context, true, NULL);
}

static void introduce(struct redis_async *redis)
{
    const struct redis_url *url = &redis->config.url;
    int status = REDIS_OK;

    if (url->password[0] != '\0' && url->user[0] != '\0')
        status = redisAsyncCommand(redis->connection, on_introduced, NULL, "AUTH %s %s", url->user, url->password);
    else if (url->password[0] != '\0')
        status = redisAsyncCommand(redis->connection, on_introduced, NULL, "AUTH %s", url->password);
    if (status == REDIS_OK)
        status = redisAsyncCommand(redis->connection, on_introduced, redis, "SELECT %d", url->db);
    if (status != REDIS_OK)
        break_connection(redis, ERR_NETWORK, "could not authenticate");
}

static void on_connected(const redisAsyncContext *connection, int status)
{
    struct redis_async *redis = connection->data;

    if (redis->state != STATE_CONNECTING)
        return;
    if (status == REDIS_OK) {
        introduce(redis);
        return;
    }
    (void)ERR_SET(&redis->reason, ERR_UNAVAILABLE, "connect to Redis %s:%d: %s",
                  redis->config.url.path[0] != '\0' ? redis->config.url.path : redis->config.url.host,
                  redis->config.url.port, connection->errstr);
    wait_to_reconnect(redis, &redis->reason); /* hiredis frees the connection after this */
}

static void on_disconnected(const redisAsyncContext *connection, int status)
{
    struct redis_async *redis = connection->data;

    if (redis->state == STATE_CLOSING || redis->state == STATE_WAITING)
        return;
    (void)ERR_SET(&redis->reason, ERR_NETWORK, "the connection to Redis was lost: %s",
                  status == REDIS_OK ? "closed" : connection->errstr);
    wait_to_reconnect(redis, &redis->reason);
}

static void open_connection(struct redis_async *redis, const char *address)
{
    redisAsyncContext *connection = redis->config.url.path[0] != '\0'
                                        ? redisAsyncConnectUnix(redis->config.url.path)
                                        : redisAsyncConnect(address, redis->config.url.port);
    struct err err = {.message = "no memory"};

    if (connection == NULL || connection->err != 0) {
        break_connection(redis, ERR_UNAVAILABLE, connection != NULL ? connection->errstr : "no memory");
        if (connection != NULL)
            redisAsyncFree(connection);
        return;
    }
    if ((redis->config.url.tls && redis_tls_start(&connection->c, &redis->config.url, &err) != ERR_OK) ||
        !attach(redis, connection)) {
        redisAsyncFree(connection);
        break_connection(redis, ERR_UNAVAILABLE, err.message);
        return;
    }
    redis->connection = connection;
    (void)redisAsyncSetDisconnectCallback(connection, on_disconnected);
    (void)redisAsyncSetConnectCallback(connection, on_connected); /* this one asks to watch the socket */
}

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *addresses)
{
    struct redis_async *redis = resolver->data;
    char address[64] = "";

    redis->resolving = false;
    if (status == 0 && addresses != NULL)
        status =
            addresses->ai_family == AF_INET6
                ? uv_ip6_name((const struct sockaddr_in6 *)(const void *)addresses->ai_addr, address, sizeof address)
                : uv_ip4_name((const struct sockaddr_in *)(const void *)addresses->ai_addr, address, sizeof address);
    uv_freeaddrinfo(addresses);
    if (redis->state == STATE_CLOSING) {
        free_when_closed(redis);
        return;
    }
    if (redis->state != STATE_RESOLVING)
        return;
    if (status != 0) {
        break_connection(redis, ERR_UNAVAILABLE, uv_strerror(status));
        return;
    }
    redis->state = STATE_CONNECTING;
    open_connection(redis, address);
}

static void connect_now(struct redis_async *redis)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int status;

    if (redis->resolving)
        return; /* an earlier look-up that timed out is still under way */
    redis->due_ms = now_ms(redis) + (uint64_t)redis->config.connect_timeout_ms;
    if (redis->config.url.path[0] != '\0') {
        redis->state = STATE_CONNECTING;
        open_connection(redis, NULL);
        return;
    }
    redis->state = STATE_RESOLVING;
    redis->resolver.data = redis;
    status = uv_getaddrinfo(redis->loop, &redis->resolver, on_resolved, redis->config.url.host, NULL, &hints);
    redis->resolving = status == 0;
    if (status != 0)
        break_connection(redis, ERR_UNAVAILABLE, uv_strerror(status));
}

static void on_tick(uv_timer_t *timer)
{
    struct redis_async *redis = timer->data;

    if (redis->state == STATE_WAITING && now_ms(redis) >= redis->due_ms)
        connect_now(redis);
    else if ((redis->state == STATE_CONNECTING || redis->state == STATE_RESOLVING) && now_ms(redis) >= redis->due_ms)
        break_connection(redis, ERR_UNAVAILABLE, "no connection in time");
    else if (redis->state == STATE_READY && redis->link_broken)
        break_connection(redis, ERR_NETWORK, "its socket cannot be watched");
    else if (redis->state == STATE_READY && redis->head != NULL && now_ms(redis) >= redis->head->deadline_ms)
        break_connection(redis, ERR_NETWORK, "no reply in time");
}

static void request_destroy(struct request *request)
{
    redis_command_fini(&request->command);
    free(request);
}

static void on_refuse(uv_async_t *async)
{
    struct redis_async *redis = async->data;

    while (redis->refused != NULL) {
        struct request *request = redis->refused;
        struct err err;

        redis->refused = request->next;
        (void)ERR_SET(&err, redis->state == STATE_CLOSING ? ERR_CANCELLED : ERR_UNAVAILABLE, "Redis is away");
        request->fn(request->context, NULL, &err);
        request_destroy(request);
    }
    free_when_closed(redis);
}

enum err_code redis_async_create(struct redis_async **out, uv_loop_t *loop, const struct redis_async_config *config,
                                 struct err *err)
{
    struct redis_async *redis = mem_zeroed(1, sizeof *redis);

    *out = NULL;
    if (redis == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a Redis connection");
    redis->loop = loop;
    redis->config = *config;
    if (redis->config.connect_timeout_ms == 0)
        redis->config.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    if (redis->config.reply_timeout_ms == 0)
        redis->config.reply_timeout_ms = REPLY_TIMEOUT_MS;
    if (uv_async_init(loop, &redis->refuse, on_refuse) != 0) {
        free(redis);
        return ERR_SET(err, ERR_INTERNAL, "the event loop takes no more handles");
    }
    (void)uv_timer_init(loop, &redis->tick); /* never fails */
    redis->refuse.data = redis;
    redis->tick.data = redis;
    redis->open_handles = 2;
    redis->state = STATE_WAITING;
    redis->due_ms = 0;
    (void)uv_timer_start(&redis->tick, on_tick, 0, TICK_MS); /* the first tick connects */
    *out = redis;
    return ERR_OK;
}

bool redis_async_is_ready(const struct redis_async *redis)
{
    return redis->state == STATE_READY;
}

int64_t redis_async_ready_for_ms(const struct redis_async *redis)
{
    return redis->state == STATE_READY ? (int64_t)(now_ms(redis) - redis->ready_since_ms) : -1;
}

uint64_t redis_async_reconnects(const struct redis_async *redis)
{
    return redis->connects > 0 ? redis->connects - 1 : 0;
}

/* XREAD and XREADGROUP may rightly keep silent for their BLOCK. */
static uint64_t block_ms(const struct redis_command *command)
{
    size_t length;
    const char *name = redis_command_argument(command, 0, &length);

    if (length < strlen("XREAD") || strncmp(name, "XREAD", strlen("XREAD")) != 0)
        return 0;
    for (size_t i = 1; i + 1 < command->count; i++) {
        const char *argument = redis_command_argument(command, i, &length);

        if (length == strlen("BLOCK") && strncmp(argument, "BLOCK", length) == 0)
            return strtoull(redis_command_argument(command, i + 1, &length), NULL, 10);
    }
    return 0;
}

static void on_reply(redisAsyncContext *connection, void *data, void *privdata);

/* false: hiredis did not take it */
static bool submit(struct redis_async *redis, struct request *request)
{
    size_t *lengths;
    const char **argv = redis_command_vector(&request->command, request->sent_as_text, &lengths);
    uint64_t deadline_ms = now_ms(redis) + block_ms(&request->command) + (uint64_t)redis->config.reply_timeout_ms;
    int status;

    if (argv == NULL)
        return false;
    status = redisAsyncCommandArgv(redis->connection, on_reply, request, (int)request->command.count, argv, lengths);
    free(argv);
    if (status != REDIS_OK)
        return false;
    /* replies come in order, so none is due before the one ahead of it */
    if (redis->tail != NULL && redis->tail->deadline_ms > deadline_ms)
        deadline_ms = redis->tail->deadline_ms;
    request->deadline_ms = deadline_ms;
    request->next = NULL;
    if (redis->tail != NULL)
        redis->tail->next = request;
    else
        redis->head = request;
    redis->tail = request;
    return true;
}

static void unlink_head(struct redis_async *redis)
{
    redis->head = redis->head->next;
    if (redis->head == NULL)
        redis->tail = NULL;
}

static void on_reply(redisAsyncContext *connection, void *data, void *privdata)
{
    struct request *request = privdata;
    struct redis_async *redis = request->redis;
    const struct redis_reply *reply = data;
    struct err err;
    enum err_code rc;

    unlink_head(redis);
    if (redis_reply_is_error(reply, "NOSCRIPT") && request->command.script != NULL && !request->sent_as_text) {
        request->sent_as_text = true;
        if (redis->state == STATE_READY && submit(redis, request))
            return;
    }
    if (reply != NULL)
        rc = redis_reply_check(reply, &err);
    else if (redis->state == STATE_CLOSING)
        rc = ERR_SET(&err, ERR_CANCELLED, "the connection to Redis was closed");
    else
        rc = ERR_SET(&err, ERR_NETWORK, "the connection to Redis was lost: %s",
                     redis->reason.message[0] != '\0' ? redis->reason.message : connection->errstr);
    request->fn(request->context, reply, rc == ERR_OK ? NULL : &err);
    request_destroy(request);
    if (redis_reply_is_error(reply, "READONLY") && redis->connection == connection && redis->state == STATE_READY)
        break_connection(redis, ERR_UNAVAILABLE, "it is a read-only replica"); /* look the name up anew */
}

void redis_async_send(struct redis_async *redis, const struct redis_command *command, redis_async_reply_fn fn,
                      void *context)
{
    struct request *request = mem_zeroed(1, sizeof *request);

    if (request == NULL || redis->state == STATE_CLOSING) {
        struct err err;

        (void)ERR_SET(&err, request == NULL ? ERR_NO_MEMORY : ERR_CANCELLED, "Redis takes no more commands");
        free(request);
        fn(context, NULL, &err); /* nothing is left to defer it with */
        return;
    }
    request->redis = redis;
    request->fn = fn;
    request->context = context;
    if (redis_command_copy(&request->command, command) && redis->state == STATE_READY && submit(redis, request))
        return;
    request->next = redis->refused;
    redis->refused = request;
    (void)uv_async_send(&redis->refuse);
}

void redis_async_close(struct redis_async *redis, redis_async_closed_fn on_closed, void *context)
{
    if (redis == NULL || redis->state == STATE_CLOSING)
        return;
    redis->state = STATE_CLOSING;
    redis->on_closed = on_closed;
    redis->closed_context = context;
    if (redis->connection != NULL)
        redisAsyncFree(redis->connection);
    if (redis->resolving)
        (void)uv_cancel((uv_req_t *)&redis->resolver); /* on_resolved comes all the same */
    on_refuse(&redis->refuse);
    redis->close_asked = true;
    uv_close((uv_handle_t *)&redis->tick, on_handle_closed);
    uv_close((uv_handle_t *)&redis->refuse, on_handle_closed);
}
