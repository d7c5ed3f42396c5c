/*
 * Between the redis_* files only: hiredis' types under our names.
 */
#ifndef COMMON_NET_REDIS_INTERNAL_H
#define COMMON_NET_REDIS_INTERNAL_H

#include <stddef.h>

#include "common/net/redis_command.h"
#include "common/net/redis_url.h"

struct redisContext;

/* ERR_CONFIG for rediss:// where this build has no TLS. */
enum err_code redis_tls_check(const struct redis_url *url, struct err *err) MUST_CHECK;

/* TLS on a connected socket; ERR_CONFIG where this build has none. */
enum err_code redis_tls_start(struct redisContext *connection, const struct redis_url *url, struct err *err) MUST_CHECK;

/* The command as it goes over the wire, in place of what `out` has; `as_eval` sends a script by its text. false when
 * out of memory or when the command is marked failed. */
bool redis_command_print(struct str *out, const struct redis_command *command, bool as_eval) MUST_CHECK;

#endif
