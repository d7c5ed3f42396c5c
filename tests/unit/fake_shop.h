/*
 * A source in memory: a shop whose activities grow, and which remembers what it was asked for.
 */
#ifndef TESTS_UNIT_FAKE_SHOP_H
#define TESTS_UNIT_FAKE_SHOP_H

#include <stddef.h>
#include <stdint.h>

#include "worker/pipeline/source.h"

enum { FAKE_SHOP_ACTIVITIES = 4096 };

struct fake_activity {
    enum action action;
    int64_t created;
    struct json *json;
};

struct fake_shop {
    struct fake_activity activities[FAKE_SHOP_ACTIVITIES]; /* oldest first */
    size_t count;
    size_t products;               /* served: ids 1, 2, …, all published and in stock */
    int64_t from_s[ACTION_COUNT];  /* as last asked */
    size_t served;                 /* by the last call */
    enum err_code activities_fail; /* not ERR_OK: after half of them */
    enum err_code products_fail;
};

/* *shop starts as {0}. */
struct source fake_shop_source(struct fake_shop *shop);
void fake_shop_fini(struct fake_shop *shop);

/* id: text of JSON, as 7 or "7"; info: object as text. The next newest of its action. */
void fake_shop_add(struct fake_shop *shop, const char *id, enum action action, const char *user, const char *info,
                   int64_t created);

/* An activity of one product with the next id. */
void fake_shop_add_plain(struct fake_shop *shop, enum action action, const char *user, int64_t product_id,
                         int64_t created);

#endif
