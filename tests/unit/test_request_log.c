/* The access log: what is written when. stderr is a pipe of packets, so that a read gives what one write wrote. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/json_value.h"
#include "gateway/request_log.h"

enum { PACKET_BYTES = 64 * 1024 };

struct bench {
    uv_loop_t loop;
    struct request_log log;
    struct services services;
    int stderr_saved;
    int written; /* the pipe's end to read from */
    char packet[PACKET_BYTES];
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    int ends[2];

    *state = bench;
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    request_log_init(&bench->log, &bench->loop);
    assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
    bench->written = ends[0];
    bench->stderr_saved = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)close(ends[1]);
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    assert_true(dup2(bench->stderr_saved, STDERR_FILENO) >= 0);
    (void)close(bench->stderr_saved);
    (void)close(bench->written);
    free(bench);
    return 0;
}

static void add(struct bench *bench, const char *id)
{
    struct exchange exchange = {.services = &bench->services,
                                .request = {.method = "GET"},
                                .route = "/health",
                                .begun_ns = uv_hrtime(),
                                .reply = {.status = 200}};

    (void)snprintf(exchange.id, sizeof exchange.id, "%s", id);
    request_log_add(&bench->log, &exchange);
}

/* The lines of the next packet; 0: nothing is written. */
static size_t read_lines(struct bench *bench)
{
    ssize_t length = read(bench->written, bench->packet, sizeof bench->packet - 1);
    size_t lines = 0;

    bench->packet[length > 0 ? length : 0] = '\0';
    for (const char *at = bench->packet; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    return lines;
}

static void a_turn_is_one_write(void **state)
{
    struct bench *bench = *state;

    add(bench, "first");
    add(bench, "second");
    add(bench, "third");
    assert_int_equal(read_lines(bench), 0);
    (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(read_lines(bench), 3);
    assert_true(strstr(bench->packet, "first") < strstr(bench->packet, "second"));
    assert_int_equal(read_lines(bench), 0);
    (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(read_lines(bench), 0);
    add(bench, "fourth");
    (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(read_lines(bench), 1);
    request_log_close(&bench->log);
}

static void a_line_tells_of_its_request(void **state)
{
    struct bench *bench = *state;
    struct json *line = NULL;
    int64_t status = 0;

    add(bench, "some-id");
    (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(read_lines(bench), 1);
    assert_int_equal(json_value_parse(&line, bench->packet, strlen(bench->packet), NULL), ERR_OK);
    assert_string_equal(json_value_get_text(line, "event"), "http.request");
    assert_string_equal(json_value_get_text(line, "method"), "GET");
    assert_string_equal(json_value_get_text(line, "route"), "/health");
    assert_string_equal(json_value_get_text(line, "request"), "some-id");
    assert_string_equal(json_value_get_text(line, "client"), "-");
    assert_true(json_value_get_int64(line, "status", &status));
    assert_int_equal(status, 200);
    assert_null(json_value_get(line, "job"));
    json_value_destroy(line);
    request_log_close(&bench->log);
}

static void many_lines_do_not_wait_for_the_turns_end(void **state)
{
    struct bench *bench = *state;
    size_t added = 0;
    size_t lines = 0;

    while (lines == 0 && added < 1000) {
        add(bench, "one-of-many");
        added++;
        lines = read_lines(bench);
    }
    assert_true(lines > 10);
    for (size_t read; (read = read_lines(bench)) > 0;) /* a packet has a page at most */
        lines += read;
    assert_true(lines <= added + 1);
    request_log_close(&bench->log);
}

static void the_end_writes_what_is_left(void **state)
{
    struct bench *bench = *state;

    add(bench, "last");
    request_log_close(&bench->log);
    assert_int_equal(read_lines(bench), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_turn_is_one_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_tells_of_its_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_lines_do_not_wait_for_the_turns_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_writes_what_is_left, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
