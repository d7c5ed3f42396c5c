/*
 * From settings and a job's parameters to what the pipeline takes. A parameter wins over a setting that was given, that
 * over the profile.
 */
#ifndef WORKER_JOB_SETUP_H
#define WORKER_JOB_SETUP_H

#include <stdint.h>

#include "common/net/json_value.h"
#include "worker/pipeline/homepage_job.h"
#include "worker/settings.h"

/* `params` was checked by job_params_check; NULL: none. now_s: the job's start, which the parameter `now` replaces.
 * Excluded users and dump_dir are the caller's to set. Texts are borrowed from the settings. */
void job_setup_homepage(struct homepage_params *out, const struct worker_settings *settings, const struct json *params,
                        int64_t now_s);

/* The users of EXCLUDED_USERS_FILE: a user_uid a line, empty lines skipped. */
enum err_code job_setup_read_excluded(struct id_table **out, const char *path, struct err *err) MUST_CHECK;

#endif
