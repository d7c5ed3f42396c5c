/*
 * The dump of a cross-sell: cross_sell_rows.csv and cross_sell_weights.csv, written product by product since the
 * weights are never kept, and cross_sell_lists.csv; formats of the golden data.
 */
#ifndef WORKER_PIPELINE_CROSS_SELL_DUMP_H
#define WORKER_PIPELINE_CROSS_SELL_DUMP_H

#include "common/base/err.h"
#include "worker/pipeline/cross_sell_lists.h"
#include "worker/pipeline/dump_file.h"

struct cross_sell_dump {
    struct dump_file rows;
    struct dump_file weights;
};

/* Whatever it returns, *dump goes to cross_sell_dump_close with that. */
enum err_code cross_sell_dump_open(struct cross_sell_dump *dump, const char *dir, struct err *err) MUST_CHECK;

/* rows: product_id,pairs,self_weight,sum_weight,max_weight_other · weights: product_id,other_product_id,weight */
void cross_sell_dump_add(struct cross_sell_dump *dump, const struct cross_sell_row *row);

/* The files appear where rc is ERR_OK; returns rc, or what failed here. */
enum err_code cross_sell_dump_close(struct cross_sell_dump *dump, enum err_code rc, struct err *err) MUST_CHECK;

/* product_id,id:weight id:weight … */
enum err_code cross_sell_dump_lists(const char *dir, const struct cross_sell_lists *lists, struct err *err) MUST_CHECK;

#endif
