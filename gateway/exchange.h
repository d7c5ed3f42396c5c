/*
 * One request and its answer. A route gets an exchange and answers it exactly once, at once or later; the exchange
 * lives until then, also when its client has left. Its arena holds what belongs to the request.
 */
#ifndef GATEWAY_EXCHANGE_H
#define GATEWAY_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/job/job.h"
#include "common/net/json_value.h"
#include "gateway/http_reply.h"
#include "gateway/http_request.h"
#include "gateway/services.h"

enum { EXCHANGE_ID_BYTES = 65, EXCHANGE_CLIENT_BYTES = 64, EXCHANGE_ARENA_BYTES = 512 * 1024 };

struct exchange;

/* Told once, by exchange_answer: the owner sends the reply and destroys the exchange. */
typedef void (*exchange_answered_fn)(struct exchange *exchange, void *owner);

struct exchange {
    struct arena *arena;
    const struct services *services;
    struct http_request request;
    struct http_reply reply;
    char id[EXCHANGE_ID_BYTES];         /* X-Request-Id: the client's, or made here */
    char client[EXCHANGE_CLIENT_BYTES]; /* the name of the key; "" without one */
    const char *route;                  /* its pattern, for the log; NULL: none */
    char job_id[JOB_ID_BYTES];          /* of the path; "" without one */
    bool legacy;                        /* answers as the service of old did */
    bool client_left;                   /* nobody may be reading any more: do not wait for anything */
    uint64_t begun_ns;                  /* uv_hrtime of the first byte */
    struct json *document;              /* of the route's own use; goes with the exchange */
    exchange_answered_fn on_answered;
    void *owner;
};

/* NULL when out of memory. */
struct exchange *exchange_create(const struct services *services, exchange_answered_fn on_answered, void *owner);
void exchange_destroy(struct exchange *exchange);

/* Takes the request's X-Request-Id where it is 1 to 64 of A-Z a-z 0-9 . _ -, else makes one of prefix and number. */
void exchange_identify(struct exchange *exchange, const char *prefix, uint64_t number);

/* Sends what is in exchange->reply. The exchange may be gone afterwards. */
void exchange_answer(struct exchange *exchange, int status);

/* Sends a JSON value as application/json and takes it; NULL (out of memory) becomes a 500. */
void exchange_answer_json(struct exchange *exchange, int status, struct json *value);

/* Sends a text. */
void exchange_answer_text(struct exchange *exchange, int status, const char *content_type, const char *text);

/* One line of the access log: never a key. */
void exchange_log(const struct exchange *exchange);

#endif
