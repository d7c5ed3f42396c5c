/*
 * A client of Server-Sent Events, for tests: it reads one block at a time, chunked or up to the end of the connection.
 * Every wait has a deadline; a failure to connect fails the cmocka test.
 */
#ifndef TESTS_INTEGRATION_EVENT_STREAM_H
#define TESTS_INTEGRATION_EVENT_STREAM_H

#include <stdbool.h>

#include "common/base/str.h"
#include "tests/support/http_probe.h"

struct event_stream {
    struct http_probe probe;
    struct http_probe_answer answer; /* its head */
    bool chunked;
    bool ended;      /* nothing follows */
    bool ended_well; /* by the last chunk, or without one by the end of the connection */
    struct str text; /* of the body, not read yet */
};

/* A block: what stands between two empty lines. Texts are "" where a field is missing. */
struct event_stream_block {
    char text[512];
    char id[64];
    char name[32];
    char data[256];
};

/* Sends GET and waits for the head. `version` is "1.1" or "1.0". */
void event_stream_open(struct event_stream *stream, int port, const char *version, const char *path,
                       const char *headers);

/* The same on a probe that is connected; the stream takes it. */
void event_stream_begin(struct event_stream *stream, struct http_probe probe, const char *version, const char *path,
                        const char *headers);
void event_stream_close(struct event_stream *stream);

/* The next block; false: the stream has ended, or the deadline passed. */
bool event_stream_next(struct event_stream *stream, struct event_stream_block *block);

/* The next block with data; it must come, with this name and this text in its data. */
void event_stream_expect(struct event_stream *stream, const char *name, const char *data,
                         struct event_stream_block *out);

/* Nothing but comments comes any more, and the end in good order. */
void event_stream_expect_end(struct event_stream *stream);

#endif
