#include "worker/connect/cms_pager.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/jitter.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "worker/connect/page_overlap.h"

enum { MAX_BACKOFF_MS = 30000, MAX_RETRY_AFTER_S = 300, MAX_IDLE_PAGES = 3 };
enum { STATUS_OK = 200, STATUS_TOO_MANY = 429, STATUS_SERVER = 500 };

void cms_pager_init(struct cms_pager *pager, const char *url, const char *list, const struct cms_pager_limits *limits,
                    cms_pager_row_fn fn, void *context)
{
    *pager = (struct cms_pager){.url = url, .list = list, .limits = *limits, .fn = fn, .context = context};
}

void cms_pager_fini(struct cms_pager *pager)
{
    free(pager->keys);
    pager->keys = NULL;
}

static int64_t monotonic_ms(void)
{
    struct clock_source clock = clock_system();

    return clock_monotonic_ms(&clock);
}

static void fail(struct cms_pager *pager, const struct err *err)
{
    pager->err = *err;
    pager->state = CMS_PAGER_FAILED;
}

/* Tries the same request again after base * 2^n with a jitter of a half, or after what the server asked for. */
static void retry_or_fail(struct cms_pager *pager, int retry_after_s, const struct err *err)
{
    int64_t delay_ms = pager->limits.retry_base_ms;

    if (pager->retries >= pager->limits.max_retries) {
        fail(pager, err);
        return;
    }
    for (int i = 0; i < pager->retries && delay_ms < MAX_BACKOFF_MS; i++)
        delay_ms *= 2;
    delay_ms = delay_ms > MAX_BACKOFF_MS ? MAX_BACKOFF_MS : delay_ms;
    delay_ms = jitter_between(delay_ms / 2, delay_ms);
    if (retry_after_s > 0)
        delay_ms = (int64_t)(retry_after_s > MAX_RETRY_AFTER_S ? MAX_RETRY_AFTER_S : retry_after_s) * 1000;
    pager->retries++;
    pager->retries_total++;
    pager->due_ms = monotonic_ms() + delay_ms;
    pager->state = CMS_PAGER_WAITING;
}

static void request_next(struct cms_pager *pager, int64_t back)
{
    pager->back = back < pager->end ? back : pager->end;
    pager->offset = pager->end - pager->back;
    pager->retries = 0;
    pager->due_ms = monotonic_ms() + pager->limits.gap_ms;
    pager->state = CMS_PAGER_WAITING;
}

