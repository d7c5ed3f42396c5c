/*
 * The worker's command line.
 */
#ifndef WORKER_ARGUMENTS_H
#define WORKER_ARGUMENTS_H

#include <stddef.h>

#include "common/base/err.h"

enum arguments_mode {
    ARGUMENTS_SUPERVISE, /* take jobs from the queue */
    ARGUMENTS_RUN_JOB,   /* --run-job: the child, one job from stdin */
    ARGUMENTS_ONCE,      /* --once TYPE: one job without a queue */
    ARGUMENTS_PRINT_CONFIG,
    ARGUMENTS_HELP,
    ARGUMENTS_VERSION
};

enum { ARGUMENTS_MAX_PARAMS = 64 };

/* Texts are borrowed from argv. */
struct arguments {
    enum arguments_mode mode;
    const char *env_file;                     /* NULL: the one beside the program */
    const char *type;                         /* of --once */
    const char *params[ARGUMENTS_MAX_PARAMS]; /* NAME=VALUE */
    size_t param_count;
    const char *dump_dir; /* NULL: none */
};

/* ERR_ARGUMENT says what is wrong. `--name VALUE` and `--name=VALUE` are the same. */
enum err_code arguments_parse(struct arguments *out, int count, char *const *words, struct err *err) MUST_CHECK;

/* What --help prints. */
const char *arguments_help(void);

#endif
