/*
 * Errors: a code for the program, a bounded message for the person.
 * A function that can fail returns an enum err_code and takes a struct err * last (NULL allowed).
 */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))

enum err_code {
    ERR_OK = 0,
    ERR_ARGUMENT,    /* a parameter of a job or call is unusable */
    ERR_CONFIG,      /* a setting is missing or wrong */
    ERR_NO_MEMORY,   /* an allocation failed */
    ERR_TOO_LARGE,   /* a limit of ours is passed */
    ERR_IO,          /* a local file or pipe */
    ERR_FORMAT,      /* data is not what its format says */
    ERR_NO_DATA,     /* nothing to train on: a business error */
    ERR_GUARD,       /* far less to publish than last time */
    ERR_NOT_FOUND,   /* no such thing */
    ERR_EXISTS,      /* there is one already */
    ERR_REMOTE,      /* a server refused for good (4xx, unexpected answer) */
    ERR_NETWORK,     /* connect, reset, stall, truncated body (transient) */
    ERR_UNAVAILABLE, /* a server is busy or away: 429, 5xx, no Redis (transient) */
    ERR_FENCED,      /* a newer run holds the fence */
    ERR_CANCELLED,   /* asked to stop */
    ERR_NUMERIC,     /* a factorization failed, a value is not finite */
    ERR_DEVICE_BUSY, /* no room on the device now (transient) */
    ERR_DEVICE_LOST, /* the device context is gone: give the job back */
    ERR_INTERNAL,    /* a fault of ours */
    ERR_CODE_COUNT
};

enum { ERR_MESSAGE_BYTES = 512 };

/* Plain data owned by the caller. */
struct err {
    enum err_code code;
    const char *file;
    int line;
    char message[ERR_MESSAGE_BYTES];
};

/* Sets *err (unless NULL) and gives the code back: `return ERR_SET(err, ERR_IO, "open %s: %s", path, why);` */
#define ERR_SET(err, code, ...) err_set((err), (code), __FILE__, __LINE__, __VA_ARGS__)

enum err_code err_set(struct err *err, enum err_code code, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Puts context before the message that *err holds ("context: message"); returns err->code (ERR_INTERNAL for NULL). */
enum err_code err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether the same call may succeed later: the one place that decides what is retried. */
bool err_is_transient(enum err_code code);

/* "network", "no_data", …: stable words for documents, logs and metrics. */
const char *err_code_name(enum err_code code);

/* The code of such a word; ERR_INTERNAL for an unknown one. */
enum err_code err_code_from_name(const char *name);

#endif
