/*
 * What a worker does, in one call each, for tests of the command line.
 */
#ifndef TESTS_INTEGRATION_CLI_GATEWAY_H
#define TESTS_INTEGRATION_CLI_GATEWAY_H

#include "tests/integration/cli_fixture.h"
#include "tests/integration/gateway_fixture.h"

/* A gateway and what tells `recfleet` where it is. */
struct cli_gateway {
    struct gateway_fixture gateway;
    char url[SERVER_TEXT_BYTES];
    struct cli_setup setup;    /* by pipes */
    struct cli_setup terminal; /* on a terminal */
};

/* cmocka setups: servers for a group; an empty queue for a test. */
int cli_gateway_start(void **state);
int cli_gateway_stop(void **state);
int cli_gateway_clear(void **state);

/* The id that a program's output begins with after `before` ("job "). */
void cli_gateway_read_id(const struct cli_program *program, const char *before, char *id);

/* Takes the oldest entry of the stream and begins it. */
struct job_queue_lease cli_gateway_take(struct cli_gateway *fixture);

/* Ends it: document, with these changes (JSON text), then HASH. */
void cli_gateway_finish(struct cli_gateway *fixture, const struct job_queue_lease *lease, enum job_state state,
                        const char *changes);

/* Keeps a report of it (JSON text). */
void cli_gateway_report(struct cli_gateway *fixture, const struct job_queue_lease *lease, const char *report);

#endif
