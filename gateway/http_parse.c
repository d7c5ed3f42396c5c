#include "gateway/http_parse.h"

#include <llhttp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    FIRST_TEXT_BYTES = 1024,
    FIRST_BODY_BYTES = 1024,
    /* What chunk sizes, extensions and trailers may add to a body. */
    MAX_RAW_BODY_BYTES = 8 * HTTP_PARSE_MAX_BODY_BYTES
};

/* Bytes that grow in the arena (the old copy stays there until the request ends). */
struct buffer {
    char *bytes;
    size_t length;
    size_t capacity;
};

/* Where a header lies in the text of the head; offsets, since the text moves while it grows. */
struct header_place {
    size_t name;
    size_t value;
};

struct http_parse {
    llhttp_t parser;
    llhttp_settings_t settings;
    struct arena *arena;
    struct buffer target;
    struct buffer head; /* names and values, each terminated */
    struct header_place places[HTTP_PARSE_MAX_HEADERS];
    size_t place_count;
    struct buffer body;
    size_t head_bytes; /* raw bytes taken */
    size_t body_bytes;
    bool in_value; /* the last span was of a value */
    bool head_done;
    bool expects;
    bool done;
    int status; /* of the refusal */
    const char *reason;
    struct http_request request;
};

static int refuse(struct http_parse *parse, int status, const char *reason)
{
    if (parse->status == 0) {
        parse->status = status;
        parse->reason = reason;
    }
    return HPE_USER;
}

static bool buffer_reserve(struct arena *arena, struct buffer *buffer, size_t needed, size_t first)
{
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : first;
    char *bytes;

    if (needed <= buffer->capacity)
        return true;
    while (capacity < needed)
        capacity *= 2;
    bytes = arena_alloc(arena, capacity);
    if (bytes == NULL)
        return false;
    if (buffer->length > 0)
        memcpy(bytes, buffer->bytes, buffer->length);
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

/* Appends and keeps a terminator behind the end, not counted. */
static bool buffer_append(struct arena *arena, struct buffer *buffer, const char *bytes, size_t length, size_t first)
{
    if (!buffer_reserve(arena, buffer, buffer->length + length + 1, first))
        return false;
    if (length > 0)
        memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    buffer->bytes[buffer->length] = '\0';
    return true;
}

/* Text of the request line or a header, within the head's limit. */
static int append_head(struct http_parse *parse, struct buffer *buffer, const char *at, size_t length)
{
    if (parse->target.length + parse->head.length + length > HTTP_PARSE_MAX_HEAD_BYTES)
        return refuse(parse, 431, "the request line and headers are larger than 16 KiB");
    if (memchr(at, '\0', length) != NULL)
        return refuse(parse, 400, "a header holds a NUL byte");
    if (!buffer_append(parse->arena, buffer, at, length, FIRST_TEXT_BYTES))
        return refuse(parse, 431, "the request needs more memory than it may have");
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t length)
{
    struct http_parse *parse = parser->data;

    return append_head(parse, &parse->target, at, length);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length)
{
    struct http_parse *parse = parser->data;

    if (parse->head_done)
        return 0; /* a trailer: of no use here */
    if (parse->in_value || parse->place_count == 0) {
        if (parse->place_count == HTTP_PARSE_MAX_HEADERS)
            return refuse(parse, 431, "there are more than 100 headers");
        if (parse->place_count > 0)
            parse->head.length++; /* keeps the terminator of the value before */
        parse->places[parse->place_count++] = (struct header_place){.name = parse->head.length, .value = SIZE_MAX};
        parse->in_value = false;
    }
    return append_head(parse, &parse->head, at, length);
}

/* Closes the name, also where the value is empty and no bytes of it come. */
static void begin_value(struct http_parse *parse)
{
    if (parse->in_value || parse->place_count == 0)
        return;
    parse->head.length++;
    parse->places[parse->place_count - 1].value = parse->head.length;
    parse->in_value = true;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length)
{
    struct http_parse *parse = parser->data;

    if (parse->head_done)
        return 0;
    begin_value(parse);
    return append_head(parse, &parse->head, at, length);
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct http_parse *parse = parser->data;

    if (parse->head_done)
        return 0;
    begin_value(parse);
    return append_head(parse, &parse->head, "", 0);
}

/* A name of RFC 9110's token characters; what else some would trim or split differently. */
static bool is_token(const char *name)
{
    const char *at = name;

    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '-' ||
           (*at != '\0' && strchr("!#$%&'*+.^_`|~", *at) != NULL))
        at++;
    return at > name && *at == '\0';
}

