#include "gateway/router.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "gateway/api_analytics.h"
#include "gateway/api_compare.h"
#include "gateway/api_control.h"
#include "gateway/api_events.h"
#include "gateway/api_jobs.h"
#include "gateway/api_keys.h"
#include "gateway/api_legacy.h"
#include "gateway/api_list.h"
#include "gateway/api_openapi.h"
#include "gateway/api_pages.h"
#include "gateway/api_queue.h"
#include "gateway/api_recommendations.h"
#include "gateway/http_query.h"
#include "gateway/problem.h"
#include "gateway/rate_limit.h"
#include "gateway/readiness.h"

typedef void (*route_fn)(struct exchange *exchange);

struct route {
    const char *method;
    const char *pattern;
    unsigned scope; /* API_SCOPE_NONE: open */
    bool legacy;
    route_fn fn;
};

static const struct route routes[] = {
    {"GET", "/", API_SCOPE_NONE, false, api_pages_home},
    {"GET", "/health", API_SCOPE_NONE, false, api_pages_health},
    {"GET", "/readyz", API_SCOPE_NONE, false, readiness_answer},
    {"GET", "/openapi.json", API_SCOPE_NONE, false, api_openapi_get},
    {"POST", "/v1/jobs", API_SCOPE_SUBMIT, false, api_jobs_submit},
    {"GET", "/v1/jobs", API_SCOPE_READ, false, api_list_get},
    {"GET", "/v1/jobs/{id}", API_SCOPE_READ, false, api_jobs_get},
    {"POST", "/v1/jobs/{id}/cancel", API_SCOPE_SUBMIT, false, api_control_cancel},
    {"POST", "/v1/jobs/{id}/retry", API_SCOPE_SUBMIT, false, api_control_retry},
    {"GET", "/v1/jobs/{id}/events", API_SCOPE_READ, false, api_events_get},
    {"GET", "/v1/jobs/{id}/report", API_SCOPE_READ, false, api_jobs_get_report},
    {"GET", "/v1/queue", API_SCOPE_READ, false, api_queue_get},
    {"POST", "/v1/queue/pause", API_SCOPE_ADMIN, false, api_queue_pause},
    {"POST", "/v1/queue/resume", API_SCOPE_ADMIN, false, api_queue_resume},
    {"GET", "/v1/workers", API_SCOPE_READ, false, api_queue_get_workers},
    {"GET", "/v1/analytics/latest", API_SCOPE_READ, false, api_analytics_get_latest},
    {"GET", "/v1/reports/compare", API_SCOPE_READ, false, api_compare_get},
    {"GET", "/v1/recommendations/homepage/{user}", API_SCOPE_READ, false, api_recommendations_homepage},
    {"GET", "/v1/recommendations/similar/{product}", API_SCOPE_READ, false, api_recommendations_similar},
    {"GET", "/v1/recommendations/cross-sell/{product}", API_SCOPE_READ, false, api_recommendations_cross_sell},
    {"GET", "/train_homepage_and_similar_products_model_by_http_request", API_SCOPE_SUBMIT, true, api_legacy_run},
    {"GET", "/train_cross_sell_model_by_http_request", API_SCOPE_SUBMIT, true, api_legacy_run},
    {"GET", "/test_hyperparameter_optimization", API_SCOPE_SUBMIT, true, api_legacy_run},
};

enum { ROUTE_COUNT = sizeof routes / sizeof routes[0] };

bool router_route_at(size_t index, struct router_route *out)
{
    if (index >= ROUTE_COUNT)
        return false;
    *out = (struct router_route){.method = routes[index].method,
                                 .pattern = routes[index].pattern,
                                 .open = routes[index].scope == API_SCOPE_NONE};
    return true;
}

bool router_match(const char *pattern, const char *path, char *id)
{
    const char *hole = strchr(pattern, '{');
    size_t before;
    size_t length;

    id[0] = '\0';
    if (hole == NULL)
        return strcmp(pattern, path) == 0;
    before = (size_t)(hole - pattern);
    if (strncmp(pattern, path, before) != 0)
        return false;
    length = strcspn(path + before, "/");
    if (length == 0 || strcmp(path + before + length, strchr(hole, '}') + 1) != 0)
        return false;
    if (!str_starts_with(hole, "{id}"))
        return true;
    (void)snprintf(id, JOB_ID_BYTES, "%.*s", (int)length, path + before);
    if (length != JOB_ID_BYTES - 1 || !job_id_is_valid(id))
        id[0] = '\0';
    return true;
}

