#include "worker/connect/folder_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"

enum { BUFFER_BYTES = 2 * FOLDER_FILE_RECORD_BYTES };

static const char utf8_mark[] = "\xef\xbb\xbf";

/* Not blocking: what is no file (a pipe that nobody writes to) is told from one. */
static enum err_code open_regular(struct folder_file *file, const char *dir, struct err *err)
{
    char *path = str_format("%s/%s", dir, file->name);
    struct stat status;
    enum err_code rc = ERR_OK;

    if (path == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a path");
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &status) != 0)
        rc = ERR_SET(err, ERR_IO, "open %s: %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        rc = ERR_SET(err, ERR_IO, "open %s: it is no file", path);
    else
        file->size = (uint64_t)status.st_size;
    free(path);
    return rc;
}

static enum err_code skip_mark(struct folder_file *file, struct err *err)
{
    const char *text;
    size_t size;
    enum err_code rc = folder_file_look(file, &text, &size, err);

    if (rc != ERR_OK)
        return rc;
    if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return ERR_SET(err, ERR_FORMAT, "%s is text in UTF-16: save it as UTF-8", file->name);
    if (size >= strlen(utf8_mark) && memcmp(text, utf8_mark, strlen(utf8_mark)) == 0)
        folder_file_step(file, strlen(utf8_mark), 0);
    return ERR_OK;
}

enum err_code folder_file_open(struct folder_file *file, const char *dir, const char *name, struct err *err)
{
    enum err_code rc;

    *file = (struct folder_file){.fd = -1, .name = name, .line = 1};
    rc = open_regular(file, dir, err);
    if (rc != ERR_OK)
        return rc;
    file->buffer = malloc(BUFFER_BYTES);
    if (file->buffer == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to read %s", name);
    return skip_mark(file, err);
}

void folder_file_close(struct folder_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    free(file->buffer);
    file->fd = -1;
    file->buffer = NULL;
}

static enum err_code fill(struct folder_file *file, struct err *err)
{
    memmove(file->buffer, file->buffer + file->begin, file->end - file->begin);
    file->end -= file->begin;
    file->begin = 0;
    while (!file->ended && file->end < BUFFER_BYTES) {
        ssize_t got = read(file->fd, file->buffer + file->end, BUFFER_BYTES - file->end);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ERR_SET(err, ERR_IO, "read %s: %s", file->name, strerror(errno));
        file->ended = got == 0;
        file->end += (size_t)got;
    }
    return ERR_OK;
}

enum err_code folder_file_look(struct folder_file *file, const char **text, size_t *size, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (!file->ended && file->end - file->begin < FOLDER_FILE_RECORD_BYTES)
        rc = fill(file, err);
    *text = file->buffer + file->begin;
    *size = file->end - file->begin;
    return rc;
}

void folder_file_step(struct folder_file *file, size_t bytes, size_t lines)
{
    file->begin += bytes;
    file->taken += bytes;
    file->line += lines;
}

enum err_code folder_file_skip_line(struct folder_file *file, struct err *err)
{
    for (;;) {
        const char *text;
        const char *newline;
        size_t size;
        enum err_code rc = folder_file_look(file, &text, &size, err);

        if (rc != ERR_OK || size == 0)
            return rc;
        newline = memchr(text, '\n', size);
        folder_file_step(file, newline != NULL ? (size_t)(newline - text) + 1 : size, newline != NULL);
        if (newline != NULL)
            return ERR_OK;
    }
}

double folder_file_fraction(const struct folder_file *file)
{
    return file->taken < file->size ? (double)file->taken / (double)file->size : 1;
}
