#include "gateway/api_queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/job/job_queue_control.h"
#include "common/job/job_routes.h"
#include "gateway/http_query.h"
#include "gateway/job_answer.h"
#include "gateway/problem.h"
#include "gateway/queue_client.h"

struct survey;

typedef void (*command_fn)(struct redis_command *command, const char *queue);
typedef enum err_code (*parse_fn)(struct survey *survey, size_t queue, const struct redis_reply *reply,
                                  struct err *err);
typedef void (*done_fn)(struct survey *survey);

/* One command to several queues, until all have answered; in the exchange's arena. */
struct survey {
    struct exchange *exchange;
    size_t pending;
    struct err err; /* the first; code ERR_OK without one */
    parse_fn parse;
    done_fn done;
    struct json *workers[JOB_ROUTES_MAX];
    struct job_queue_counts counts[JOB_ROUTES_MAX];
    struct question {
        struct survey *survey;
        size_t queue;
    } questions[JOB_ROUTES_MAX];
};

static const struct job_queue_names *queues_of(const struct survey *survey)
{
    return queue_client_queues(survey->exchange->services->queue);
}

static void finish_when_complete(struct survey *survey)
{
    if (--survey->pending > 0)
        return;
    survey->done(survey);
}

static void on_reply(void *context, const struct redis_reply *reply, const struct err *err)
{
    const struct question *question = context;
    struct survey *survey = question->survey;
    struct err failure;

    queue_client_note_refusal(survey->exchange->services->queue, reply, err);
    if (err == NULL && survey->parse(survey, question->queue, reply, &failure) != ERR_OK)
        err = &failure;
    if (err != NULL && survey->err.code == ERR_OK)
        survey->err = *err;
    finish_when_complete(survey);
}

/* `only` NULL: all queues. */
static void ask(struct survey *survey, command_fn command_of, parse_fn parse, done_fn done, const char *only)
{
    const struct job_queue_names *queues = queues_of(survey);

    survey->parse = parse;
    survey->done = done;
    survey->pending = 1; /* so that answers from within do not end it too early */
    for (size_t i = 0; i < queues->count; i++) {
        struct redis_command command;

        if (only != NULL && strcmp(only, queues->names[i]) != 0)
            continue;
        survey->questions[i] = (struct question){.survey = survey, .queue = i};
        survey->pending++;
        command_of(&command, queues->names[i]);
        queue_client_send(survey->exchange->services->queue, &command, on_reply, &survey->questions[i]);
        redis_command_fini(&command);
    }
    finish_when_complete(survey);
}

/* NULL: answered. */
static struct survey *survey_create(struct exchange *exchange)
{
    struct survey *survey;

    if (!queue_client_is_ready(exchange->services->queue)) {
        job_answer_queue_away(exchange);
        return NULL;
    }
    survey = arena_alloc(exchange->arena, sizeof *survey);
    if (survey == NULL) {
        problem_answer(exchange, 500, "out_of_memory", "there is no memory for this");
        return NULL;
    }
    memset(survey, 0, sizeof *survey);
    survey->exchange = exchange;
    return survey;
}

static void answer_failed(struct survey *survey)
{
    if (survey->err.code == ERR_UNAVAILABLE && !queue_client_is_ready(survey->exchange->services->queue))
        job_answer_queue_away(survey->exchange);
    else
        problem_answer_err(survey->exchange, &survey->err);
}

/* GET /v1/queue */

static enum err_code parse_counts(struct survey *survey, size_t queue, const struct redis_reply *reply, struct err *err)
{
    return job_queue_counts_parse(reply, &survey->counts[queue], err);
}

static struct json *states_create(const struct job_queue_counts *counts)
{
    static const enum job_state live[] = {JOB_SCHEDULED, JOB_QUEUED, JOB_RUNNING, JOB_RETRYING};
    struct json *states = json_value_new_object();
    bool made = states != NULL;

    for (size_t i = 0; made && i < sizeof live / sizeof live[0]; i++)
        made = json_value_set_int(states, job_state_name(live[i]), counts->by_state[live[i]]);
    if (!made) {
        json_value_destroy(states);
        return NULL;
    }
    return states;
}

static bool set_oldest(struct json *entry, const struct job_queue_counts *counts, int64_t now_ms)
{
    int64_t age_ms = now_ms > counts->oldest_queued_ms ? now_ms - counts->oldest_queued_ms : 0;

    if (!job_document_set_time(entry, "oldest_queued_at", counts->oldest_queued_ms))
        return false;
    return counts->oldest_queued_ms > 0 ? json_value_set_real(entry, "oldest_age_s", (double)age_ms / 1000)
                                        : json_value_set_null(entry, "oldest_age_s");
}

static struct json *entry_create(const char *name, const struct job_queue_counts *counts, int64_t now_ms)
{
    struct json *entry = json_value_new_object();
    bool made =
        entry != NULL && json_value_set_text(entry, "queue", name) &&
        json_value_set_bool(entry, "paused", counts->paused) &&
        json_value_set(entry, "states", states_create(counts)) && json_value_set_int(entry, "open", counts->open) &&
        set_oldest(entry, counts, now_ms) &&
        (counts->lag >= 0 ? json_value_set_int(entry, "lag", counts->lag) : json_value_set_null(entry, "lag")) &&
        json_value_set_int(entry, "pending", counts->pending);

    if (!made) {
        json_value_destroy(entry);
        return NULL;
    }
    return entry;
}

/* {"<name>": list}; takes the list. NULL when out of memory or without a list. */
static struct json *body_create(const char *name, struct json *list)
{
    struct json *body = json_value_new_object();

