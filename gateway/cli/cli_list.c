#include "gateway/cli/cli_list.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/job/job.h"
#include "gateway/cli/cli_format.h"
#include "gateway/cli/cli_job.h"
#include "gateway/cli/cli_table.h"

enum { USUAL_LIMIT = 20, PAGE_LIMIT = 100, MOST = 100000, CURSOR_BYTES = 256 };

const struct cli_option cli_list_options[] = {
    {"--state", "STATE", "accepted, scheduled, queued, running, retrying, succeeded, dead, cancelled, superseded"},
    {"--type", "TYPE", "of one type of job"},
    {"--namespace", "SHOP", "of one shop"},
    {"--limit", "N", "how many (20)"},
    {"--all", NULL, "all there are"},
    {NULL, NULL, NULL},
};

/* What matters most of it: why it failed, what came out, or where it is. */
static void add_note(struct cli_table *table, const struct json *job)
{
    const char *message = json_value_get_text(json_value_get(job, "error"), "message");
    const char *stage = json_value_get_text(job, "stage");
    const struct cli_style plain = {.columns = 0};
    struct str text = {0};

    if (!cli_job_is_terminal(job) && cli_job_seconds(job, 0) >= 0)
        str_append_format(&text, "%.0f %% %s", cli_job_progress(job) * 100, stage != NULL ? stage : "");
    else if (message != NULL)
        str_append_text(&text, message);
    else if (cli_job_is_terminal(job))
        cli_job_append_members(&plain, &text, json_value_get(job, "result"));
    cli_table_add(table, CLI_PLAIN, text.length > 0 && !text.failed ? text.text : "");
    str_fini(&text);
}

static void add_job(struct cli_table *table, const struct json *job, int64_t now_ms)
{
    char text[CLI_FORMAT_BYTES];
    double seconds = cli_job_seconds(job, now_ms);

    cli_table_add(table, CLI_PLAIN, cli_format_text(job, "id"));
    cli_table_add(table, cli_job_colour(job), cli_job_state(job));
    cli_table_add(table, CLI_PLAIN, cli_format_text(job, "type"));
    cli_table_add(table, CLI_PLAIN, cli_format_text(job, "namespace"));
    cli_format_member_ago(text, job, "created_at", now_ms);
    cli_table_add(table, CLI_PLAIN, text);
    if (seconds >= 0)
        cli_format_duration(text, seconds);
    cli_table_add(table, CLI_PLAIN, seconds >= 0 ? text : "-");
    add_note(table, job);
}

bool cli_list_append(const struct cli_style *style, struct str *out, const struct json *jobs, int64_t now_ms,
                     size_t rows)
{
    static const struct cli_column columns[] = {{"job", false, 0},  {"state", false, 0},   {"type", false, 6},
                                                {"shop", false, 4}, {"created", false, 0}, {"took", true, 0},
                                                {"", false, 1}};
    size_t count = json_value_count(jobs) < rows ? json_value_count(jobs) : rows;
    struct cli_table table;
    bool made;

    cli_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++)
        add_job(&table, json_value_at(jobs, i), now_ms);
    made = cli_table_append(&table, style, 0, count, out);
    cli_table_fini(&table);
    return made;
}

/* "/v1/jobs?limit=…" with what was asked for; false when out of memory. */
static bool make_path(struct str *path, const struct cli_arguments *arguments, int limit, const char *cursor)
{
    static const struct {
        const char *option;
        const char *name;
    } filters[] = {{"--state", "state"}, {"--type", "type"}, {"--namespace", "namespace"}};

    str_append_format(path, "/v1/jobs?limit=%d", limit);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        const char *value = cli_arguments_value(arguments, filters[i].option);

        if (value == NULL)
            continue;
        str_append_format(path, "&%s=", filters[i].name);
        cli_client_escape(path, value);
    }
    if (cursor[0] != '\0') {
        str_append_text(path, "&cursor=");
        cli_client_escape(path, cursor);
    }
    return !path->failed;
}

/* One page: as it was answered with --json, else its jobs into `jobs`. *cursor becomes the next one's, "" at the end.
 */
static enum cli_status fetch_page(struct cli *cli, int limit, char *cursor, struct json *jobs)
{
    struct cli_answer answer;
    struct str path = {0};
    const char *next;
    const struct json *page;
    enum cli_status status;

    status = make_path(&path, cli->arguments, limit, cursor) ? cli_get(cli, path.text, &answer) : CLI_INTERNAL;
    str_fini(&path);
    if (status != CLI_DONE)
        return status;
    page = json_value_get(answer.json, "jobs");
    next = json_value_get_text(answer.json, "next_cursor");
    str_copy(cursor, CURSOR_BYTES, next != NULL && json_value_count(page) > 0 ? next : "");
    if (cli->json)
        status = cli_print_answer(&answer);
    for (size_t i = 0; status == CLI_DONE && i < json_value_count(page); i++) {
        if (!json_value_append(jobs, json_value_dup(json_value_at(page, i)))) {
            cli_complain("no memory for the jobs");
            status = CLI_INTERNAL;
        }
    }
    cli_answer_fini(&answer);
    return status;
}

static enum cli_status fetch(struct cli *cli, int limit, struct json *jobs)
{
    char cursor[CURSOR_BYTES] = "";
    enum cli_status status;

    do {
        int left = limit - (int)json_value_count(jobs);

        status = fetch_page(cli, left < PAGE_LIMIT ? left : PAGE_LIMIT, cursor, jobs);
    } while (status == CLI_DONE && cursor[0] != '\0' && json_value_count(jobs) < (size_t)limit);
    return status;
}

static enum cli_status show(const struct cli *cli, const struct json *jobs)
{
    const struct clock_source clock = clock_system();
    struct str text = {0};

    if (json_value_count(jobs) == 0)
        str_append_text(&text, "no such jobs\n");
    else if (!cli_list_append(&cli->style, &text, jobs, clock_unix_ms(&clock), json_value_count(jobs)))
        text.failed = true;
    return cli_print(&text);
}

int cli_list_run(struct cli *cli)
{
    bool all = cli_arguments_has(cli->arguments, "--all");
    struct json *jobs;
    enum cli_status status;
    struct err err;
    int limit;

    if (cli_arguments_int(cli->arguments, "--limit", all ? MOST : USUAL_LIMIT, 1, MOST, &limit, &err) != ERR_OK) {
        cli_complain("%s", err.message);
        return CLI_USAGE;
    }
    jobs = json_value_new_array();
    status = jobs != NULL ? fetch(cli, limit, jobs) : CLI_INTERNAL;
    if (status == CLI_DONE && !cli->json)
        status = show(cli, jobs);
    json_value_destroy(jobs);
    return (int)status;
}
