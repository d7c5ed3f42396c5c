#include "gateway/cli/cli_top.h"

#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "gateway/cli/cli_fleet.h"
#include "gateway/cli/cli_list.h"
#include "gateway/cli/cli_screen.h"

enum { USUAL_INTERVAL_S = 5, MOST_INTERVAL_S = 3600, NEWEST = 40, PARTS = 3, ROWS_BESIDE_JOBS = 11, MOST_WORKERS = 30 };

const struct cli_option cli_top_options[] = {
    {"--interval", "SECONDS", "between two looks (5)"},
    {NULL, NULL, NULL},
};

/* One look at all. What could not be had is NULL, and `problem` says why. */
struct overview {
    struct cli_answer answers[PARTS];
    bool there[PARTS];
    struct err problem;
    enum cli_status status;
    int retry_after_s;
};

enum { QUEUE, WORKERS, JOBS };

static const char *const paths[PARTS] = {
    [QUEUE] = "/v1/queue", [WORKERS] = "/v1/workers", [JOBS] = "/v1/jobs?limit=40"};

static void overview_fetch(struct overview *overview, struct cli *cli)
{
    *overview = (struct overview){.status = CLI_DONE, .retry_after_s = -1};
    for (size_t i = 0; i < PARTS && overview->status == CLI_DONE; i++) {
        struct cli_request request = {.path = paths[i]};
        struct cli_answer *answer = &overview->answers[i];

        if (cli_client_ask(cli->client, &request, answer, &overview->problem) != ERR_OK) {
            overview->status = cli_status_of(&overview->problem, 0);
            continue;
        }
        overview->there[i] = answer->status == 200 && answer->json != NULL;
        if (overview->there[i])
            continue;
        overview->status =
            cli_status_of(&(struct err){.code = cli_answer_to_err(cli->client, &request, answer, &overview->problem)},
                          answer->status);
        overview->retry_after_s = answer->retry_after_s;
    }
}

static void overview_fini(struct overview *overview)
{
    for (size_t i = 0; i < PARTS; i++)
        cli_answer_fini(&overview->answers[i]);
}

static void append_title(const struct cli_style *style, struct str *out, const char *title)
{
    str_append_char(out, '\n');
    cli_style_append(style, out, CLI_BOLD, title);
    str_append_char(out, '\n');
}

static void append_head(const struct cli *cli, struct str *out, int64_t now_ms)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm local;
    char time_text[32] = "";

    if (localtime_r(&seconds, &local) != NULL)
        (void)strftime(time_text, sizeof time_text, "%H:%M:%S", &local);
    cli_style_append(&cli->style, out, CLI_BOLD, "recfleet ");
    cli_style_append(&cli->style, out, CLI_PLAIN, cli_client_url(cli->client));
    cli_style_append_format(&cli->style, out, CLI_DIM, "  %s%s", time_text, cli->style.terminal ? "  q: quit" : "");
    str_append_char(out, '\n');
}

/* As many jobs as the rest of the screen shows. */
static size_t job_rows(const struct cli *cli, const struct overview *overview)
{
    size_t used = ROWS_BESIDE_JOBS + json_value_count(json_value_get(overview->answers[QUEUE].json, "queues")) +
                  json_value_count(json_value_get(overview->answers[WORKERS].json, "workers"));

    if (cli->style.rows == 0)
        return NEWEST / 2;
    return (size_t)cli->style.rows > used + 3 ? (size_t)cli->style.rows - used : 3;
}

static void append_overview(const struct cli *cli, struct str *out, const struct overview *overview)
{
    const struct clock_source clock = clock_system();
    int64_t now_ms = clock_unix_ms(&clock);
    bool ok = true;

    append_head(cli, out, now_ms);
    if (overview->status != CLI_DONE) {
        cli_style_append(&cli->style, out, CLI_RED, overview->problem.message);
        str_append_char(out, '\n');
    }
    if (overview->there[QUEUE]) {
        append_title(&cli->style, out, "Queue");
        ok = cli_fleet_append_queue(&cli->style, out, overview->answers[QUEUE].json, now_ms) && ok;
    }
    if (overview->there[WORKERS]) {
        append_title(&cli->style, out, "Workers");
        ok = cli_fleet_append_workers(&cli->style, out, overview->answers[WORKERS].json, now_ms, MOST_WORKERS) && ok;
    }
    if (overview->there[JOBS]) {
        append_title(&cli->style, out, "Newest jobs");
        ok = cli_list_append(&cli->style, out, json_value_get(overview->answers[JOBS].json, "jobs"), now_ms,
                             job_rows(cli, overview)) &&
             ok;
    }
    out->failed = out->failed || !ok;
}

/* {"queue":…,"workers":…,"jobs":…}, each as it was answered */
static void append_json(struct str *out, const struct overview *overview)
{
    static const char *const names[PARTS] = {[QUEUE] = "queue", [WORKERS] = "workers", [JOBS] = "jobs"};

    for (size_t i = 0; i < PARTS; i++) {
        str_append_format(out, "%s\"%s\":", i == 0 ? "{" : ",", names[i]);
        str_append(out, overview->answers[i].body.text, overview->answers[i].body.length);
    }
    str_append_text(out, "}\n");
}

static enum cli_status show_once(struct cli *cli)
{
    struct overview overview;
    struct str text = {0};
    enum cli_status status;

    overview_fetch(&overview, cli);
    status = overview.status;
    if (status != CLI_DONE) {
        cli_complain("%s", overview.problem.message);
    } else {
        if (cli->json)
            append_json(&text, &overview);
        else
            append_overview(cli, &text, &overview);
        status = cli_print(&text);
    }
    overview_fini(&overview);
    return status;
}

/* A key that is refused will not be taken later; all else may pass. */
static enum cli_status show_again_and_again(struct cli *cli, struct cli_screen *screen, int interval_s)
{
    enum cli_screen_event event = CLI_SCREEN_TIME_OVER;
    enum cli_status status = CLI_DONE;

    while (event != CLI_SCREEN_END && status != CLI_REFUSED) {
        struct overview overview;
        struct str text = {0};
        int wait_s = interval_s;

        overview_fetch(&overview, cli);
        status = overview.status;
        cli_style_measure(&cli->style);
        append_overview(cli, &text, &overview);
        cli_screen_show(&cli->style, &text);
        if (overview.retry_after_s > wait_s)
            wait_s = overview.retry_after_s < MOST_INTERVAL_S ? overview.retry_after_s : MOST_INTERVAL_S;
        overview_fini(&overview);
        str_fini(&text);
        if (status != CLI_REFUSED)
            event = cli_screen_wait(screen, wait_s * 1000);
    }
    return status == CLI_REFUSED ? status : CLI_DONE;
}

int cli_top_run(struct cli *cli)
{
    struct cli_screen screen;
    enum cli_status status;
    struct err err;
    int interval_s;

    if (cli_arguments_int(cli->arguments, "--interval", USUAL_INTERVAL_S, 1, MOST_INTERVAL_S, &interval_s, &err) !=
        ERR_OK) {
        cli_complain("%s", err.message);
        return CLI_USAGE;
    }
    if (!cli->style.terminal || cli->json)
        return (int)show_once(cli);
    if (cli_screen_open(&screen, &err) != ERR_OK) {
        cli_complain("%s", err.message);
        return CLI_INTERNAL;
    }
    status = show_again_and_again(cli, &screen, interval_s);
    cli_screen_close(&screen);
    if (status == CLI_REFUSED)
        cli_complain("%s refuses the key", cli_client_url(cli->client));
    return (int)status;
}
