#include "common/net/redis_async.h"

#include <hiredis/async.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/jitter.h"
#include "common/base/mem.h"
#include "common/net/redis_address.h"
#include "common/net/redis_internal.h"
#include "common/net/redis_link.h"
#include "common/net/redis_request.h"

enum {
    TICK_MS = 100,
    STALL_MS = 1000, /* between two ticks: the loop or the process stood still */
    CONNECT_TIMEOUT_MS = 5000,
    REPLY_TIMEOUT_MS = 10000,
    BACKOFF_LOW_MS = 100,
    BACKOFF_HIGH_MS = 10000,
    BACKOFF_DOUBLINGS = 7,
    MAX_PENDING = 65536,
    WIRE_KEPT_BYTES = 16384
};

/* WAITING -> RESOLVING -> CONNECTING -> READY; from all but CLOSING back to WAITING (wait_to_reconnect) */
enum state { STATE_WAITING, STATE_RESOLVING, STATE_CONNECTING, STATE_READY, STATE_CLOSING };

struct redis_async {
    uv_loop_t *loop;
    struct redis_async_config config;
    char where[REDIS_URL_TEXT_BYTES + 32];
    enum state state;
    uv_timer_t tick;
    uv_async_t refuse; /* tells refused sends from the loop */
    uv_getaddrinfo_t resolver;
    bool resolving;
    redisAsyncContext *connection;
    struct redis_request_list pending; /* sent and unanswered */
    struct redis_request_list refused;
    struct str wire; /* of the command that is sent; kept for the next one */
    uint64_t last_tick_ms;
    uint64_t due_ms; /* WAITING: when to try again; RESOLVING, CONNECTING: when to give up */
    uint64_t ready_since_ms;
    unsigned failures; /* tries since it was last ready */
    uint64_t connects;
    int open_handles;
    struct err reason; /* why the connection was lost */
    redis_async_closed_fn on_closed;
    void *closed_context;
    bool close_asked;
    bool link_broken;
};

static uint64_t now_ms(const struct redis_async *redis)
{
    return uv_now(redis->loop);
}

