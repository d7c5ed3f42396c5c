/*
 * Samples of what was recommended, with the products' titles, for the report: people see at a glance whether lists make
 * sense.
 */
#ifndef WORKER_PIPELINE_REPORT_SAMPLES_H
#define WORKER_PIPELINE_REPORT_SAMPLES_H

#include <stddef.h>

#include "common/net/json_value.h"
#include "worker/pipeline/catalogue.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/recommend.h"

struct report_samples {
    const struct matrix *matrix;
    const struct catalogue *catalogue;
    const struct recommendations *recommendations;
    const char *user;     /* whose list is shown: a uid, or the text of which it is the base64; NULL: fallback_user */
    const char *product;  /* id as text; NULL or "": the first of top_overall */
    size_t fallback_user; /* of the matrix */
};

/*
 * Sets the report's "samples": {user {user_uid, history [], recommended []}, top_overall [], similar {product_id,
 * title, similar []}}, the members of the lists {product_id, title, score}. Warns where the user or product is not
 * there.
 */
void report_samples_set(struct json *report, const struct report_samples *samples);

#endif
