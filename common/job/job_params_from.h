/*
 * The parameter `params_from` of a training: what a search of the same shop found best, where it is not given anew.
 */
#ifndef COMMON_JOB_JOB_PARAMS_FROM_H
#define COMMON_JOB_JOB_PARAMS_FROM_H

#include "common/base/err.h"
#include "common/job/job.h"

/* The id of the search; NULL: the parameter is not given. */
const char *job_params_from_id(const struct json *params);

/* Adds what the search of that report (NULL: there is none) found best to the checked params of a job of that type and
 * shop; params_from stays among them. ERR_ARGUMENT: it is no report of a search of that shop that succeeded. */
enum err_code job_params_from_add(struct json *params, enum job_type type, const char *shop, const struct json *report,
                                  struct err *err) MUST_CHECK;

#endif
