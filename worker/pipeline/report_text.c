#include "worker/pipeline/report_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "worker/pipeline/search_text.h"

enum { LABEL_COLUMN = 13, LOSSES_PER_LINE = 8 };

static int64_t get_int(const struct json *object, const char *key)
{
    int64_t value = 0;

    (void)json_value_get_int64(object, key, &value);
    return value;
}

static double get_real(const struct json *object, const char *key)
{
    double value = 0;

    (void)json_value_get_double(object, key, &value);
    return value;
}

static const char *get_text(const struct json *object, const char *key)
{
    const char *text = json_value_get_text(object, key);

    return text != NULL ? text : "";
}

/* In full: 26 hours are 26 hours. */
static void append_duration(struct str *out, double seconds)
{
    int64_t whole = (int64_t)seconds;

    if (seconds < 60)
        str_append_format(out, "%.1f s", seconds);
    else if (seconds < 3600)
        str_append_format(out, "%lld min %lld s", (long long)(whole / 60), (long long)(whole % 60));
    else
        str_append_format(out, "%lld h %lld min %lld s", (long long)(whole / 3600), (long long)(whole / 60 % 60),
                          (long long)(whole % 60));
}

static void append_label(struct str *out, const char *label)
{
    str_append_format(out, "%-*s", LABEL_COLUMN, label);
}

static void append_head(struct str *out, const struct json *report)
{
    const struct json *error = json_value_get(report, "error");
    bool cancelled = strcmp(get_text(error, "code"), err_code_name(ERR_CANCELLED)) == 0;
    bool is_partial = false;
    char now[CLOCK_ISO8601_BYTES];

    (void)json_value_get_bool(report, "partial", &is_partial);
    clock_format_iso8601(now, get_int(report, "now") * 1000);
    str_append_format(out, "%s: %s after ", get_text(report, "type"),
                      is_partial      ? "unfinished"
                      : cancelled     ? "cancelled"
                      : error != NULL ? "failed"
                                      : "succeeded");
    append_duration(out, get_real(report, "seconds"));
    str_append_format(out, ", as of %s\n", now);
    if (error != NULL)
        str_append_format(out, "\nERROR in %s (%s): %s\n", get_text(error, "stage"), get_text(error, "code"),
                          get_text(error, "message"));
}

struct list_writer {
    struct str *out;
    bool started;
};

/* "name 3, name 4" of the members that are not 0 */
static bool append_member(void *context, const char *key, const struct json *value)
{
    struct list_writer *writer = context;
    int64_t number;

    if (json_value_to_int64(value, &number) && number != 0) {
        str_append_format(writer->out, "%s%s %lld", writer->started ? ", " : "", key, (long long)number);
        writer->started = true;
    }
    return true;
}

static void append_stages(struct str *out, const struct json *stages)
{
    if (json_value_count(stages) == 0)
        return;
    str_append_format(out, "\n%-*s%10s%12s%12s\n", LABEL_COLUMN, "stage", "seconds", "in", "out");
    for (size_t i = 0; i < json_value_count(stages); i++) {
        const struct json *stage = json_value_at(stages, i);
        struct list_writer dropped = {.out = out};

        append_label(out, get_text(stage, "name"));
        str_append_format(out, "%10.3f%12lld%12lld", get_real(stage, "seconds"), (long long)get_int(stage, "rows_in"),
                          (long long)get_int(stage, "rows_out"));
        if (get_text(stage, "notes")[0] != '\0')
            str_append_format(out, "  %s", get_text(stage, "notes"));
        if (json_value_count(json_value_get(stage, "dropped")) > 0) {
            str_append_text(out, "  dropped: ");
            json_value_each(json_value_get(stage, "dropped"), append_member, &dropped);
        }
        str_append_char(out, '\n');
    }
}

static void append_matrix(struct str *out, const struct json *matrix)
{
    const struct json *percentiles = json_value_get(matrix, "percentiles");

    if (matrix == NULL)
        return;
    str_append_char(out, '\n');
    append_label(out, "matrix");
    str_append_format(out, "%lld users x %lld products, %lld values (%.3g %% full)\n",
                      (long long)get_int(matrix, "users"), (long long)get_int(matrix, "products"),
                      (long long)get_int(matrix, "nonzeros"), get_real(matrix, "density") * 100);
    append_label(out, "values");
    str_append_format(out, "least %.3g, quarter %.3g, median %.3g, three quarters %.3g, most %.3g\n",
                      get_real(percentiles, "0"), get_real(percentiles, "25"), get_real(percentiles, "50"),
                      get_real(percentiles, "75"), get_real(percentiles, "100"));
}

