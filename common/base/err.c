#include "common/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[ERR_CODE_COUNT] = {
    [ERR_OK] = "ok",
    [ERR_ARGUMENT] = "argument",
    [ERR_CONFIG] = "config",
    [ERR_NO_MEMORY] = "no_memory",
    [ERR_TOO_LARGE] = "too_large",
    [ERR_IO] = "io",
    [ERR_FORMAT] = "format",
    [ERR_NO_DATA] = "no_data",
    [ERR_GUARD] = "guard",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_EXISTS] = "exists",
    [ERR_REMOTE] = "remote",
    [ERR_NETWORK] = "network",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_FENCED] = "fenced",
    [ERR_CANCELLED] = "cancelled",
    [ERR_NUMERIC] = "numeric",
    [ERR_DEVICE_BUSY] = "device_busy",
    [ERR_DEVICE_LOST] = "device_lost",
    [ERR_INTERNAL] = "internal",
};

enum err_code err_set(struct err *err, enum err_code code, const char *file, int line, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return code;
    err->code = code;
    err->file = file;
    err->line = line;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return code;
}

enum err_code err_wrap(struct err *err, const char *format, ...)
{
    char context[ERR_MESSAGE_BYTES];
    char joined[2 * ERR_MESSAGE_BYTES + 2];
    va_list args;

    if (err == NULL)
        return ERR_INTERNAL;
    va_start(args, format);
    (void)vsnprintf(context, sizeof context, format, args);
    va_end(args);
    (void)snprintf(joined, sizeof joined, "%s: %s", context, err->message);
    joined[sizeof err->message - 1] = '\0';
    memcpy(err->message, joined, strlen(joined) + 1);
    return err->code;
}

bool err_is_transient(enum err_code code)
{
    return code == ERR_NETWORK || code == ERR_UNAVAILABLE || code == ERR_DEVICE_BUSY || code == ERR_NO_MEMORY ||
           code == ERR_IO;
}

const char *err_code_name(enum err_code code)
{
    return (unsigned)code < ERR_CODE_COUNT ? code_names[code] : "internal";
}

enum err_code err_code_from_name(const char *name)
{
    for (unsigned code = 0; code < ERR_CODE_COUNT; code++) {
        if (strcmp(code_names[code], name) == 0)
            return (enum err_code)code;
    }
    return ERR_INTERNAL;
}
