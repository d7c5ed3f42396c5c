#include "gateway/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/problem.h"

struct exchange *exchange_create(const struct services *services, struct arena *arena, exchange_answered_fn on_answered,
                                 void *owner)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (arena == NULL)
        arena = arena_create(EXCHANGE_ARENA_BYTES);
    if (exchange == NULL || arena == NULL) {
        arena_destroy(arena);
        free(exchange);
        return NULL;
    }
    exchange->arena = arena;
    exchange->services = services;
    exchange->request = (struct http_request){.method = "", .path = "", .query = "", .body = ""};
    exchange->begun_ns = uv_hrtime();
    exchange->on_answered = on_answered;
    exchange->owner = owner;
    return exchange;
}

void exchange_destroy(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    json_value_destroy(exchange->document);
    http_reply_fini(&exchange->reply);
    arena_destroy(exchange->arena);
    free(exchange);
}

static void make_id(struct exchange *exchange, const char *prefix, uint64_t number)
{
    struct str id = {0};

    str_reserve(&id, sizeof exchange->id);
    str_append_text(&id, prefix);
    str_append_char(&id, '-');
    str_append_int(&id, (int64_t)number);
    if (!id.failed)
        str_copy(exchange->id, sizeof exchange->id, id.text);
    str_fini(&id);
}

void exchange_identify(struct exchange *exchange, const char *prefix, uint64_t number)
{
    const char *given = http_request_header(&exchange->request, "x-request-id");
    size_t length = given != NULL ? strlen(given) : 0;

    if (length > 0 && length < sizeof exchange->id &&
        strspn(given, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length)
        memcpy(exchange->id, given, length + 1);
    else
        make_id(exchange, prefix, number);
}

void exchange_answer(struct exchange *exchange, int status)
{
    exchange->reply.status = status;
    exchange->on_answered(exchange, exchange->owner);
}

void exchange_client_leaves(struct exchange *exchange)
{
    exchange_left_fn fn = exchange->on_left;

    exchange->client_left = true;
    exchange->on_left = NULL;
    if (fn != NULL)
        fn(exchange, exchange->left_context);
}

void exchange_stream_begin(struct exchange *exchange, int status, const char *content_type)
{
    exchange->reply.status = status;
    exchange->reply.content_type = content_type;
    exchange->streamed = true;
    if (exchange->stream != NULL)
        exchange->stream->begin(exchange, exchange->owner);
}

bool exchange_stream_write(struct exchange *exchange, const char *bytes, size_t length)
{
    return exchange->stream == NULL || exchange->stream->write(exchange, exchange->owner, bytes, length);
}

void exchange_stream_end(struct exchange *exchange)
{
    exchange->on_answered(exchange, exchange->owner);
}

void exchange_answer_json(struct exchange *exchange, int status, struct json *value)
{
    char *text = value != NULL ? json_value_print(value, false, 0) : NULL;

    json_value_destroy(value);
    if (text == NULL) {
        problem_answer(exchange, 500, "out_of_memory", "there is no memory for the answer");
        return;
    }
    exchange_answer_text(exchange, status, "application/json", text);
    free(text);
}

void exchange_answer_text(struct exchange *exchange, int status, const char *content_type, const char *text)
{
    exchange->reply.content_type = content_type;
    str_clear(&exchange->reply.body);
    str_append_text(&exchange->reply.body, text);
    exchange_answer(exchange, status);
}
