#include "gateway/router.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/log.h"
#include "gateway/api_jobs.h"
#include "gateway/api_keys.h"
#include "gateway/api_legacy.h"
#include "gateway/api_pages.h"
#include "gateway/problem.h"

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
    {"POST", "/v1/jobs", API_SCOPE_SUBMIT, false, api_jobs_submit},
    {"GET", "/v1/jobs/{id}", API_SCOPE_READ, false, api_jobs_get},
    {"GET", "/v1/jobs/{id}/report", API_SCOPE_READ, false, api_jobs_get_report},
    {"GET", "/train_homepage_and_similar_products_model_by_http_request", API_SCOPE_SUBMIT, true, api_legacy_train},
};

enum { ROUTE_COUNT = sizeof routes / sizeof routes[0] };

bool router_match(const char *pattern, const char *path, char *id)
{
    const char *hole = strstr(pattern, "{id}");
    size_t before;
    size_t length;

    id[0] = '\0';
    if (hole == NULL)
        return strcmp(pattern, path) == 0;
    before = (size_t)(hole - pattern);
    if (strncmp(pattern, path, before) != 0)
        return false;
    length = strcspn(path + before, "/");
    if (length == 0 || strcmp(path + before + length, hole + strlen("{id}")) != 0)
        return false;
    (void)snprintf(id, JOB_ID_BYTES, "%.*s", (int)length, path + before);
    if (length != JOB_ID_BYTES - 1 || !job_id_is_valid(id))
        id[0] = '\0';
    return true;
}

/* HEAD is GET without the body, but never starts a job. */
static bool takes_method(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0 && (route->scope & API_SCOPE_SUBMIT) == 0);
}

static void answer_no_route(struct exchange *exchange, const struct route *other)
{
    if (other == NULL) {
        problem_answer(exchange, 404, "not_found", "there is nothing at this path");
        return;
    }
    http_reply_add(&exchange->reply, "Allow", "%s%s", other->method, takes_method(other, "HEAD") ? ", HEAD" : "");
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

/* false: answered 401 or 403. */
static bool authorize(struct exchange *exchange, const struct route *route)
{
    unsigned scopes;
    const char *name;

    if (route->scope == API_SCOPE_NONE)
        return true;
    name = api_keys_find(exchange->services->keys, presented_key(&exchange->request), &scopes);
    if (name == NULL) {
        problem_answer_unauthorized(exchange);
        return false;
    }
    (void)snprintf(exchange->client, sizeof exchange->client, "%s", name);
    if ((scopes & route->scope) != route->scope) {
        problem_answer(exchange, 403, "forbidden", "the key \"%s\" lacks the scope for this", name);
        return false;
    }
    return true;
}

static void run_route(struct exchange *exchange, const struct route *route)
{
    if (!authorize(exchange, route))
        return;
    if (exchange->job_id[0] == '\0' && strstr(route->pattern, "{id}") != NULL)
        problem_answer(exchange, 404, "not_found", "there is no such job: its id is not one of ours");
    else
        route->fn(exchange);
}

void router_dispatch(struct exchange *exchange)
{
    const struct route *other = NULL; /* fits the path, not the method */

    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = &routes[i];

        if (!router_match(route->pattern, exchange->request.path, exchange->job_id))
            continue;
        exchange->route = route->pattern;
        exchange->legacy = route->legacy;
        if (!takes_method(route, exchange->request.method)) {
            other = route;
            continue;
        }
        if (route->legacy) {
            http_reply_add(&exchange->reply, "Deprecation", "@1767225600"); /* 2026-01-01, as RFC 9745 writes it */
            http_reply_add(&exchange->reply, "Link", "</v1/jobs>; rel=\"successor-version\"");
        }
        run_route(exchange, route);
        return;
    }
    answer_no_route(exchange, other);
}
