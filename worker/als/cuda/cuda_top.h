/*
 * The n largest scores of each row: a GEMM a tile, then a heap a row. Behind als_top_items and als_similar_items, whose
 * rules hold. Always in fp32.
 */
#ifndef WORKER_ALS_CUDA_CUDA_TOP_H
#define WORKER_ALS_CUDA_CUDA_TOP_H

#include "common/base/err.h"
#include "worker/als/als_backend.h"

enum err_code cuda_top_items(struct als_lists *out, const struct als_list_request *request, struct err *err) MUST_CHECK;
enum err_code cuda_top_similar(struct als_lists *out, const struct als_list_request *request,
                               struct err *err) MUST_CHECK;

#endif
