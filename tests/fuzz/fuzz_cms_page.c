/*
 * Pages of the CMS, a line each: what comes of them goes to the cleaning of activities, or (first byte odd) of
 * products. The HTTP client is a fake that answers with the next line.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_support.h"
#include "worker/connect/cms_pager.h"
#include "worker/pipeline/clean.h"

enum { MOST_REQUESTS = 64, NOW_S = 1767225600 };

struct http_client {
    const uint8_t *data;
    size_t size;
};

struct rows {
    struct interactions interactions;
    struct clean_counts counts;
    struct catalogue catalogue;
    size_t malformed;
};

enum err_code http_client_get(struct http_client *client, const char *url, http_client_fn fn, void *context,
                              struct err *err)
{
    char *page = fuzz_take_line(&client->data, &client->size);
    const struct http_response response = {.status = 200, .body = page, .size = strlen(page), .retry_after_s = -1};

    (void)url;
    (void)err;
    fn(context, &response, NULL);
    free(page);
    return ERR_OK;
}

static enum err_code on_activity(void *context, const struct json *row, struct err *err)
{
    struct rows *rows = context;

    return clean_activity(&rows->interactions, &rows->counts, row, NOW_S, err);
}

static enum err_code on_product(void *context, const struct json *row, struct err *err)
{
    struct rows *rows = context;

    return clean_product(&rows->catalogue, &rows->malformed, row, err);
}

static void check_rows(struct rows *rows)
{
    size_t dropped = 0;
    size_t removed;
    struct err err;

    for (int reason = 0; reason < CLEAN_REASON_COUNT; reason++)
        dropped += rows->counts.dropped[reason];
    FUZZ_CHECK(rows->counts.served <= rows->interactions.count + dropped);
    FUZZ_CHECK(clean_duplicates(&rows->interactions, &rows->counts, &removed, &err) == ERR_OK);
    FUZZ_CHECK(catalogue_sort(&rows->catalogue, &err) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cms_pager_limits limits = {0};
    bool products = size > 0 && data[0] % 2 == 1;
    struct http_client client = {.data = data + (size > 0), .size = size - (size > 0)};
    struct rows rows = {0};
    struct cms_pager pager;
    struct err err;

    FUZZ_CHECK(interactions_init(&rows.interactions, &err) == ERR_OK);
    catalogue_init(&rows.catalogue);
    cms_pager_init(&pager, "http://cms/limit=", products ? "products" : "activities", &limits,
                   products ? on_product : on_activity, &rows);
    for (int i = 0; i < MOST_REQUESTS && pager.state == CMS_PAGER_WAITING; i++)
        cms_pager_start(&pager, &client, INT64_MAX);
    FUZZ_CHECK(pager.state != CMS_PAGER_IN_FLIGHT);
    check_rows(&rows);
    cms_pager_fini(&pager);
    catalogue_fini(&rows.catalogue);
    interactions_fini(&rows.interactions);
    return 0;
}
