/*
 * A small HTTP client on a raw socket, for tests: it sends what it is told, also what is no HTTP, and reads one answer
 * at a time. Every wait has a deadline.
 */
#ifndef TESTS_SUPPORT_HTTP_PROBE_H
#define TESTS_SUPPORT_HTTP_PROBE_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_PROBE_TIMEOUT_MS = 20000 };

struct http_probe {
    int fd;
    char *input; /* received and not yet read as an answer */
    size_t input_length;
    size_t input_capacity;
};

/* Goes to http_probe_answer_fini. */
struct http_probe_answer {
    int status;
    char *head; /* status line and headers, terminated */
    char *body; /* terminated */
    size_t body_length;
};

/* A connection to 127.0.0.1:port; false: refused. */
bool http_probe_open(struct http_probe *probe, int port);
void http_probe_close(struct http_probe *probe);

/* false: the peer has closed or reset. */
bool http_probe_send(struct http_probe *probe, const char *bytes, size_t length);
bool http_probe_send_text(struct http_probe *probe, const char *text);

/* "METHOD path" with Host, `headers` ("Name: value\r\n"…, NULL: none) and a body (NULL: none) with its length. */
bool http_probe_ask(struct http_probe *probe, const char *method, const char *path, const char *headers,
                    const char *body);

/* The next answer; `head_only`: of a HEAD request. false: closed, or the deadline passed. */
bool http_probe_receive(struct http_probe *probe, struct http_probe_answer *answer, bool head_only);
void http_probe_answer_fini(struct http_probe_answer *answer);

/* A header's value, copied to value[size]; false where there is none. */
bool http_probe_header(const struct http_probe_answer *answer, const char *name, char *value, size_t size);

/* Whether the peer ends its side in good order (no reset) before the deadline, with nothing left to read. */
bool http_probe_is_closed(struct http_probe *probe);

/* One request on a connection of its own. */
bool http_probe_once(int port, const char *method, const char *path, const char *headers, const char *body,
                     struct http_probe_answer *answer);

#endif
