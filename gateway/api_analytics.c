#include "gateway/api_analytics.h"

#include "gateway/problem.h"
#include "gateway/shop_query.h"
#include "gateway/store_client.h"

static void on_found(void *context, struct store_result *result)
{
    static const char *const inner[] = {"_id", "fence", "published", "type"};
    struct exchange *exchange = context;
    struct json *analytics = result->document;

    if (result->code == ERR_NOT_FOUND) {
        problem_answer(exchange, 404, "not_found",
                       "there are no analytics of this shop yet: a job homepage_and_similar_products makes them");
        return;
    }
    if (result->code != ERR_OK) {
        problem_answer_err(exchange, &result->err);
        return;
    }
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        json_value_remove(analytics, inner[i]);
    result->document = NULL;
    exchange_answer_json(exchange, 200, analytics);
}

void api_analytics_get_latest(struct exchange *exchange)
{
    const char *shop = shop_query_read(exchange);
    struct err err;

    if (shop != NULL &&
        store_client_latest_analytics(exchange->services->store, shop, on_found, exchange, &err) != ERR_OK)
        problem_answer_err(exchange, &err);
}
