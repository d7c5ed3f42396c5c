#include "gateway/file_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err_code file_text_read(char **out, size_t *length, const char *path, size_t max_bytes, struct err *err)
{
    char *text = NULL;
    FILE *file;
    enum err_code rc = ERR_OK;

    *out = NULL;
    *length = 0;
    file = fopen(path, "re");
    if (file == NULL)
        return ERR_SET(err, ERR_IO, "open: %s", strerror(errno));
    text = malloc(max_bytes + 1);
    if (text == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu bytes", max_bytes);
        goto done;
    }
    *length = fread(text, 1, max_bytes + 1, file);
    if (ferror(file)) {
        rc = ERR_SET(err, ERR_IO, "read: %s", strerror(errno));
        goto done;
    }
    if (*length > max_bytes) {
        rc = ERR_SET(err, ERR_TOO_LARGE, "larger than %zu bytes", max_bytes);
        goto done;
    }
    text[*length] = '\0';
    *out = text;
    text = NULL;
done:
    free(text);
    (void)fclose(file);
    return rc;
}
