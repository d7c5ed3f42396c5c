#include "gateway/api_list.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_settings.h"
#include "gateway/http_query.h"
#include "gateway/job_answer.h"
#include "gateway/job_overlay.h"
#include "gateway/problem.h"
#include "gateway/queue_client.h"
#include "gateway/store_client.h"

/* One page until all its live jobs were asked for. */
struct page {
    struct exchange *exchange;
    size_t count;
    bool more; /* there is a next page */
    size_t pending;
    struct row {
        struct page *page;
        struct json *document;
    } rows[API_LIST_MAX];
};

static void page_destroy(struct page *page)
{
    for (size_t i = 0; i < API_LIST_MAX; i++)
        json_value_destroy(page->rows[i].document);
    free(page);
}

/* What was asked for */

static bool bad(struct exchange *exchange, const char *name, const char *why)
{
    problem_answer(exchange, 400, "bad_parameter", "%s: %s", name, why);
    return false;
}

static bool read_limit(struct exchange *exchange, const char *text, int *limit)
{
    int64_t value = API_LIST_LIMIT;

    if (text != NULL && (!str_to_int64(text, &value) || value < 1 || value > API_LIST_MAX))
        return bad(exchange, "limit", "it must be a whole number from 1 to 100");
    *limit = (int)value;
    return true;
}

static bool knows_all(struct exchange *exchange, const struct http_query *query)
{
    static const char *const known[] = {"state", "type", "namespace", "limit", "cursor"};

    for (size_t i = 0; i < query->count; i++) {
        size_t k = 0;

        while (k < sizeof known / sizeof known[0] && strcmp(query->pairs[i].name, known[k]) != 0)
            k++;
        if (k == sizeof known / sizeof known[0]) {
            problem_answer(exchange, 400, "bad_parameter",
                           "\"%.80s\" is not known here; there are state, type, namespace, limit, cursor",
                           query->pairs[i].name);
            return false;
        }
    }
    return true;
}

/* The texts live in the exchange's arena. false: answered 400. */
static bool read_filter(struct exchange *exchange, struct job_store_filter *filter)
{
    struct http_query query;
    enum job_state state;
    enum job_type type;
    struct err err;

    if (http_query_parse(&query, exchange->arena, exchange->request.query, &err) != ERR_OK) {
        problem_answer(exchange, 400, "bad_parameter", "%s", err.message);
        return false;
    }
    *filter = (struct job_store_filter){.state = http_query_get(&query, "state"),
                                        .type = http_query_get(&query, "type"),
                                        .shop = http_query_get(&query, "namespace"),
                                        .before = http_query_get(&query, "cursor")};
    if (!knows_all(exchange, &query) || !read_limit(exchange, http_query_get(&query, "limit"), &filter->limit))
        return false;
    if (filter->state != NULL && !job_state_parse(filter->state, &state))
        return bad(exchange, "state", "there is no such state of a job");
    if (filter->type != NULL && !job_type_parse(filter->type, &type))
        return bad(exchange, "type", "there is no such type of job");
    if (filter->shop != NULL && !job_settings_is_name(filter->shop))
        return bad(exchange, "namespace", "it can be no name of a shop");
    if (filter->before != NULL && !job_id_is_valid(filter->before))
        return bad(exchange, "cursor", "it is not the next_cursor of a page");
    return true;
}

/* The answer */

static bool append_jobs(const struct page *page, struct json *jobs)
{
    for (size_t i = 0; i < page->count; i++) {
        if (!json_value_append(jobs, job_answer_view(page->exchange, page->rows[i].document)))
            return false;
    }
    return true;
}

static void answer(struct page *page)
{
    struct exchange *exchange = page->exchange;
    const char *last = page->more ? json_value_get_text(page->rows[page->count - 1].document, "_id") : NULL;
    struct json *body = json_value_new_object();
    struct json *jobs = json_value_new_array();
    bool made = body != NULL && jobs != NULL && append_jobs(page, jobs);

    made = json_value_set(body, "jobs", jobs) && made && json_value_set_text(body, "next_cursor", last);
    if (!made) {
        json_value_destroy(body);
        body = NULL;
    }
    page_destroy(page);
    exchange_answer_json(exchange, 200, body);
}

static void on_fields(void *context, struct json *fields, const struct err *err)
{
    const struct row *row = context;
    struct page *page = row->page;

    (void)err;          /* the document alone has to do then, as */
    if (fields != NULL) /* where there is no memory */
        (void)job_overlay_apply(row->document, fields);
    json_value_destroy(fields);
    if (--page->pending == 0)
        answer(page);
}

static void ask_queues(struct page *page)
{
    struct queue_client *client = page->exchange->services->queue;

    page->pending++; /* so that answers from within do not end it too early */
    for (size_t i = 0; i < page->count && queue_client_is_ready(client); i++) {
        struct row *row = &page->rows[i];
        const char *queue = json_value_get_text(row->document, "queue");
        const char *id = json_value_get_text(row->document, "_id");

        if (queue == NULL || id == NULL || job_overlay_is_terminal(row->document))
            continue;
        row->page = page;
        page->pending++;
        queue_client_describe(client, queue, id, on_fields, row);
    }
    if (--page->pending == 0)
        answer(page);
}

static void on_found(void *context, struct store_result *result)
{
    struct page *page = context;
    struct exchange *exchange = page->exchange;
    size_t found = json_value_count(result->document);

    if (result->code != ERR_OK) {
        page_destroy(page);
        problem_answer_err(exchange, &result->err);
        return;
    }
    page->more = found > page->count;
    page->count = page->more ? page->count : found;
    for (size_t i = 0; i < page->count; i++) {
        page->rows[i].document = json_value_dup(json_value_at(result->document, i));
        if (page->rows[i].document == NULL) {
            page_destroy(page);
            exchange_answer_json(exchange, 200, NULL);
            return;
        }
    }
    ask_queues(page);
}

void api_list_get(struct exchange *exchange)
{
    struct job_store_filter filter;
    struct page *page;
    struct err err;

    if (!read_filter(exchange, &filter))
        return;
    page = mem_zeroed(1, sizeof *page);
    if (page == NULL) {
        exchange_answer_json(exchange, 200, NULL);
        return;
    }
    page->exchange = exchange;
    page->count = (size_t)filter.limit;
    filter.limit++; /* one more, to know whether there is a next page */
    if (store_client_find(exchange->services->store, &filter, on_found, page, &err) != ERR_OK) {
        page_destroy(page);
        problem_answer_err(exchange, &err);
    }
}
