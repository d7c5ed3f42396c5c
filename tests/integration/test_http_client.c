#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/http_client.h"
#include "tests/integration/cms_fixture.h"

enum { URL_BYTES = 512, PARALLEL = 6, WAIT_MS = 100, MOST_WAITS = 300 };

static int set_up(void **state)
{
    struct cms_fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    return fixture != NULL && cms_fixture_start(fixture, "--token", "secret-token") ? 0 : -1;
}

static int tear_down(void **state)
{
    cms_fixture_stop(*state);
    free(*state);
    return 0;
}

/* What the callback was told of one request, and the next one that it sends. */
struct asked {
    struct http_client *client;
    char url[URL_BYTES];
    int again; /* how often the callback asks once more */
    int ended;
    long status;
    int retry_after_s;
    size_t size;
    bool is_terminated;
    struct err err;
};

static void on_end(void *context, const struct http_response *response, const struct err *err)
{
    struct asked *asked = context;

    asked->ended++;
    if (response != NULL) {
        asked->status = response->status;
        asked->retry_after_s = response->retry_after_s;
        asked->size = response->size;
        asked->is_terminated = response->body[response->size] == '\0';
    } else {
        asked->err = *err;
    }
    if (asked->again-- > 0)
        assert_int_equal(http_client_get(asked->client, asked->url, on_end, asked, NULL), ERR_OK);
}

static struct http_client *open_client(const char *bearer)
{
    struct http_client_config config = {.bearer = bearer, .stall_timeout_s = 5, .max_body_bytes = 1 << 20};
    struct http_client *client;

    assert_int_equal(http_client_create(&client, &config, NULL), ERR_OK);
    return client;
}

static void ask(struct asked *asked, struct http_client *client, const struct cms_fixture *fixture, const char *path)
{
    asked->client = client;
    (void)snprintf(asked->url, sizeof asked->url, "%s%s", fixture->server.url, path);
    assert_int_equal(http_client_get(client, asked->url, on_end, asked, NULL), ERR_OK);
}

static void wait_for(struct http_client *client, const struct asked *asked, int ended)
{
    for (int i = 0; asked->ended < ended && i < MOST_WAITS; i++)
        assert_int_equal(http_client_wait(client, WAIT_MS, NULL), ERR_OK);
    assert_int_equal(asked->ended, ended);
}

static void several_requests_run_at_once_and_callbacks_send_more(void **state)
{
    struct asked asked[PARALLEL] = {0};
    struct http_client *client = open_client("secret-token");

    for (size_t i = 0; i < PARALLEL; i++) {
        asked[i].again = 2;
        ask(&asked[i], client, *state, "/GET/events/?event=purchase&limit=0,100");
    }
    for (size_t i = 0; i < PARALLEL; i++) {
        wait_for(client, &asked[i], 3);
        assert_int_equal(asked[i].status, 200);
        assert_true(asked[i].size > 5000); /* unpacked */
        assert_true(asked[i].is_terminated);
    }
    http_client_destroy(client);
}

static void any_status_is_an_answer(void **state)
{
    const struct cms_fixture *fixture = *state;
    struct asked missing = {0};
    struct asked refused = {0};
    struct asked busy = {0};
    struct http_client *client = open_client("secret-token");
    struct http_client *stranger = open_client(NULL);

    ask(&missing, client, fixture, "/nowhere?limit=0,1");
    wait_for(client, &missing, 1);
    assert_int_equal(missing.status, 404);
    assert_int_equal(missing.retry_after_s, -1);
    ask(&refused, stranger, fixture, "/GET/events/?limit=0,1");
    wait_for(stranger, &refused, 1);
    assert_int_equal(refused.status, 401);
    assert_true(cms_fixture_control(fixture, "{\"fault\":{\"kind\":\"429\",\"retry_after\":17}}"));
    ask(&busy, client, fixture, "/GET/events/?limit=0,1");
    wait_for(client, &busy, 1);
    assert_int_equal(busy.status, 429);
    assert_int_equal(busy.retry_after_s, 17);
    http_client_destroy(client);
    http_client_destroy(stranger);
}

