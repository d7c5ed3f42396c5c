/*
 * A file of an export, read from its beginning to its end through one buffer, whatever its size.
 */
#ifndef WORKER_CONNECT_FOLDER_FILE_H
#define WORKER_CONNECT_FOLDER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum { FOLDER_FILE_RECORD_BYTES = 1 << 20 }; /* a longer record is not read */

struct folder_file {
    int fd;
    const char *name; /* within its folder; borrowed */
    char *buffer;
    size_t begin; /* of what was not stepped over yet */
    size_t end;
    bool ended;    /* the buffer holds the file's last byte */
    uint64_t size; /* when it was opened */
    uint64_t taken;
    size_t line; /* of the next byte, from 1 */
};

/* Opens DIR/name and steps over a byte order mark. *file goes to folder_file_close also after a failure. ERR_FORMAT: it
 * is text of another encoding than UTF-8. */
enum err_code folder_file_open(struct folder_file *file, const char *dir, const char *name, struct err *err) MUST_CHECK;
void folder_file_close(struct folder_file *file);

/* The next bytes: FOLDER_FILE_RECORD_BYTES or more, fewer only at the end of the file (file->ended), where *size is at
 * last 0. Valid until the next call. */
enum err_code folder_file_look(struct folder_file *file, const char **text, size_t *size, struct err *err) MUST_CHECK;

/* Steps over so many of the bytes shown, in which so many lines end. */
void folder_file_step(struct folder_file *file, size_t bytes, size_t lines);

/* Steps over the rest of the line, whatever its length. */
enum err_code folder_file_skip_line(struct folder_file *file, struct err *err) MUST_CHECK;

/* 0 to 1 */
double folder_file_fraction(const struct folder_file *file);

#endif
