#include "gateway/cli/cli_submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/job/job.h"
#include "common/job/job_params.h"
#include "gateway/cli/cli_job.h"
#include "gateway/cli/cli_watch.h"

enum { NAME_BYTES = 64, MAX_ERRORS = 10 };

const struct cli_option cli_submit_options[] = {
    {"--param", "NAME=VALUE", "a parameter of the job; as often as needed"},
    {"--run-at", "TIME", "not before 2026-01-31T06:00:00Z, or +90s, +30m, +2h, +1d from now"},
    {"--max-errors", "N", "how often an error that may pass is tried again (2)"},
    {"--idempotency-key", "KEY", "the same key makes the same job once, however often it is sent"},
    {"--watch", NULL, "follow it to its end, as `recfleet watch` does"},
    {"--timeout", "SECONDS", "with --watch: give up after so long (exit 75); the job goes on"},
    {NULL, NULL, NULL},
};

bool cli_submit_parse_time(const char *text, int64_t now_ms, int64_t *unix_ms)
{
    static const char units[] = "smhd";
    static const int64_t unit_ms[] = {1000, 60 * 1000, 3600 * 1000, 86400 * (int64_t)1000};
    char digits[16];
    size_t length = strlen(text);
    const char *unit = length > 0 ? strchr(units, text[length - 1]) : NULL;
    int64_t number;

    if (text[0] != '+')
        return clock_parse_iso8601(text, unix_ms);
    if (unit == NULL || *unit == '\0' || length - 2 >= sizeof digits)
        return false;
    (void)snprintf(digits, sizeof digits, "%.*s", (int)(length - 2), text + 1);
    if (!str_to_int64(digits, &number) || number < 0 || number > 366 * 86400)
        return false;
    *unix_ms = now_ms + number * unit_ms[unit - units];
    return true;
}

/* "NAME=VALUE" into the object, checked. */
static enum err_code add_param(struct json *params, enum job_type type, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    char name[NAME_BYTES];

    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof name)
        return ERR_SET(err, ERR_ARGUMENT, "--param %.100s: NAME=VALUE is expected", text);
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    return job_params_set_text(params, type, name, equals + 1, err);
}

static enum err_code add_params(struct json *body, enum job_type type, const struct cli_arguments *arguments,
                                struct err *err)
{
    struct json *params = json_value_new_object();
    enum err_code rc = params != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for the parameters");

    for (size_t i = 0; rc == ERR_OK && i < arguments->option_count; i++) {
        if (strcmp(arguments->options[i].name, "--param") == 0)
            rc = add_param(params, type, arguments->options[i].value, err);
    }
    if (rc != ERR_OK) {
        json_value_destroy(params);
        return rc;
    }
    return json_value_set(body, "params", params) ? ERR_OK
                                                  : ERR_SET(err, ERR_NO_MEMORY, "no memory for the parameters");
}

static enum err_code add_rest(struct json *body, const struct cli_arguments *arguments, struct err *err)
{
    const struct clock_source clock = clock_system();
    const char *run_at = cli_arguments_value(arguments, "--run-at");
    char time[CLOCK_ISO8601_BYTES];
    int64_t run_at_ms;
    int max_errors;
    enum err_code rc = cli_arguments_int(arguments, "--max-errors", -1, 0, MAX_ERRORS, &max_errors, err);

    if (rc != ERR_OK)
        return rc;
    if (max_errors >= 0 && !json_value_set_int(body, "max_errors", max_errors))
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the job");
    if (run_at == NULL)
        return ERR_OK;
    if (!cli_submit_parse_time(run_at, clock_unix_ms(&clock), &run_at_ms))
        return ERR_SET(err, ERR_ARGUMENT, "--run-at %.60s: a time such as 2026-01-31T06:00:00Z or +2h is expected",
                       run_at);
    clock_format_iso8601(time, run_at_ms);
    return json_value_set_text(body, "run_at", time) ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for the job");
}

/* The request's body, for free(). */
static enum err_code make_body(char **out, const struct cli_arguments *arguments, struct err *err)
{
    const char *name = arguments->operands[0];
    struct json *body = json_value_new_object();
    enum job_type type;
    enum err_code rc = ERR_OK;

    *out = NULL;
    if (!job_type_parse(name, &type))
        rc = ERR_SET(err, ERR_ARGUMENT, "\"%.100s\" is no type of job: there are %s, %s, %s and %s", name,
                     job_type_name(JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS), job_type_name(JOB_CROSS_SELL),
                     job_type_name(JOB_HYPERPARAMETER_SEARCH), job_type_name(JOB_WAREHOUSE));
    else if (body == NULL || !json_value_set_text(body, "type", name))
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for the job");
    if (rc == ERR_OK)
        rc = add_params(body, type, arguments, err);
    if (rc == ERR_OK)
        rc = add_rest(body, arguments, err);
    if (rc == ERR_OK && (*out = json_value_print(body, false, 0)) == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for the job");
    json_value_destroy(body);
    return rc;
}

static enum cli_status show(struct cli *cli, const struct cli_answer *answer, const char *id, bool watched)
{
    struct str text = {0};

    if (cli->json)
        return cli_print_answer(answer);
    str_append_text(&text, "job ");
    cli_style_append(&cli->style, &text, CLI_BOLD, id);
    str_append_char(&text, ' ');
    cli_style_append(&cli->style, &text, cli_job_colour(answer->json), cli_job_state(answer->json));
    if (answer->status == 200)
        str_append_text(&text, " (this key made it before)");
    str_append_char(&text, '\n');
    if (!watched)
        cli_style_append_format(&cli->style, &text, CLI_DIM, "follow it with: recfleet watch %s", id);
    str_append_text(&text, watched ? "" : "\n");
    return cli_print(&text);
}

/* A live job of the same type and shop is named, so that it can be followed. */
static void hint(const struct cli_answer *answer)
{
    const char *slash = strrchr(answer->location, '/');

    if (answer->status == 409 && slash != NULL && job_id_is_valid(slash + 1))
        cli_complain("follow that one with: recfleet watch %s", slash + 1);
}

static enum cli_status submit(struct cli *cli, const char *body)
{
    struct cli_request request = {.method = "POST", .path = "/v1/jobs", .body = body};
    bool watched = cli_arguments_has(cli->arguments, "--watch");
    struct cli_answer answer;
    enum cli_status status;
    char id[JOB_ID_BYTES];

    request.idempotency_key = cli_arguments_value(cli->arguments, "--idempotency-key");
    status = cli_ask(cli, &request, &answer);
    if (status != CLI_DONE) {
        hint(&answer);
        return status;
    }
    str_copy(id, sizeof id,
             json_value_get_text(answer.json, "id") != NULL ? json_value_get_text(answer.json, "id") : "");
    status = show(cli, &answer, id, watched);
    cli_answer_fini(&answer);
    if (status != CLI_DONE || !watched)
        return status;
    if (!job_id_is_valid(id)) {
        cli_complain("the gateway's answer has no id of a job");
        return CLI_INTERNAL;
    }
    return cli_watch_job(cli, id);
}

int cli_submit_run(struct cli *cli)
{
    char *body;
    struct err err = {.code = ERR_OK};
    enum cli_status status;

    if (make_body(&body, cli->arguments, &err) != ERR_OK) {
        cli_complain("%s", err.message);
        return (int)cli_status_of(&err, 0);
    }
    status = submit(cli, body);
    free(body);
    return (int)status;
}