static void redirects_are_not_followed(void **state)
{
    struct asked asked = {0};
    struct http_client *client = open_client("secret-token");

    assert_true(cms_fixture_control(*state, "{\"fault\":{\"kind\":\"redirect\"}}"));
    ask(&asked, client, *state, "/GET/events/?limit=0,1");
    wait_for(client, &asked, 1);
    assert_int_equal(asked.status, 302);
    http_client_destroy(client);
}

/* 20 MB of blanks, packed into 20 kB. */
static void a_body_is_capped_as_it_is_unpacked(void **state)
{
    struct asked asked = {0};
    struct http_client *client = open_client("secret-token");

    assert_true(cms_fixture_control(*state, "{\"fault\":{\"kind\":\"large\",\"bytes\":20000000}}"));
    ask(&asked, client, *state, "/GET/events/?limit=0,1");
    wait_for(client, &asked, 1);
    assert_int_equal(asked.err.code, ERR_TOO_LARGE);
    assert_non_null(strstr(asked.err.message, asked.url));
    http_client_destroy(client);
}

static void broken_answers_are_network_errors(void **state)
{
    static const char *const kinds[] = {"reset", "truncated"};
    struct http_client *client = open_client("secret-token");

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct asked asked = {0};
        char fault[URL_BYTES];

        (void)snprintf(fault, sizeof fault, "{\"fault\":{\"kind\":\"%s\"}}", kinds[i]);
        assert_true(cms_fixture_control(*state, fault));
        ask(&asked, client, *state, "/GET/events/?event=purchase&limit=0,10");
        wait_for(client, &asked, 1);
        assert_int_equal(asked.err.code, ERR_NETWORK);
        assert_null(strstr(asked.err.message, "secret-token"));
    }
    http_client_destroy(client);
}

static void other_protocols_are_refused(void **state)
{
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "http://", "nonsense:"};
    struct http_client *client = open_client(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct asked asked = {0};

        assert_int_equal(http_client_get(client, urls[i], on_end, &asked, NULL), ERR_OK);
        wait_for(client, &asked, 1);
        assert_int_equal(asked.err.code, ERR_CONFIG);
    }
    http_client_destroy(client);
}

static void a_token_with_a_line_break_is_refused(void **state)
{
    struct http_client_config config = {.bearer = "a\nb"};
    struct http_client *client;

    (void)state;
    assert_int_equal(http_client_create(&client, &config, NULL), ERR_CONFIG);
    assert_null(client);
}

static void requests_under_way_end_without_their_callbacks(void **state)
{
    struct asked dropped = {0};
    struct asked destroyed = {0};
    struct asked asked = {0};
    struct http_client *client = open_client("secret-token");

    assert_true(cms_fixture_control(*state, "{\"fault\":{\"kind\":\"slow\",\"ms\":20000,\"first\":1}}"));
    ask(&dropped, client, *state, "/GET/events/?limit=0,1");
    assert_int_equal(http_client_wait(client, WAIT_MS, NULL), ERR_OK);
    http_client_drop(client);
    assert_true(cms_fixture_control(*state, "{\"fault\":null}"));
    ask(&asked, client, *state, "/GET/events/?limit=0,1"); /* the client goes on */
    wait_for(client, &asked, 1);
    ask(&destroyed, client, *state, "/GET/events/?limit=0,1");
    http_client_destroy(client);
    assert_int_equal(dropped.ended, 0);
    assert_int_equal(destroyed.ended, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(several_requests_run_at_once_and_callbacks_send_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_status_is_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(redirects_are_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_is_capped_as_it_is_unpacked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_answers_are_network_errors, set_up, tear_down),
        cmocka_unit_test(other_protocols_are_refused),
        cmocka_unit_test(a_token_with_a_line_break_is_refused),
        cmocka_unit_test_setup_teardown(requests_under_way_end_without_their_callbacks, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
