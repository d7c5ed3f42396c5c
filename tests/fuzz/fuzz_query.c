/*
 * A query string, and the same bytes as a segment of a path. What is read can be written so that it is read again; and
 * the id that a client of events goes on from is one, or none.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "gateway/event_text.h"
#include "gateway/http_query.h"
#include "tests/fuzz/fuzz_support.h"

enum { ARENA_BYTES = 65536 };

static void append_encoded(struct str *out, const char *text)
{
    for (; *text != '\0'; text++)
        str_append_format(out, isalnum((unsigned char)*text) ? "%c" : "%%%02x", (unsigned char)*text);
}

static void check_written(const struct http_query *query, struct arena *arena)
{
    struct http_query again;
    struct str text = {0};
    struct err err;

    str_append_text(&text, "");
    for (size_t i = 0; i < query->count; i++) {
        FUZZ_CHECK(str_is_utf8(query->pairs[i].name, strlen(query->pairs[i].name)));
        FUZZ_CHECK(str_is_utf8(query->pairs[i].value, strlen(query->pairs[i].value)));
        append_encoded(&text, query->pairs[i].name);
        str_append_char(&text, '=');
        append_encoded(&text, query->pairs[i].value);
        str_append_char(&text, '&');
    }
    FUZZ_CHECK(!text.failed && http_query_parse(&again, arena, text.text, &err) == ERR_OK);
    FUZZ_CHECK(again.count == query->count);
    for (size_t i = 0; i < query->count; i++) {
        FUZZ_CHECK(strcmp(again.pairs[i].name, query->pairs[i].name) == 0);
        FUZZ_CHECK(strcmp(again.pairs[i].value, query->pairs[i].value) == 0);
        FUZZ_CHECK(strcmp(http_query_get(query, again.pairs[i].name), again.pairs[i].value) == 0);
    }
    str_fini(&text);
}

static void check_last_id(const char *query, struct arena *arena)
{
    const struct http_request request = {.method = "GET", .path = "/", .query = query, .body = ""};
    char id[JOB_QUEUE_STREAM_ID_BYTES];

    event_text_read_last_id(&request, arena, id);
    FUZZ_CHECK(strspn(id, "0123456789-") == strlen(id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    char *text = fuzz_text(data, size);
    struct http_query query;
    const char *segment;
    struct err err = {0};
    enum err_code rc;

    if (arena == NULL)
        arena = arena_create(ARENA_BYTES);
    arena_reset(arena);
    rc = http_query_parse(&query, arena, text, &err);
    FUZZ_CHECK(rc == ERR_OK || ((rc == ERR_FORMAT || rc == ERR_TOO_LARGE) && err.message[0] != '\0'));
    if (rc == ERR_OK)
        check_written(&query, arena);
    rc = http_query_decode_segment(&segment, arena, text, strlen(text), &err);
    FUZZ_CHECK((rc == ERR_OK) == (segment != NULL));
    FUZZ_CHECK(segment == NULL || str_is_utf8(segment, strlen(segment)));
    check_last_id(text, arena);
    free(text);
    return 0;
}
