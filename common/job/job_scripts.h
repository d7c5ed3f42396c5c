/*
 * The queue's Lua scripts (scripts/, with their KEYS and ARGV), embedded at build time.
 */
#ifndef COMMON_JOB_JOB_SCRIPTS_H
#define COMMON_JOB_JOB_SCRIPTS_H

#include "common/net/redis_command.h"

extern const struct redis_script job_script_beat;
extern const struct redis_script job_script_cancel;
extern const struct redis_script job_script_counts;
extern const struct redis_script job_script_enqueue;
extern const struct redis_script job_script_fence;
extern const struct redis_script job_script_finish;
extern const struct redis_script job_script_gc_consumer;
extern const struct redis_script job_script_position;
extern const struct redis_script job_script_promote;
extern const struct redis_script job_script_prune;
extern const struct redis_script job_script_publish;
extern const struct redis_script job_script_rate_limit;
extern const struct redis_script job_script_register;
extern const struct redis_script job_script_release;
extern const struct redis_script job_script_repair;
extern const struct redis_script job_script_start;
extern const struct redis_script job_script_trim;
extern const struct redis_script job_script_workers;

#endif
