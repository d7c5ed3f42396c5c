#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/event_text.h"
#include "gateway/events.h"

static void an_event_is_three_lines_and_an_empty_one(void **state)
{
    struct job_queue_event event = {.stream_id = "1700000000000-3",
                                    .job_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                    .state = JOB_RUNNING,
                                    .stage = "als \"x\"",
                                    .progress = 0.625};
    struct str out = {0};

    (void)state;
    event_text_append(&out, "progress", &event);
    assert_string_equal(out.text, "id: 1700000000000-3\n"
                                  "event: progress\n"
                                  "data: {\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"state\":\"running\","
                                  "\"stage\":\"als \\\"x\\\"\",\"progress\":0.625}\n\n");
    str_clear(&out);
    event.stream_id[0] = '\0';
    event_text_append(&out, "state", &event);
    assert_int_equal(strncmp(out.text, "event: state\n", strlen("event: state\n")), 0);
    str_clear(&out);
    event_text_append_retry(&out, 2500);
    event_text_append_comment(&out, "here");
    assert_string_equal(out.text, "retry: 2500\n\n: here\n\n");
    str_fini(&out);
}

static void the_place_to_go_on_is_of_the_header_else_of_the_query(void **state)
{
    static const struct {
        const char *header;
        const char *query;
        const char *id;
    } cases[] = {
        {NULL, "", ""},
        {"12-3", "", "12-3"},
        {"12-3", "last_event_id=45-6", "12-3"},
        {NULL, "last_event_id=45-6", "45-6"},
        {NULL, "a=1&last_event_id=45-6&b=2", "45-6"},
        {NULL, "my_last_event_id=45-6", ""},
        {NULL, "last_event_id", ""},
        {NULL, "last_event_id=", ""},
        {NULL, "last_event_id=45%2D6", "45-6"},
        {NULL, "last_event_id=45-6&x=%zz", ""},
        {"", "last_event_id=45-6", ""},
        {"12", "", ""},
        {"-1-2", "", ""},
        {"12-", "", ""},
        {"12-3x", "", ""},
        {"$", "", ""},
        {"12-3 COUNT 1", "", ""},
        {"1111111111111111111111111111-2222222222222222222222222", "", ""},
    };

    struct arena *arena = arena_create(64 * 1024);

    (void)state;
    assert_non_null(arena);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_header header = {.name = "Last-Event-ID", .value = cases[i].header};
        struct http_request request = {
            .query = cases[i].query, .headers = &header, .header_count = cases[i].header != NULL};
        char id[JOB_QUEUE_STREAM_ID_BYTES];

        event_text_read_last_id(&request, arena, id);
        assert_string_equal(id, cases[i].id);
    }
    arena_destroy(arena);
}

static void ids_compare_as_numbers(void **state)
{
    (void)state;
    assert_int_equal(events_id_compare("9-1", "10-1"), -1);
    assert_int_equal(events_id_compare("10-9", "10-10"), -1);
    assert_int_equal(events_id_compare("10-10", "10-10"), 0);
    assert_int_equal(events_id_compare("10-1", "9-99"), 1);
    assert_int_equal(events_id_compare("", "0-1"), -1);
    assert_int_equal(events_id_compare("", "0-0"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_three_lines_and_an_empty_one),
        cmocka_unit_test(the_place_to_go_on_is_of_the_header_else_of_the_query),
        cmocka_unit_test(ids_compare_as_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
