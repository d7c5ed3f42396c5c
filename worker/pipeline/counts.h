/*
 * The counts of a run as JSON with the keys of the golden data's counts.json: {variant, fetch {…}, homepage {…}}.
 * Sums, minima and maxima are texts of nine digits. Each stage adds what it knows.
 */
#ifndef WORKER_PIPELINE_COUNTS_H
#define WORKER_PIPELINE_COUNTS_H

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/pipeline/catalogue.h"
#include "worker/pipeline/fetch.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/outliers.h"
#include "worker/pipeline/weigh.h"

/* {variant: "intended", fetch: {}, homepage: {}} */
enum err_code counts_create(struct json **out, struct err *err) MUST_CHECK;

/* Call before outliers_run filters fetch->rows. */
enum err_code counts_add_fetch(struct json *counts, const struct fetch_result *fetch, struct err *err) MUST_CHECK;

/* `rows`: what outliers_run left. */
enum err_code counts_add_outliers(struct json *counts, const struct outlier_result *outliers,
                                  const struct interactions *rows, struct err *err) MUST_CHECK;
enum err_code counts_add_pairs(struct json *counts, const struct pairs *pairs, struct err *err) MUST_CHECK;
enum err_code counts_add_matrix(struct json *counts, const struct matrix *matrix, const struct catalogue *catalogue,
                                struct err *err) MUST_CHECK;

#endif
