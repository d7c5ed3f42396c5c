#include "tests/integration/cli_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int cli_gateway_start(void **state)
{
    struct cli_gateway *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    gateway_fixture_start(&fixture->gateway, NULL, false);
    (void)snprintf(fixture->url, sizeof fixture->url, "http://127.0.0.1:%d", fixture->gateway.gateway.port);
    fixture->setup = (struct cli_setup){.url = fixture->url, .key = API_KEY};
    fixture->terminal = fixture->setup;
    fixture->terminal.terminal = true;
    *state = fixture;
    return 0;
}

int cli_gateway_stop(void **state)
{
    struct cli_gateway *fixture = *state;

    gateway_fixture_stop(&fixture->gateway);
    free(fixture);
    return 0;
}

int cli_gateway_clear(void **state)
{
    struct cli_gateway *fixture = *state;
    void *queue = fixture->gateway.queue;

    return queue_fixture_clear(&queue);
}

void cli_gateway_read_id(const struct cli_program *program, const char *before, char *id)
{
    const char *at = program->output.length > 0 ? strstr(program->output.text, before) : NULL;

    assert_non_null(at);
    (void)snprintf(id, JOB_ID_BYTES, "%s", at + strlen(before));
    assert_true(job_id_is_valid(id));
}

struct job_queue_lease cli_gateway_take(struct cli_gateway *fixture)
{
    struct queue_fixture *queue = fixture->gateway.queue;
    struct job_queue_entry entry = queue_fixture_read(queue, WORKER_A);
    struct job_queue_lease lease;

    assert_true(entry.job_id[0] != '\0');
    assert_int_equal(queue_fixture_start_job(queue, &entry, WORKER_A, &lease), JOB_QUEUE_RUN);
    return lease;
}

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct err err = {0};

    if (json_value_parse(&value, text, strlen(text), &err) != ERR_OK)
        fail_msg("%s: %s", err.message, text);
    return value;
}

void cli_gateway_finish(struct cli_gateway *fixture, const struct job_queue_lease *lease, enum job_state state,
                        const char *changes)
{
    struct json *value = parse(changes);
    struct err err = {0};
    bool applied = false;

    assert_true(json_value_set_text(value, "state", job_state_name(state)) &&
                json_value_set_text(value, "started_at", "2026-01-01T00:00:00.000Z") &&
                json_value_set_text(value, "finished_at", "2026-01-01T00:00:02.000Z"));
    if (job_store_update(gateway_fixture_store(&fixture->gateway), lease->entry.job_id, lease->fence, value, &applied,
                         &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_true(applied);
    json_value_destroy(value);
    assert_int_equal(queue_fixture_finish(fixture->gateway.queue, lease, state, -1), JOB_QUEUE_FINISH_OK);
}

void cli_gateway_report(struct cli_gateway *fixture, const struct job_queue_lease *lease, const char *report)
{
    struct json *value = parse(report);
    struct err err = {0};
    bool applied = false;

    assert_true(json_value_set_text(value, "_id", lease->entry.job_id));
    if (job_store_put_report(gateway_fixture_store(&fixture->gateway), lease->entry.job_id, lease->fence, value,
                             &applied, &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_true(applied);
    json_value_destroy(value);
}
