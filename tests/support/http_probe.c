#include "tests/support/http_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, HEAD_BYTES = 4096 };

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool http_probe_open(struct http_probe *probe, int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    *probe = (struct http_probe){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (probe->fd >= 0 && connect(probe->fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return true;
    http_probe_close(probe);
    return false;
}

void http_probe_close(struct http_probe *probe)
{
    if (probe->fd >= 0)
        (void)close(probe->fd);
    free(probe->input);
    *probe = (struct http_probe){.fd = -1};
}

bool http_probe_send(struct http_probe *probe, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(probe->fd, bytes, length, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool http_probe_send_text(struct http_probe *probe, const char *text)
{
    return http_probe_send(probe, text, strlen(text));
}

bool http_probe_ask(struct http_probe *probe, const char *method, const char *path, const char *headers,
                    const char *body)
{
    char head[HEAD_BYTES];
    char length[48] = "";

    if (body != NULL)
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    (void)snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s\r\n", method, path,
                   headers != NULL ? headers : "", length);
    return http_probe_send_text(probe, head) && (body == NULL || http_probe_send_text(probe, body));
}

/* More bytes into the input; false at the end, on an error or past the deadline. */
static bool receive_more(struct http_probe *probe, int64_t deadline_ms)
{
    struct pollfd waited = {.fd = probe->fd, .events = POLLIN};
    int64_t left_ms = deadline_ms - now_ms();
    ssize_t got;

    if (left_ms <= 0 || poll(&waited, 1, (int)left_ms) <= 0)
        return false;
    if (probe->input_capacity - probe->input_length < READ_BYTES) {
        size_t capacity = probe->input_capacity * 2 + READ_BYTES + 1;
        char *input = realloc(probe->input, capacity);

        if (input == NULL)
            return false;
        probe->input = input;
        probe->input_capacity = capacity;
    }
    got = recv(probe->fd, probe->input + probe->input_length, READ_BYTES - 1, 0);
    if (got <= 0)
        return false;
    probe->input_length += (size_t)got;
    probe->input[probe->input_length] = '\0';
    return true;
}

static size_t content_length(const struct http_probe_answer *answer)
{
    char value[32];

    return http_probe_header(answer, "content-length", value, sizeof value) ? strtoul(value, NULL, 10) : 0;
}

bool http_probe_receive(struct http_probe *probe, struct http_probe_answer *answer, bool head_only)
{
    int64_t deadline_ms = now_ms() + HTTP_PROBE_TIMEOUT_MS;
    const char *end;
    size_t head_length;

    *answer = (struct http_probe_answer){0};
    while (probe->input == NULL || (end = strstr(probe->input, "\r\n\r\n")) == NULL) {
        if (!receive_more(probe, deadline_ms))
            return false;
    }
    head_length = (size_t)(end - probe->input) + 4;
    answer->head = strndup(probe->input, head_length);
    if (answer->head == NULL || strncmp(answer->head, "HTTP/1.1 ", strlen("HTTP/1.1 ")) != 0)
        return false;
    answer->status = (int)strtol(answer->head + strlen("HTTP/1.1 "), NULL, 10);
    answer->body_length = head_only || answer->status == 304 || answer->status < 200 ? 0 : content_length(answer);
    while (probe->input_length < head_length + answer->body_length) {
        if (!receive_more(probe, deadline_ms))
            return false;
    }
    answer->body = strndup(probe->input + head_length, answer->body_length);
    probe->input_length -= head_length + answer->body_length;
    memmove(probe->input, probe->input + head_length + answer->body_length, probe->input_length + 1);
    return answer->body != NULL;
}

void http_probe_answer_fini(struct http_probe_answer *answer)
{
    free(answer->head);
    free(answer->body);
    *answer = (struct http_probe_answer){0};
}

bool http_probe_header(const struct http_probe_answer *answer, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);

    for (const char *line = strstr(answer->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            line += length + 1 + strspn(line + length + 1, " ");
            (void)snprintf(value, size, "%.*s", (int)strcspn(line, "\r"), line);
            return true;
        }
    }
    return false;
}

bool http_probe_is_closed(struct http_probe *probe)
{
    struct pollfd waited = {.fd = probe->fd, .events = POLLIN};
    char byte;

    return probe->input_length == 0 && poll(&waited, 1, HTTP_PROBE_TIMEOUT_MS) > 0 &&
           recv(probe->fd, &byte, 1, MSG_PEEK) == 0;
}

bool http_probe_once(int port, const char *method, const char *path, const char *headers, const char *body,
                     struct http_probe_answer *answer)
{
    struct http_probe probe;
    bool ok;

    *answer = (struct http_probe_answer){0};
    ok = http_probe_open(&probe, port) && http_probe_ask(&probe, method, path, headers, body) &&
         http_probe_receive(&probe, answer, strcmp(method, "HEAD") == 0);
    http_probe_close(&probe);
    return ok;
}