/* Only bytes that a URL may hold, and no fragment. */
static bool is_target(const char *target)
{
    for (; *target != '\0'; target++) {
        if ((unsigned char)*target <= ' ' || (unsigned char)*target >= 0x7f || *target == '#')
            return false;
    }
    return true;
}

/* "/path?query" or "http://host/path?query" into path and query. */
static int split_target(struct http_parse *parse)
{
    char *path = parse->target.bytes;
    char *question;

    if (path != NULL && (strncasecmp(path, "http://", 7) == 0 || strncasecmp(path, "https://", 8) == 0)) {
        path = strchr(path, ':') + 3;
        path += strcspn(path, "/?");
        if (*path != '/')
            path = NULL;
    }
    if (path == NULL || !is_target(path) || (*path != '/' && strcmp(path, "*") != 0))
        return refuse(parse, 400, "the request target is not a path");
    question = strchr(path, '?');
    if (question != NULL)
        *question++ = '\0';
    parse->request.path = path;
    parse->request.query = question != NULL ? question : "";
    return 0;
}

/* Spaces behind a value are none of it. */
static const char *trim(char *value)
{
    size_t length = strlen(value);

    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        value[--length] = '\0';
    return value;
}

static int collect_headers(struct http_parse *parse)
{
    struct http_header *headers = NULL;
    size_t hosts = 0;

    if (parse->place_count > 0) {
        headers = arena_alloc(parse->arena, parse->place_count * sizeof *headers);
        if (headers == NULL)
            return refuse(parse, 431, "the request needs more memory than it may have");
    }
    for (size_t i = 0; i < parse->place_count; i++) {
        headers[i] = (struct http_header){.name = parse->head.bytes + parse->places[i].name,
                                          .value = trim(parse->head.bytes + parse->places[i].value)};
        if (!is_token(headers[i].name))
            return refuse(parse, 400, "a header's name holds what no name may");
        if (strcasecmp(headers[i].name, "transfer-encoding") == 0 && strcasecmp(headers[i].value, "chunked") != 0)
            return refuse(parse, 501, "the only transfer coding known is chunked");
        hosts += strcasecmp(headers[i].name, "host") == 0;
    }
    parse->request.headers = headers;
    parse->request.header_count = parse->place_count;
    if (hosts > 1 || (hosts == 0 && !parse->request.http_1_0))
        return refuse(parse, 400, "a request of HTTP/1.1 has exactly one Host");
    return 0;
}

/* Expect holds, of what there is, only 100-continue. */
static int check_expectation(struct http_parse *parse)
{
    const char *expect = http_request_header(&parse->request, "expect");

    if (expect == NULL || parse->request.http_1_0)
        return 0;
    if (strcasecmp(expect, "100-continue") != 0)
        return refuse(parse, 417, "the only expectation known is 100-continue");
    parse->expects = true;
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_parse *parse = parser->data;
    bool has_body = (parser->flags & F_CHUNKED) != 0 || parser->content_length > 0;
    int failed;

    parse->head_done = true;
    parse->request.method = llhttp_method_name((llhttp_method_t)parser->method);
    parse->request.keep_alive = llhttp_should_keep_alive(parser) != 0;
    parse->request.http_1_0 = parser->http_minor == 0;
    if (parser->http_major != 1 || parser->http_minor > 1)
        return refuse(parse, 505, "HTTP/1.0 and HTTP/1.1 are spoken here");
    if (parser->method == HTTP_CONNECT)
        return refuse(parse, 501, "this is no proxy");
    /* An upgrade is declined by answering in HTTP/1.1 (RFC 9110 section 7.8): clients that offer h2c go on. */
    failed = split_target(parse);
    if (failed == 0)
        failed = collect_headers(parse);
    if (failed == 0)
        failed = check_expectation(parse);
    if (failed != 0)
        return failed;
    parse->expects = parse->expects && has_body;
    if (has_body && (parser->flags & F_CHUNKED) == 0) {
        if (parser->content_length > HTTP_PARSE_MAX_BODY_BYTES)
            return refuse(parse, 413, "the body is larger than 64 KiB");
        if (!buffer_reserve(parse->arena, &parse->body, (size_t)parser->content_length + 1, FIRST_BODY_BYTES))
            return refuse(parse, 413, "the request needs more memory than it may have");
    }
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct http_parse *parse = parser->data;

    if (parse->body.length + length > HTTP_PARSE_MAX_BODY_BYTES)
        return refuse(parse, 413, "the body is larger than 64 KiB");
    if (!buffer_append(parse->arena, &parse->body, at, length, FIRST_BODY_BYTES))
        return refuse(parse, 413, "the request needs more memory than it may have");
    parse->expects = false; /* the body comes without waiting */
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_parse *parse = parser->data;

    parse->request.body = parse->body.length > 0 ? parse->body.bytes : "";
    parse->request.body_length = parse->body.length;
    parse->expects = false;
    parse->done = true;
    return HPE_PAUSED;
}

