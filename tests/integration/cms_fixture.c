#include "tests/integration/cms_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { FIRST_PURCHASE_ID = 1000000, REPEATED_BEHIND = 10000 };

static void write_views(FILE *file)
{
    for (int n = FIXTURE_VIEWS; n > 0; n--) {
        int row = FIXTURE_VIEWS - n; /* from the newest */
        int again = row >= REPEATED_BEHIND && row < REPEATED_BEHIND + FIXTURE_REPEATED ? FIXTURE_REPEATED : 0;

        (void)fprintf(file,
                      "{\"id\":%d,\"action\":\"content_view\",\"user_uid\":\"u%d\",\"info\":{\"id\":\"%d\","
                      "\"referrer\":\"\"},\"created\":%d}\n",
                      n + again, n % 97, n % 50 + 1, n + again);
    }
}

static void write_purchases(FILE *file)
{
    for (int n = FIXTURE_PURCHASES; n > 0; n--)
        (void)fprintf(file,
                      "{\"id\":%d,\"action\":\"purchase\",\"user_uid\":\"u%d\",\"info\":{\"content_ids\":\",%d,\"},"
                      "\"created\":%d}\n",
                      FIRST_PURCHASE_ID + n, n % 97, n % 50 + 1, n);
}

static bool write_shop(const char *folder)
{
    char path[SERVER_TEXT_BYTES + 32];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/events.jsonl", folder);
    file = fopen(path, "w");
    if (file == NULL)
        return false;
    write_views(file);
    write_purchases(file);
    if (fclose(file) != 0)
        return false;
    (void)snprintf(path, sizeof path, "%s/products.json", folder);
    file = fopen(path, "w");
    if (file == NULL)
        return false;
    for (int n = 1; n <= FIXTURE_PRODUCTS; n++)
        (void)fprintf(file, "%s{\"id\":%d,\"stock\":1,\"status\":\"Published\",\"title\":\"P%d\"}",
                      n == 1 ? "[" : ",\n", n, n);
    (void)fputs("]\n", file);
    return fclose(file) == 0;
}

bool cms_fixture_start(struct cms_fixture *fixture, const char *option, const char *value)
{
    *fixture = (struct cms_fixture){0};
    (void)setenv("no_proxy", "127.0.0.1", 1);
    (void)snprintf(fixture->data, sizeof fixture->data, "/tmp/recfleet-shop-XXXXXX");
    if (mkdtemp(fixture->data) == NULL || !write_shop(fixture->data)) {
        perror(fixture->data);
        return false;
    }
    return cms_server_start(&fixture->server, fixture->data, option, value, NULL);
}

void cms_fixture_stop(struct cms_fixture *fixture)
{
    static const char *const names[] = {"/events.jsonl", "/products.json", ""};

    server_fini(&fixture->server);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[SERVER_TEXT_BYTES + 32];

        (void)snprintf(path, sizeof path, "%s%s", fixture->data, names[i]);
        (void)remove(path);
    }
}

bool cms_fixture_control(const struct cms_fixture *fixture, const char *json)
{
    return cms_server_control(&fixture->server, json);
}

struct json *cms_fixture_stats(const struct cms_fixture *fixture)
{
    char *text = cms_server_stats(&fixture->server);
    struct json *stats = NULL;

    if (text != NULL && json_value_parse(&stats, text, strlen(text), NULL) != ERR_OK)
        stats = NULL;
    free(text);
    return stats;
}

size_t cms_fixture_count_paths(const struct cms_fixture *fixture, const char *text)
{
    struct json *stats = cms_fixture_stats(fixture);
    const struct json *paths = json_value_get(stats, "paths");
    size_t count = 0;

    for (size_t i = 0; i < json_value_count(paths); i++)
        count += strstr(json_value_text(json_value_at(paths, i)), text) != NULL;
    json_value_destroy(stats);
    return count;
}

struct cms_config cms_fixture_config(const struct cms_fixture *fixture)
{
    return (struct cms_config){
        .url = fixture->server.url, .token = "secret-token", .shop = "shop", .page_gap_ms = -1, .retry_base_ms = 1};
}

static enum err_code take_activity(void *context, enum action asked, const struct json *activity, struct err *err)
{
    struct cms_harvest *harvest = context;
    enum err_code rc = mem_grow(&harvest->ids[asked], &harvest->capacities[asked], harvest->counts[asked] + 1,
                                sizeof *harvest->ids[asked], err);

    if (rc != ERR_OK)
        return rc;
    if (!json_value_get_int64(activity, "id", &harvest->ids[asked][harvest->counts[asked]++]))
        return ERR_SET(err, ERR_FORMAT, "an activity without id");
    return ERR_OK;
}

static enum err_code take_product(void *context, const struct json *product, struct err *err)
{
    struct cms_harvest *harvest = context;
    int64_t id = 0;

    if (!json_value_get_int64(product, "id", &id) || id != (int64_t)++harvest->products)
        return ERR_SET(err, ERR_FORMAT, "product %lld is out of order", (long long)id);
    return ERR_OK;
}

enum err_code cms_harvest_activities(struct cms_harvest *harvest, const struct cms_config *config,
                                     const struct progress *progress, struct err *err)
{
    static const int64_t from_s[ACTION_COUNT];
    struct cms *cms;
    struct source source;
    enum err_code rc = cms_create(&cms, config, err);

    *harvest = (struct cms_harvest){0};
    if (rc != ERR_OK)
        return rc;
    source = cms_source(cms);
    rc = source.activities(source.self, from_s, take_activity, harvest, progress, &harvest->source, err);
    cms_destroy(cms);
    return rc;
}

enum err_code cms_harvest_products(struct cms_harvest *harvest, const struct cms_config *config, struct err *err)
{
    struct cms *cms;
    struct source source;
    enum err_code rc = cms_create(&cms, config, err);

    *harvest = (struct cms_harvest){0};
    if (rc != ERR_OK)
        return rc;
    source = cms_source(cms);
    rc = source.products(source.self, take_product, harvest, NULL, &harvest->source, err);
    cms_destroy(cms);
    return rc;
}

void cms_harvest_fini(struct cms_harvest *harvest)
{
    for (int i = 0; i < ACTION_COUNT; i++)
        free(harvest->ids[i]);
    *harvest = (struct cms_harvest){0};
}

static int compare_ids(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

bool cms_harvest_has_all(const struct cms_harvest *harvest, const struct cms_harvest *wanted)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        if (harvest->counts[i] > 0)
            qsort(harvest->ids[i], harvest->counts[i], sizeof(int64_t), compare_ids);
        for (size_t row = 0; row < wanted->counts[i]; row++) {
            if (harvest->counts[i] == 0 || bsearch(&wanted->ids[i][row], harvest->ids[i], harvest->counts[i],
                                                   sizeof(int64_t), compare_ids) == NULL)
                return false;
        }
    }
    return true;
}

bool cms_harvest_is_same(const struct cms_harvest *harvest, const struct cms_harvest *wanted)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        if (harvest->counts[i] != wanted->counts[i])
            return false;
        if (harvest->counts[i] > 0 &&
            memcmp(harvest->ids[i], wanted->ids[i], harvest->counts[i] * sizeof(int64_t)) != 0)
            return false;
    }
    return true;
}
