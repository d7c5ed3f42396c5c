/*
 * A shop's activities split into what a model may know and what it has to foretell. Faults end the program, as in
 * matrix_file.h.
 */
#ifndef TESTS_BENCH_SHOP_SPLIT_H
#define TESTS_BENCH_SHOP_SPLIT_H

#include "worker/als/csr.h"

enum { SHOP_TRAIN_DAYS = 100, SHOP_TEST_DAYS = 14 };

/* Both users x products; of `test` the values do not count. */
struct shop_split {
    struct csr train;
    struct csr test;
};

/*
 * From a file of activities, one as JSON a line (golden/README.md), weighed as a job does it. By time: the newest 14
 * days are to be foretold from the 100 before. At random: a fifth of the pairs of all days, as a parameter search has
 * it.
 */
void shop_split_by_time(struct shop_split *out, const char *path);
void shop_split_at_random(struct shop_split *out, const char *path);
void shop_split_fini(struct shop_split *split);

#endif
