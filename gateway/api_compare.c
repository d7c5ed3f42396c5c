#include "gateway/api_compare.h"

#include <string.h>

#include "common/base/str.h"
#include "common/job/job.h"
#include "gateway/http_query.h"
#include "gateway/problem.h"
#include "gateway/report_compare.h"
#include "gateway/store_client.h"

/* The report under its job's id as others see it; false: answered. */
static bool take_report(struct exchange *exchange, struct store_result *result, const char *id)
{
    if (result->code == ERR_NOT_FOUND)
        problem_answer(exchange, 404, "not_found", "there is no report of job %s, or not yet", id);
    else if (result->code != ERR_OK)
        problem_answer_err(exchange, &result->err);
    else if (!json_value_set_text(result->document, "id", id))
        exchange_answer_json(exchange, 200, NULL);
    else
        return true;
    return false;
}

/* The exchange keeps a's report, and b's id as its name, until b's is there. */
static void on_second(void *context, struct store_result *result)
{
    struct exchange *exchange = context;

    if (take_report(exchange, result, exchange->name))
        exchange_answer_json(exchange, 200, report_compare_make(exchange->document, result->document));
}

static void on_first(void *context, struct store_result *result)
{
    struct exchange *exchange = context;
    struct err err;

    if (!take_report(exchange, result, exchange->job_id))
        return;
    exchange->document = result->document;
    result->document = NULL;
    if (store_client_get_report(exchange->services->store, exchange->name, on_second, exchange, &err) != ERR_OK)
        problem_answer_err(exchange, &err);
}

/* An id of a job as the query has it; NULL: answered 400. */
static const char *read_id(struct exchange *exchange, const struct http_query *query, const char *name)
{
    const char *id = http_query_get(query, name);

    if (id != NULL && job_id_is_valid(id))
        return id;
    problem_answer(exchange, 400, "bad_parameter", "%s must be the id of a job%s", name,
                   id != NULL ? ", and is none of ours" : "");
    return NULL;
}

void api_compare_get(struct exchange *exchange)
{
    struct http_query query;
    const char *a;
    const char *b;
    struct err err;

    if (http_query_parse(&query, exchange->arena, exchange->request.query, &err) != ERR_OK) {
        problem_answer(exchange, 400, "bad_parameter", "%s", err.message);
        return;
    }
    for (size_t i = 0; i < query.count; i++) {
        if (strcmp(query.pairs[i].name, "a") != 0 && strcmp(query.pairs[i].name, "b") != 0) {
            problem_answer(exchange, 400, "bad_parameter", "only \"a\" and \"b\" are known here");
            return;
        }
    }
    a = read_id(exchange, &query, "a");
    b = a != NULL ? read_id(exchange, &query, "b") : NULL;
    if (b == NULL) /* answered, and the exchange may be gone */
        return;
    str_copy(exchange->job_id, sizeof exchange->job_id, a);
    exchange->name = b;
    if (store_client_get_report(exchange->services->store, a, on_first, exchange, &err) != ERR_OK)
        problem_answer_err(exchange, &err);
}
