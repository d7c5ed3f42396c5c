#include "gateway/shop_query.h"

#include "common/job/job_shops.h"
#include "gateway/http_query.h"
#include "gateway/problem.h"
#include "gateway/settings.h"

const char *shop_query_read(struct exchange *exchange)
{
    const struct services *services = exchange->services;
    const char *shop = services->settings->job.shop;
    struct http_query query;
    struct err err;

    if (http_query_parse(&query, exchange->arena, exchange->request.query, &err) != ERR_OK) {
        problem_answer(exchange, 400, "bad_parameter", "%s", err.message);
        return NULL;
    }
    if (query.count > 0 && (query.count > 1 || http_query_get(&query, "namespace") == NULL)) {
        problem_answer(exchange, 400, "bad_parameter", "only \"namespace\" is known here");
        return NULL;
    }
    if (query.count > 0)
        shop = query.pairs[0].value;
    if (job_shops_know(services->shops, shop))
        return shop;
    if (query.count == 0)
        problem_answer(exchange, 422, "unknown_namespace", "there are several shops: ?namespace= names one");
    else
        problem_answer(exchange, 422, "unknown_namespace", "there is no shop \"%.100s\"", shop);
    return NULL;
}
