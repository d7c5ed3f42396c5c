#include "gateway/cli/cli_control.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "gateway/cli/cli_job.h"
#include "gateway/cli/cli_watch.h"

enum { PATH_BYTES = 64 };

const struct cli_option cli_control_retry_options[] = {
    {"--watch", NULL, "follow it to its end, as `recfleet watch` does"},
    {"--timeout", "SECONDS", "with --watch: give up after so long (exit 75); the job goes on"},
    {NULL, NULL, NULL},
};

int cli_control_status(struct cli *cli)
{
    const struct clock_source clock = clock_system();
    const char *id = cli_job_id(cli, 0);
    struct cli_answer answer;
    struct str text = {0};
    char path[PATH_BYTES];
    enum cli_status status;

    if (id == NULL)
        return CLI_USAGE;
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    status = cli_get(cli, path, &answer);
    if (status != CLI_DONE)
        return (int)status;
    if (cli->json) {
        status = cli_print_answer(&answer);
    } else {
        cli_job_append_details(&cli->style, &text, answer.json, clock_unix_ms(&clock));
        status = cli_print(&text);
    }
    cli_answer_fini(&answer);
    return (int)status;
}

/* POST …/cancel or …/retry. */
static enum cli_status post(struct cli *cli, const char *id, const char *action)
{
    struct cli_request request = {.method = "POST"};
    struct cli_answer answer;
    struct str text = {0};
    char path[PATH_BYTES];
    enum cli_status status;

    (void)snprintf(path, sizeof path, "/v1/jobs/%s/%s", id, action);
    request.path = path;
    status = cli_ask(cli, &request, &answer);
    if (status != CLI_DONE)
        return status;
    if (cli->json) {
        status = cli_print_answer(&answer);
    } else {
        str_append_format(&text, "job %s ", id);
        cli_style_append(&cli->style, &text, cli_job_colour(answer.json), cli_job_state(answer.json));
        str_append_text(&text, answer.status == 202 && action[0] == 'c'
                                   ? ": its worker is told, and it ends within seconds\n"
                                   : "\n");
        status = cli_print(&text);
    }
    cli_answer_fini(&answer);
    return status;
}

int cli_control_cancel(struct cli *cli)
{
    const char *id = cli_job_id(cli, 0);

    return id != NULL ? (int)post(cli, id, "cancel") : CLI_USAGE;
}

int cli_control_retry(struct cli *cli)
{
    const char *id = cli_job_id(cli, 0);
    enum cli_status status;

    if (id == NULL)
        return CLI_USAGE;
    status = post(cli, id, "retry");
    if (status == CLI_DONE && cli_arguments_has(cli->arguments, "--watch"))
        status = cli_watch_job(cli, id);
    return (int)status;
}
