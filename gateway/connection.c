#include "gateway/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "gateway/exchange.h"
#include "gateway/http_parse.h"
#include "gateway/problem.h"
#include "gateway/router.h"

enum { INPUT_BYTES = 16 * 1024, LINGER_MS = 2000, LINGER_BYTES = 16 * 1024 * 1024, MAX_TURNED_AWAY = 256 };

enum state { STATE_IDLE, STATE_READING, STATE_ANSWERING, STATE_WRITING, STATE_LINGERING, STATE_CLOSED };

struct connection {
    struct connection_pool *pool;
    struct connection *next;
    struct connection **link; /* what points here */
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    enum state state;
    uint64_t deadline_ms;
    struct http_parse *parse;
    struct exchange *exchange; /* READING: being filled; ANSWERING: with its route, also when CLOSED */
    char input[INPUT_BYTES];
    size_t input_start; /* input[start, end) is not parsed yet */
    size_t input_end;
    size_t lingered_bytes;
    struct str output; /* the answer while it is written */
    bool is_reading;   /* uv_read_start is on */
    bool peer_done;    /* the client has sent its last byte */
    bool last;         /* close after this answer */
    bool handle_open;
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer);
static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);
static void process_input(struct connection *connection);

static uint64_t now_ms(const struct connection *connection)
{
    return uv_now(connection->tcp.loop);
}

static void free_when_done(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;

    if (connection->handle_open || connection->exchange != NULL)
        return;
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    pool->count--;
    http_parse_destroy(connection->parse);
    str_fini(&connection->output);
    free(connection);
    if (pool->draining && pool->count == 0)
        pool->on_empty(pool->context);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    connection->handle_open = false;
    free_when_done(connection);
}

static int64_t limit_ms(const struct connection *connection, enum state state)
{
    const struct connection_pool *pool = connection->pool;

    switch (state) {
    case STATE_IDLE:
        return pool->idle_timeout_ms;
    case STATE_READING:
    case STATE_WRITING:
        return pool->request_timeout_ms;
    case STATE_ANSWERING:
        return pool->answer_timeout_ms;
    case STATE_LINGERING:
        return LINGER_MS;
    case STATE_CLOSED:
        break;
    }
    return 0;
}

/* The one way from state to state. */
static void enter(struct connection *connection, enum state state)
{
    static const unsigned allowed[] = {
        [STATE_IDLE] = 1u << STATE_READING | 1u << STATE_LINGERING | 1u << STATE_CLOSED,
        [STATE_READING] = 1u << STATE_ANSWERING | 1u << STATE_CLOSED,
        [STATE_ANSWERING] = 1u << STATE_WRITING | 1u << STATE_CLOSED,
        [STATE_WRITING] = 1u << STATE_IDLE | 1u << STATE_LINGERING | 1u << STATE_CLOSED,
        [STATE_LINGERING] = 1u << STATE_CLOSED,
        [STATE_CLOSED] = 0,
    };

    assert((allowed[connection->state] >> state & 1u) != 0);
    (void)allowed; /* not read where asserts are off */
    if (connection->state == STATE_READING && state == STATE_CLOSED) {
        exchange_destroy(connection->exchange); /* no route has it */
        connection->exchange = NULL;
    }
    connection->state = state;
    connection->deadline_ms = now_ms(connection) + (uint64_t)limit_ms(connection, state);
    if (state != STATE_CLOSED)
        return;
    if (connection->exchange != NULL)
        connection->exchange->client_left = true;
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

/* Idempotent. */
static void connection_close(struct connection *connection)
{
    if (connection->state != STATE_CLOSED)
        enter(connection, STATE_CLOSED);
}

/* Reads while there is room; a client that sends ahead too far waits. */
static void update_reading(struct connection *connection)
{
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    bool wanted = connection->state != STATE_CLOSED && !connection->peer_done &&
                  (connection->state == STATE_LINGERING || connection->input_end < INPUT_BYTES);

    if (wanted && !connection->is_reading) {
        if (uv_read_start(stream, on_alloc, on_read) != 0)
            connection_close(connection);
        else
            connection->is_reading = true;
    } else if (!wanted && connection->is_reading && connection->state != STATE_CLOSED) {
        (void)uv_read_stop(stream); /* never fails */
        connection->is_reading = false;
    }
}

/* Out */

static void on_shut_down(uv_shutdown_t *request, int status)
{
    struct connection *connection = request->data;

    if (status != 0)
        connection_close(connection);
}

/* The last answer is out. What the client still sends is read and dropped, or the reset would overtake the answer. */
static void linger(struct connection *connection)
{
    if (connection->peer_done) {
        connection_close(connection);
        return;
    }
    enter(connection, STATE_LINGERING);
    connection->shutdown.data = connection;
    if (uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shut_down) != 0)
        connection_close(connection);
    else
        update_reading(connection);
}

