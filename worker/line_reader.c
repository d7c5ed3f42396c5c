#include "worker/line_reader.h"

#include <string.h>

/* The piece [bytes, bytes + size) ends the line that was begun before. */
static enum err_code end_line(struct line_reader *reader, const char *bytes, size_t size, line_reader_fn fn,
                              void *context, bool *go_on, struct err *err)
{
    if (reader->rest.length + size > reader->limit)
        return ERR_SET(err, ERR_TOO_LARGE, "a line of more than %zu bytes", reader->limit);
    str_append(&reader->rest, bytes, size);
    str_append(&reader->rest, "", 0); /* an empty line is a text too */
    if (reader->rest.failed || reader->rest.text == NULL)
        return reader->rest.failed ? ERR_SET(err, ERR_NO_MEMORY, "no memory for a line") : ERR_OK;
    *go_on = fn(context, reader->rest.text, reader->rest.length);
    str_clear(&reader->rest);
    return ERR_OK;
}

enum err_code line_reader_feed(struct line_reader *reader, const char *bytes, size_t size, line_reader_fn fn,
                               void *context, struct err *err)
{
    bool go_on = true;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && go_on && size > 0) {
        const char *newline = memchr(bytes, '\n', size);
        size_t length = newline != NULL ? (size_t)(newline - bytes) : size;

        if (newline != NULL) {
            rc = end_line(reader, bytes, length, fn, context, &go_on, err);
            length++;
        } else if (reader->rest.length + length > reader->limit) {
            rc = ERR_SET(err, ERR_TOO_LARGE, "a line of more than %zu bytes", reader->limit);
        } else {
            str_append(&reader->rest, bytes, length);
            if (reader->rest.failed)
                rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a line");
        }
        bytes += length;
        size -= length;
    }
    return rc;
}

void line_reader_fini(struct line_reader *reader)
{
    str_fini(&reader->rest);
}
