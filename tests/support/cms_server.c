#include "tests/support/cms_server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/http_probe.h"

enum { READY_MS = 60000, STATUS_OK = 200 };

/* It takes a free port itself and prints it: the first line of its log. 0: not yet. */
static int printed_port(const struct test_server *server)
{
    char path[SERVER_TEXT_BYTES + 8];
    char line[64] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/log", server->folder);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) == NULL || strchr(line, '\n') == NULL)
        line[0] = '\0';
    (void)fclose(file);
    return (int)strtol(line, NULL, 10);
}

static bool is_ready(const struct test_server *server)
{
    return printed_port(server) > 0;
}

bool cms_server_start(struct test_server *out, const char *data, ...)
{
    const char *root = getenv("RECFLEET_SOURCE");
    char program[SERVER_TEXT_BYTES];
    const char *argv[SERVER_MAX_ARGUMENTS + 1] = {program, "--data", data, "--port", "0"};
    size_t count = 5;
    const char *extra;
    va_list extras;

    (void)snprintf(program, sizeof program, "%s/tests/support/cms", root != NULL ? root : ".");
    va_start(extras, data);
    while ((extra = va_arg(extras, const char *)) != NULL && count < SERVER_MAX_ARGUMENTS)
        argv[count++] = extra;
    va_end(extras);
    if (!server_prepare(out))
        return false;
    if (!server_spawn(out, argv, is_ready, READY_MS)) {
        server_fini(out);
        return false;
    }
    out->port = printed_port(out);
    (void)snprintf(out->url, sizeof out->url, "http://127.0.0.1:%d", out->port);
    return true;
}

bool cms_server_control(const struct test_server *server, const char *json)
{
    struct http_probe_answer answer = {0};
    bool done = http_probe_once(server->port, "POST", "/control", NULL, json, &answer) && answer.status == STATUS_OK;

    if (!done)
        (void)fprintf(stderr, "cms: POST /control %s: status %d\n", json, answer.status);
    http_probe_answer_fini(&answer);
    return done;
}

char *cms_server_stats(const struct test_server *server)
{
    struct http_probe_answer answer = {0};
    char *stats = NULL;

    if (http_probe_once(server->port, "GET", "/stats", NULL, NULL, &answer) && answer.status == STATUS_OK)
        stats = strdup(answer.body);
    else
        (void)fprintf(stderr, "cms: GET /stats: status %d\n", answer.status);
    http_probe_answer_fini(&answer);
    return stats;
}
