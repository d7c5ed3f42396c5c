/*
 * From settings and a job's parameters to what the pipeline takes. A parameter wins over a setting that was given, that
 * over the profile.
 */
#ifndef WORKER_JOB_SETUP_H
#define WORKER_JOB_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/json_value.h"
#include "worker/pipeline/homepage_job.h"
#include "worker/settings.h"

/* Each leaves *value as it is where the parameter is not given. */
void job_setup_take_int(int *value, const struct json *params, const char *name);
void job_setup_take_real(double *value, const struct json *params, const char *name);
void job_setup_take_bool(bool *value, const struct json *params, const char *name);

/* What jobs share. Thresholds and BM25 are those of the matrix; the analytics count by the weights of `weigh`. */
void job_setup_rows(struct job_rows_params *out, const struct worker_settings *settings, const struct json *params,
                    int64_t now_s);
void job_setup_weighing(struct weigh_params *weigh, struct matrix_params *matrix,
                        const struct worker_settings *settings, const struct json *params, int64_t now_s);
void job_setup_als(struct als_params *out, const struct worker_settings *settings, const struct json *params);
void job_setup_analytics(struct analytics_params *out, const struct worker_settings *settings,
                         const struct weigh_params *weigh, const struct matrix_params *matrix);

/* `params` was checked by job_params_check; NULL: none. now_s: the job's start, which the parameter `now` replaces.
 * Excluded users are the caller's to set. Texts are borrowed from the settings. */
void job_setup_homepage(struct homepage_params *out, const struct worker_settings *settings, const struct json *params,
                        int64_t now_s);

/* The users of EXCLUDED_USERS_FILE: a user_uid a line, empty lines skipped. */
enum err_code job_setup_read_excluded(struct id_table **out, const char *path, struct err *err) MUST_CHECK;

#endif
