/* What a child says, in two pieces (the first byte says where it is cut), line by line. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_support.h"
#include "worker/child_line.h"
#include "worker/line_reader.h"

enum { LIMIT_BYTES = 512 };

static void check_end(const struct child_line *line)
{
    struct child_line again;
    struct err err;
    char *text = child_line_print_end(&line->end);

    FUZZ_CHECK(text != NULL);
    FUZZ_CHECK(child_line_parse(&again, text, strlen(text) - 1, &err) == ERR_OK);
    FUZZ_CHECK(again.kind == CHILD_LINE_END && again.end.err.code == line->end.err.code);
    FUZZ_CHECK(again.end.newest_fence == line->end.newest_fence);
    FUZZ_CHECK((again.end.report != NULL) == (line->end.report != NULL));
    child_line_fini(&again);
    free(text);
}

static void check_report(const struct child_line *line)
{
    struct child_line again;
    struct err err;
    char *text = child_line_print_report(line->report);

    FUZZ_CHECK(line->report != NULL && text != NULL);
    FUZZ_CHECK(child_line_parse(&again, text, strlen(text) - 1, &err) == ERR_OK);
    FUZZ_CHECK(again.kind == CHILD_LINE_REPORT);
    FUZZ_CHECK(json_value_count(again.report) == json_value_count(line->report));
    child_line_fini(&again);
    free(text);
}

static bool on_line(void *context, char *text, size_t length)
{
    struct child_line line;
    struct err err = {0};

    (void)context;
    FUZZ_CHECK(text[length] == '\0' && length <= LIMIT_BYTES);
    if (child_line_parse(&line, text, length, &err) != ERR_OK) {
        FUZZ_CHECK(err.message[0] != '\0');
        return true;
    }
    FUZZ_CHECK(line.kind != CHILD_LINE_PROGRESS || (line.progress >= 0 && line.progress <= 1));
    FUZZ_CHECK(line.kind != CHILD_LINE_MAY_PUBLISH || line.number > 0);
    if (line.kind == CHILD_LINE_END)
        check_end(&line);
    else if (line.kind == CHILD_LINE_REPORT)
        check_report(&line);
    child_line_fini(&line);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line_reader reader = {.limit = LIMIT_BYTES};
    size_t first = size > 0 ? data[0] : 0;
    const char *bytes = (const char *)data + 1;
    struct err err;

    if (size < 1)
        return 0;
    size--;
    first = first < size ? first : size;
    if (line_reader_feed(&reader, bytes, first, on_line, NULL, &err) != ERR_OK ||
        line_reader_feed(&reader, bytes + first, size - first, on_line, NULL, &err) != ERR_OK)
        FUZZ_CHECK(err.code == ERR_TOO_LARGE);
    line_reader_fini(&reader);
    return 0;
}
