/*
 * Where a row's user and product are in a matrix, of which they may not be.
 */
#ifndef WORKER_PIPELINE_MATRIX_PLACES_H
#define WORKER_PIPELINE_MATRIX_PLACES_H

#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/id_table.h"
#include "worker/pipeline/matrix.h"

/* (*places)[id] becomes the matrix row of each user of the table, -1 where there is none; for free(), after a failure
 * too. */
enum err_code matrix_places_of_users(int32_t **places, const struct matrix *matrix, const struct id_table *users,
                                     struct err *err) MUST_CHECK;

/* The product's column; -1: it has none. */
int32_t matrix_place_of_product(const struct matrix *matrix, int64_t product_id);

#endif
