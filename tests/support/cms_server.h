/*
 * The stand-in CMS (tests/support/cms) as a server of a test. Functions that answer false have said why on stderr.
 */
#ifndef TESTS_SUPPORT_CMS_SERVER_H
#define TESTS_SUPPORT_CMS_SERVER_H

#include <stdbool.h>

#include "tests/support/servers.h"

/* Serves a folder of events.jsonl and products.json; further options follow, then NULL. url is http://127.0.0.1:PORT.
 * Ends with server_fini. */
bool cms_server_start(struct test_server *out, const char *data, ...) __attribute__((sentinel));

/* Changes what it does from now on: {"fault": …} */
bool cms_server_control(const struct test_server *server, const char *json);

/* Its counts and the paths it was asked for, as JSON; malloc'd, NULL on failure. */
char *cms_server_stats(const struct test_server *server);

#endif
