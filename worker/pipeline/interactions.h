/*
 * Cleaned interactions: one row per activity and product, as columns. Users are interned in an id_table.
 */
#ifndef WORKER_PIPELINE_INTERACTIONS_H
#define WORKER_PIPELINE_INTERACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/pipeline/id_table.h"

enum action {
    ACTION_PURCHASE,
    ACTION_INITIATE_CHECKOUT,
    ACTION_ADD_TO_CART,
    ACTION_ADD_TO_WISHLIST,
    ACTION_CONTENT_VIEW,
    ACTION_COUNT
};

const char *action_name(enum action action);
bool action_parse(const char *name, enum action *out);
bool action_parse_text(const char *name, size_t length, enum action *out);

struct interaction {
    int64_t activity_id;
    int64_t created; /* unix seconds */
    int64_t product_id;
    struct id_text user;
    enum action action;
};

struct interactions {
    size_t count;
    size_t capacity;
    int64_t *activity_id;
    int64_t *created; /* unix seconds */
    int64_t *product_id;
    uint32_t *user;  /* index in users */
    uint8_t *action; /* enum action */
    struct id_table *users;
};

enum err_code interactions_init(struct interactions *set, struct err *err) MUST_CHECK;
void interactions_fini(struct interactions *set);

/* Frees the rows; the users stay. */
void interactions_drop_rows(struct interactions *set);

enum err_code interactions_add(struct interactions *set, int64_t activity_id, enum action action, const char *user_uid,
                               size_t user_uid_length, int64_t created, int64_t product_id, struct err *err) MUST_CHECK;

/* Many at once, up to INTERACTIONS_TOGETHER; the faster way where there are many users (id_table_intern_many). After an
 * error none of them is there. */
enum { INTERACTIONS_TOGETHER = 64 };
enum err_code interactions_add_many(struct interactions *set, const struct interaction *added, size_t count,
                                    struct err *err) MUST_CHECK;

/* Keeps the rows for which keep[row] is not 0, in their order. Users stay interned. */
void interactions_filter(struct interactions *set, const uint8_t *keep);

/* keep[row] becomes 1 for the first row of each (activity id, product id), else 0; *removed counts the zeros. */
enum err_code interactions_mark_duplicates(const struct interactions *set, uint8_t *keep, size_t *removed,
                                           struct err *err) MUST_CHECK;

/* Removes all but the first row of each (activity id, product id); *removed counts them. */
enum err_code interactions_dedup(struct interactions *set, size_t *removed, struct err *err) MUST_CHECK;

#endif
