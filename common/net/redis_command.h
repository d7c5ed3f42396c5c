/*
 * A command for Redis, built once and sent by a sync or an async client. Arguments are copied. An append that fails
 * marks the command, and sending it then answers ERR_NO_MEMORY.
 */
#ifndef COMMON_NET_REDIS_COMMAND_H
#define COMMON_NET_REDIS_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/str.h"

/* A Lua script with its SHA-1 in hexadecimal; embedded at build time. */
struct redis_script {
    const char *name;
    const char *text;
    const char *sha1;
};

struct redis_command {
    struct str bytes; /* the arguments as RESP has them, one behind the other */
    size_t *ends;     /* where each ends in bytes */
    size_t count;
    size_t capacity;
    const struct redis_script *script; /* NULL: not a script */
};

/* `PING`, `XREADGROUP`, …; further arguments by the functions below. */
void redis_command_init(struct redis_command *command, const char *name);

/* EVALSHA of the script; its KEYS, then its ARGV, by the functions below. A client that is answered NOSCRIPT sends the
 * text once by EVAL, which loads it. */
void redis_command_init_script(struct redis_command *command, const struct redis_script *script, int keys);
void redis_command_fini(struct redis_command *command);

/* A copy to be finished too; false when out of memory or when the command is marked failed. */
bool redis_command_copy(struct redis_command *out, const struct redis_command *command);

void redis_command_add(struct redis_command *command, const char *text);
void redis_command_add_bytes(struct redis_command *command, const void *bytes, size_t length);
void redis_command_add_int(struct redis_command *command, int64_t value);
/* One argument of several texts, one behind the other. */
void redis_command_add_joined(struct redis_command *command, const char *const *texts, size_t count);
void redis_command_add_format(struct redis_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Argument i; *length its bytes. */
const char *redis_command_argument(const struct redis_command *command, size_t index, size_t *length);

#endif
