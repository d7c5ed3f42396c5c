/*
 * Between the job_queue_* files: the names of a queue's keys, as arguments of a command.
 */
#ifndef COMMON_JOB_JOB_QUEUE_KEYS_H
#define COMMON_JOB_JOB_QUEUE_KEYS_H

#include "common/net/redis_command.h"

#define JOB_QUEUE_GROUP "g"

/* q:{queue}:<what>, "s" for the stream, "open", "delay", "ev", "fence", "paused" */
static inline void job_queue_add_key(struct redis_command *command, const char *queue, const char *what)
{
    const char *const texts[] = {"q:{", queue, "}:", what};

    redis_command_add_joined(command, texts, sizeof texts / sizeof texts[0]);
}

/* q:{queue}:j:<id> */
static inline void job_queue_add_job_key(struct redis_command *command, const char *queue, const char *id)
{
    const char *const texts[] = {"q:{", queue, "}:j:", id};

    redis_command_add_joined(command, texts, sizeof texts / sizeof texts[0]);
}

#endif
