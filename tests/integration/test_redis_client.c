/* The blocking client against real servers: credentials, databases, and servers that go away. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/net/redis_client.h"
#include "tests/support/servers.h"

enum { TIMEOUT_MS = 10000 };

static struct redis_url url_of(const char *format, int port)
{
    struct redis_url url;
    char text[256];
    const char *mark = strstr(format, "PORT");
    struct err err = {0};

    (void)snprintf(text, sizeof text, "%.*s%d%s", (int)(mark - format), format, port, mark + strlen("PORT"));
    if (redis_url_parse(&url, text, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return url;
}

static struct redis_client *connected(const struct redis_url *url, int timeout_ms)
{
    struct redis_client *client = NULL;
    struct err err = {0};

    if (redis_client_connect(&client, url, timeout_ms, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return client;
}

/* Sends words ended by NULL; the reply's text is copied to out. */
static enum err_code ask(struct redis_client *client, char *out, size_t size, struct err *err, const char *word, ...)
{
    struct redis_command command;
    struct redis_reply *reply = NULL;
    enum err_code rc;
    va_list words;

    redis_command_init(&command, word);
    va_start(words, word);
    while ((word = va_arg(words, const char *)) != NULL)
        redis_command_add(&command, word);
    va_end(words);
    rc = redis_client_send(client, &command, &reply, err);
    (void)snprintf(out, size, "%s", redis_reply_text(reply) != NULL ? redis_reply_text(reply) : "(nil)");
    redis_reply_destroy(reply);
    redis_command_fini(&command);
    return rc;
}

static void a_database_is_selected(void **state)
{
    struct test_server *server = *state;
    struct redis_url third = url_of("redis://localhost:PORT/3", server->port);
    struct redis_url first = url_of("redis://127.0.0.1:PORT", server->port);
    struct redis_client *client = connected(&third, TIMEOUT_MS);
    char text[64];
    struct err err = {0};

    assert_int_equal(ask(client, text, sizeof text, &err, "SET", "k", "in three", NULL), ERR_OK);
    redis_client_destroy(client);
    client = connected(&first, TIMEOUT_MS);
    assert_int_equal(ask(client, text, sizeof text, &err, "GET", "k", NULL), ERR_OK);
    assert_string_equal(text, "(nil)");
    redis_client_destroy(client);
    client = connected(&third, TIMEOUT_MS);
    assert_int_equal(ask(client, text, sizeof text, &err, "GET", "k", NULL), ERR_OK);
    assert_string_equal(text, "in three");
    redis_client_destroy(client);
}

static void a_database_that_is_not_there_is_an_error(void **state)
{
    struct test_server *server = *state;
    struct redis_url url = url_of("redis://127.0.0.1:PORT/99", server->port);
    struct redis_client *client = NULL;
    struct err err = {0};

    assert_int_equal(redis_client_connect(&client, &url, TIMEOUT_MS, &err), ERR_REMOTE);
    assert_null(client);
    assert_non_null(strstr(err.message, "/99"));
}

static void credentials_open_and_wrong_ones_are_not_shown(void **state)
{
    struct test_server server;
    struct redis_url url;
    struct redis_client *client = NULL;
    char text[64];
    struct err err = {0};

    (void)state;
    assert_true(server_start_redis(&server, "--requirepass", "hunter2", "--user", "app", "on", ">s3cret word", "~*",
                                   "+@all", NULL));
    url = url_of("redis://:hunter2@127.0.0.1:PORT", server.port);
    client = connected(&url, TIMEOUT_MS);
    redis_client_destroy(client);
    url = url_of("redis://app:s3cret%20word@127.0.0.1:PORT/1", server.port);
    client = connected(&url, TIMEOUT_MS);
    assert_int_equal(ask(client, text, sizeof text, &err, "ACL", "WHOAMI", NULL), ERR_OK);
    assert_string_equal(text, "app");
    redis_client_destroy(client);

    url = url_of("redis://:hunter3@127.0.0.1:PORT", server.port);
    assert_int_equal(redis_client_connect(&client, &url, TIMEOUT_MS, &err), ERR_REMOTE);
    assert_null(strstr(err.message, "hunter3"));
    assert_non_null(strstr(err.message, "WRONGPASS"));
    url = url_of("redis://127.0.0.1:PORT/1", server.port); /* none given */
    assert_int_equal(redis_client_connect(&client, &url, TIMEOUT_MS, &err), ERR_REMOTE);
    assert_non_null(strstr(err.message, "NOAUTH"));
    server_fini(&server);
}

static void a_unix_socket_is_served(void **state)
{
    struct test_server server;
    struct redis_url url = {.port = 0};
    struct redis_client *client;
    char text[SERVER_TEXT_BYTES + 32];
    struct err err = {0};

    (void)state;
    assert_true(server_start_redis(&server, "--unixsocket", "socket", NULL)); /* relative to its folder */
    (void)snprintf(text, sizeof text, "unix://%s/socket?db=2", server.folder);
    assert_int_equal(redis_url_parse(&url, text, &err), ERR_OK);
    client = connected(&url, TIMEOUT_MS);
    assert_int_equal(ask(client, text, sizeof text, &err, "SET", "k", "v", NULL), ERR_OK);
    redis_client_destroy(client);
    server_fini(&server);
    assert_int_equal(redis_client_connect(&client, &url, TIMEOUT_MS, &err), ERR_UNAVAILABLE);
    assert_null(client);
}

