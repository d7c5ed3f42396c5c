/*
 * A gateway that answers what a test tells it to, on a thread of its own: one request a connection. Every failure fails
 * the cmocka test.
 */
#ifndef TESTS_INTEGRATION_CANNED_GATEWAY_H
#define TESTS_INTEGRATION_CANNED_GATEWAY_H

#include <pthread.h>
#include <stdbool.h>

#include "common/base/str.h"

enum { CANNED_MOST = 16, CANNED_MOST_OPEN = 64, CANNED_URL_BYTES = 64 };

enum canned_kind {
    CANNED_WHOLE,
    CANNED_STREAM, /* the body, without a length; the connection stays open */
    CANNED_SILENT, /* nothing; the connection stays open */
    CANNED_CLOSED  /* nothing */
};

/* What a request that begins with `request` ("GET /v1/queue") is answered; the first that fits counts. */
struct canned_answer {
    const char *request;
    int status;
    const char *headers; /* "Name: value\r\n"…, or NULL */
    const char *body;
    int cut; /* > 0: so many bytes of the body are sent, then the connection ends */
    enum canned_kind kind;
};

struct canned_gateway {
    char url[CANNED_URL_BYTES];
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    struct canned_answer answers[CANNED_MOST];
    size_t count;
    struct str requests; /* all that came, one behind the other */
    bool ending;
    int open[CANNED_MOST_OPEN]; /* connections that stay; the thread's own */
    size_t open_count;
};

void canned_gateway_start(struct canned_gateway *gateway);
void canned_gateway_stop(struct canned_gateway *gateway);

/* From now on; forgets what came. Texts are borrowed. */
void canned_gateway_set(struct canned_gateway *gateway, const struct canned_answer *answers, size_t count);

/* Whether a request that came holds the text. */
bool canned_gateway_was_asked(struct canned_gateway *gateway, const char *text);

/* How often a text came. */
size_t canned_gateway_count(struct canned_gateway *gateway, const char *text);

#endif
