/*
 * Bytes on their way to a client: what is being written, and what gathers behind it. Embedded in its owner, which
 * appends to `waiting` (str.h) and flushes. All on the loop's thread.
 */
#ifndef GATEWAY_OUTLET_H
#define GATEWAY_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "common/base/str.h"

enum { OUTLET_KEPT_BYTES = 2048 };

/* A write that took longer than its flush came to its end (status of libuv); what waits by then goes out with the next
 * flush. */
typedef void (*outlet_written_fn)(void *owner, int status);

struct outlet {
    uv_stream_t *stream;
    uv_write_t request;
    struct str writing;
    struct str waiting;
    bool busy;
    outlet_written_fn on_written;
    void *owner;
};

void outlet_init(struct outlet *outlet, uv_stream_t *stream, outlet_written_fn on_written, void *owner);

/* After the stream is closed. */
void outlet_fini(struct outlet *outlet);

/* Writes what waits, unless a write is under way; false: it cannot be written, close the stream. */
bool outlet_flush(struct outlet *outlet);

/* Whether all is written. */
bool outlet_is_empty(const struct outlet *outlet);

/* Gives the memory of what was written back, but for a little that most answers fit into. */
void outlet_shrink(struct outlet *outlet);

#endif
