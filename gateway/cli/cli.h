/*
 * What every command of `recfleet` works with: the gateway, the terminal, what was asked for, and how a run ends.
 */
#ifndef GATEWAY_CLI_CLI_H
#define GATEWAY_CLI_CLI_H

#include <stdbool.h>

#include "gateway/cli/cli_arguments.h"
#include "gateway/cli/cli_client.h"
#include "gateway/cli/cli_style.h"

/* Exit statuses; most are those of sysexits.h. */
enum cli_status {
    CLI_DONE = 0,
    CLI_FAILED = 1,       /* the job did not succeed, or the gateway refused what was asked */
    CLI_USAGE = 64,       /* wrong arguments */
    CLI_UNAVAILABLE = 69, /* the gateway is away, or what it needs is */
    CLI_INTERNAL = 70,    /* a fault here, or an answer that is none */
    CLI_LATER = 75,       /* over a rate limit, or the wait is over: the same may do later */
    CLI_REFUSED = 77,     /* the key is wrong, or lacks the scope */
    CLI_CONFIG = 78,      /* a setting is wrong */
    CLI_INTERRUPTED = 130 /* by ^C: a job that was watched goes on */
};

struct cli {
    const struct cli_arguments *arguments;
    struct cli_client *client;
    struct cli_style style;
    bool json; /* print what the gateway answered */
};

/* Says on stderr what went wrong. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit status that an error of a call or an answer means. */
enum cli_status cli_status_of(const struct err *err, long http_status);

/*
 * Asks, and deals with all but success: then says why on stderr (and prints the answer with --json), and answers an
 * exit status. On CLI_DONE the answer goes to cli_answer_fini. An answer 304 is a success.
 */
enum cli_status cli_ask(struct cli *cli, const struct cli_request *request, struct cli_answer *answer) MUST_CHECK;

/* GET of a path, the same way. */
enum cli_status cli_get(struct cli *cli, const char *path, struct cli_answer *answer) MUST_CHECK;

/* Prints an answer's body as a line. */
enum cli_status cli_print_answer(const struct cli_answer *answer);

/* Prints a text and frees its memory; CLI_INTERNAL where it could not be made or written. */
enum cli_status cli_print(struct str *text) MUST_CHECK;

/* The id that an operand names, checked; NULL: said why. */
const char *cli_job_id(const struct cli *cli, size_t operand);

#endif
