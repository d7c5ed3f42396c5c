/*
 * A redis_client whose server is this test: what it is to receive is written beforehand, byte by byte.
 */
#ifndef TESTS_UNIT_CANNED_REDIS_H
#define TESTS_UNIT_CANNED_REDIS_H

#include <stddef.h>

#include "common/net/redis_client.h"

struct canned_redis {
    struct redis_client *client;
    int listener;
    int peer; /* the server's end */
};

/* cmocka setup and teardown of a test. */
int canned_redis_setup(void **state);
int canned_redis_teardown(void **state);

/* The reply that these bytes of the protocol are; goes to redis_reply_destroy. */
struct redis_reply *canned_redis_reply(struct canned_redis *canned, const char *bytes);

/* What the client has sent since: length bytes, terminated, into out. */
void canned_redis_received(struct canned_redis *canned, char *out, size_t length);

void canned_redis_write(struct canned_redis *canned, const char *bytes);
void canned_redis_hang_up(struct canned_redis *canned);

#endif
