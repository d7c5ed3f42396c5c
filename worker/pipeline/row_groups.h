/*
 * Rows side by side that are of one user, and their order within such a group.
 */
#ifndef WORKER_PIPELINE_ROW_GROUPS_H
#define WORKER_PIPELINE_ROW_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/interactions.h"

struct row_groups {
    size_t count;     /* groups; some may be empty */
    uint32_t *starts; /* [count + 1]: group i is rows[starts[i]] … rows[starts[i + 1] - 1] */
    uint32_t *rows;
    uint32_t *scratch; /* [rows of the largest group] */
    size_t largest;    /* rows of the largest group */
};

/* One group for each user of the table, or, with `places`, the `count` groups in which places[user] puts the users that
 * have rows. The rows of a group keep their order. */
enum err_code row_groups_by_user(struct row_groups *out, const struct interactions *rows, const uint32_t *places,
                                 size_t count, struct err *err) MUST_CHECK;
void row_groups_fini(struct row_groups *groups);

/* The rows of a group lie far apart in memory, so what is to be read of them is best asked for early: while group i is
 * worked at, that of rows[row_groups_ahead(i)] … rows[row_groups_ahead(i + 1) - 1]. */
size_t row_groups_ahead(const struct row_groups *groups, size_t group);

/* Orders the rows of a group by `first` (of each row; NULL: nothing comes first), then their time, then their activity;
 * equal ones keep their order. */
void row_groups_order(struct row_groups *groups, size_t group, const struct interactions *rows, const uint32_t *first);

#endif
