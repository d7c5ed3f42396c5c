#include "worker/connect/cms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "worker/connect/cms_pager.h"

enum { PAGE_GAP_MS = 50, RETRY_BASE_MS = 500, MAX_RETRIES = 5, LONGEST_WAIT_MS = 250 };

struct cms {
    struct http_client *client;
    struct cms_pager_limits limits;
    char *url; /* without trailing slashes */
    char *shop;
    char *identity;
};

static int or_default(int value, int fallback)
{
    return value == 0 ? fallback : value < 0 ? 0 : value;
}

static bool is_unreserved(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || (character != '\0' && strchr("-._~", character) != NULL);
}

/* Percent-encoded for a query. */
static char *encode(const char *text)
{
    struct str out = {0};

    for (; *text != '\0'; text++) {
        if (is_unreserved(*text))
            str_append_char(&out, *text);
        else
            str_append_format(&out, "%%%02X", (unsigned char)*text);
    }
    return str_take(&out);
}

static enum err_code copy_url(struct cms *cms, const char *url, struct err *err)
{
    const char *host = NULL;
    size_t length;

    if (url != NULL && (str_starts_with(url, "http://") || str_starts_with(url, "https://")))
        host = strchr(url, ':') + 3;
    if (host == NULL || *host == '\0' || *host == '/' || *host == ':' || strpbrk(url, " \t\r\n?#") != NULL)
        return ERR_SET(err, ERR_CONFIG, "API_URL must be an http:// or https:// URL without a query");
    if (strchr(url, '@') != NULL)
        return ERR_SET(err, ERR_CONFIG, "API_URL must not hold credentials: BEARER_TOKEN is for them");
    length = strlen(url);
    while (length > 0 && url[length - 1] == '/')
        length--;
    cms->url = strndup(url, length);
    return cms->url != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for a URL");
}

static enum err_code fill(struct cms *cms, const struct cms_config *config, struct err *err)
{
    struct http_client_config http = {.connect_timeout_ms = config->connect_timeout_ms,
                                      .stall_timeout_s = config->stall_timeout_s,
                                      .bearer = config->token};
    enum err_code rc = copy_url(cms, config->url, err);

    if (rc != ERR_OK)
        return rc;
    cms->limits = (struct cms_pager_limits){.gap_ms = or_default(config->page_gap_ms, PAGE_GAP_MS),
                                            .retry_base_ms = or_default(config->retry_base_ms, RETRY_BASE_MS),
                                            .max_retries = or_default(config->max_retries, MAX_RETRIES)};
    cms->shop = encode(config->shop != NULL ? config->shop : "");
    cms->identity = str_format("%s?namespace=%s", cms->url, cms->shop != NULL ? cms->shop : "");
    if (cms->shop == NULL || cms->identity == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the CMS");
    return http_client_create(&cms->client, &http, err);
}

enum err_code cms_create(struct cms **out, const struct cms_config *config, struct err *err)
{
    struct cms *cms = mem_zeroed(1, sizeof *cms);
    enum err_code rc;

    *out = NULL;
    if (cms == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the CMS");
    rc = fill(cms, config, err);
    if (rc != ERR_OK) {
        cms_destroy(cms);
        return rc;
    }
    *out = cms;
    return ERR_OK;
}

void cms_destroy(struct cms *cms)
{
    if (cms == NULL)
        return;
    http_client_destroy(cms->client);
    free(cms->url);
    free(cms->shop);
    free(cms->identity);
    free(cms);
}

/* One list's rows on their way to the stage. */
struct feed {
    source_activity_fn on_activity;
    source_product_fn on_product;
    void *context;
    enum action action;
};

static enum err_code feed_activity(void *context, const struct json *row, struct err *err)
{
    const struct feed *feed = context;

    return feed->on_activity(feed->context, feed->action, row, err);
}

static enum err_code feed_product(void *context, const struct json *row, struct err *err)
{
    const struct feed *feed = context;