    if (body == NULL) {
        json_value_destroy(list);
        return NULL;
    }
    if (!json_value_set(body, name, list)) {
        json_value_destroy(body);
        return NULL;
    }
    return body;
}

static void answer_counts(struct survey *survey)
{
    const struct job_queue_names *queues = queues_of(survey);
    int64_t now_ms = clock_unix_ms(&survey->exchange->services->clock);
    struct json *list = json_value_new_array();
    bool made = list != NULL;

    if (survey->err.code != ERR_OK) {
        json_value_destroy(list);
        answer_failed(survey);
        return;
    }
    for (size_t i = 0; made && i < queues->count; i++)
        made = json_value_append(list, entry_create(queues->names[i], &survey->counts[i], now_ms));
    if (!made) {
        json_value_destroy(list);
        list = NULL;
    }
    exchange_answer_json(survey->exchange, 200, body_create("queues", list));
}

void api_queue_get(struct exchange *exchange)
{
    struct survey *survey = survey_create(exchange);

    if (survey != NULL)
        ask(survey, job_queue_counts_command, parse_counts, answer_counts, NULL);
}

/* Pause and resume */

static enum err_code parse_nothing(struct survey *survey, size_t queue, const struct redis_reply *reply,
                                   struct err *err)
{
    (void)survey;
    (void)queue;
    return redis_reply_check(reply, err);
}

static void on_switched(struct survey *survey)
{
    if (survey->err.code != ERR_OK)
        answer_failed(survey);
    else
        ask(survey, job_queue_counts_command, parse_counts, answer_counts, NULL);
}

/* *only: the queue that is named, NULL for all. false: answered 400. */
static bool read_queue(struct exchange *exchange, const char **only)
{
    const struct job_queue_names *queues = queue_client_queues(exchange->services->queue);
    struct http_query query;
    struct err err;

    *only = NULL;
    if (http_query_parse(&query, exchange->arena, exchange->request.query, &err) != ERR_OK) {
        problem_answer(exchange, 400, "bad_parameter", "%s", err.message);
        return false;
    }
    *only = http_query_get(&query, "queue");
    for (size_t i = 0; *only != NULL && i < queues->count; i++) {
        if (strcmp(*only, queues->names[i]) == 0)
            return true;
    }
    if (*only != NULL)
        problem_answer(exchange, 400, "bad_parameter", "queue: there is no queue \"%.80s\"", *only);
    else if (query.count > 0)
        problem_answer(exchange, 400, "bad_parameter", "\"%.80s\" is not known here; there is queue",
                       query.pairs[0].name);
    else
        return true;
    return false;
}

static void switch_queues(struct exchange *exchange, command_fn command_of, const char *event)
{
    struct survey *survey;
    const char *only;

    if (!read_queue(exchange, &only))
        return;
    survey = survey_create(exchange);
    if (survey == NULL)
        return;
    log_warn(event, log_text("queue", only != NULL ? only : "all"), log_text("client", exchange->client));
    ask(survey, command_of, parse_nothing, on_switched, only);
}

void api_queue_pause(struct exchange *exchange)
{
    switch_queues(exchange, job_queue_pause_command, "queue.paused");
}

void api_queue_resume(struct exchange *exchange)
{
    switch_queues(exchange, job_queue_resume_command, "queue.resumed");
}

/* GET /v1/workers */

static enum err_code parse_workers(struct survey *survey, size_t queue, const struct redis_reply *reply,
                                   struct err *err)
{
    return job_queue_workers_parse(reply, &survey->workers[queue], err);
}

static int by_name(const void *left, const void *right)
{
    const struct json *const *a = left;
    const struct json *const *b = right;
    const char *name = json_value_get_text(*a, "worker");
    const char *other = json_value_get_text(*b, "worker");

    return strcmp(name != NULL ? name : "", other != NULL ? other : "");
}

/* A worker that reads several queues is registered in each, and shown once. */
static struct json *workers_merge(const struct survey *survey)
{
    struct json *list = json_value_new_array();
    const struct json **all;
    size_t count = 0;
    bool made;

    for (size_t i = 0; i < JOB_ROUTES_MAX; i++)
        count += json_value_count(survey->workers[i]);
    all = calloc(count + 1, sizeof(const struct json *));
    made = list != NULL && all != NULL;
    count = 0;
    for (size_t i = 0; made && i < JOB_ROUTES_MAX; i++) {
        for (size_t k = 0; k < json_value_count(survey->workers[i]); k++)
            all[count++] = json_value_at(survey->workers[i], k);
    }
    if (made)
        qsort(all, count, sizeof(const struct json *), by_name);
    for (size_t i = 0; made && i < count; i++)
        made = (i > 0 && by_name(&all[i - 1], &all[i]) == 0) || json_value_append(list, json_value_dup(all[i]));
    free(all);
    if (!made) {
        json_value_destroy(list);
        return NULL;
    }
    return list;
}

static void answer_workers(struct survey *survey)
{
    struct json *list = survey->err.code == ERR_OK ? workers_merge(survey) : NULL;

    for (size_t i = 0; i < JOB_ROUTES_MAX; i++)
        json_value_destroy(survey->workers[i]);
    if (survey->err.code != ERR_OK)
        answer_failed(survey);
    else
        exchange_answer_json(survey->exchange, 200, body_create("workers", list));
}

void api_queue_get_workers(struct exchange *exchange)
{
    struct survey *survey = survey_create(exchange);

    if (survey != NULL)
        ask(survey, job_queue_workers_command, parse_workers, answer_workers, NULL);
}
