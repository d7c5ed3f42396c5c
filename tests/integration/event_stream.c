#include "tests/integration/event_stream.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

void event_stream_begin(struct event_stream *stream, struct http_probe probe, const char *version, const char *path,
                        const char *headers)
{
    char request[1024];
    char coding[32] = "";

    *stream = (struct event_stream){.probe = probe};
    (void)snprintf(request, sizeof request, "GET %s HTTP/%s\r\nHost: x\r\n%s\r\n", path, version, headers);
    assert_true(http_probe_send_text(&stream->probe, request));
    assert_true(http_probe_receive(&stream->probe, &stream->answer, false));
    stream->chunked = http_probe_header(&stream->answer, "transfer-encoding", coding, sizeof coding);
}

void event_stream_open(struct event_stream *stream, int port, const char *version, const char *path,
                       const char *headers)
{
    struct http_probe probe;

    assert_true(http_probe_open(&probe, port));
    event_stream_begin(stream, probe, version, path, headers);
}

void event_stream_close(struct event_stream *stream)
{
    http_probe_answer_fini(&stream->answer);
    http_probe_close(&stream->probe);
    str_fini(&stream->text);
}

static void drop_input(struct http_probe *probe, size_t length)
{
    probe->input_length -= length;
    memmove(probe->input, probe->input + length, probe->input_length + 1);
}

/* Moves whole chunks from the input to the text. */
static void decode(struct event_stream *stream)
{
    struct http_probe *probe = &stream->probe;

    while (!stream->ended && probe->input_length > 0) {
        char *end = strstr(probe->input, "\r\n");
        size_t length = stream->chunked && end != NULL ? strtoul(probe->input, NULL, 16) : probe->input_length;
        size_t head = stream->chunked && end != NULL ? (size_t)(end - probe->input) + 2 : 0;
        size_t tail = stream->chunked ? 2 : 0;

        if (stream->chunked && (end == NULL || probe->input_length < head + length + tail))
            return;
        str_append(&stream->text, probe->input + head, length);
        drop_input(probe, head + length + tail);
        stream->ended = stream->ended_well = stream->chunked && length == 0;
    }
}

/* false: the end, or the deadline. */
static bool receive(struct event_stream *stream)
{
    struct pollfd waited = {.fd = stream->probe.fd, .events = POLLIN};
    char bytes[16 * 1024];
    ssize_t got;

    if (stream->ended || poll(&waited, 1, HTTP_PROBE_TIMEOUT_MS) <= 0)
        return false;
    got = recv(stream->probe.fd, bytes, sizeof bytes, 0);
    if (got <= 0) {
        stream->ended = true;
        stream->ended_well = got == 0 && !stream->chunked;
        return false;
    }
    if (stream->probe.input_capacity < stream->probe.input_length + (size_t)got + 1) {
        stream->probe.input_capacity = stream->probe.input_length + (size_t)got + 1;
        stream->probe.input = realloc(stream->probe.input, stream->probe.input_capacity);
        assert_non_null(stream->probe.input);
    }
    memcpy(stream->probe.input + stream->probe.input_length, bytes, (size_t)got);
    stream->probe.input_length += (size_t)got;
    stream->probe.input[stream->probe.input_length] = '\0';
    return true;
}

static void read_field(const char *block, const char *name, char *out, size_t size)
{
    const char *at = strstr(block, name);

    if (at != NULL && (at == block || at[-1] == '\n'))
        (void)snprintf(out, size, "%.*s", (int)strcspn(at + strlen(name), "\n"), at + strlen(name));
}

bool event_stream_next(struct event_stream *stream, struct event_stream_block *block)
{
    const char *end;
    size_t length;

    decode(stream);
    while (stream->text.length == 0 || (end = strstr(stream->text.text, "\n\n")) == NULL) {
        if (!receive(stream))
            return false;
        decode(stream);
    }
    length = (size_t)(end - stream->text.text);
    *block = (struct event_stream_block){0};
    (void)snprintf(block->text, sizeof block->text, "%.*s", (int)length, stream->text.text);
    read_field(block->text, "id: ", block->id, sizeof block->id);
    read_field(block->text, "event: ", block->name, sizeof block->name);
    read_field(block->text, "data: ", block->data, sizeof block->data);
    stream->text.length -= length + 2;
    memmove(stream->text.text, end + 2, stream->text.length + 1);
    return true;
}

void event_stream_expect(struct event_stream *stream, const char *name, const char *data,
                         struct event_stream_block *out)
{
    struct event_stream_block block;

    do {
        if (!event_stream_next(stream, &block))
            fail_msg("the stream %s before \"%s\" of %s", stream->ended ? "ends" : "is silent", data, name);
    } while (block.data[0] == '\0');
    if (strcmp(block.name, name) != 0 || strstr(block.data, data) == NULL)
        fail_msg("not \"%s\" of %s but\n%s", data, name, block.text);
    if (out != NULL)
        *out = block;
}

void event_stream_expect_end(struct event_stream *stream)
{
    struct event_stream_block block;

    while (event_stream_next(stream, &block)) {
        if (block.data[0] != '\0')
            fail_msg("the stream does not end but says\n%s", block.text);
    }
    assert_true(stream->ended);
    assert_true(stream->ended_well);
}
