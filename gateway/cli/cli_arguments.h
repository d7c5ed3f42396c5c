/*
 * The command line: `recfleet [OPTION]… COMMAND [OPERAND]… [OPTION]…`. Options of all commands and of one may stand
 * anywhere, as `--name VALUE` or `--name=VALUE`; what is behind `--` is an operand. Texts are borrowed from argv.
 */
#ifndef GATEWAY_CLI_CLI_ARGUMENTS_H
#define GATEWAY_CLI_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum { CLI_MAX_OPERANDS = 4, CLI_MAX_OPTIONS = 64 };

struct cli;

struct cli_option {
    const char *name;  /* "--limit" */
    const char *value; /* "N" as the help shows it; NULL: a flag */
    const char *meaning;
};

typedef int (*cli_run_fn)(struct cli *cli);

struct cli_command {
    const char *name;
    const char *operands; /* as the help shows them */
    size_t least;         /* operands */
    size_t most;
    const char *summary;
    const struct cli_option *options; /* ended by one without a name; NULL: none */
    const char *more;                 /* further help, or NULL */
    cli_run_fn run;
};

struct cli_arguments {
    const struct cli_command *command; /* NULL: none was named */
    const char *operands[CLI_MAX_OPERANDS];
    size_t operand_count;
    struct {
        const char *name; /* of the table, so it outlives argv */
        const char *value;
    } options[CLI_MAX_OPTIONS];
    size_t option_count;
};

/* The options that all commands take, ended by one without a name. */
const struct cli_option *cli_arguments_common(void);

/* `commands` ends with one without a name. ERR_ARGUMENT says which word is wrong. --help, -h and --version win over
 * wrong or missing operands. */
enum err_code cli_arguments_parse(struct cli_arguments *out, const struct cli_command *commands, int count,
                                  char *const *words, struct err *err) MUST_CHECK;

bool cli_arguments_has(const struct cli_arguments *arguments, const char *name);

/* The last value given, or NULL. */
const char *cli_arguments_value(const struct cli_arguments *arguments, const char *name);

/* A whole number within [low, high]; the fallback where it was not given. */
enum err_code cli_arguments_int(const struct cli_arguments *arguments, const char *name, int fallback, int low,
                                int high, int *out, struct err *err) MUST_CHECK;

#endif
