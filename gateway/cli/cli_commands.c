#include "gateway/cli/cli_commands.h"

#include <stdio.h>
#include <string.h>

#include "common/job/job_params.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cli_compare.h"
#include "gateway/cli/cli_control.h"
#include "gateway/cli/cli_fleet.h"
#include "gateway/cli/cli_list.h"
#include "gateway/cli/cli_recommend.h"
#include "gateway/cli/cli_report.h"
#include "gateway/cli/cli_submit.h"
#include "gateway/cli/cli_top.h"
#include "gateway/cli/cli_watch.h"

enum { NAME_CELLS = 12, OPTION_CELLS = 26 };

static const char submit_more[] =
    "TYPE is homepage_and_similar_products, cross_sell, hyperparameter_search or warehouse.\n"
    "\n"
    "  recfleet submit homepage_and_similar_products --watch\n"
    "  recfleet submit homepage_and_similar_products --param profile=service --param publish=false\n"
    "  recfleet submit cross_sell --run-at +2h --idempotency-key nightly-2026-01-31\n";
static const char watch_more[] =
    "Exit status: 0 it succeeded; 1 it did not; 69 the gateway was away for two minutes; 75 --timeout is over.\n"
    "^C ends the watching, not the job.\n";
static const char queue_more[] =
    "pause: workers start nothing until resume; what runs goes on. Both need a key of scope "
    "admin.\n";
static const char recommend_more[] = "  recfleet recommend homepage customer-12680\n"
                                     "  recfleet recommend similar 1411\n"
                                     "  recfleet recommend cross-sell 1411\n";

/* name, operands, least, most, summary, options, more, run */
static const struct cli_command commands[] = {
    {"submit", "TYPE", 1, 1, "submit a job", cli_submit_options, submit_more, cli_submit_run},
    {"status", "ID", 1, 1, "show a job", NULL, NULL, cli_control_status},
    {"watch", "ID", 1, 1, "follow a job to its end, with a progress bar", cli_watch_options, watch_more, cli_watch_run},
    {"cancel", "ID", 1, 1, "cancel a job that waits or runs", NULL, NULL, cli_control_cancel},
    {"retry", "ID", 1, 1, "queue a dead or cancelled job again", cli_control_retry_options, NULL, cli_control_retry},
    {"report", "ID", 1, 1, "what a run did: stages, counts, losses", cli_report_options, NULL, cli_report_run},
    {"compare", "A B", 2, 2, "what two runs did, side by side", NULL, NULL, cli_compare_run},
    {"list", "", 0, 0, "list jobs, newest first", cli_list_options, NULL, cli_list_run},
    {"workers", "", 0, 0, "list the live workers", NULL, NULL, cli_fleet_workers},
    {"queue", "[pause | resume]", 0, 1, "show the queue's depth; stop and start it", cli_fleet_queue_options,
     queue_more, cli_fleet_queue},
    {"top", "", 0, 0, "an overview that refreshes itself; q ends it", cli_top_options, NULL, cli_top_run},
    {"recommend", "homepage USER | similar PRODUCT | cross-sell PRODUCT", 2, 2, "show what is published now",
     cli_recommend_options, recommend_more, cli_recommend_run},
    {"help", "[COMMAND]", 0, 1, "show this, or the help of a command", NULL, NULL, cli_commands_help},
    {NULL, NULL, 0, 0, NULL, NULL, NULL, NULL},
};

const struct cli_command *cli_commands_all(void)
{
    return commands;
}

static void append_options(const struct cli_option *options, struct str *out)
{
    for (; options != NULL && options->name != NULL; options++) {
        char left[64];

        (void)snprintf(left, sizeof left, "%s%s%s", options->name, options->value != NULL ? " " : "",
                       options->value != NULL ? options->value : "");
        str_append_format(out, "  %-*s %s\n", OPTION_CELLS, left, options->meaning);
    }
}

static void append_general_help(struct str *out)
{
    str_append_text(out, "usage: recfleet [OPTION]... COMMAND [OPERAND]... [OPTION]...\n"
                         "\n"
                         "Speaks to a gateway of recfleet: submits jobs, follows them, shows what they made.\n"
                         "\n");
    for (const struct cli_command *command = commands; command->name != NULL; command++)
        str_append_format(out, "  %-*s %s\n", NAME_CELLS, command->name, command->summary);
    str_append_text(out, "\n`recfleet help COMMAND` tells more of one. Options of all:\n");
    append_options(cli_arguments_common(), out);
    str_append_text(
        out, "\n"
             "Settings are environment variables: RECFLEET_URL, RECFLEET_API_KEY (or API_KEY); NO_COLOR\n"
             "turns colours off.\n"
             "Exit status: 0 done; 1 the job did not succeed, or the gateway refused what was asked; 64 usage;\n"
             "69 the gateway is away; 70 a fault, here or there; 75 over a rate limit, or a wait is over; 77 the\n"
             "key is refused; 78 a setting is wrong; 130 interrupted.\n");
}

static void append_parameters(struct str *out)
{
    size_t count;
    const struct job_param *table = job_params_table(&count);

    str_append_text(out, "\nParameters (NAME=VALUE), with their defaults where no setting says otherwise; the README "
                         "has their ranges:\n");
    for (size_t i = 0; i < count; i++)
        str_append_format(out, "  %-*s %s (%s)\n", OPTION_CELLS + 8, table[i].name, table[i].meaning,
                          table[i].fallback);
}

void cli_commands_append_help(const struct cli_command *command, struct str *out)
{
    if (command == NULL) {
        append_general_help(out);
        return;
    }
    str_append_format(out, "usage: recfleet %s%s%s%s\n\n%s.\n", command->name, command->operands[0] != '\0' ? " " : "",
                      command->operands, command->options != NULL ? " [OPTION]..." : "", command->summary);
    if (command->more != NULL)
        str_append_format(out, "\n%s", command->more);
    str_append_text(out, "\nOptions:\n");
    append_options(command->options, out);
    append_options(cli_arguments_common(), out);
    if (command->run == cli_submit_run)
        append_parameters(out);
}

int cli_commands_help(struct cli *cli)
{
    const struct cli_arguments *arguments = cli->arguments;
    const char *name = arguments->operand_count > 0 ? arguments->operands[0] : NULL;
    const struct cli_command *command = name != NULL ? commands : NULL;
    struct str text = {0};

    while (command != NULL && command->name != NULL && strcmp(command->name, name) != 0)
        command++;
    if (command != NULL && command->name == NULL) {
        cli_complain("there is no command %s; try recfleet help", name);
        return CLI_USAGE;
    }
    cli_commands_append_help(command, &text);
    return (int)cli_print(&text);
}