/* What fills the path's {user} or {product}. false: answered 400. */
static bool read_name(struct exchange *exchange, const char *pattern)
{
    const char *hole = strchr(pattern, '{');
    const char *text = hole != NULL ? exchange->request.path + (hole - pattern) : NULL;
    struct err err;

    if (text == NULL || str_starts_with(hole, "{id}") ||
        http_query_decode_segment(&exchange->name, exchange->arena, text, strcspn(text, "/"), &err) == ERR_OK)
        return true;
    problem_answer(exchange, 400, "bad_parameter", "%s", err.message);
    return false;
}

/* HEAD is GET without the body, but never starts a job. */
static bool takes_method(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0 && (route->scope & API_SCOPE_SUBMIT) == 0);
}

/* 405 with the methods of all routes of the path, or 404 where there is none. */
static void answer_no_route(struct exchange *exchange)
{
    char allowed[64] = "";
    char id[JOB_ID_BYTES];

    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = &routes[i];
        size_t used = strlen(allowed);

        if (router_match(route->pattern, exchange->request.path, id))
            (void)snprintf(allowed + used, sizeof allowed - used, "%s%s%s", used > 0 ? ", " : "", route->method,
                           takes_method(route, "HEAD") ? ", HEAD" : "");
    }
    if (allowed[0] == '\0') {
        problem_answer(exchange, 404, "not_found", "there is nothing at this path");
        return;
    }
    http_reply_add(&exchange->reply, "Allow", "%s", allowed);
    problem_answer(exchange, 405, "method_not_allowed", "%s is not for this path", exchange->request.method);
}

/* The key of X-API-KEY or of Authorization: Bearer; "" without one. */
static const char *presented_key(const struct http_request *request)
{
    const char *key = http_request_header(request, "x-api-key");
    const char *authorization = http_request_header(request, "authorization");

    if (key != NULL)
        return key;
    if (authorization != NULL && strncasecmp(authorization, "bearer ", strlen("bearer ")) == 0)
        return authorization + strlen("bearer ") + strspn(authorization + strlen("bearer "), " ");
    return "";
}

/* What a request counts as. The routes of old charge for themselves, once they know whether they start a job. */
static enum rate_limit_policy policy_of(const struct route *route)
{
    static const char *const starting[] = {"/v1/jobs", "/v1/jobs/{id}/retry"};

    if (route->scope == API_SCOPE_NONE || route->legacy)
        return RATE_LIMIT_NONE;
    for (size_t i = 0; i < sizeof starting / sizeof starting[0]; i++) {
        if (strcmp(route->method, "POST") == 0 && strcmp(route->pattern, starting[i]) == 0)
            return RATE_LIMIT_SUBMIT;
    }
    return RATE_LIMIT_READ;
}

static void on_charged(struct exchange *exchange, const void *context, bool allowed)
{
    const struct route *route = context;

    if (!allowed)
        rate_limit_refuse(exchange);
    else if (exchange->job_id[0] == '\0' && strstr(route->pattern, "{id}") != NULL)
        problem_answer(exchange, 404, "not_found", "there is no such job: its id is not one of ours");
    else if (read_name(exchange, route->pattern))
        route->fn(exchange);
}

/* Without a key the address pays: who tries keys is soon told 429, and costs nobody else anything. */
static void on_stranger_charged(struct exchange *exchange, const void *context, bool allowed)
{
    (void)context;
    if (allowed)
        problem_answer_unauthorized(exchange);
    else
        rate_limit_refuse(exchange);
}

static void run_route(struct exchange *exchange, const struct route *route)
{
    unsigned scopes;
    const char *name;

    if (route->scope == API_SCOPE_NONE) {
        on_charged(exchange, route, true);
        return;
    }
    name = api_keys_find(exchange->services->keys, presented_key(&exchange->request), &scopes);
    if (name == NULL) {
        rate_limit_charge(exchange, RATE_LIMIT_READ, on_stranger_charged, NULL);
        return;
    }
    str_copy(exchange->client, sizeof exchange->client, name);
    if ((scopes & route->scope) != route->scope)
        problem_answer(exchange, 403, "forbidden", "the key \"%s\" lacks the scope for this", name);
    else
        rate_limit_charge(exchange, policy_of(route), on_charged, route);
}

void router_dispatch(struct exchange *exchange)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = &routes[i];

        if (!router_match(route->pattern, exchange->request.path, exchange->job_id))
            continue;
        exchange->route = route->pattern;
        exchange->legacy = route->legacy;
        if (!takes_method(route, exchange->request.method))
            continue;
        if (route->legacy) {
            http_reply_add(&exchange->reply, "Deprecation", "@1767225600"); /* 2026-01-01, as RFC 9745 writes it */
            http_reply_add(&exchange->reply, "Link", "</v1/jobs>; rel=\"successor-version\"");
        }
        run_route(exchange, route);
        return;
    }
    answer_no_route(exchange);
}
