/*
 * Stage: users that no shopper is (pipeline.md, Outliers) lose all their rows, before weighing.
 */
#ifndef WORKER_PIPELINE_OUTLIERS_H
#define WORKER_PIPELINE_OUTLIERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/id_table.h"
#include "worker/pipeline/interactions.h"

struct outlier_params {
    int max_per_day;              /* 150; 0: off */
    int max_per_minute;           /* 0: off */
    int max_products_per_session; /* 0: off */
    bool regular_gaps;
    bool count_activities;           /* OUTLIER_COUNT=activities: distinct activities, not rows */
    const struct id_table *excluded; /* EXCLUDED_USERS_FILE; NULL: none */
};

enum outlier_rule {
    OUTLIER_PER_DAY,
    OUTLIER_PER_MINUTE,
    OUTLIER_PER_SESSION,
    OUTLIER_REGULAR_GAPS,
    OUTLIER_EXCLUDED,
    OUTLIER_RULE_COUNT
};

enum { OUTLIER_TOP = 10, OUTLIER_LAST_ROWS = 3 };

struct outlier_row {
    int64_t created;
    int64_t product_id;
    enum action action;
};

struct outlier_user {
    uint32_t user;
    enum outlier_rule rule; /* the first that matched */
    size_t rows;
    struct outlier_row last[OUTLIER_LAST_ROWS]; /* its newest rows, newest first; */
    size_t last_count;                          /* fewer where it has fewer */
};

const char *outlier_rule_name(enum outlier_rule rule); /* "per_day", … */

struct outlier_result {
    struct outlier_user *removed; /* by uid bytewise */
    size_t removed_count;
    size_t rows_removed;
    size_t by_rows_only; /* users that rows, not activities, condemned */
    size_t users_before;
    size_t days_before; /* distinct UTC days */
};

/* Filters `rows`. Ids in `excluded` need not occur. */
enum err_code outliers_run(struct outlier_result *out, struct interactions *rows, const struct outlier_params *params,
                           struct err *err) MUST_CHECK;
void outlier_result_fini(struct outlier_result *result);

#endif
