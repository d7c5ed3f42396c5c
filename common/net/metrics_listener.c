#include "common/net/metrics_listener.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/log.h"
#include "common/base/mem.h"

enum { BACKLOG = 16, MAX_CONNECTIONS = 16, HEAD_BYTES = 4096, TIMEOUT_MS = 10000 };

/* READING -> WAITING (for the registry) -> WRITING; from any CLOSING. */
enum state { STATE_READING, STATE_WAITING, STATE_WRITING, STATE_CLOSING };

struct connection {
    struct metrics_listener *listener;
    struct connection *next;
    uv_tcp_t tcp;
    uv_timer_t timeout;
    uv_write_t write;
    int open_handles;
    enum state state;
    bool head_only; /* of HEAD */
    char head[HEAD_BYTES + 1];
    size_t length;
    struct str answer;
};

struct metrics_listener {
    struct metrics_listener_config config;
    uv_tcp_t tcp;
    int port;
    struct connection *first;
    size_t count;
    bool collecting;
    bool tcp_open;
    bool closing;
    metrics_listener_closed_fn on_closed;
    void *closed_context;
};

static int parse_address(const char *text, struct sockaddr_storage *out)
{
    char host[METRICS_LISTENER_HOST_BYTES];
    const char *colon = strrchr(text, ':');
    int64_t port;
    size_t length;

    if (colon == NULL || !str_to_int64(colon + 1, &port) || port < 0 || port > 65535)
        return UV_EINVAL;
    length = (size_t)(colon - text);
    if (length >= 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        length -= 2;
    }
    if (length >= sizeof host)
        return UV_EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    if (uv_ip4_addr(host, (int)port, (struct sockaddr_in *)(void *)out) == 0)
        return 0;
    return uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)(void *)out);
}

static void name_address(const struct sockaddr_storage *address, char *host, size_t size, int *port)
{
    bool is_v6 = address->ss_family == AF_INET6;

    if (is_v6)
        (void)uv_ip6_name((const struct sockaddr_in6 *)(const void *)address, host, size);
    else
        (void)uv_ip4_name((const struct sockaddr_in *)(const void *)address, host, size);
    *port = ntohs(is_v6 ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                        : ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

void metrics_listener_read_address(struct metrics_address *out, struct env *env, const char *fallback)
{
    const char *text = env_text(env, "METRICS_LISTEN", env_is_blank(env, "METRICS_LISTEN") ? "off" : fallback);
    struct sockaddr_storage address;

    *out = (struct metrics_address){.given = env_is_set(env, "METRICS_LISTEN")};
    if (strcasecmp(text, "off") == 0)
        return;
    if (parse_address(text, &address) != 0)
        env_problem(env, "METRICS_LISTEN: \"%s\" is neither a numeric address with a port (127.0.0.1:9464) nor off",
                    text);
    else
        name_address(&address, out->host, sizeof out->host, &out->port);
}

/* Connections */

static void free_when_closed(struct metrics_listener *listener)
{
    metrics_listener_closed_fn on_closed = listener->on_closed;
    void *context = listener->closed_context;

    if (!listener->closing || listener->tcp_open || listener->count > 0)
        return;
    free(listener);
    if (on_closed != NULL)
        on_closed(context);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    struct metrics_listener *listener = connection->listener;
    struct connection **link = &listener->first;

    if (--connection->open_handles > 0)
        return;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    listener->count--;
    str_fini(&connection->answer);
    free(connection);
    free_when_closed(listener);
}

static void close_connection(struct connection *connection)
{
    if (connection->state == STATE_CLOSING)
        return;
    connection->state = STATE_CLOSING;
    uv_close((uv_handle_t *)&connection->tcp, on_connection_closed);
    uv_close((uv_handle_t *)&connection->timeout, on_connection_closed);
}

static void on_timeout(uv_timer_t *timer)
{
    close_connection(timer->data);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    close_connection(write->data);
}

static void answer(struct connection *connection, int status, const char *phrase, const struct str *body)
{
    struct str *out = &connection->answer;
    uv_buf_t buffer;

    (void)uv_read_stop((uv_stream_t *)&connection->tcp);
    str_append_format(out, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n", status,
                      phrase);
    if (status == 405)
        str_append_text(out, "Allow: GET, HEAD\r\n");
    str_append_format(out, "Content-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n", body->length);
    if (!connection->head_only)
        str_append(out, body->text, body->length);
    connection->state = STATE_WRITING;
    connection->write.data = connection;
    buffer = uv_buf_init(out->text, (unsigned)out->length);
    if (out->failed || uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buffer, 1, on_written) != 0)
        close_connection(connection);
}

static void refuse(struct connection *connection, int status, const char *phrase)
{
    struct str body = {0};

    str_append_format(&body, "%s: there is GET /metrics here\n", phrase);
    if (body.failed)
        close_connection(connection);
    else
        answer(connection, status, phrase, &body);
    str_fini(&body);
}

static void wait_for_metrics(struct connection *connection)
{
    struct metrics_listener *listener = connection->listener;

    connection->state = STATE_WAITING;
    (void)uv_read_stop((uv_stream_t *)&connection->tcp);
    if (listener->collecting)
        return;
    listener->collecting = true;
    if (listener->config.collect != NULL)
        listener->config.collect(listener->config.context);
    else
        metrics_listener_collected(listener);
}

void metrics_listener_collected(struct metrics_listener *listener)
{
    struct str body = {0};
    bool printed = metrics_print(listener->config.metrics, &body);

    listener->collecting = false;
    for (struct connection *connection = listener->first; connection != NULL; connection = connection->next) {
        if (connection->state != STATE_WAITING)
            continue;
        if (printed)
            answer(connection, 200, "OK", &body);
        else
            close_connection(connection);
    }
    str_fini(&body);
}

/* "GET /metrics HTTP/1.1", whatever the query. */
static void dispatch(struct connection *connection)
{
    char *line = connection->head;
    char *path;
    char *end;

    line[strcspn(line, "\r\n")] = '\0';
    path = strchr(line, ' ');
    end = path != NULL ? strchr(path + 1, ' ') : NULL;
    if (end == NULL || strncmp(end + 1, "HTTP/1.", strlen("HTTP/1.")) != 0) {
        refuse(connection, 400, "Bad Request");
        return;
    }
    *path++ = '\0';
    *end = '\0';
    path[strcspn(path, "?")] = '\0';
    connection->head_only = strcmp(line, "HEAD") == 0;
    if (strcmp(path, "/metrics") != 0)
        refuse(connection, 404, "Not Found");
    else if (strcmp(line, "GET") != 0 && !connection->head_only)
        refuse(connection, 405, "Method Not Allowed");
    else
        wait_for_metrics(connection);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(connection->head + connection->length, (unsigned)(HEAD_BYTES - connection->length));
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;

    (void)buffer;
    if (length == 0)
        return;
    if (length < 0) {
        close_connection(connection);
        return;
    }
    connection->length += (size_t)length;
    connection->head[connection->length] = '\0';
    if (strstr(connection->head, "\r\n\r\n") != NULL)
        dispatch(connection);
    else if (connection->length == HEAD_BYTES)
        refuse(connection, 431, "Request Header Fields Too Large");
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct metrics_listener *listener = stream->data;
    struct connection *connection = status == 0 ? mem_zeroed(1, sizeof *connection) : NULL;

    if (connection == NULL)
        return; /* it waits in the backlog */
    connection->listener = listener;
    if (uv_tcp_init(stream->loop, &connection->tcp) != 0) {
        free(connection);
        return;
    }
    (void)uv_timer_init(stream->loop, &connection->timeout); /* never fails, as start with a callback */
    connection->tcp.data = connection;
    connection->timeout.data = connection;
    connection->open_handles = 2;
    connection->next = listener->first;
    listener->first = connection;
    listener->count++;
    (void)uv_timer_start(&connection->timeout, on_timeout, TIMEOUT_MS, 0);
    if (uv_accept(stream, (uv_stream_t *)&connection->tcp) != 0 || listener->count > MAX_CONNECTIONS ||
        uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read) != 0)
        close_connection(connection);
}

