/*
 * HTTP requests, pipelined, in pieces: the first byte says how many of the next are lengths of pieces. However the
 * bytes are cut, the requests are the same; each is dispatched.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "gateway/api_keys.h"
#include "gateway/client_address.h"
#include "gateway/exchange.h"
#include "gateway/http_parse.h"
#include "gateway/router.h"
#include "tests/fuzz/fuzz_support.h"

enum { MOST_PIECES = 8, MOST_REQUESTS = 8 };

/* Lengths of the pieces, over and over; none: all at once. */
struct cuts {
    const uint8_t *lengths;
    size_t count;
    size_t next;
};

struct stage {
    struct http_parse *parse;
    struct arena *arena;
    struct services services;
    uint64_t digest; /* of all that was understood, FNV-1a */
    int answers;
};

static void add(struct stage *stage, const char *bytes, size_t length)
{
    for (size_t i = 0; i <= length; i++) /* an end too */
        stage->digest = (stage->digest ^ (i < length ? (unsigned char)bytes[i] : 0x100u)) * 0x100000001b3u;
}

static void add_text(struct stage *stage, const char *text)
{
    add(stage, text, strlen(text));
}

static void add_request(struct stage *stage, const struct http_request *request)
{
    add_text(stage, request->method);
    add_text(stage, request->path);
    add_text(stage, request->query);
    add(stage, request->body, request->body_length);
    for (size_t i = 0; i < request->header_count; i++) {
        add_text(stage, request->headers[i].name);
        add_text(stage, request->headers[i].value);
    }
    FUZZ_CHECK(request->path[0] == '/' || strcmp(request->path, "*") == 0);
    FUZZ_CHECK(request->body[request->body_length] == '\0');
}

static void on_answered(struct exchange *exchange, void *owner)
{
    struct stage *stage = owner;

    FUZZ_CHECK(exchange->reply.status >= 200 && (exchange->reply.status < 500 || exchange->reply.status == 503));
    stage->answers++;
    exchange_destroy(exchange);
}

static void dispatch(struct stage *stage, const struct http_request *request)
{
    static const struct client_address_proxies nobody = {0};
    struct exchange *exchange = exchange_create(&stage->services, NULL, on_answered, stage);

    FUZZ_CHECK(exchange != NULL);
    exchange->request = *request;
    (void)http_request_wants_html(request);
    FUZZ_CHECK(http_request_wait_s(request) >= -1);
    exchange_identify(exchange, "fuzz", 1);
    client_address_of_request(exchange->address, &nobody, "192.0.2.1", request);
    stage->answers = 0;
    router_dispatch(exchange);
    FUZZ_CHECK(stage->answers == 1);
}

static size_t next_piece(struct cuts *cuts, size_t left)
{
    size_t piece = cuts->count > 0 ? cuts->lengths[cuts->next++ % cuts->count] + 1u : left;

    return piece < left ? piece : left;
}

/* One request from the bytes; how many it took. *go_on: it was complete. */
static size_t parse_one(struct stage *stage, const char *bytes, size_t length, struct cuts *cuts, bool *go_on)
{
    enum http_parse_outcome outcome = HTTP_PARSE_MORE;
    size_t taken = 0;

    arena_reset(stage->arena);
    http_parse_begin(stage->parse, stage->arena);
    while (outcome == HTTP_PARSE_MORE && taken < length) {
        size_t piece = next_piece(cuts, length - taken);
        char *copy = fuzz_text((const uint8_t *)bytes + taken, piece); /* so that reads behind it are seen */
        size_t consumed = SIZE_MAX;

        outcome = http_parse_feed(stage->parse, copy, piece, &consumed);
        FUZZ_CHECK(consumed <= piece && (outcome != HTTP_PARSE_MORE || consumed == piece));
        taken += consumed;
        free(copy);
    }
    add(stage, (const char *)&outcome, sizeof outcome);
    if (outcome == HTTP_PARSE_DONE)
        add_request(stage, http_parse_request(stage->parse));
    if (outcome == HTTP_PARSE_REFUSED)
        FUZZ_CHECK(http_parse_status(stage->parse) >= 400 && http_parse_reason(stage->parse) != NULL);
    *go_on = outcome == HTTP_PARSE_DONE;
    return taken;
}

static uint64_t parse_all(struct stage *stage, const char *bytes, size_t length, struct cuts *cuts, bool dispatches)
{
    bool go_on = true;

    stage->digest = 0xcbf29ce484222325u;
    for (int i = 0; go_on && i < MOST_REQUESTS && length > 0; i++) {
        size_t taken = parse_one(stage, bytes, length, cuts, &go_on);

        if (go_on && dispatches)
            dispatch(stage, http_parse_request(stage->parse));
        bytes += taken;
        length -= taken;
    }
    return stage->digest;
}

static void prepare(struct stage *stage)
{
    struct err err;

    stage->parse = http_parse_create();
    stage->arena = arena_create(HTTP_PARSE_ARENA_BYTES);
    stage->services.clock = clock_system();
    FUZZ_CHECK(stage->parse != NULL && stage->arena != NULL);
    FUZZ_CHECK(api_keys_create(&stage->services.keys, "6e7d8f1a2b3c4d5e6f708192a3b4c5d6", NULL, &err) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stage stage;
    struct cuts whole = {0};
    struct cuts pieces;
    size_t count = size > 0 ? data[0] % (MOST_PIECES + 1u) : 0;
    const char *bytes;

    if (stage.parse == NULL)
        prepare(&stage);
    if (size < 1 + count)
        return 0;
    pieces = (struct cuts){.lengths = data + 1, .count = count};
    bytes = (const char *)data + 1 + count;
    size -= 1 + count;
    FUZZ_CHECK(parse_all(&stage, bytes, size, &whole, true) == parse_all(&stage, bytes, size, &pieces, false));
    return 0;
}
