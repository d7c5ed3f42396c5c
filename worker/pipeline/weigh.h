/*
 * Stage: rows become one value per (product, user) pair (golden steps 6 and 7).
 */
#ifndef WORKER_PIPELINE_WEIGH_H
#define WORKER_PIPELINE_WEIGH_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/interactions.h"

enum repeat_decay { REPEAT_DECAY_SUM, REPEAT_DECAY_EACH };

struct weigh_params {
    double weights[ACTION_COUNT]; /* purchase 1, initiate_checkout .7, add_to_cart .5, add_to_wishlist .3, view .1 */
    double decay_days;            /* 25 */
    double repeat_factor;         /* 0.8 */
    enum repeat_decay repeat_decay;
    int64_t now_s;
};

struct pair {
    uint32_t user;    /* index in pairs.user_uids */
    uint32_t product; /* index in pairs.product_ids */
    double value;
};

/* Pairs by user, then product; users bytewise by uid, products by id. */
struct pairs {
    size_t count;
    struct pair *pairs;
    size_t most_rows; /* interactions of one pair */
    size_t users;
    const char **user_uids; /* borrowed from the interactions */
    size_t products;
    int64_t *product_ids;
    uint32_t *user_rows;    /* interactions of each user */
    uint32_t *product_rows; /* and product */
};

enum err_code weigh_run(struct pairs *out, const struct interactions *rows, const struct weigh_params *params,
                        struct err *err) MUST_CHECK;
void pairs_fini(struct pairs *pairs);

#endif
