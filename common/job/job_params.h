/*
 * The parameters of a job: one set of names for HTTP, the command line and --param, each with type, range and the job
 * types it belongs to. A parameter that is not given takes the worker's setting, then the default.
 */
#ifndef COMMON_JOB_JOB_PARAMS_H
#define COMMON_JOB_JOB_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/job/job.h"

enum job_param_kind { JOB_PARAM_INT, JOB_PARAM_REAL, JOB_PARAM_BOOL, JOB_PARAM_CHOICE, JOB_PARAM_TEXT };

enum { JOB_PARAM_LISTS = 16, JOB_PARAM_MOST_VALUES = 64 };

struct job_param {
    const char *name;
    enum job_param_kind kind;
    double low; /* range of INT and REAL, both ends allowed; TEXT: bytes */
    double high;
    const char *const *choices; /* CHOICE: NULL-ended */
    unsigned types;             /* bit (1u << enum job_type) for each type it belongs to, and as many bits higher as
                                 * JOB_PARAM_LISTS says where such a job takes a list of different values too */
    const char *fallback;       /* the default, as text, for the README and /openapi.json */
    const char *setting;        /* the variable that overrides the default, or NULL */
    const char *meaning;        /* one phrase */
};

/* The table, in the README's order. */
const struct job_param *job_params_table(size_t *count);

/* NULL: no such parameter for that type. */
const struct job_param *job_params_find(enum job_type type, const char *name);

/* Whether a job of that type takes an array of 1 to JOB_PARAM_MOST_VALUES values ("64,128" as text); a single value is
 * one of one. */
bool job_param_takes_list(const struct job_param *param, enum job_type type);

/* Checks an object of parameters (NULL or null is fine): unknown names, kinds and ranges are ERR_ARGUMENT and named. */
enum err_code job_params_check(enum job_type type, const struct json *params, struct err *err) MUST_CHECK;

/* Sets NAME from text ("factors=64" split by the caller) in `params`, checked. */
enum err_code job_params_set_text(struct json *params, enum job_type type, const char *name, const char *text,
                                  struct err *err) MUST_CHECK;

#endif
