/*
 * Commands for the TARGET Redis, where the shop reads: every effect carries the fence, and an older one is refused.
 */
#ifndef COMMON_JOB_JOB_QUEUE_TARGET_H
#define COMMON_JOB_JOB_QUEUE_TARGET_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/net/redis_command.h"
#include "common/net/redis_reply.h"

/* Raises the fence, then SETs pairs, which are added by redis_command_add in twos (none: raises the fence alone). */
void job_queue_publish_command(struct redis_command *command, const char *fence_key, int64_t fence, int64_t ttl_s);
/* Deletes keys (added by redis_command_add) and takes them out of the index, by the same fence; parsed as publish is.
 */
void job_queue_prune_command(struct redis_command *command, const char *fence_key, const char *index_key,
                             int64_t fence);
/* *written: pairs, or -1 when refused; *sink_fence: the newest fence the sink has seen. */
enum err_code job_queue_publish_parse(const struct redis_reply *reply, int64_t *written, int64_t *sink_fence,
                                      struct err *err) MUST_CHECK;

#endif