struct http_parse *http_parse_create(void)
{
    struct http_parse *parse = calloc(1, sizeof *parse);

    if (parse == NULL)
        return NULL;
    llhttp_settings_init(&parse->settings);
    parse->settings.on_url = on_url;
    parse->settings.on_header_field = on_header_field;
    parse->settings.on_header_value = on_header_value;
    parse->settings.on_header_value_complete = on_header_value_complete;
    parse->settings.on_headers_complete = on_headers_complete;
    parse->settings.on_body = on_body;
    parse->settings.on_message_complete = on_message_complete;
    return parse;
}

void http_parse_destroy(struct http_parse *parse)
{
    free(parse);
}

void http_parse_begin(struct http_parse *parse, struct arena *arena)
{
    llhttp_init(&parse->parser, HTTP_REQUEST, &parse->settings);
    parse->parser.data = parse;
    parse->arena = arena;
    parse->target = (struct buffer){0};
    parse->head = (struct buffer){0};
    parse->body = (struct buffer){0};
    parse->place_count = 0;
    parse->head_bytes = 0;
    parse->body_bytes = 0;
    parse->in_value = false;
    parse->head_done = false;
    parse->expects = false;
    parse->done = false;
    parse->status = 0;
    parse->reason = NULL;
    parse->request = (struct http_request){.method = "", .path = "", .query = "", .body = ""};
}

/* Bounds what carries no text of its own: blank lines, padding, chunk sizes, extensions, trailers. */
static bool within_raw_limits(struct http_parse *parse, size_t taken)
{
    if (!parse->head_done)
        parse->head_bytes += taken;
    else
        parse->body_bytes += taken;
    if (parse->head_bytes > HTTP_PARSE_MAX_HEAD_BYTES)
        (void)refuse(parse, 431, "the request line and headers are larger than 16 KiB");
    else if (parse->body_bytes > MAX_RAW_BODY_BYTES)
        (void)refuse(parse, 413, "the body's chunks are larger than 512 KiB");
    return parse->status == 0;
}

enum http_parse_outcome http_parse_feed(struct http_parse *parse, const char *bytes, size_t length, size_t *consumed)
{
    llhttp_errno_t result = llhttp_execute(&parse->parser, bytes, length);

    *consumed = length;
    if (parse->done && result == HPE_PAUSED) {
        *consumed = (size_t)(llhttp_get_error_pos(&parse->parser) - bytes);
        return HTTP_PARSE_DONE;
    }
    if (result == HPE_OK && within_raw_limits(parse, length))
        return HTTP_PARSE_MORE;
    if (result == HPE_PAUSED_H2_UPGRADE)
        (void)refuse(parse, 505, "HTTP/1.0 and HTTP/1.1 are spoken here");
    if (result == HPE_INVALID_METHOD)
        (void)refuse(parse, 501, "there is no such method");
    (void)refuse(parse, 400, "the bytes are not an HTTP request");
    return HTTP_PARSE_REFUSED;
}

const struct http_request *http_parse_request(const struct http_parse *parse)
{
    return &parse->request;
}

int http_parse_status(const struct http_parse *parse)
{
    return parse->status;
}

const char *http_parse_reason(const struct http_parse *parse)
{
    return parse->reason;
}

bool http_parse_take_expectation(struct http_parse *parse)
{
    bool expects = parse->head_done && parse->expects;

    parse->expects = false;
    return expects;
}
