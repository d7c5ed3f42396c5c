#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/api_keys.h"
#include "gateway/exchange.h"
#include "gateway/router.h"

#define ID     "01M83E583Z7ZMJ3KYDMHDHKP5N"
#define LEGACY "/train_homepage_and_similar_products_model_by_http_request"

/* The answer to one request, kept when the exchange tells of it. */
struct answer {
    int status;
    char headers[2048];
    char body[2048];
};

static void on_answered(struct exchange *exchange, void *owner)
{
    struct answer *answer = owner;

    answer->status = exchange->reply.status;
    strncpy(answer->headers, exchange->reply.headers.text != NULL ? exchange->reply.headers.text : "",
            sizeof answer->headers - 1);
    strncpy(answer->body, exchange->reply.body.text != NULL ? exchange->reply.body.text : "", sizeof answer->body - 1);
    exchange_destroy(exchange);
}

/* Dispatches a request that needs neither queue nor store. */
static struct answer ask(const char *method, const char *path, const struct http_header *headers, size_t count)
{
    struct services services = {.clock = clock_system()};
    struct answer answer = {0};
    struct exchange *exchange = exchange_create(&services, NULL, on_answered, &answer);
    struct err err;

    assert_int_equal(api_keys_create(&services.keys, "secret", NULL, &err), ERR_OK);
    assert_non_null(exchange);
    exchange->request = (struct http_request){
        .method = method, .path = path, .query = "", .body = "", .headers = headers, .header_count = count};
    exchange_identify(exchange, "test", 1);
    router_dispatch(exchange);
    api_keys_destroy(services.keys);
    return answer;
}

static void patterns_fit_whole_paths_only(void **state)
{
    char id[JOB_ID_BYTES];

    (void)state;
    assert_true(router_match("/v1/jobs", "/v1/jobs", id));
    assert_false(router_match("/v1/jobs", "/v1/jobs/", id));
    assert_false(router_match("/v1/jobs", "/v1/job", id));
    assert_true(router_match("/v1/jobs/{id}", "/v1/jobs/" ID, id));
    assert_string_equal(id, ID);
    assert_false(router_match("/v1/jobs/{id}", "/v1/jobs/" ID "/report", id));
    assert_false(router_match("/v1/jobs/{id}", "/v1/jobs/", id));
    assert_true(router_match("/v1/jobs/{id}/report", "/v1/jobs/" ID "/report", id));
    assert_string_equal(id, ID);
    assert_true(router_match("/v1/jobs/{id}", "/v1/jobs/" ID "X", id));
    assert_string_equal(id, ""); /* fits, but is no id */
    assert_true(router_match("/a/{user}", "/a/" ID, id));
    assert_string_equal(id, ""); /* nor is this one a job's */
    assert_true(router_match("/a/{user}/b", "/a/x%2Fy/b", id));
    assert_false(router_match("/a/{user}/b", "/a/x/y/b", id));
    assert_false(router_match("/a/{user}", "/a/", id));
}

static void health_and_home_are_open(void **state)
{
    const struct http_header accept = {"Accept", "text/html"};
    struct answer answer = ask("GET", "/health", NULL, 0);

    (void)state;
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "{\"status\":\"healthy\",\"service\":\"recommender\"}");
    answer = ask("GET", "/", NULL, 0);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "Hello, World!");
    answer = ask("GET", "/", &accept, 1);
    assert_non_null(strstr(answer.body, "<!doctype html>"));
    assert_int_equal(ask("HEAD", "/health", NULL, 0).status, 200);
}

static void unknown_paths_are_404_and_other_methods_405(void **state)
{
    struct answer answer = ask("GET", "/nothing", NULL, 0);

    (void)state;
    assert_int_equal(answer.status, 404);
    assert_non_null(strstr(answer.body, "\"type\":\"urn:recfleet:problem:not_found\""));
    answer = ask("DELETE", "/v1/jobs", NULL, 0);
    assert_int_equal(answer.status, 405);
    assert_non_null(strstr(answer.headers, "Allow: POST, GET, HEAD\r\n"));
    answer = ask("POST", "/health", NULL, 0);
    assert_int_equal(answer.status, 405);
    assert_non_null(strstr(answer.headers, "Allow: GET, HEAD\r\n"));
}

