/*
 * A blocking connection to Redis. One thread at a time. The program ignores SIGPIPE.
 */
#ifndef COMMON_NET_REDIS_CLIENT_H
#define COMMON_NET_REDIS_CLIENT_H

#include "common/base/err.h"
#include "common/net/redis_command.h"
#include "common/net/redis_reply.h"
#include "common/net/redis_url.h"

struct redis_client;

/* Connects, authenticates and selects the database. timeout_ms bounds the connect and each later wait for a reply. */
enum err_code redis_client_connect(struct redis_client **out, const struct redis_url *url, int timeout_ms,
                                   struct err *err) MUST_CHECK;
void redis_client_destroy(struct redis_client *client);

/* Sends and waits; an error reply is an error (redis_reply_check). *reply goes to redis_reply_destroy. After
 * ERR_NETWORK the connection is of no more use. */
enum err_code redis_client_send(struct redis_client *client, const struct redis_command *command,
                                struct redis_reply **reply, struct err *err) MUST_CHECK;

/* Pipelining: append any number, then receive as many replies in order. No NOSCRIPT handling here; an error reply is
 * handed over as it is. */
enum err_code redis_client_append(struct redis_client *client, const struct redis_command *command,
                                  struct err *err) MUST_CHECK;
enum err_code redis_client_receive(struct redis_client *client, struct redis_reply **reply, struct err *err) MUST_CHECK;

#endif
