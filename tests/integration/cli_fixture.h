/*
 * The real `recfleet` as a child process, by pipes or on a terminal of its own. Every failure fails the cmocka test,
 * and every wait has a deadline.
 */
#ifndef TESTS_INTEGRATION_CLI_FIXTURE_H
#define TESTS_INTEGRATION_CLI_FIXTURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/str.h"

enum { CLI_WAIT_MS = 30000, CLI_MAX_WORDS = 24, CLI_COLUMNS = 100, CLI_ROWS = 30 };

/* Where it runs. Plain data. */
struct cli_setup {
    const char *url;             /* RECFLEET_URL; NULL: none */
    const char *key;             /* RECFLEET_API_KEY; NULL: none */
    const char *const *settings; /* "NAME=value", ended by NULL; NULL: none */
    bool terminal;               /* stdin, stdout and stderr are one, of CLI_COLUMNS x CLI_ROWS */
};

/* Goes to cli_program_end, then cli_program_fini. */
struct cli_program {
    pid_t pid;
    int in;  /* what it reads; a terminal's all three are one */
    int out; /* -1: at its end */
    int err;
    struct str output; /* read so far */
    struct str errors;
};

/* Words behind the program's name, ended by NULL. */
void cli_program_start(struct cli_program *program, const struct cli_setup *setup, const char *word, ...)
    __attribute__((sentinel));

/* Until its output (or what it says on stderr) holds the text. */
void cli_program_wait_for(struct cli_program *program, const char *text);
void cli_program_wait_for_error(struct cli_program *program, const char *text);

/* Sends it keys. */
void cli_program_type(struct cli_program *program, const char *text);

/* Reads the rest and waits for its end: the exit status, or 1000 + signal. */
int cli_program_end(struct cli_program *program);
void cli_program_fini(struct cli_program *program);

/* All in one. */
int cli_program_run(struct cli_program *program, const struct cli_setup *setup, const char *word, ...)
    __attribute__((sentinel));

/* Fails the test, showing what the program wrote, where its output (or errors) lacks the text. */
void cli_program_assert_output(const struct cli_program *program, const char *text);
void cli_program_assert_error(const struct cli_program *program, const char *text);

#endif