static void append_als(struct str *out, const struct json *report)
{
    const struct json *als = json_value_get(report, "als");
    const struct json *loss = json_value_get(report, "loss");
    double value;

    if (als != NULL) {
        append_label(out, "als");
        str_append_format(out, "%s, %lld factors, regularization %g%s, alpha %g, %lld iterations, ",
                          get_text(als, "solver"), (long long)get_int(als, "factors"), get_real(als, "regularization"),
                          json_value_get(als, "regularization_scaling") != NULL ? " by frequency" : "",
                          get_real(als, "alpha"), (long long)get_int(als, "iterations"));
        if (json_value_get(als, "tolerance") != NULL)
            str_append_format(out, "tolerance %g, ", get_real(als, "tolerance"));
        if (json_value_get(als, "acceleration") != NULL)
            str_append_format(out, "accelerated, ");
        str_append_format(out, "seed %lld, %s\n", (long long)get_int(als, "seed"), get_text(als, "backend"));
    }
    for (size_t i = 0; i < json_value_count(loss); i++) {
        if (i % LOSSES_PER_LINE == 0) {
            str_append_text(out, i > 0 ? "\n" : "");
            append_label(out, i > 0 ? "" : "loss");
        }
        if (json_value_to_double(json_value_at(loss, i), &value))
            str_append_format(out, "%-12.6g", value);
    }
    if (json_value_count(loss) > 0)
        str_append_char(out, '\n');
}

static void append_cross_sell(struct str *out, const struct json *cross_sell)
{
    if (cross_sell == NULL)
        return;
    str_append_char(out, '\n');
    append_label(out, "cross-sell");
    str_append_format(out, "%lld interactions of %lld users with %lld products, %lld pairs of products\n",
                      (long long)get_int(cross_sell, "rows"), (long long)get_int(cross_sell, "users"),
                      (long long)get_int(cross_sell, "products"), (long long)get_int(cross_sell, "product_pairs"));
    append_label(out, "lists");
    str_append_format(out, "%lld, %lld of them full, %lld empty, %lld products in all\n",
                      (long long)get_int(cross_sell, "lists"), (long long)get_int(cross_sell, "lists_full"),
                      (long long)get_int(cross_sell, "lists_empty"), (long long)get_int(cross_sell, "list_items"));
}

static bool append_recommender(void *context, const char *key, const struct json *value)
{
    struct str *out = context;

    if (json_value_get(value, "ndcg") != NULL)
        str_append_format(out, "%-*s%-13s P %.3f, NDCG %.3f\n", LABEL_COLUMN, "", key, get_real(value, "precision"),
                          get_real(value, "ndcg"));
    else if (json_value_get_text(value, "why_not") != NULL)
        str_append_format(out, "%-*s%-13s %s\n", LABEL_COLUMN, "", key, get_text(value, "why_not"));
    return true;
}

static void append_metrics(struct str *out, const struct json *metrics)
{
    if (json_value_get(metrics, "als") == NULL)
        return;
    append_label(out, "held out");
    str_append_format(out, "the last %lld days: what %lld users newly met, foretold by the first %lld of each list\n",
                      (long long)get_int(metrics, "test_days"), (long long)get_int(metrics, "users"),
                      (long long)get_int(metrics, "k"));
    json_value_each(metrics, append_recommender, out);
}

static void append_keys(struct str *out, const struct json *counts, bool published)
{
    bool is_cross_sell = json_value_get(counts, "cross_sell_keys") != NULL;

    if (!published)
        str_append_text(out, "nothing");
    else if (is_cross_sell)
        str_append_format(out, "%lld keys, %lld removed", (long long)get_int(counts, "cross_sell_keys"),
                          (long long)get_int(counts, "removed"));
    else
        str_append_format(out, "%lld homepage keys, %lld similar keys, %lld removed",
                          (long long)get_int(counts, "homepage_keys"), (long long)get_int(counts, "similar_keys"),
                          (long long)get_int(counts, "removed"));
    if (is_cross_sell)
        str_append_format(out, " (%lld products with a list, ", (long long)get_int(counts, "cross_sell_lists"));
    else
        str_append_format(out, " (%lld users, %lld products with similar ones, ", (long long)get_int(counts, "users"),
                          (long long)get_int(counts, "similar_lists"));
    str_append_format(out, "%lld recommendable)\n", (long long)get_int(counts, "recommendable"));
}

static void append_published(struct str *out, const struct json *report)
{
    const struct json *counts = json_value_get(report, "published_counts");
    bool published = false;

    if (counts == NULL)
        return;
    (void)json_value_get_bool(report, "published", &published);
    append_label(out, "published");
    append_keys(out, counts, published);
}

