#include "tests/unit/fake_shop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_shop_add(struct fake_shop *shop, const char *id, enum action action, const char *user, const char *info,
                   int64_t created)
{
    struct fake_activity *activity = &shop->activities[shop->count];
    char text[512];

    (void)snprintf(text, sizeof text,
                   "{\"id\":%s,\"action\":\"%s\",\"user_uid\":\"%s\",\"info\":%s,\"created\":%" PRId64 "}", id,
                   action_name(action), user, info, created);
    if (shop->count == FAKE_SHOP_ACTIVITIES || json_value_parse(&activity->json, text, strlen(text), NULL) != ERR_OK)
        abort();
    activity->action = action;
    activity->created = created;
    shop->count++;
}

void fake_shop_add_plain(struct fake_shop *shop, enum action action, const char *user, int64_t product_id,
                         int64_t created)
{
    char id[32];
    char info[128];

    (void)snprintf(id, sizeof id, "%zu", shop->count + 1);
    if (action == ACTION_CONTENT_VIEW || action == ACTION_ADD_TO_CART)
        (void)snprintf(info, sizeof info, "{\"id\":\"%" PRId64 "\",\"referrer\":\"\"}", product_id);
    else
        (void)snprintf(info, sizeof info, "{\"content_ids\":\",%" PRId64 ",\"}", product_id);
    fake_shop_add(shop, id, action, user, info, created);
}

static enum err_code serve_activities(void *self, const int64_t from_s[ACTION_COUNT], source_activity_fn fn,
                                      void *context, const struct progress *progress, struct source_counts *counts,
                                      struct err *err)
{
    struct fake_shop *shop = self;

    memcpy(shop->from_s, from_s, sizeof shop->from_s);
    shop->served = 0;
    for (size_t i = shop->count; i > 0; i--) {
        const struct fake_activity *activity = &shop->activities[i - 1];
        enum err_code rc = ERR_OK;

        if (shop->activities_fail != ERR_OK && i <= shop->count / 2)
            return ERR_SET(err, shop->activities_fail, "the shop is closed");
        if (activity->created >= from_s[activity->action]) {
            rc = fn(context, activity->action, activity->json, err);
            shop->served++;
        }
        if (rc != ERR_OK)
            return rc;
    }
    if (!progress_report(progress, "fetch", 0.5, "half"))
        return ERR_SET(err, ERR_CANCELLED, "cancelled");
    counts->pages++;
    return ERR_OK;
}

static enum err_code serve_products(void *self, source_product_fn fn, void *context, const struct progress *progress,
                                    struct source_counts *counts, struct err *err)
{
    const struct fake_shop *shop = self;
    char text[128];

    if (shop->products_fail != ERR_OK)
        return ERR_SET(err, shop->products_fail, "the catalogue is closed");
    for (size_t i = 1; i <= shop->products; i++) {
        struct json *product;
        enum err_code rc;

        (void)snprintf(text, sizeof text, "{\"id\":%zu,\"stock\":5,\"status\":\"Published\",\"title\":\"P\"}", i);
        if (json_value_parse(&product, text, strlen(text), NULL) != ERR_OK)
            abort();
        rc = fn(context, product, err);
        json_value_destroy(product);
        if (rc != ERR_OK)
            return rc;
    }
    if (!progress_report(progress, "fetch", 0.5, "half"))
        return ERR_SET(err, ERR_CANCELLED, "cancelled");
    counts->retries++;
    return ERR_OK;
}

struct source fake_shop_source(struct fake_shop *shop)
{
    return (struct source){.activities = serve_activities,
                           .products = serve_products,
                           .self = shop,
                           .identity = "https://cms.example?namespace=shop"};
}

void fake_shop_fini(struct fake_shop *shop)
{
    for (size_t i = 0; i < shop->count; i++)
        json_value_destroy(shop->activities[i].json);
    shop->count = 0;
}
