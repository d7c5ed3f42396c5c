#include "tests/support/mongo_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { START_TIMEOUT_MS = 30000 };

const char *mongo_server_program(void)
{
    static char path[512];
    const char *given = getenv("RECFLEET_MONGO_SERVER");
    const char *source = getenv("RECFLEET_SOURCE");

    if (given != NULL)
        (void)snprintf(path, sizeof path, "%s", given);
    else
        (void)snprintf(path, sizeof path, "%s/build/venv/bin/secantusd-py", source != NULL ? source : ".");
    if (access(path, X_OK) == 0)
        return path;
    (void)fprintf(stderr, "no MongoDB-protocol server: %s is not there (tests/run installs it)\n", path);
    return NULL;
}

bool mongo_server_start(struct test_server *server)
{
    const char *program = mongo_server_program();
    char port[16];
    char folder[SERVER_TEXT_BYTES + 8];
    const char *argv[] = {
        program, "--host", "127.0.0.1", "--port", port, "--storage-path", folder, "--enable-test-commands", NULL};

    if (program == NULL || !server_prepare(server))
        return false;
    (void)snprintf(port, sizeof port, "%d", server->port);
    (void)snprintf(folder, sizeof folder, "%s/data", server->folder);
    if (!server_spawn(server, argv, server_accepts, START_TIMEOUT_MS))
        return false;
    (void)snprintf(server->url, sizeof server->url, "mongodb://127.0.0.1:%d/recfleet_test", server->port);
    return true;
}
