/*
 * From settings and a search's parameters to what the pipeline takes: which grid, and whether an earlier attempt
 * counts.
 */
#ifndef WORKER_JOB_SETUP_SEARCH_H
#define WORKER_JOB_SETUP_SEARCH_H

#include <stdint.h>

#include "common/net/json_value.h"
#include "worker/pipeline/search_job.h"
#include "worker/settings.h"

/*
 * As job_setup_homepage. A parameter that is a list is tried value by value, a single one is a list of one, and for one
 * that is not given the value of the settings and what lies around it are. `earlier`: the report of an attempt before
 * this one, or NULL; where it can be gone on from, its `now` is this one's. All JSON is borrowed.
 */
void job_setup_search(struct search_params *out, const struct worker_settings *settings, const struct json *params,
                      const struct json *earlier, int64_t now_s);

#endif
