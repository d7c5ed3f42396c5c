/*
 * One gateway, spoken to from one thread: a request at a time, bounded in time and size, and beside it at most one
 * event stream. The key goes into a header and nowhere else.
 */
#ifndef GATEWAY_CLI_CLI_CLIENT_H
#define GATEWAY_CLI_CLI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/net/json_value.h"

enum { CLI_CLIENT_TIMEOUT_MS = 30000, CLI_ETAG_BYTES = 96, CLI_LOCATION_BYTES = 128 };

struct cli_client;

struct cli_request {
    const char *method;          /* NULL: GET */
    const char *path;            /* with its query */
    const char *body;            /* JSON text, or NULL */
    const char *if_none_match;   /* an ETag; NULL or "": none */
    const char *idempotency_key; /* NULL: none */
};

/* Goes to cli_answer_fini. */
struct cli_answer {
    long status;
    struct str body;
    struct json *json; /* NULL: the body is none */
    char etag[CLI_ETAG_BYTES];
    char location[CLI_LOCATION_BYTES];
    int retry_after_s; /* -1: none */
};

/* ERR_CONFIG: the URL is none of http or https, or holds a password. */
enum err_code cli_client_create(struct cli_client **out, const char *url, const char *key, struct err *err) MUST_CHECK;
void cli_client_destroy(struct cli_client *client);

/* As it is shown: without a slash at its end. */
const char *cli_client_url(const struct cli_client *client);

/* Any status is ERR_OK; ERR_NETWORK where there was no answer. */
enum err_code cli_client_ask(struct cli_client *client, const struct cli_request *request, struct cli_answer *answer,
                             struct err *err) MUST_CHECK;
void cli_answer_fini(struct cli_answer *answer);

/* What an answer of 400 and above says: "POST URL: 409: …" into *err, with the code of what it means. */
enum err_code cli_answer_to_err(const struct cli_client *client, const struct cli_request *request,
                                const struct cli_answer *answer, struct err *err);

/* A GET whose body comes in parts for as long as it lasts. */
typedef void (*cli_stream_chunk_fn)(void *context, const char *bytes, size_t length);
struct cli_stream_state {
    bool open;
    bool ended;        /* by itself; until it is opened again, or closed */
    long status;       /* once it has ended; 0: there was no answer, or it broke */
    int retry_after_s; /* -1: none */
};
enum err_code cli_client_open_stream(struct cli_client *client, const char *path, const char *last_event_id,
                                     cli_stream_chunk_fn fn, void *context, struct err *err) MUST_CHECK;
struct cli_stream_state cli_client_stream_state(const struct cli_client *client);
void cli_client_close_stream(struct cli_client *client);

/* Moves the stream on for at most timeout_ms. */
enum err_code cli_client_wait(struct cli_client *client, int timeout_ms, struct err *err) MUST_CHECK;

/* Appends a text as one segment of a path, or a value of a query: all but letters, digits and -._~ as %XX. */
void cli_client_escape(struct str *out, const char *text);

#endif