/* What tells a row from another: its id; where that is no number, a hash of its text or of the whole row's. */
static int64_t key_of(const struct json *row)
{
    const struct json *named = json_value_get(row, "id");
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    int64_t id;
    char *text;

    if (json_value_to_int64(named, &id))
        return id;
    text = json_value_print(named != NULL ? named : row, false, 0);
    for (const char *at = text; at != NULL && *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    free(text);
    return (int64_t)hash;
}

/* The page does not meet the one before: rows were deleted. Again from further back, up to a whole page. */
static void look_further_back(struct cms_pager *pager)
{
    struct err err;

    if (pager->offset == 0 || pager->back >= CMS_PAGE_ROWS - CMS_OVERLAP_ROWS) {
        (void)ERR_SET(&err, ERR_NETWORK, "GET %s%lld,%d: the page does not meet the one before, even %lld rows back",
                      pager->url, (long long)pager->offset, CMS_PAGE_ROWS, (long long)pager->back);
        fail(pager, &err);
        return;
    }
    pager->retries_total++;
    request_next(pager, pager->back * 4 < CMS_PAGE_ROWS ? pager->back * 4 : CMS_PAGE_ROWS - CMS_OVERLAP_ROWS);
}

static enum err_code hand_over(struct cms_pager *pager, const struct json *rows, size_t first, struct err *err)
{
    size_t count = json_value_count(rows);

    for (size_t i = first; i < count; i++) {
        enum err_code rc = pager->fn(pager->context, json_value_at(rows, i), err);

        if (rc != ERR_OK)
            return rc;
        pager->rows++;
    }
    return ERR_OK;
}

/* Whether a page that brought nothing new ends the list: it does where the page before ended. Not when it is that page
 * once more, though further down was asked for: then the list grew by just so much, or the server ignores the offset.
 */
static bool is_end(const struct cms_pager *pager, const int64_t *keys, size_t count)
{
    bool is_same = count == pager->last_count && pager->offset > pager->last_offset;

    return count > 0 && keys[count - 1] == pager->last_key && !is_same;
}

/* The list must be somewhere, but not for ever somewhere else. */
static void request_idle(struct cms_pager *pager)
{
    struct err err;

    if (++pager->idle > MAX_IDLE_PAGES) {
        (void)ERR_SET(&err, ERR_REMOTE, "GET %s%lld,%d: %d pages in a row bring nothing new, whatever the offset",
                      pager->url, (long long)pager->offset, CMS_PAGE_ROWS, pager->idle);
        fail(pager, &err);
        return;
    }
    request_next(pager, CMS_OVERLAP_ROWS);
}

static void remember_page(struct cms_pager *pager, int64_t last_key, size_t count)
{
    pager->end = pager->offset + (int64_t)count;
    pager->last_offset = pager->offset;
    pager->last_count = count;
    pager->last_key = last_key;
}

/* Nothing new: `keys` of the page before stay, for they may reach further down. */
static void pass_page(struct cms_pager *pager, const int64_t *keys, size_t count)
{
    bool ends = is_end(pager, keys, count);

    remember_page(pager, keys[count - 1], count);
    if (ends)
        pager->state = CMS_PAGER_DONE;
    else
        request_idle(pager);
}

/* Takes keys. */
static void accept_page(struct cms_pager *pager, const struct json *rows, int64_t *keys, size_t overlap)
{
    size_t count = json_value_count(rows);
    struct err err;

    free(pager->keys);
    pager->keys = keys;
    pager->key_count = count;
    if (hand_over(pager, rows, overlap, &err) != ERR_OK) {
        fail(pager, &err);
        return;
    }
    pager->pages++;
    pager->idle = 0;
    remember_page(pager, keys[count - 1], count);
    request_next(pager, CMS_OVERLAP_ROWS);
}

static enum err_code match_page(struct cms_pager *pager, const struct json *rows, struct err *err)
{
    size_t count = json_value_count(rows);
    size_t overlap = 0;
    int64_t *keys = mem_zeroed(count, sizeof *keys);
    size_t *scratch = mem_zeroed(count, sizeof *scratch);

    if (keys == NULL || scratch == NULL) {
        free(keys);
        free(scratch);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a page of %zu rows", count);
    }
    for (size_t i = 0; i < count; i++)
        keys[i] = key_of(json_value_at(rows, i));
    if (pager->end > 0 && !page_overlap_find(pager->keys, pager->key_count, keys, count, scratch, &overlap)) {
        look_further_back(pager);
    } else if (overlap == count) {
        pass_page(pager, keys, count);
    } else {
        accept_page(pager, rows, keys, overlap);
        keys = NULL; /* now the pager's */
    }
    free(keys);
    free(scratch);
    return ERR_OK;
}

/* {"data":{"activities":[…]}} */
static enum err_code read_page(struct cms_pager *pager, const struct http_response *response, struct err *err)
{
    struct json *body = NULL;
    const struct json *rows;
    enum err_code rc = json_value_parse_lenient(&body, response->body, response->size, err);

    if (rc == ERR_OK) {
        rows = json_value_get(json_value_get(body, "data"), pager->list);
        if (json_value_kind(rows) != JSON_KIND_ARRAY)
            rc = ERR_SET(err, ERR_FORMAT, "the answer has no list data.%s", pager->list);
        else if (json_value_count(rows) == 0 && pager->end == 0)
            pager->state = CMS_PAGER_DONE;
        else
            rc = match_page(pager, rows, err);
    }
    json_value_destroy(body);
    if (rc != ERR_OK)
        return err_wrap(err, "GET %s%lld,%d", pager->url, (long long)pager->offset, CMS_PAGE_ROWS);
    return ERR_OK;
}

static void on_response(void *context, const struct http_response *response, const struct err *failure)
{
    struct cms_pager *pager = context;
    struct err err;

    if (response == NULL) {
        if (failure->code == ERR_NETWORK)
            retry_or_fail(pager, -1, failure);
        else
            fail(pager, failure);
        return;
    }
    if (response->status == STATUS_TOO_MANY || response->status >= STATUS_SERVER) {
        (void)ERR_SET(&err, ERR_UNAVAILABLE, "GET %s%lld,%d: HTTP status %ld", pager->url, (long long)pager->offset,
                      CMS_PAGE_ROWS, response->status);
        retry_or_fail(pager, response->retry_after_s, &err);
    } else if (response->status != STATUS_OK) {
        (void)ERR_SET(&err, ERR_REMOTE, "GET %s%lld,%d: HTTP status %ld", pager->url, (long long)pager->offset,
                      CMS_PAGE_ROWS, response->status);
        fail(pager, &err);
    } else if (read_page(pager, response, &err) != ERR_OK) {
        fail(pager, &err);
    }
}

void cms_pager_start(struct cms_pager *pager, struct http_client *client, int64_t now_ms)
{
    struct err err;
    char *url;

    if (pager->state != CMS_PAGER_WAITING || now_ms < pager->due_ms)
        return;
    url = str_format("%s%lld,%d", pager->url, (long long)pager->offset, CMS_PAGE_ROWS);
    if (url == NULL) {
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory for a request");
        fail(pager, &err);
        return;
    }
    pager->state = CMS_PAGER_IN_FLIGHT;
    if (http_client_get(client, url, on_response, pager, &err) != ERR_OK)
        fail(pager, &err);
    free(url);
}
