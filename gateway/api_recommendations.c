#include "gateway/api_recommendations.h"

#include <string.h>

#include "gateway/problem.h"
#include "gateway/recommendation_reader.h"
#include "gateway/shop_query.h"

enum { MAX_NAME_BYTES = 512 };

/* Lives in the exchange's arena. */
struct look {
    struct exchange *exchange;
    enum job_target_kind kind;
};

struct words {
    const char *kind;
    const char *whose;
};

static const struct words words[JOB_TARGET_COUNT] = {
    [JOB_TARGET_HOMEPAGE] = {"homepage", "user"},
    [JOB_TARGET_SIMILAR] = {"similar", "product"},
    [JOB_TARGET_CROSS_SELL] = {"cross-sell", "product"},
};

static void answer_found(const struct look *look, struct recommendation *found)
{
    struct exchange *exchange = look->exchange;
    struct json *body = json_value_new_object();
    struct json *products = found->products;
    bool made = body != NULL && json_value_set_text(body, "kind", words[look->kind].kind) &&
                json_value_set_text(body, words[look->kind].whose, exchange->name) &&
                json_value_set_text(body, "key", found->key);

    found->products = NULL;
    made = json_value_set(body, "products", products) && made &&
           (found->ttl_s >= 0 ? json_value_set_int(body, "ttl_s", found->ttl_s) : json_value_set_null(body, "ttl_s"));
    if (!made) {
        json_value_destroy(body);
        body = NULL;
    }
    exchange_answer_json(exchange, 200, body);
}

static void on_read(void *context, struct recommendation *found, const struct err *err)
{
    const struct look *look = context;

    if (err == NULL)
        answer_found(look, found);
    else if (err->code == ERR_NOT_FOUND)
        problem_answer(look->exchange, 404, "not_found", "nothing is published for the %s \"%.100s\"",
                       words[look->kind].whose, look->exchange->name);
    else
        problem_answer_err(look->exchange, err);
}

static void look_up(struct exchange *exchange, enum job_target_kind kind)
{
    const char *shop = shop_query_read(exchange);
    struct look *look;
    struct err err;

    if (shop == NULL)
        return;
    if (strlen(exchange->name) > MAX_NAME_BYTES) {
        problem_answer(exchange, 400, "bad_parameter", "%s: longer than %d bytes", words[kind].whose, MAX_NAME_BYTES);
        return;
    }
    look = arena_alloc(exchange->arena, sizeof *look);
    if (look == NULL) {
        problem_answer(exchange, 500, "out_of_memory", "there is no memory for this");
        return;
    }
    *look = (struct look){.exchange = exchange, .kind = kind};
    if (recommendation_reader_start(exchange->services->recommendations, shop, kind, exchange->name, on_read, look,
                                    &err) != ERR_OK)
        problem_answer_err(exchange, &err);
}

void api_recommendations_homepage(struct exchange *exchange)
{
    look_up(exchange, JOB_TARGET_HOMEPAGE);
}

void api_recommendations_similar(struct exchange *exchange)
{
    look_up(exchange, JOB_TARGET_SIMILAR);
}

void api_recommendations_cross_sell(struct exchange *exchange)
{
    look_up(exchange, JOB_TARGET_CROSS_SELL);
}