static void append_outliers(struct str *out, const struct json *outliers)
{
    const struct json *top = json_value_get(outliers, "top");
    struct list_writer rules = {.out = out};

    if (get_int(outliers, "users") == 0)
        return;
    str_append_char(out, '\n');
    append_label(out, "outliers");
    str_append_format(out, "%lld users with %lld rows removed: ", (long long)get_int(outliers, "users"),
                      (long long)get_int(outliers, "rows"));
    json_value_each(json_value_get(outliers, "by_rule"), append_member, &rules);
    if (get_int(outliers, "by_rows_only") > 0)
        str_append_format(out, "; %lld of them for rows, not for activities",
                          (long long)get_int(outliers, "by_rows_only"));
    str_append_char(out, '\n');
    for (size_t i = 0; i < json_value_count(top); i++) {
        const struct json *user = json_value_at(top, i);
        const struct json *last = json_value_at(json_value_get(user, "last"), 0);
        char created[CLOCK_ISO8601_BYTES];

        clock_format_iso8601(created, get_int(last, "created") * 1000);
        str_append_format(out, "  %8lld rows  %-12s %s, last %s %s of product %lld\n", (long long)get_int(user, "rows"),
                          get_text(user, "rule"), get_text(user, "user_uid"), created, get_text(last, "action"),
                          (long long)get_int(last, "product_id"));
    }
}

static void append_products(struct str *out, const struct json *list)
{
    for (size_t i = 0; i < json_value_count(list); i++) {
        const struct json *product = json_value_at(list, i);
        const char *title = json_value_get_text(product, "title");

        str_append_format(out, "  %2zu. %10lld  %-9.4g  %s\n", i + 1, (long long)get_int(product, "product_id"),
                          get_real(product, "score"), title != NULL ? title : "(not in the catalogue)");
    }
    if (json_value_count(list) == 0)
        str_append_text(out, "  (none)\n");
}

static void append_samples(struct str *out, const struct json *samples)
{
    const struct json *user = json_value_get(samples, "user");
    const struct json *similar = json_value_get(samples, "similar");
    const struct json *cross_sell = json_value_get(samples, "cross_sell");

    if (user != NULL) {
        str_append_format(out, "\nuser %s has shown most interest in\n", get_text(user, "user_uid"));
        append_products(out, json_value_get(user, "history"));
        str_append_text(out, "and is recommended\n");
        append_products(out, json_value_get(user, "recommended"));
    }
    if (json_value_get(samples, "top_overall") != NULL) {
        str_append_text(out, "\nwho is not known is recommended\n");
        append_products(out, json_value_get(samples, "top_overall"));
    }
    if (similar != NULL) {
        str_append_format(out, "\nsimilar to %lld %s are\n", (long long)get_int(similar, "product_id"),
                          get_text(similar, "title"));
        append_products(out, json_value_get(similar, "similar"));
    }
    if (cross_sell != NULL) {
        str_append_format(out, "\nlooked at or bought together with %lld %s are\n",
                          (long long)get_int(cross_sell, "product_id"), get_text(cross_sell, "title"));
        append_products(out, json_value_get(cross_sell, "cross_sell"));
    }
}

static bool append_samples_of(void *context, const char *key, const struct json *samples)
{
    struct str *out = context;

    for (size_t i = 0; i < json_value_count(samples); i++)
        str_append_format(out, "  %-20s %s\n", i == 0 ? key : "", json_value_text(json_value_at(samples, i)));
    return true;
}

static void append_dropped(struct str *out, const struct json *samples)
{
    size_t before = out->length;
    size_t head;

    str_append_text(out, "\nleft out, the first of each\n");
    head = out->length;
    json_value_each(samples, append_samples_of, out);
    if (out->length == head && !out->failed)
        out->text[out->length = before] = '\0';
}

static void append_warnings(struct str *out, const struct json *warnings)
{
    if (json_value_count(warnings) > 0)
        str_append_text(out, "\nwarnings\n");
    for (size_t i = 0; i < json_value_count(warnings); i++)
        str_append_format(out, "  - %s\n", json_value_text(json_value_at(warnings, i)));
}

static void append_warehouse(struct str *out, const struct json *load)
{
    if (load == NULL)
        return;
    str_append_char(out, '\n');
    append_label(out, "warehouse");
    str_append_format(out, "%lld interactions of %lld users with %lld products, %lld weights between products\n",
                      (long long)get_int(load, "interactions"), (long long)get_int(load, "users"),
                      (long long)get_int(load, "products"), (long long)get_int(load, "weights"));
}

char *report_text_make(const struct json *report)
{
    struct str out = {0};

    append_head(&out, report);
    append_stages(&out, json_value_get(report, "stages"));
    append_matrix(&out, json_value_get(report, "matrix"));
    append_als(&out, report);
    append_cross_sell(&out, json_value_get(report, "cross_sell"));
    append_metrics(&out, json_value_get(report, "metrics"));
    search_text_append(&out, report);
    append_published(&out, report);
    append_warehouse(&out, json_value_get(report, "warehouse"));
    append_outliers(&out, json_value_get(report, "outliers"));
    append_dropped(&out, json_value_get(report, "dropped_samples"));
    append_warnings(&out, json_value_get(report, "warnings"));
    append_samples(&out, json_value_get(report, "samples"));
    return str_take(&out);
}
