/*
 * One request and its answer. A route gets an exchange and answers it exactly once, at once or later, whole or in
 * pieces; the exchange lives until then, also when its client has left. Its arena holds what belongs to the request.
 */
#ifndef GATEWAY_EXCHANGE_H
#define GATEWAY_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/job/job.h"
#include "common/net/json_value.h"
#include "gateway/client_address.h"
#include "gateway/http_reply.h"
#include "gateway/http_request.h"
#include "gateway/services.h"

enum { EXCHANGE_ID_BYTES = 65, EXCHANGE_CLIENT_BYTES = 64, EXCHANGE_ARENA_BYTES = 512 * 1024 };

struct exchange;

/* Told once, by exchange_answer: the owner sends the reply and destroys the exchange. */
typedef void (*exchange_answered_fn)(struct exchange *exchange, void *owner);

/* How the owner sends an answer in pieces. Neither ends the exchange nor tells on_left from within. */
struct exchange_stream {
    void (*begin)(struct exchange *exchange, void *owner);
    bool (*write)(struct exchange *exchange, void *owner, const char *bytes, size_t length);
};

/* The client has left: nobody may be reading any more. */
typedef void (*exchange_left_fn)(struct exchange *exchange, void *context);

struct exchange {
    struct arena *arena;
    const struct services *services;
    struct http_request request;
    struct http_reply reply;
    char id[EXCHANGE_ID_BYTES];         /* X-Request-Id: the client's, or made here */
    char client[EXCHANGE_CLIENT_BYTES]; /* the name of the key; "" without one */
    char address[CLIENT_ADDRESS_BYTES]; /* whom it comes from, behind proxies of ours */
    const char *route;                  /* its pattern, for the log; NULL: none */
    char job_id[JOB_ID_BYTES];          /* of the path; "" without one */
    const char *name;                   /* of the path's {user} or {product}, decoded; NULL without one */
    bool legacy;                        /* answers as the service of old did */
    bool client_left;                   /* nobody may be reading any more: do not wait for anything */
    bool streamed;                      /* its answer is sent in pieces */
    uint64_t begun_ns;                  /* uv_hrtime of the first byte */
    struct json *document;              /* of the route's own use; goes with the exchange */
    exchange_answered_fn on_answered;
    const struct exchange_stream *stream; /* NULL: pieces go nowhere */
    void *owner;
    exchange_left_fn on_left; /* of the route, NULL: it does not care; told from the loop, at most once */
    void *left_context;
};

/* Takes the arena, which is empty; NULL: it makes its own. NULL when out of memory. */
struct exchange *exchange_create(const struct services *services, struct arena *arena, exchange_answered_fn on_answered,
                                 void *owner);
void exchange_destroy(struct exchange *exchange);

/* Takes the request's X-Request-Id where it is 1 to 64 of A-Z a-z 0-9 . _ -, else makes one of prefix and number. */
void exchange_identify(struct exchange *exchange, const char *prefix, uint64_t number);

/* Sends what is in exchange->reply. The exchange may be gone afterwards. */
void exchange_answer(struct exchange *exchange, int status);

/* For the owner: notes that the client has left and tells the route, which may end the exchange in this. Idempotent. */
void exchange_client_leaves(struct exchange *exchange);

/*
 * An answer in pieces: the head at once, then what is written as soon as it is, then the end. What the client does not
 * take is kept up to a small limit; beyond it, and when the connection is closed, write answers false: end it then. The
 * exchange may be gone after the end, as after exchange_answer.
 */
void exchange_stream_begin(struct exchange *exchange, int status, const char *content_type);
bool exchange_stream_write(struct exchange *exchange, const char *bytes, size_t length);
void exchange_stream_end(struct exchange *exchange);

/* Sends a JSON value as application/json and takes it; NULL (out of memory) becomes a 500. */
void exchange_answer_json(struct exchange *exchange, int status, struct json *value);

/* Sends a text. */
void exchange_answer_text(struct exchange *exchange, int status, const char *content_type, const char *text);

#endif
