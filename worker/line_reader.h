/*
 * Cuts a stream of bytes into lines of bounded length.
 */
#ifndef WORKER_LINE_READER_H
#define WORKER_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/str.h"

/* Init with {.limit = …}; ends with line_reader_fini. */
struct line_reader {
    size_t limit; /* bytes of the longest line */
    struct str rest;
};

/* A line without its end, terminated; it may be changed. false: read no more of this piece. */
typedef bool (*line_reader_fn)(void *context, char *line, size_t length);

/* ERR_TOO_LARGE: a line passes the limit. */
enum err_code line_reader_feed(struct line_reader *reader, const char *bytes, size_t size, line_reader_fn fn,
                               void *context, struct err *err) MUST_CHECK;
void line_reader_fini(struct line_reader *reader);

#endif