static void on_written(uv_write_t *request, int status)
{
    struct connection *connection = request->data;

    if (connection->state == STATE_CLOSED)
        return;
    if (status != 0) {
        connection_close(connection);
    } else if (connection->last || connection->pool->draining) {
        linger(connection);
    } else {
        str_clear(&connection->output);
        enter(connection, STATE_IDLE);
        process_input(connection);
    }
}

static void write_answer(struct connection *connection, const struct exchange *exchange)
{
    struct http_reply_frame frame = {.request_id = exchange->id,
                                     .unix_ms = clock_unix_ms(&exchange->services->clock),
                                     .keep_alive = !connection->last && !connection->pool->draining,
                                     .http_1_0 = exchange->request.http_1_0,
                                     .head_only = strcmp(exchange->request.method, "HEAD") == 0};
    uv_buf_t buffer;

    connection->last = !frame.keep_alive;
    str_clear(&connection->output);
    if (!http_reply_print(&exchange->reply, &frame, &connection->output)) {
        connection_close(connection); /* no memory for the answer */
        return;
    }
    enter(connection, STATE_WRITING);
    buffer = uv_buf_init(connection->output.text, (unsigned)connection->output.length);
    connection->write.data = connection;
    if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buffer, 1, on_written) != 0)
        connection_close(connection);
}

static void on_answered(struct exchange *exchange, void *owner)
{
    struct connection *connection = owner;

    connection->exchange = NULL;
    exchange_log(exchange);
    if (connection->state == STATE_ANSWERING)
        write_answer(connection, exchange);
    exchange_destroy(exchange);
    free_when_done(connection);
}

/* In */

static void dispatch(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    assert(exchange != NULL);
    exchange->request = *http_parse_request(connection->parse);
    connection->last = !exchange->request.keep_alive;
    exchange_identify(exchange, connection->pool->id_prefix, connection->pool->requests);
    exchange->client_left = connection->peer_done;
    enter(connection, STATE_ANSWERING);
    router_dispatch(exchange);
}

/* Answers what never became a request. */
static void refuse(struct connection *connection, int status, const char *code, const char *reason)
{
    struct exchange *exchange = connection->exchange;

    connection->last = true;
    exchange_identify(exchange, connection->pool->id_prefix, connection->pool->requests);
    enter(connection, STATE_ANSWERING);
    problem_answer(exchange, status, code, "%s", reason);
}

static bool begin_request(struct connection *connection)
{
    struct exchange *exchange = exchange_create(connection->pool->services, on_answered, connection);

    if (exchange == NULL) {
        connection_close(connection);
        return false;
    }
    connection->exchange = exchange;
    connection->pool->requests++;
    http_parse_begin(connection->parse, exchange->arena);
    enter(connection, STATE_READING);
    return true;
}

static void send_continue(struct connection *connection)
{
    char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t buffer = uv_buf_init(text, sizeof text - 1);

    /* If it does not fit now, the client sends the body after a moment all the same (RFC 9110 section 10.1.1). */
    (void)uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1);
}