static void free_when_closed(struct redis_async *redis)
{
    redis_async_closed_fn on_closed = redis->on_closed;
    void *context = redis->closed_context;

    if (!redis->close_asked || redis->open_handles > 0 || redis->resolving || redis->connection != NULL ||
        redis->pending.count > 0 || redis->refused.count > 0)
        return;
    str_fini(&redis->wire);
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

static void wait_to_reconnect(struct redis_async *redis, enum err_code code, const char *why)
{
    int64_t high_ms;

    if (redis->state == STATE_CLOSING || redis->state == STATE_WAITING)
        return;
    (void)ERR_SET(&redis->reason, code, "Redis %s: %s", redis->where, why);
    redis->failures++;
    high_ms = (int64_t)BACKOFF_LOW_MS << (redis->failures < BACKOFF_DOUBLINGS ? redis->failures : BACKOFF_DOUBLINGS);
    if (high_ms > BACKOFF_HIGH_MS)
        high_ms = BACKOFF_HIGH_MS;
    redis->due_ms = now_ms(redis) + (uint64_t)jitter_between(BACKOFF_LOW_MS, high_ms);
    redis->state = STATE_WAITING;
    if (redis->config.on_state != NULL && redis->failures == 1) {
        struct err err = redis->reason;

        redis->config.on_state(redis->config.context, false, &err);
    }
}

/* Breaks the connection; what is pending is answered with the reason. Not from within on_connected: there the
 * connection is still hiredis'. */
static void break_connection(struct redis_async *redis, enum err_code code, const char *why)
{
    wait_to_reconnect(redis, code, why);
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

/* AUTH, SELECT and PING: a server that still loads its data answers the first two. */

static void on_introduced(redisAsyncContext *connection, void *reply, void *is_last)
{
    struct redis_async *redis = connection->data;
    struct err err;

    if (reply == NULL || redis->state != STATE_CONNECTING)
        return;
    if (redis_reply_check(reply, &err) != ERR_OK) {
        break_connection(redis, err.code, redis_reply_text(reply));
        return;
    }
    if (is_last == NULL)
        return;
    redis->state = STATE_READY;
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
    if (status == REDIS_OK && url->db != 0)
        status = redisAsyncCommand(redis->connection, on_introduced, NULL, "SELECT %d", url->db);
    if (status == REDIS_OK)
        status = redisAsyncCommand(redis->connection, on_introduced, redis, "PING");
    if (status != REDIS_OK)
        redis->link_broken = true;
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
    redis->connection = NULL; /* hiredis frees it after this */
    wait_to_reconnect(redis, ERR_UNAVAILABLE, connection->errstr);
}

static const char *loss_of(const redisAsyncContext *connection)
{
    return connection->errstr != NULL && connection->errstr[0] != '\0' ? connection->errstr : "the connection was lost";
}

static void on_disconnected(const redisAsyncContext *connection, int status)
{
    struct redis_async *redis = connection->data;

    (void)status;
    wait_to_reconnect(redis, ERR_NETWORK, loss_of(connection));
}

static void open_connection(struct redis_async *redis, const char *address)
{
    const struct redis_url *url = &redis->config.url;
    redisAsyncContext *connection =
        url->path[0] != '\0' ? redisAsyncConnectUnix(url->path) : redisAsyncConnect(address, url->port);
    struct err err = {.message = "no memory"};

    redis->state = STATE_CONNECTING;
    if (connection != NULL && connection->err != 0) {
        (void)ERR_SET(&err, ERR_UNAVAILABLE, "%s", connection->errstr);
    } else if (connection != NULL && (!url->tls || redis_tls_start(&connection->c, url, &err) == ERR_OK) &&
               attach(redis, connection)) {
        redis->connection = connection;
        (void)redisAsyncSetDisconnectCallback(connection, on_disconnected);
        (void)redisAsyncSetConnectCallback(connection, on_connected); /* this one asks to watch the socket */
        return;
    }
    if (connection != NULL)
        redisAsyncFree(connection);
    break_connection(redis, ERR_UNAVAILABLE, err.message);
}

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *addresses)
{
    struct redis_async *redis = resolver->data;
    char address[64] = "";

    redis->resolving = false;
    if (status == 0)
        status = redis_address_choose(address, sizeof address, addresses, redis->failures);
    uv_freeaddrinfo(addresses);
    if (redis->state == STATE_CLOSING)
        free_when_closed(redis);
    else if (redis->state == STATE_RESOLVING && status == 0)
        open_connection(redis, address);
    else if (redis->state == STATE_RESOLVING)
        break_connection(redis, ERR_UNAVAILABLE, uv_strerror(status));
}

static void connect_now(struct redis_async *redis)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int status;

    if (redis->resolving)
        return; /* an earlier look-up that took too long is still under way */
    redis->link_broken = false;
    redis->due_ms = now_ms(redis) + (uint64_t)redis->config.connect_timeout_ms;
    if (redis->config.url.path[0] != '\0') {
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
    uint64_t now = now_ms(redis);
    bool stalled = now - redis->last_tick_ms > STALL_MS;

    redis->last_tick_ms = now;
    if (stalled) /* what came meanwhile is read first: timers run before sockets */
        return;
    if (redis->state == STATE_WAITING) {
        if (now >= redis->due_ms)
            connect_now(redis);
    } else if (redis->link_broken) {
        break_connection(redis, ERR_NETWORK, "its socket cannot be watched");
    } else if (redis->state == STATE_READY) {
        if (redis->pending.head != NULL && now >= redis->pending.head->deadline_ms)
            break_connection(redis, ERR_NETWORK, "no reply in time");
    } else if (now >= redis->due_ms) {
        break_connection(redis, ERR_UNAVAILABLE, "no connection in time");
    }
}

static void on_refuse(uv_async_t *async)
{
    struct redis_async *redis = async->data;
    struct redis_request_list refused = redis->refused; /* sends of the callbacks go to the next round */
    struct redis_request *request;

    redis->refused = (struct redis_request_list){0};
    while ((request = redis_request_pop(&refused)) != NULL) {
        bool closing = redis->state == STATE_CLOSING;
        struct err err;

        (void)ERR_SET(&err, closing ? ERR_CANCELLED : ERR_UNAVAILABLE, "Redis %s %s", redis->where,
                      closing ? "was closed" : "is away");
        request->fn(request->context, NULL, &err);
        redis_request_destroy(request);
    }
}

static int or_default(int value, int fallback)
{
    return value > 0 ? value : fallback;
}

enum err_code redis_async_create(struct redis_async **out, uv_loop_t *loop, const struct redis_async_config *config,
                                 struct err *err)
{
    enum err_code rc = redis_tls_check(&config->url, err);
    struct redis_async *redis;

    *out = NULL;
    if (rc != ERR_OK)
        return rc;
    redis = mem_zeroed(1, sizeof *redis);
    if (redis == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a Redis connection");
    redis->loop = loop;
    redis->config = *config;
    redis->config.connect_timeout_ms = or_default(config->connect_timeout_ms, CONNECT_TIMEOUT_MS);
    redis->config.reply_timeout_ms = or_default(config->reply_timeout_ms, REPLY_TIMEOUT_MS);
    redis_url_describe(&config->url, redis->where, (int)sizeof redis->where);
    if (uv_async_init(loop, &redis->refuse, on_refuse) != 0) {
        free(redis);
        return ERR_SET(err, ERR_INTERNAL, "the event loop takes no more handles");
    }
    (void)uv_timer_init(loop, &redis->tick); /* never fails */
    redis->refuse.data = redis;
    redis->tick.data = redis;
    redis->open_handles = 2;
    redis->state = STATE_WAITING;
    redis->last_tick_ms = now_ms(redis);
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

static void on_reply(redisAsyncContext *connection, void *data, void *privdata);

/* false: hiredis did not take it */
static bool submit(struct redis_async *redis, struct redis_request *request)
{
    struct str *wire = &redis->wire;
    bool is_taken;

    if (redis->state != STATE_READY || redis->pending.count >= MAX_PENDING)
        return false;
    is_taken = redis_command_print(wire, &request->command, request->sent_as_text) &&
               redisAsyncFormattedCommand(redis->connection, on_reply, request, wire->text, wire->length) == REDIS_OK;
    if (wire->capacity > WIRE_KEPT_BYTES)
        str_fini(wire);
    if (!is_taken)
        return false;
    request->deadline_ms =
        redis_request_deadline(request, &redis->pending, now_ms(redis), (uint64_t)redis->config.reply_timeout_ms);
    redis_request_push(&redis->pending, request);
    return true;
}

static enum err_code describe_reply(struct redis_async *redis, const struct redis_reply *reply, struct err *err)
{
    if (reply != NULL)
        return redis_reply_check(reply, err);
    if (redis->state == STATE_CLOSING)
        return ERR_SET(err, ERR_CANCELLED, "Redis %s was closed", redis->where);
    return ERR_SET(err, ERR_NETWORK, "%s", redis->reason.message);
}

static void on_reply(redisAsyncContext *connection, void *data, void *privdata)
{
    struct redis_request *request = privdata;
    struct redis_async *redis = request->redis;
    const struct redis_reply *reply = data;
    struct err err;
    enum err_code rc;

    (void)redis_request_pop(&redis->pending); /* replies come in order: it is this one */
    if (reply == NULL)                        /* the connection is gone: on_state comes before the callbacks */
        wait_to_reconnect(redis, ERR_NETWORK, loss_of(connection));
    if (redis_reply_is_error(reply, "NOSCRIPT") && request->command.script != NULL && !request->sent_as_text) {
        request->sent_as_text = true;
        if (submit(redis, request))
            return;
        reply = NULL;
    }
    rc = describe_reply(redis, reply, &err);
    request->fn(request->context, reply, rc == ERR_OK ? NULL : &err);
    redis_request_destroy(request);
    if (redis_reply_is_error(reply, "READONLY") && redis->connection == connection && redis->state == STATE_READY)
        break_connection(redis, ERR_UNAVAILABLE, "it is a read-only replica"); /* look the name up anew */
}

static void send_request(struct redis_async *redis, struct redis_request *request, redis_async_reply_fn fn,
                         void *context)
{
    if (request == NULL) {
        bool closing = redis->state == STATE_CLOSING;
        struct err err;

        (void)ERR_SET(&err, closing ? ERR_CANCELLED : ERR_NO_MEMORY, "Redis %s %s", redis->where,
                      closing ? "was closed" : "is sent nothing: out of memory");
        fn(context, NULL, &err); /* nothing is left to defer it with */
        return;
    }
    request->redis = redis;
    request->fn = fn;
    request->context = context;
    if (submit(redis, request))
        return;
    redis_request_push(&redis->refused, request);
    (void)uv_async_send(&redis->refuse);
}

void redis_async_send(struct redis_async *redis, const struct redis_command *command, redis_async_reply_fn fn,
                      void *context)
{
    struct redis_request *request = redis->state == STATE_CLOSING ? NULL : redis_request_create_copy(command);

    send_request(redis, request, fn, context);
}

void redis_async_give(struct redis_async *redis, struct redis_command *command, redis_async_reply_fn fn, void *context)
{
    struct redis_request *request = redis->state == STATE_CLOSING ? NULL : redis_request_create(command);

    redis_command_fini(command); /* what was not taken */
    send_request(redis, request, fn, context);
}

void redis_async_flush(struct redis_async *redis)
{
    if (redis->state == STATE_READY)
        redis_link_flush(redis->connection);
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
