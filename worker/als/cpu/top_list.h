/*
 * The n largest scores of each row, by the faster of the ways of top_search.h. Behind als_top_items and
 * als_similar_items, whose rules hold.
 */
#ifndef WORKER_ALS_CPU_TOP_LIST_H
#define WORKER_ALS_CPU_TOP_LIST_H

#include "common/base/err.h"
#include "worker/als/als_backend.h"

enum err_code top_list_items(struct als_lists *out, const struct als_list_request *request, struct err *err) MUST_CHECK;
enum err_code top_list_similar(struct als_lists *out, const struct als_list_request *request,
                               struct err *err) MUST_CHECK;

#endif