static void feed(struct connection *connection)
{
    size_t consumed = 0;

    switch (http_parse_feed(connection->parse, connection->input + connection->input_start,
                            connection->input_end - connection->input_start, &consumed)) {
    case HTTP_PARSE_MORE:
        connection->input_start += consumed;
        if (http_parse_take_expectation(connection->parse))
            send_continue(connection);
        break;
    case HTTP_PARSE_DONE:
        connection->input_start += consumed;
        dispatch(connection);
        break;
    case HTTP_PARSE_REFUSED:
        connection->input_start = connection->input_end;
        refuse(connection, http_parse_status(connection->parse), "bad_request", http_parse_reason(connection->parse));
        break;
    }
}

/* Parses what has come, up to the end of one request. */
static void process_input(struct connection *connection)
{
    while ((connection->state == STATE_IDLE || connection->state == STATE_READING) &&
           connection->input_start < connection->input_end) {
        if (connection->state == STATE_IDLE && !begin_request(connection))
            return;
        feed(connection);
    }
    if (connection->state == STATE_CLOSED)
        return;
    if (connection->peer_done && (connection->state == STATE_IDLE || connection->state == STATE_READING)) {
        connection_close(connection);
        return;
    }
    memmove(connection->input, connection->input + connection->input_start,
            connection->input_end - connection->input_start);
    connection->input_end -= connection->input_start;
    connection->input_start = 0;
    update_reading(connection);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;

    (void)suggested;
    if (connection->state == STATE_LINGERING)
        connection->input_end = 0;
    *buffer = uv_buf_init(connection->input + connection->input_end, (unsigned)(INPUT_BYTES - connection->input_end));
}

static void on_peer_done(struct connection *connection)
{
    connection->peer_done = true;
    if (connection->exchange != NULL)
        connection->exchange->client_left = true; /* or half-closed: an answer still goes out, a wait ends */
    if (connection->state == STATE_LINGERING)
        connection_close(connection);
    else
        process_input(connection);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;

    (void)buffer;
    if (length == UV_EOF) {
        on_peer_done(connection);
    } else if (length < 0) {
        connection_close(connection);
    } else if (connection->state == STATE_LINGERING) {
        connection->lingered_bytes += (size_t)length;
        if (connection->lingered_bytes > LINGER_BYTES)
            connection_close(connection);
    } else {
        connection->input_end += (size_t)length;
        process_input(connection);
    }
}

/* Life */

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
    linger(connection);
}

void connection_accept(struct connection_pool *pool, uv_stream_t *listener)
{
    struct connection *connection = mem_zeroed(1, sizeof *connection);

    if (connection == NULL)
        return; /* the client waits in the backlog */
    connection->pool = pool;
    connection->parse = http_parse_create();
    if (connection->parse == NULL || uv_tcp_init(listener->loop, &connection->tcp) != 0) {
        http_parse_destroy(connection->parse);
        free(connection);
        return;
    }
    connection->tcp.data = connection;
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
    (void)uv_tcp_nodelay(&connection->tcp, 1); /* answers are whole: nothing to gather */
    if (pool->count > pool->max_connections)
        turn_away(connection);
    else
        update_reading(connection);
}

void connection_sweep(struct connection_pool *pool)
{
    for (struct connection *connection = pool->first, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->state == STATE_CLOSED || now_ms(connection) < connection->deadline_ms)
            continue;
        if (connection->state == STATE_READING)
            refuse(connection, 408, "request_timeout", "the request took too long to arrive");
        else
            connection_close(connection);
    }
}

void connection_drain(struct connection_pool *pool)
{
    pool->draining = true;
    for (struct connection *connection = pool->first, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->state == STATE_IDLE)
            connection_close(connection);
    }
    if (pool->count == 0)
        pool->on_empty(pool->context);
}

void connection_abort(struct connection_pool *pool)
{
    for (struct connection *connection = pool->first, *next; connection != NULL; connection = next) {
        next = connection->next;
        connection_close(connection);
    }
}