/* Life */

static void on_listener_closed(uv_handle_t *handle)
{
    struct metrics_listener *listener = handle->data;

    listener->tcp_open = false;
    free_when_closed(listener);
}

static int listen_on(struct metrics_listener *listener)
{
    const struct metrics_address *address = &listener->config.address;
    struct sockaddr_storage storage;
    char host[METRICS_LISTENER_HOST_BYTES];
    int size = sizeof storage;
    int status = uv_ip4_addr(address->host, address->port, (struct sockaddr_in *)(void *)&storage);

    if (status != 0)
        status = uv_ip6_addr(address->host, address->port, (struct sockaddr_in6 *)(void *)&storage);
    if (status == 0)
        status = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)&storage, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
    if (status == 0)
        status = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&storage, &size);
    if (status == 0)
        name_address(&storage, host, sizeof host, &listener->port);
    return status;
}

enum err_code metrics_listener_create(struct metrics_listener **out, uv_loop_t *loop,
                                      const struct metrics_listener_config *config, struct err *err)
{
    struct metrics_listener *listener = mem_zeroed(1, sizeof *listener);
    int status;

    *out = NULL;
    if (listener == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the metrics' listener");
    listener->config = *config;
    status = uv_tcp_init(loop, &listener->tcp);
    if (status != 0) {
        free(listener);
        return ERR_SET(err, ERR_INTERNAL, "event loop: %s", uv_strerror(status));
    }
    listener->tcp.data = listener;
    listener->tcp_open = true;
    status = listen_on(listener);
    if (status != 0) {
        metrics_listener_close(listener, NULL, NULL);
        return ERR_SET(err, status == UV_EADDRINUSE ? ERR_EXISTS : ERR_IO, "METRICS_LISTEN: %s port %d: %s",
                       config->address.host, config->address.port, uv_strerror(status));
    }
    log_info("metrics.listening", log_text("address", config->address.host), log_int("port", listener->port));
    *out = listener;
    return ERR_OK;
}

int metrics_listener_port(const struct metrics_listener *listener)
{
    return listener->port;
}

void metrics_listener_close(struct metrics_listener *listener, metrics_listener_closed_fn on_closed, void *context)
{
    listener->closing = true;
    listener->on_closed = on_closed;
    listener->closed_context = context;
    uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
    for (struct connection *connection = listener->first; connection != NULL; connection = connection->next)
        close_connection(connection);
}
