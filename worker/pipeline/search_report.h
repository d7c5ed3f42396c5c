/*
 * What a search adds to the report, each time one of its combinations ends: test_info, grid, baselines, all_results,
 * best_params, best_score. As in report.h a part is missing where memory is.
 */
#ifndef WORKER_PIPELINE_SEARCH_REPORT_H
#define WORKER_PIPELINE_SEARCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/json_value.h"
#include "worker/pipeline/holdout.h"
#include "worker/pipeline/search_grid.h"
#include "worker/pipeline/search_results.h"

struct search_report {
    const char *validation;
    bool bm25_before;
    const struct holdout *holdout;
    uint64_t seed; /* of the random starts */
    uint64_t search_seed;
    const struct search_grid *grid;
    const struct search_result *results;
    size_t count;
    const struct json *given; /* the job's parameters; NULL: none */
};

/* "grid": {solver [], factors [], regularization [], alpha [], iterations []}; "all_results": [] */
void search_report_begin(struct json *report, const struct search_report *search);

/* "baselines": {name {score, metrics}, or {why_not}} */
void search_report_add_baseline(struct json *report, const char *name, const struct search_metrics *metrics,
                                const char *why_not);

/* result is one of search->results. "all_results": as search_result_json; "best_params", with the parameters of the
 * model and the matrix that the job was given; "best_score"; "test_info": {validation, bm25, test_days, cut, k, users,
 * train {users, products, pairs}, test_pairs, seed, search_seed, combinations {grid, chosen, ended, reused, failed}} */
void search_report_add(struct json *report, const struct search_report *search, const struct search_result *result);

/* The whole has ended: what speaks against its best. */
void search_report_warn(struct json *report, const struct search_report *search);

#endif