    return feed->on_product(feed->context, row, err);
}

/* "40,000" */
static void append_count(struct str *out, size_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%zu", count);

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            str_append_char(out, ',');
        str_append_char(out, digits[i]);
    }
}

/* "purchase 12,000, content_view 40,000"; the whole is not known ahead, so the fraction nears 1 as pages come. */
static bool tell_progress(const struct progress *progress, const struct cms_pager *pagers, size_t count,
                          const char *const *names)
{
    struct str note = {0};
    size_t pages = 0;
    bool go_on;

    for (size_t i = 0; i < count; i++) {
        pages += pagers[i].pages;
        if (pagers[i].rows == 0)
            continue;
        str_append_format(&note, "%s%s ", note.length > 0 ? ", " : "", names[i]);
        append_count(&note, pagers[i].rows);
    }
    go_on = progress_report(progress, "fetch", (double)pages / (double)(pages + 4), note.failed ? NULL : note.text);
    str_fini(&note);
    return go_on;
}

/* Milliseconds until something is due; -1 when all are done. ERR_OK, or the first failure. */
static enum err_code find_wait(const struct cms_pager *pagers, size_t count, int64_t now_ms, int *wait_ms,
                               struct err *err)
{
    *wait_ms = -1;
    for (size_t i = 0; i < count; i++) {
        int64_t left_ms = LONGEST_WAIT_MS;

        if (pagers[i].state == CMS_PAGER_FAILED) {
            if (err != NULL)
                *err = pagers[i].err;
            return pagers[i].err.code;
        }
        if (pagers[i].state == CMS_PAGER_DONE)
            continue;
        if (pagers[i].state == CMS_PAGER_WAITING && pagers[i].due_ms - now_ms < left_ms)
            left_ms = pagers[i].due_ms > now_ms ? pagers[i].due_ms - now_ms : 0;
        if (*wait_ms < 0 || left_ms < *wait_ms)
            *wait_ms = (int)left_ms;
    }
    return ERR_OK;
}

/* All lists side by side, until each is done or one fails. */
static enum err_code run(struct cms *cms, struct cms_pager *pagers, size_t count, const char *const *names,
                         const struct progress *progress, struct source_counts *counts, struct err *err)
{
    struct clock_source clock = clock_system();
    enum err_code rc = ERR_OK;
    int wait_ms = 0;

    while (rc == ERR_OK) {
        int64_t now_ms = clock_monotonic_ms(&clock);

        for (size_t i = 0; i < count; i++)
            cms_pager_start(&pagers[i], cms->client, now_ms);
        rc = find_wait(pagers, count, now_ms, &wait_ms, err);
        if (rc != ERR_OK || wait_ms < 0)
            break;
        rc = http_client_wait(cms->client, wait_ms, err);
        if (rc == ERR_OK && !tell_progress(progress, pagers, count, names))
            rc = ERR_SET(err, ERR_CANCELLED, "cancelled while fetching");
    }
    for (size_t i = 0; i < count; i++) {
        counts->pages += pagers[i].pages;
        counts->retries += pagers[i].retries_total;
    }
    return rc;
}

static enum err_code cms_activities(void *self, const int64_t from_s[ACTION_COUNT], source_activity_fn fn,
                                    void *context, const struct progress *progress, struct source_counts *counts,
                                    struct err *err)
{
    struct cms *cms = self;
    struct cms_pager pagers[ACTION_COUNT];
    struct feed feeds[ACTION_COUNT];
    const char *names[ACTION_COUNT];
    char *urls[ACTION_COUNT] = {0};
    enum err_code rc = ERR_OK;

    for (int i = 0; i < ACTION_COUNT; i++) {
        feeds[i] = (struct feed){.on_activity = fn, .context = context, .action = (enum action)i};
        names[i] = action_name((enum action)i);
        urls[i] = str_format(
            "%s/GET/events/?namespace=%s&order_by=id&order_by_type=desc&date_filter_from=%lld&event=%s&limit=",
            cms->url, cms->shop, (long long)(from_s[i] > 0 ? from_s[i] : 0), names[i]);
        if (urls[i] == NULL)
            rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for a URL");
        cms_pager_init(&pagers[i], urls[i], "activities", &cms->limits, feed_activity, &feeds[i]);
    }
    if (rc == ERR_OK)
        rc = run(cms, pagers, ACTION_COUNT, names, progress, counts, err);
    http_client_drop(cms->client);
    for (int i = 0; i < ACTION_COUNT; i++) {
        cms_pager_fini(&pagers[i]);
        free(urls[i]);
    }
    return rc;
}

static enum err_code cms_products(void *self, source_product_fn fn, void *context, const struct progress *progress,
                                  struct source_counts *counts, struct err *err)
{
    static const char *const names[] = {"products"};
    struct cms *cms = self;
    struct feed feed = {.on_product = fn, .context = context};
    char *url = str_format("%s/GET/products/short/?namespace=%s&limit=", cms->url, cms->shop);
    struct cms_pager pager;
    enum err_code rc;

    if (url == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a URL");
    cms_pager_init(&pager, url, "products", &cms->limits, feed_product, &feed);
    rc = run(cms, &pager, 1, names, progress, counts, err);
    http_client_drop(cms->client);
    cms_pager_fini(&pager);
    free(url);
    return rc;
}

struct source cms_source(struct cms *cms)
{
    return (struct source){
        .activities = cms_activities, .products = cms_products, .self = cms, .identity = cms->identity};
}
