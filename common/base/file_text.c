#include "common/base/file_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { FIRST_BYTES = 4096 };

/* Reads to the end, or to one byte more than is allowed. */
static enum err_code read_all(FILE *file, char **text, size_t *length, size_t max_bytes, struct err *err)
{
    size_t capacity = 0;
    size_t wanted = FIRST_BYTES;
    size_t got = 1;
    enum err_code rc = ERR_OK;

    for (*length = 0; got > 0 && *length <= max_bytes; wanted = capacity * 2) {
        rc = mem_grow(text, &capacity, wanted, 1, err);
        if (rc != ERR_OK)
            return rc;
        got = fread(*text + *length, 1, capacity - *length - 1, file);
        *length += got;
    }
    if (ferror(file))
        return ERR_SET(err, ERR_IO, "read: %s", strerror(errno));
    if (*length > max_bytes)
        return ERR_SET(err, ERR_TOO_LARGE, "larger than %zu bytes", max_bytes);
    (*text)[*length] = '\0';
    return ERR_OK;
}

enum err_code file_text_read(char **out, size_t *length, const char *path, size_t max_bytes, struct err *err)
{
    char *text = NULL;
    FILE *file = fopen(path, "re");
    enum err_code rc;

    *out = NULL;
    *length = 0;
    if (file == NULL)
        return ERR_SET(err, ERR_IO, "open: %s", strerror(errno));
    rc = read_all(file, &text, length, max_bytes, err);
    (void)fclose(file);
    if (rc != ERR_OK) {
        free(text);
        *length = 0;
        return rc;
    }
    *out = text;
    return ERR_OK;
}
