#include <assert.h>
#include <string.h>

#include "gateway/connection_parts.h"
#include "gateway/problem.h"
#include "gateway/router.h"
#include "gateway/settings.h"

enum {
    KEPT_BYTES = CONNECTION_INPUT_BYTES, /* of requests behind the one that is answered */
    LINGER_BYTES = 16 * 1024 * 1024
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer);
static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);

/* Reads while there is room; a client that sends ahead too far waits. */
void connection_input_update(struct connection *connection)
{
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    bool wanted = connection->state != CONNECTION_CLOSED && !connection->peer_done &&
                  (connection->state == CONNECTION_LINGERING || connection->kept.length < KEPT_BYTES);

    if (wanted && !connection->is_reading) {
        if (uv_read_start(stream, on_alloc, on_read) != 0)
            connection_close(connection);
        else
            connection->is_reading = true;
    } else if (!wanted && connection->is_reading && connection->state != CONNECTION_CLOSED) {
        (void)uv_read_stop(stream); /* never fails */
        connection->is_reading = false;
    }
}

/* The parser has done its work: what it read lives in the exchange's arena. */
static void end_parse(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;

    if (pool->spare_parse == NULL)
        pool->spare_parse = connection->parse;
    else
        http_parse_destroy(connection->parse);
    connection->parse = NULL;
}

static void dispatch(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    assert(exchange != NULL);
    exchange->request = *http_parse_request(connection->parse);
    end_parse(connection);
    connection->last = !exchange->request.keep_alive;
    exchange_identify(exchange, connection->pool->id_prefix, connection->pool->requests);
    client_address_of_request(exchange->address, &connection->pool->services->settings->trusted_proxies,
                              connection->peer, &exchange->request);
    exchange->client_left = connection->peer_done;
    connection_enter(connection, CONNECTION_ANSWERING);
    router_dispatch(exchange);
}

/* Answers what never became a request. */
void connection_input_refuse(struct connection *connection, int status, const char *code, const char *reason)
{
    struct exchange *exchange = connection->exchange;

    end_parse(connection);
    connection->last = true;
    exchange_identify(exchange, connection->pool->id_prefix, connection->pool->requests);
    connection_enter(connection, CONNECTION_ANSWERING);
    problem_answer(exchange, status, code, "%s", reason);
}

static bool begin_request(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;
    struct arena *arena = pool->spare_count > 0 ? pool->spare_arenas[--pool->spare_count] : NULL;
    struct exchange *exchange = exchange_create(pool->services, arena, connection_output_answered, connection);

    connection->parse = pool->spare_parse != NULL ? pool->spare_parse : http_parse_create();
    pool->spare_parse = NULL;
    if (exchange == NULL || connection->parse == NULL) {
        exchange_destroy(exchange);
        connection_close(connection);
        return false;
    }
    exchange->stream = &connection_output_stream;
    connection->exchange = exchange;
    memcpy(exchange->address, connection->peer, sizeof exchange->address);
    pool->requests++;
    http_parse_begin(connection->parse, exchange->arena);
    connection_enter(connection, CONNECTION_READING);
    return true;
}

static void send_continue(struct connection *connection)
{
    char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t buffer = uv_buf_init(text, sizeof text - 1);

    /* If it does not fit now, the client sends the body after a moment all the same (RFC 9110 section 10.1.1). */
    (void)uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
}

/* How many of the bytes were taken. */
static size_t feed(struct connection *connection, const char *bytes, size_t length)
{
    size_t consumed = 0;

    switch (http_parse_feed(connection->parse, bytes, length, &consumed)) {
    case HTTP_PARSE_MORE:
        if (http_parse_take_expectation(connection->parse))
            send_continue(connection);
        break;
    case HTTP_PARSE_DONE:
        dispatch(connection);
        break;
    case HTTP_PARSE_REFUSED:
        connection_input_refuse(connection, http_parse_status(connection->parse), "bad_request",
                                http_parse_reason(connection->parse));
        return length;
    }
    return consumed;
}

/* Parses bytes up to the end of one request and keeps the rest until that is answered. */
static void process(struct connection *connection, const char *bytes, size_t length)
{
    size_t taken = 0;

    while ((connection->state == CONNECTION_IDLE || connection->state == CONNECTION_READING) && taken < length) {
        if (connection->state == CONNECTION_IDLE && !begin_request(connection))
            return;
        taken += feed(connection, bytes + taken, length - taken);
    }
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->peer_done && (connection->state == CONNECTION_IDLE || connection->state == CONNECTION_READING)) {
        connection_close(connection);
        return;
    }
    if (taken < length)
        str_append(&connection->kept, bytes + taken, length - taken);
    if (connection->kept.failed)
        connection_close(connection);
    else
        connection_input_update(connection);
}

void connection_input_resume(struct connection *connection)
{
    struct str kept = connection->kept;

    connection->kept = (struct str){0};
    process(connection, kept.text, kept.length);
    str_fini(&kept);
}

/* All connections read into the pool's one buffer: what stays of it is copied. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;
    size_t room = connection->state == CONNECTION_LINGERING ? sizeof connection->pool->input
                                                            : KEPT_BYTES - connection->kept.length;

    (void)suggested;
    *buffer = uv_buf_init(connection->pool->input, (unsigned)room);
}

static void on_peer_done(struct connection *connection)
{
    connection->peer_done = true;
    if (connection->exchange != NULL) /* or half-closed: an answer still goes out, a wait and a stream end */
        exchange_client_leaves(connection->exchange);
    if (connection->state == CONNECTION_LINGERING)
        connection_close(connection);
    else
        process(connection, "", 0);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;

    if (length == UV_EOF) {
        on_peer_done(connection);
    } else if (length < 0) {
        connection_close(connection);
    } else if (connection->state == CONNECTION_LINGERING) {
        connection->lingered_bytes += (size_t)length;
        if (connection->lingered_bytes > LINGER_BYTES)
            connection_close(connection);
    } else if (connection->state != CONNECTION_CLOSED) {
        process(connection, buffer->base, (size_t)length);
    }
}
