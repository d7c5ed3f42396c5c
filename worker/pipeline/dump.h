/*
 * What the stages made, as files of a folder in the golden data's formats (counts.json, matrix.csv …): for parity tests
 * and for who asks why a customer got what. A file appears whole or not at all; errors name it.
 */
#ifndef WORKER_PIPELINE_DUMP_H
#define WORKER_PIPELINE_DUMP_H

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/als/als.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/recommend.h"

/* Makes the folder, and those above it, where missing, and sees that files can be written there. */
enum err_code dump_prepare(const char *dir, struct err *err) MUST_CHECK;

/* DIR/name: counts.json, report.json */
enum err_code dump_json(const char *dir, const char *name, const struct json *value, struct err *err) MUST_CHECK;

/* matrix.csv: product_id,user_uid,value,bm25, by product, then user */
enum err_code dump_matrix(const char *dir, const struct matrix *matrix, struct err *err) MUST_CHECK;

/* als.json: {setting {…}, random_state, users, products, pairs, loss_per_iteration [iterations]} */
enum err_code dump_als(const char *dir, const struct matrix *matrix, const struct als_params *params,
                       const double *loss, size_t iterations, struct err *err) MUST_CHECK;

/* top_overall.json [[id, sum], …], lists.csv "user_uid,id:score …" and similar.csv "product_id,id:score …" */
enum err_code dump_recommendations(const char *dir, const struct matrix *matrix,
                                   const struct recommendations *recommendations, struct err *err) MUST_CHECK;

#endif