static void a_probe_by_head_never_starts_a_job(void **state)
{
    const struct http_header key = {"X-API-KEY", "secret"};

    (void)state;
    assert_int_equal(ask("HEAD", LEGACY, &key, 1).status, 405);
}

static void jobs_need_a_key(void **state)
{
    static const struct http_header wrong[] = {
        {"X-API-KEY", "secre"}, {"X-API-KEY", ""}, {"Authorization", "Basic secret"}, {"Authorization", "Bearer no"}};
    struct answer answer = ask("GET", "/v1/jobs/" ID, NULL, 0);

    (void)state;
    assert_int_equal(answer.status, 401);
    assert_non_null(strstr(answer.headers, "WWW-Authenticate: Bearer\r\n"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(ask("GET", "/v1/jobs/" ID, &wrong[i], 1).status, 401);
}

static void the_old_route_refuses_in_its_own_words(void **state)
{
    struct answer answer = ask("GET", LEGACY, NULL, 0);

    (void)state;
    assert_int_equal(answer.status, 401);
    assert_string_equal(answer.body, "{\"message\":\"Unauthorized, invalid or missing API key\"}");
    assert_non_null(strstr(answer.headers, "Deprecation: @"));
    assert_non_null(strstr(answer.headers, "Link: </v1/jobs>; rel=\"successor-version\"\r\n"));
}

static void a_malformed_id_is_unknown_once_the_key_is_right(void **state)
{
    const struct http_header bearer = {"authorization", "bearer  secret"};

    (void)state;
    assert_int_equal(ask("GET", "/v1/jobs/x", NULL, 0).status, 401);
    assert_int_equal(ask("GET", "/v1/jobs/x", &bearer, 1).status, 404);
}

static void a_name_with_a_broken_escape_is_400_once_the_key_is_right(void **state)
{
    const struct http_header key = {"X-API-KEY", "secret"};

    (void)state;
    assert_int_equal(ask("GET", "/v1/recommendations/homepage/a%2", &key, 1).status, 400);
    assert_int_equal(ask("GET", "/v1/recommendations/similar/a%00", &key, 1).status, 400);
    assert_int_equal(ask("GET", "/v1/recommendations/cross-sell/%ff", &key, 1).status, 400);
    assert_int_equal(ask("GET", "/v1/recommendations/homepage/a%2", NULL, 0).status, 401);
}

static void request_ids_are_taken_only_where_they_are_harmless(void **state)
{
    const struct http_header good = {"X-Request-Id", "abc.DEF_1-2"};
    const struct http_header bad = {"X-Request-Id", "a b"};
    struct services services = {0};
    struct exchange *exchange = exchange_create(&services, NULL, on_answered, NULL);

    (void)state;
    exchange->request.headers = &good;
    exchange->request.header_count = 1;
    exchange_identify(exchange, "p", 7);
    assert_string_equal(exchange->id, "abc.DEF_1-2");
    exchange->request.headers = &bad;
    exchange_identify(exchange, "p", 7);
    assert_string_equal(exchange->id, "p-7");
    exchange_destroy(exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_fit_whole_paths_only),
        cmocka_unit_test(health_and_home_are_open),
        cmocka_unit_test(unknown_paths_are_404_and_other_methods_405),
        cmocka_unit_test(a_probe_by_head_never_starts_a_job),
        cmocka_unit_test(jobs_need_a_key),
        cmocka_unit_test(the_old_route_refuses_in_its_own_words),
        cmocka_unit_test(a_malformed_id_is_unknown_once_the_key_is_right),
        cmocka_unit_test(a_name_with_a_broken_escape_is_400_once_the_key_is_right),
        cmocka_unit_test(request_ids_are_taken_only_where_they_are_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
