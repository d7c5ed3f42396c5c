/*
 * What the results of a search depend on beside their own points, as one digest: an earlier attempt's are good where it
 * is the same.
 */
#ifndef WORKER_PIPELINE_SEARCH_IDENTITY_H
#define WORKER_PIPELINE_SEARCH_IDENTITY_H

#include "common/base/err.h"
#include "worker/als/als.h"
#include "worker/pipeline/holdout.h"

enum { SEARCH_IDENTITY_BYTES = 65 };

/* Of what is trained on and foretold, and of the parameters that all combinations share. ERR_INTERNAL. */
enum err_code search_identity(char out[SEARCH_IDENTITY_BYTES], const struct holdout *holdout,
                              const struct als_params *als, struct err *err) MUST_CHECK;

#endif
