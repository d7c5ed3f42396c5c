#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/cli/cli_events.h"

/* What was told, as "name=data;" */
static void on_event(void *context, const struct cli_event *event)
{
    str_append_format(context, "%s=%s;", event->name, event->data);
}

/* Fed in parts of `step` bytes; the answer goes to free(). */
static char *feed(const char *text, size_t length, size_t step, char *last_id)
{
    struct cli_events events;
    struct str told = {0};

    str_append_text(&told, "");
    cli_events_init(&events, on_event, &told);
    for (size_t at = 0; at < length; at += step)
        cli_events_feed(&events, text + at, length - at < step ? length - at : step);
    if (last_id != NULL)
        memcpy(last_id, events.last_id, CLI_EVENT_ID_BYTES);
    cli_events_fini(&events);
    return str_take(&told);
}

static void assert_told(const char *text, const char *expected)
{
    static const size_t steps[] = {1, 2, 3, 7, 4096};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char *told = feed(text, strlen(text), steps[i], NULL);

        assert_string_equal(told != NULL ? told : "", expected);
        free(told);
    }
}

static void events_come_whole_however_they_are_cut(void **state)
{
    (void)state;
    assert_told("event: state\nid: 1-0\ndata: {\"a\":1}\n\nevent: progress\ndata: x\n\n",
                "state={\"a\":1};progress=x;");
    assert_told("data: a\ndata: b\n\n", "message=a\nb;");
    assert_told("data: a\r\ndata: b\r\n\r\n", "message=a\nb;");
    assert_told("data:a\r\n\r\ndata: b\r\rdata:  c\n\n", "message=a;message=b;message= c;");
}

static void comments_and_what_is_unknown_are_left_out(void **state)
{
    (void)state;
    assert_told(": keep\n\n:\n\nretry: 5\nfield\ndata: a\n\n", "message=a;");
    assert_told("event: only-a-name\n\ndata: a\n\n", "message=a;"); /* without data it is none, and its name goes */
    assert_told("data: half", "");
}

static void the_last_id_is_kept(void **state)
{
    const char *text = "id: 12-3\ndata: a\n\ndata: b\n\n";
    char id[CLI_EVENT_ID_BYTES];

    (void)state;
    free(feed(text, strlen(text), 5, id));
    assert_string_equal(id, "12-3");
}

static void a_new_stream_forgets_what_was_half_read(void **state)
{
    struct cli_events events;
    struct str told = {0};

    (void)state;
    cli_events_init(&events, on_event, &told);
    cli_events_feed(&events, "id: 7\nevent: x\ndata: lost", 25);
    cli_events_restart(&events);
    cli_events_feed(&events, "data: kept\n\n", 12);
    assert_string_equal(told.text, "message=kept;");
    assert_string_equal(events.last_id, "7");
    cli_events_fini(&events);
    str_fini(&told);
}

static void lines_without_end_take_no_memory(void **state)
{
    size_t length = 3 * CLI_EVENT_MAX_BYTES;
    char *text = malloc(length + 32);
    struct cli_events events;
    struct str told = {0};

    (void)state;
    assert_non_null(text);
    memset(text, 'a', length);
    memcpy(text, "data: ", 6);
    strcpy(text + length, "\n\ndata: b\n\n");
    cli_events_init(&events, on_event, &told);
    cli_events_feed(&events, text, strlen(text));
    assert_string_equal(told.text, "message=b;");
    assert_true(events.line.capacity <= 2 * CLI_EVENT_MAX_BYTES);
    for (int i = 0; i < 3 * CLI_EVENT_MAX_BYTES / 8; i++) /* as many short lines of one event */
        cli_events_feed(&events, "data: 12345678\n", 15);
    assert_true(events.data.capacity <= 2 * CLI_EVENT_MAX_BYTES);
    cli_events_fini(&events);
    str_fini(&told);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_whole_however_they_are_cut),
        cmocka_unit_test(comments_and_what_is_unknown_are_left_out),
        cmocka_unit_test(the_last_id_is_kept),
        cmocka_unit_test(a_new_stream_forgets_what_was_half_read),
        cmocka_unit_test(lines_without_end_take_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
