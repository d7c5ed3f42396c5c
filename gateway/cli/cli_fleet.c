#include "gateway/cli/cli_fleet.h"

#include <string.h>

#include "common/base/clock.h"
#include "gateway/cli/cli_format.h"
#include "gateway/cli/cli_table.h"

const struct cli_option cli_fleet_queue_options[] = {
    {"--queue", "NAME", "with pause and resume: this one alone"},
    {NULL, NULL, NULL},
};

typedef bool (*append_fn)(const struct cli_style *style, struct str *out, const struct json *answer, int64_t now_ms);

static void add_worker(struct cli_table *table, const struct json *worker, int64_t now_ms)
{
    static const char *const texts[] = {"worker", "host", "device", "state", "job", "queues"};
    int64_t started_ms = cli_format_member_ms(worker, "started_at");
    char text[CLI_FORMAT_BYTES];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        bool busy = strcmp(texts[i], "job") == 0;

        cli_table_add(table, busy ? CLI_BLUE : CLI_PLAIN, cli_format_text(worker, texts[i]));
    }
    cli_format_member_ago(text, worker, "heartbeat_at", now_ms);
    cli_table_add(table, CLI_PLAIN, text);
    cli_format_duration(text, started_ms > 0 ? (double)(now_ms - started_ms) / 1000 : 0);
    cli_table_add(table, CLI_PLAIN, started_ms > 0 ? text : "-");
    cli_table_add(table, CLI_PLAIN, cli_format_text(worker, "version"));
}

bool cli_fleet_append_workers(const struct cli_style *style, struct str *out, const struct json *answer, int64_t now_ms,
                              size_t rows)
{
    static const struct cli_column columns[] = {{"worker", false, 8}, {"host", false, 6}, {"device", false, 6},
                                                {"state", false, 0},  {"job", false, 8},  {"queues", false, 5},
                                                {"seen", false, 0},   {"up", true, 0},    {"version", false, 1}};
    const struct json *workers = json_value_get(answer, "workers");
    size_t count = json_value_count(workers) < rows ? json_value_count(workers) : rows;
    struct cli_table table;
    bool made;

    if (json_value_count(workers) == 0) {
        str_append_text(out, "no worker is there\n");
        return true;
    }
    cli_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++)
        add_worker(&table, json_value_at(workers, i), now_ms);
    made = cli_table_append(&table, style, 0, count, out);
    cli_table_fini(&table);
    return made;
}

static void add_queue(struct cli_table *table, const struct json *queue, int64_t now_ms)
{
    static const char *const states[] = {"queued", "running", "retrying", "scheduled"};
    const struct json *by_state = json_value_get(queue, "states");
    bool paused = false;
    char text[CLI_FORMAT_BYTES];

    (void)json_value_get_bool(queue, "paused", &paused);
    cli_table_add(table, CLI_PLAIN, cli_format_text(queue, "queue"));
    cli_table_add(table, paused ? CLI_YELLOW : CLI_GREEN, paused ? "paused" : "open");
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        cli_format_member(text, by_state, states[i]);
        cli_table_add(table, CLI_PLAIN, text);
    }
    cli_format_member_ago(text, queue, "oldest_queued_at", now_ms);
    cli_table_add(table, CLI_PLAIN, text);
}

bool cli_fleet_append_queue(const struct cli_style *style, struct str *out, const struct json *answer, int64_t now_ms)
{
    static const struct cli_column columns[] = {
        {"queue", false, 6},   {"", false, 0},         {"queued", true, 0},        {"running", true, 0},
        {"retrying", true, 0}, {"scheduled", true, 0}, {"oldest queued", false, 6}};
    const struct json *queues = json_value_get(answer, "queues");
    struct cli_table table;
    bool made;

    cli_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < json_value_count(queues); i++)
        add_queue(&table, json_value_at(queues, i), now_ms);
    made = cli_table_append(&table, style, 0, json_value_count(queues), out);
    cli_table_fini(&table);
    return made;
}

static bool append_workers(const struct cli_style *style, struct str *out, const struct json *answer, int64_t now_ms)
{
    return cli_fleet_append_workers(style, out, answer, now_ms, json_value_count(json_value_get(answer, "workers")));
}

static enum cli_status show(struct cli *cli, const char *method, const char *path, append_fn append)
{
    const struct clock_source clock = clock_system();
    struct cli_request request = {.method = method, .path = path};
    struct cli_answer answer;
    struct str text = {0};
    enum cli_status status = cli_ask(cli, &request, &answer);

    if (status != CLI_DONE)
        return status;
    if (cli->json) {
        status = cli_print_answer(&answer);
    } else {
        if (!append(&cli->style, &text, answer.json, clock_unix_ms(&clock)))
            text.failed = true;
        status = cli_print(&text);
    }
    cli_answer_fini(&answer);
    return status;
}

int cli_fleet_workers(struct cli *cli)
{
    return (int)show(cli, "GET", "/v1/workers", append_workers);
}

/* Pause or resume: all queues, or the one that is named. */
static enum cli_status switch_queue(struct cli *cli, const char *word)
{
    const char *name = cli_arguments_value(cli->arguments, "--queue");
    struct str path = {0};
    enum cli_status status = CLI_INTERNAL;

    str_append_format(&path, "/v1/queue/%s", word);
    if (name != NULL) {
        str_append_text(&path, "?queue=");
        cli_client_escape(&path, name);
    }
    if (path.failed)
        cli_complain("no memory for a request");
    else
        status = show(cli, "POST", path.text, cli_fleet_append_queue);
    str_fini(&path);
    return status;
}

int cli_fleet_queue(struct cli *cli)
{
    const char *word = cli->arguments->operand_count > 0 ? cli->arguments->operands[0] : NULL;

    if (word == NULL)
        return (int)show(cli, "GET", "/v1/queue", cli_fleet_append_queue);
    if (strcmp(word, "pause") == 0 || strcmp(word, "resume") == 0)
        return (int)switch_queue(cli, word);
    cli_complain("queue takes pause or resume, not \"%s\"", word);
    return CLI_USAGE;
}
