#include "tests/integration/canned_gateway.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { REQUEST_BYTES = 65536, LOOK_MS = 50, BACKLOG = 16, READ_MS = 10000 };

/* Whether head and body are there. */
static bool is_complete(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strstr(request, "Content-Length: ");

    if (end == NULL)
        return false;
    if (length == NULL || length > end)
        return true;
    return strlen(end + 4) >= strtoul(length + strlen("Content-Length: "), NULL, 10);
}

static void read_request(int fd, char *request)
{
    size_t length = 0;

    request[0] = '\0';
    while (!is_complete(request) && length + 1 < REQUEST_BYTES) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        ssize_t count = poll(&wait, 1, READ_MS) == 1 ? read(fd, request + length, REQUEST_BYTES - 1 - length) : 0;

        if (count <= 0)
            return;
        length += (size_t)count;
        request[length] = '\0';
    }
}

static void send_text(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t count = send(fd, text, length, MSG_NOSIGNAL);

        if (count <= 0)
            return;
        text += count;
        length -= (size_t)count;
    }
}

/* Head and body as they go over the wire; false: nothing is sent. */
static bool make_answer(const struct canned_answer *found, struct str *text)
{
    size_t length = found->cut > 0 ? (size_t)found->cut : strlen(found->body);

    if (found->kind == CANNED_SILENT || found->kind == CANNED_CLOSED)
        return false;
    str_append_format(text, "HTTP/1.1 %d X\r\nConnection: close\r\n%s", found->status,
                      found->headers != NULL ? found->headers : "");
    if (found->kind == CANNED_WHOLE)
        str_append_format(text, "Content-Length: %zu\r\n", strlen(found->body));
    str_append_text(text, "\r\n");
    str_append(text, found->body, length);
    return !text->failed;
}

static bool stays_open(enum canned_kind kind)
{
    return kind == CANNED_STREAM || kind == CANNED_SILENT;
}

static void answer(struct canned_gateway *gateway, int fd, const char *request)
{
    static const struct canned_answer nothing = {.status = 404, .body = "{\"detail\":\"nothing is canned for this\"}"};
    const struct canned_answer *found = &nothing;
    struct str text = {0};
    bool stays;
    bool made;

    (void)pthread_mutex_lock(&gateway->lock);
    str_append_text(&gateway->requests, request);
    for (size_t i = gateway->count; i > 0; i--) {
        if (str_starts_with(request, gateway->answers[i - 1].request))
            found = &gateway->answers[i - 1];
    }
    made = make_answer(found, &text);
    stays = stays_open(found->kind);
    (void)pthread_mutex_unlock(&gateway->lock);
    if (made)
        send_text(fd, text.text, text.length);
    str_fini(&text);
    if (stays && gateway->open_count < CANNED_MOST_OPEN)
        gateway->open[gateway->open_count++] = fd;
    else
        (void)close(fd);
}

static bool is_ending(struct canned_gateway *gateway)
{
    bool ending;

    (void)pthread_mutex_lock(&gateway->lock);
    ending = gateway->ending;
    (void)pthread_mutex_unlock(&gateway->lock);
    return ending;
}

static void *serve(void *context)
{
    struct canned_gateway *gateway = context;
    char *request = malloc(REQUEST_BYTES);

    while (request != NULL && !is_ending(gateway)) {
        struct pollfd wait = {.fd = gateway->listener, .events = POLLIN};
        int fd = poll(&wait, 1, LOOK_MS) == 1 ? accept(gateway->listener, NULL, NULL) : -1;

        if (fd < 0)
            continue;
        read_request(fd, request);
        answer(gateway, fd, request);
    }
    while (gateway->open_count > 0)
        (void)close(gateway->open[--gateway->open_count]);
    free(request);
    return NULL;
}

void canned_gateway_start(struct canned_gateway *gateway)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    memset(gateway, 0, sizeof *gateway);
    gateway->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(gateway->listener >= 0);
    assert_int_equal(bind(gateway->listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(gateway->listener, BACKLOG), 0);
    assert_int_equal(getsockname(gateway->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(gateway->url, sizeof gateway->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_mutex_init(&gateway->lock, NULL), 0);
    assert_int_equal(pthread_create(&gateway->thread, NULL, serve, gateway), 0);
}

void canned_gateway_stop(struct canned_gateway *gateway)
{
    (void)pthread_mutex_lock(&gateway->lock);
    gateway->ending = true;
    (void)pthread_mutex_unlock(&gateway->lock);
    (void)pthread_join(gateway->thread, NULL);
    (void)close(gateway->listener);
    (void)pthread_mutex_destroy(&gateway->lock);
    str_fini(&gateway->requests);
}

void canned_gateway_set(struct canned_gateway *gateway, const struct canned_answer *answers, size_t count)
{
    assert_true(count <= CANNED_MOST);
    (void)pthread_mutex_lock(&gateway->lock);
    memcpy(gateway->answers, answers, count * sizeof *answers);
    gateway->count = count;
    str_clear(&gateway->requests);
    (void)pthread_mutex_unlock(&gateway->lock);
}

size_t canned_gateway_count(struct canned_gateway *gateway, const char *text)
{
    const char *at;
    size_t count = 0;

    (void)pthread_mutex_lock(&gateway->lock);
    at = gateway->requests.length > 0 ? gateway->requests.text : "";
    for (; (at = strstr(at, text)) != NULL; at++)
        count++;
    (void)pthread_mutex_unlock(&gateway->lock);
    return count;
}

bool canned_gateway_was_asked(struct canned_gateway *gateway, const char *text)
{
    return canned_gateway_count(gateway, text) > 0;
}