static void nobody_there_is_unavailable(void **state)
{
    struct redis_url url = url_of("redis://user:hunter2@127.0.0.1:PORT/1", server_free_port());
    struct redis_client *client = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(redis_client_connect(&client, &url, TIMEOUT_MS, &err), ERR_UNAVAILABLE);
    assert_null(client);
    assert_null(strstr(err.message, "hunter2"));
}

static void a_killed_server_is_a_network_error(void **state)
{
    struct test_server *server = *state;
    struct redis_url url = url_of("redis://127.0.0.1:PORT", server->port);
    struct redis_client *client = connected(&url, TIMEOUT_MS);
    char text[64];
    struct err err = {0};

    server_kill(server);
    assert_int_equal(ask(client, text, sizeof text, &err, "SET", "k", "v", NULL), ERR_NETWORK);
    assert_true(err_is_transient(err.code));
    assert_true(server_restart(server));
    assert_int_equal(ask(client, text, sizeof text, &err, "PING", NULL), ERR_NETWORK); /* it stays broken */
    redis_client_destroy(client);
    client = connected(&url, TIMEOUT_MS);
    assert_int_equal(ask(client, text, sizeof text, &err, "PING", NULL), ERR_OK);
    redis_client_destroy(client);
}

static void what_was_acknowledged_is_there_after_a_kill(void **state)
{
    struct test_server *server = *state;
    struct redis_url url = url_of("redis://127.0.0.1:PORT", server->port);
    struct redis_client *client = connected(&url, TIMEOUT_MS);
    char text[64];
    struct err err = {0};

    assert_int_equal(ask(client, text, sizeof text, &err, "SET", "kept", "yes", NULL), ERR_OK);
    redis_client_destroy(client);
    assert_true(server_restart(server)); /* by SIGKILL */
    client = connected(&url, TIMEOUT_MS);
    assert_int_equal(ask(client, text, sizeof text, &err, "GET", "kept", NULL), ERR_OK);
    assert_string_equal(text, "yes");
    redis_client_destroy(client);
}

static void a_server_that_stands_still_is_waited_for_no_longer_than_asked(void **state)
{
    struct test_server *server = *state;
    struct redis_url url = url_of("redis://127.0.0.1:PORT/1", server->port);
    struct redis_client *client = connected(&url, 200);
    struct redis_client *other = NULL;
    struct clock_source clock = clock_system();
    int64_t begin_ms = clock_monotonic_ms(&clock);
    char text[64];
    struct err err = {0};

    server_freeze(server);
    assert_int_equal(ask(client, text, sizeof text, &err, "PING", NULL), ERR_NETWORK);
    assert_int_not_equal(redis_client_connect(&other, &url, 200, &err), ERR_OK);
    assert_null(other);
    assert_true(clock_monotonic_ms(&clock) - begin_ms < 5000);
    server_thaw(server);
    redis_client_destroy(client);
}

static void a_read_only_replica_is_unavailable(void **state)
{
    struct test_server *server = *state;
    struct redis_url url = url_of("redis://127.0.0.1:PORT", server->port);
    struct redis_client *client = connected(&url, TIMEOUT_MS);
    char text[64];
    struct err err = {0};

    assert_int_equal(ask(client, text, sizeof text, &err, "REPLICAOF", "127.0.0.1", "1", NULL), ERR_OK);
    assert_int_equal(ask(client, text, sizeof text, &err, "SET", "k", "v", NULL), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "READONLY"));
    assert_int_equal(ask(client, text, sizeof text, &err, "REPLICAOF", "NO", "ONE", NULL), ERR_OK);
    redis_client_destroy(client);
}

static void tls_works_or_is_refused_clearly(void **state)
{
    struct test_server *server = *state;
    struct redis_url url = url_of("rediss://127.0.0.1:PORT", server->port);
    struct redis_client *client = NULL;
    struct err err = {0};
    enum err_code rc = redis_client_connect(&client, &url, 2000, &err);

    assert_true(rc == ERR_CONFIG || rc == ERR_NETWORK); /* this server speaks no TLS */
    assert_non_null(strstr(err.message, "TLS"));
    assert_null(client);
}

static int start(void **state)
{
    static struct test_server server;

    (void)signal(SIGPIPE, SIG_IGN);
    *state = &server;
    return server_start_redis(&server, NULL) ? 0 : -1;
}

static int stop(void **state)
{
    server_fini(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_is_selected),
        cmocka_unit_test(a_database_that_is_not_there_is_an_error),
        cmocka_unit_test(credentials_open_and_wrong_ones_are_not_shown),
        cmocka_unit_test(a_unix_socket_is_served),
        cmocka_unit_test(nobody_there_is_unavailable),
        cmocka_unit_test(a_killed_server_is_a_network_error),
        cmocka_unit_test(what_was_acknowledged_is_there_after_a_kill),
        cmocka_unit_test(a_server_that_stands_still_is_waited_for_no_longer_than_asked),
        cmocka_unit_test(a_read_only_replica_is_unavailable),
        cmocka_unit_test(tls_works_or_is_refused_clearly),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
