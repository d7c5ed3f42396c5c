#include "gateway/connection.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "gateway/connection_parts.h"

enum {
    STREAM_SILENT_MS = 120000, /* a route writes more often */
    LINGER_MS = 2000,
    MAX_TURNED_AWAY = 256
};

static uint64_t now_ms(const struct connection *connection)
{
    return uv_now(connection->tcp.loop);
}

static void tell_when_empty(struct connection_pool *pool)
{
    if (!pool->draining || pool->count > 0)
        return;
    http_parse_destroy(pool->spare_parse);
    pool->spare_parse = NULL;
    while (pool->spare_count > 0)
        arena_destroy(pool->spare_arenas[--pool->spare_count]);
    pool->on_empty(pool->context);
}

void connection_free_when_done(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;

    if (connection->handle_open || connection->exchange != NULL)
        return;
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    pool->count--;
    http_parse_destroy(connection->parse);
    outlet_fini(&connection->outlet);
    str_fini(&connection->kept);
    free(connection);
    tell_when_empty(pool);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    connection->handle_open = false;
    connection_free_when_done(connection);
}

static int64_t limit_ms(const struct connection *connection, enum connection_state state)
{
    const struct connection_pool *pool = connection->pool;

    switch (state) {
    case CONNECTION_IDLE:
        return pool->idle_timeout_ms;
    case CONNECTION_READING:
    case CONNECTION_WRITING:
        return pool->request_timeout_ms;
    case CONNECTION_ANSWERING:
        return pool->answer_timeout_ms;
    case CONNECTION_STREAMING:
        return connection->outlet.busy ? pool->request_timeout_ms : STREAM_SILENT_MS;
    case CONNECTION_LINGERING:
        return LINGER_MS;
    case CONNECTION_CLOSED:
        break;
    }
    return 0;
}

void connection_set_deadline(struct connection *connection)
{
    connection->deadline_ms = now_ms(connection) + (uint64_t)limit_ms(connection, connection->state);
}

/* The one way from state to state. */
void connection_enter(struct connection *connection, enum connection_state state)
{
    static const unsigned allowed[] = {
        [CONNECTION_IDLE] = 1u << CONNECTION_READING | 1u << CONNECTION_LINGERING | 1u << CONNECTION_CLOSED,
        [CONNECTION_READING] = 1u << CONNECTION_ANSWERING | 1u << CONNECTION_CLOSED,
        [CONNECTION_ANSWERING] = 1u << CONNECTION_STREAMING | 1u << CONNECTION_WRITING | 1u << CONNECTION_CLOSED,
        [CONNECTION_STREAMING] = 1u << CONNECTION_WRITING | 1u << CONNECTION_CLOSED,
        [CONNECTION_WRITING] = 1u << CONNECTION_IDLE | 1u << CONNECTION_LINGERING | 1u << CONNECTION_CLOSED,
        [CONNECTION_LINGERING] = 1u << CONNECTION_CLOSED,
        [CONNECTION_CLOSED] = 0,
    };

    assert((allowed[connection->state] >> state & 1u) != 0);
    (void)allowed; /* not read where asserts are off */
    if (connection->state == CONNECTION_READING && state == CONNECTION_CLOSED) {
        exchange_destroy(connection->exchange); /* no route has it */
        connection->exchange = NULL;
    }
    connection->state = state;
    connection_set_deadline(connection);
    if (state != CONNECTION_CLOSED)
        return;
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
    if (connection->exchange != NULL)
        exchange_client_leaves(connection->exchange);
}

/* Idempotent. */
void connection_close(struct connection *connection)
{
    if (connection->state != CONNECTION_CLOSED)
        connection_enter(connection, CONNECTION_CLOSED);
}

static void name_peer(struct connection *connection)
{
    struct sockaddr_storage address;
    int size = sizeof address;

    if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&address, &size) == 0)
        client_address_of_peer(connection->peer, (const struct sockaddr *)&address);
}

static void turn_away(struct connection *connection)
{
    const struct connection_pool *pool = connection->pool;
    char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\n"
                  "Connection: close\r\n\r\n";
    uv_buf_t buffer = uv_buf_init(text, sizeof text - 1);

    log_warn("http.turned_away", log_int("connections", (int64_t)pool->count));
    if (pool->count > pool->max_connections + MAX_TURNED_AWAY) {
        connection_close(connection);
        return;
    }
    (void)uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
    connection_output_linger(connection);
}

void connection_accept(struct connection_pool *pool, uv_stream_t *listener)
{
    struct connection *connection = mem_zeroed(1, sizeof *connection);

    if (connection == NULL)
        return; /* the client waits in the backlog */
    connection->pool = pool;
    if (uv_tcp_init(listener->loop, &connection->tcp) != 0) {
        free(connection);
        return;
    }
    connection->tcp.data = connection;
    outlet_init(&connection->outlet, (uv_stream_t *)&connection->tcp, connection_output_written, connection);
    connection->handle_open = true;
    connection->next = pool->first;
    connection->link = &pool->first;
    if (connection->next != NULL)
        connection->next->link = &connection->next;
    pool->first = connection;
    pool->count++;
    connection->deadline_ms = now_ms(connection) + (uint64_t)pool->idle_timeout_ms;
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0) {
        connection_close(connection);
        return;
    }
    name_peer(connection);
    (void)uv_tcp_nodelay(&connection->tcp, 1); /* answers are whole: nothing to gather */
    if (pool->count > pool->max_connections)
        turn_away(connection);
    else
        connection_input_update(connection);
}

void connection_sweep(struct connection_pool *pool)
{
    for (struct connection *connection = pool->first, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->state == CONNECTION_CLOSED || now_ms(connection) < connection->deadline_ms)
            continue;
        if (connection->state == CONNECTION_READING)
            connection_input_refuse(connection, 408, "request_timeout", "the request took too long to arrive");
        else
            connection_close(connection);
    }
}

void connection_drain(struct connection_pool *pool)
{
    pool->draining = true;
    for (struct connection *connection = pool->first, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->state == CONNECTION_IDLE)
            connection_close(connection);
    }
    tell_when_empty(pool);
}

void connection_abort(struct connection_pool *pool)
{
    for (struct connection *connection = pool->first, *next; connection != NULL; connection = next) {
        next = connection->next;
        connection_close(connection);
    }
}
