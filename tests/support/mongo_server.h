/*
 * A real server of MongoDB's protocol for integration tests: secantusd-py, from $RECFLEET_MONGO_SERVER or
 * build/venv/bin of the source tree. Functions that answer false have said why on stderr.
 */
#ifndef TESTS_SUPPORT_MONGO_SERVER_H
#define TESTS_SUPPORT_MONGO_SERVER_H

#include <stdbool.h>

#include "tests/support/servers.h"

/* The path of the program; NULL where it is not installed: the test is skipped then. */
const char *mongo_server_program(void);

/* server->url becomes mongodb://127.0.0.1:PORT/recfleet_test; server_kill, server_restart and server_fini go on. */
bool mongo_server_start(struct test_server *server);

#endif
