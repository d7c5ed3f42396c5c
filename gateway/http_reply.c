#include "gateway/http_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_VALUE_BYTES = 512, HEADERS_BYTES = 128 /* of most */ };

static bool is_control(char character)
{
    return (unsigned char)character < 0x20 || character == 0x7f;
}

void http_reply_add(struct http_reply *reply, const char *name, const char *format, ...)
{
    char value[MAX_VALUE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (reply->headers.capacity == 0)
        str_reserve(&reply->headers, HEADERS_BYTES);
    str_append_text(&reply->headers, name);
    str_append_text(&reply->headers, ": ");
    for (const char *at = value; *at != '\0'; at++) { /* without what would end the line */
        if (!is_control(*at))
            str_append_char(&reply->headers, *at);
    }
    str_append_text(&reply->headers, "\r\n");
}

void http_reply_clear(struct http_reply *reply)
{
    reply->status = 0;
    reply->content_type = NULL;
    str_clear(&reply->headers);
    str_clear(&reply->body);
}

void http_reply_fini(struct http_reply *reply)
{
    str_fini(&reply->headers);
    str_fini(&reply->body);
}

const char *http_reply_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Unknown";
}

static void append_field(struct str *out, const char *name, const char *value)
{
    str_append_text(out, name);
    str_append_text(out, ": ");
    str_append_text(out, value);
    str_append_text(out, "\r\n");
}

static void append_two_digits(struct str *out, int value, char then)
{
    str_append_char(out, (char)('0' + value / 10));
    str_append_char(out, (char)('0' + value % 10));
    str_append_char(out, then);
}

/* "Thu, 01 Jan 1970 00:00:00 GMT" (RFC 9110 section 5.6.7). */
static void append_date(struct str *out, int64_t unix_ms)
{
    static const char days[][6] = {"Sun, ", "Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, "};
    static const char months[][5] = {"Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ",
                                     "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "};
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;

    if (gmtime_r(&seconds, &utc) == NULL)
        return;
    str_append_text(out, "Date: ");
    str_append_text(out, days[utc.tm_wday]);
    append_two_digits(out, utc.tm_mday, ' ');
    str_append_text(out, months[utc.tm_mon]);
    str_append_int(out, utc.tm_year + 1900);
    str_append_char(out, ' ');
    append_two_digits(out, utc.tm_hour, ':');
    append_two_digits(out, utc.tm_min, ':');
    append_two_digits(out, utc.tm_sec, ' ');
    str_append_text(out, "GMT\r\n");
}

/* A page brings its own style and talks to nobody; everything else is data. */
static const char *content_policy(const struct http_reply *reply)
{
    if (reply->content_type != NULL && str_starts_with(reply->content_type, "text/html"))
        return "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
               "frame-ancestors 'none'";
    return "default-src 'none'; frame-ancestors 'none'";
}

static bool has_body(const struct http_reply *reply)
{
    return reply->status != 204 && reply->status != 304;
}

static void append_length(struct str *out, size_t length)
{
    str_append_text(out, "Content-Length: ");
    str_append_int(out, (int64_t)length);
    str_append_text(out, "\r\n");
}

static void append_status(struct str *out, int status)
{
    str_append_text(out, "HTTP/1.1 ");
    str_append_int(out, status);
    str_append_char(out, ' ');
    str_append_text(out, http_reply_phrase(status));
    str_append_text(out, "\r\n");
}

static void append_framing(const struct http_reply *reply, const struct http_reply_frame *frame, struct str *out)
{
    if (has_body(reply) && !frame->streamed)
        append_length(out, reply->body.length);
    else if (has_body(reply) && !frame->http_1_0)
        str_append_text(out, "Transfer-Encoding: chunked\r\n");
    if (!frame->keep_alive)
        str_append_text(out, "Connection: close\r\n");
    else if (frame->http_1_0)
        str_append_text(out, "Connection: keep-alive\r\n");
}

bool http_reply_print(const struct http_reply *reply, const struct http_reply_frame *frame, struct str *out)
{
    if (reply->headers.failed || reply->body.failed)
        return false;
    append_status(out, reply->status);
    append_date(out, frame->unix_ms);
    if (reply->content_type != NULL)
        append_field(out, "Content-Type", reply->content_type);
    append_framing(reply, frame, out);
    append_field(out, "X-Request-Id", frame->request_id);
    str_append_text(out, "Cache-Control: private, no-cache\r\n"
                         "X-Content-Type-Options: nosniff\r\n"
                         "X-Frame-Options: DENY\r\n"
                         "Referrer-Policy: no-referrer\r\n");
    append_field(out, "Content-Security-Policy", content_policy(reply));
    str_append(out, reply->headers.text, reply->headers.length);
    str_append_text(out, "\r\n");
    if (!frame->head_only && !frame->streamed && has_body(reply))
        str_append(out, reply->body.text, reply->body.length);
    return !out->failed;
}

bool http_reply_print_piece(const struct http_reply_frame *frame, const char *bytes, size_t length, struct str *out)
{
    if (frame->head_only || length == 0) /* an empty chunk would be the end */
        return !out->failed;
    if (!frame->http_1_0)
        str_append_format(out, "%zx\r\n", length);
    str_append(out, bytes, length);
    if (!frame->http_1_0)
        str_append_text(out, "\r\n");
    return !out->failed;
}

bool http_reply_print_end(const struct http_reply_frame *frame, struct str *out)
{
    if (!frame->head_only && !frame->http_1_0)
        str_append_text(out, "0\r\n\r\n");
    return !out->failed;
}
