/*
 * An answer of HTTP/1.x and its bytes. Init with {0}; a part that could not be added shows in http_reply_print.
 */
#ifndef GATEWAY_HTTP_REPLY_H
#define GATEWAY_HTTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"

struct http_reply {
    int status;
    const char *content_type; /* NULL: no body */
    struct str headers;       /* "Name: value\r\n" of what is not the same for all */
    struct str body;
};

/* How it is sent. */
struct http_reply_frame {
    const char *request_id;
    int64_t unix_ms; /* for Date */
    bool keep_alive;
    bool http_1_0;
    bool head_only; /* an answer to HEAD: all but the body */
    bool streamed;  /* the body follows in pieces; HTTP/1.0 is told its end by the end of the connection */
};

/* Adds a header; control characters in the value are left out. */
void http_reply_add(struct http_reply *reply, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Forgets all but the memory. */
void http_reply_clear(struct http_reply *reply);
void http_reply_fini(struct http_reply *reply);

/* Appends the whole answer, with the headers that every answer has; false when out of memory. Of a streamed one the
 * head alone: its pieces and its end are the next two. */
bool http_reply_print(const struct http_reply *reply, const struct http_reply_frame *frame, struct str *out);
bool http_reply_print_piece(const struct http_reply_frame *frame, const char *bytes, size_t length, struct str *out);
bool http_reply_print_end(const struct http_reply_frame *frame, struct str *out);

/* "Not Found" for 404, … */
const char *http_reply_phrase(int status);

#endif
