/*
 * From activities as the CMS serves them (JSON) to rows of interactions. A bad activity costs itself, never the run:
 * each is counted under a reason (pipeline.md, Clean), and the first three of each are kept for the report.
 */
#ifndef WORKER_PIPELINE_CLEAN_H
#define WORKER_PIPELINE_CLEAN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"
#include "worker/pipeline/catalogue.h"
#include "worker/pipeline/interactions.h"

enum clean_reason {
    CLEAN_UNKNOWN_ACTION,
    CLEAN_MALFORMED,
    CLEAN_INFO_EMPTY,
    CLEAN_NO_USER,
    CLEAN_IN_FUTURE,
    CLEAN_NO_REFERRER,
    CLEAN_NO_PRODUCT,
    CLEAN_PRODUCT_NOT_INTEGER,
    CLEAN_DUPLICATE,
    CLEAN_REASON_COUNT
};

enum { CLEAN_SAMPLES = 3, CLEAN_SAMPLE_BYTES = 240 };

const char *clean_reason_name(enum clean_reason reason);

struct clean_counts {
    size_t served;                         /* activities seen */
    size_t rows_by_action[ACTION_COUNT];   /* rows kept, before duplicates are removed */
    size_t activities_of_several_products; /* of more than one row, before duplicates are removed */
    size_t products_of_those;              /* their rows */
    size_t dropped[CLEAN_REASON_COUNT];
    char samples[CLEAN_REASON_COUNT][CLEAN_SAMPLES][CLEAN_SAMPLE_BYTES]; /* the activities' JSON, cut */
};

/*
 * Appends the rows of one activity to `rows` with `created` as it is (up to one hour ahead of now_s; later is dropped).
 * Fails only for lack of memory.
 */
enum err_code clean_activity(struct interactions *rows, struct clean_counts *counts, const struct json *activity,
                             int64_t now_s, struct err *err) MUST_CHECK;

/* interactions_dedup that counts the removed rows, and shows the first ones, under CLEAN_DUPLICATE. Call once a run. */
enum err_code clean_duplicates(struct interactions *rows, struct clean_counts *counts, size_t *removed,
                               struct err *err) MUST_CHECK;

/* The activity or product as a text of at most CLEAN_SAMPLE_BYTES - 1 bytes. */
void clean_print_sample(char *out, const struct json *json);

/* Adds one product of the CMS's JSON {id, stock, status, title}; a malformed one is counted in *malformed. */
enum err_code clean_product(struct catalogue *catalogue, size_t *malformed, const struct json *product,
                            struct err *err) MUST_CHECK;

#endif
