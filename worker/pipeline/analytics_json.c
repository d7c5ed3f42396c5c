/* The figures as JSON: the analyses in the order of analytics.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/analytics_figures.h"

enum { TOP = 20, TOP_PRODUCTS = 30, LEAST_VIEWS = 10, FIRST_YEAR = 1970, MONTHS = 12, MONTH_BYTES = 16 };

static const char *const weekdays[ANALYTICS_WEEKDAYS] = {"monday", "tuesday",  "wednesday", "thursday",
                                                         "friday", "saturday", "sunday"};

/* The least of each class; the last has no end. */
static const size_t activity_classes[] = {1, 5, 10, 20, 50, 100, 500};
static const size_t retention_classes[] = {1, 2, 5, 10, 20, 50};

static bool put_count(struct json *object, const char *key, size_t value)
{
    return json_value_set_int(object, key, (int64_t)value);
}

/* What could not be completed goes. */
static struct json *keep_if(bool good, struct json *json)
{
    if (good)
        return json;
    json_value_destroy(json);
    return NULL;
}

/* Three decimals are enough; a weight's or an hour's more are noise. */
static bool put_real(struct json *object, const char *key, double value)
{
    return json_value_set_real(object, key, round(value * 1000) / 1000);
}

/* What lists are sorted by: the greater first, then by `second`, then users bytewise, products by id. */
struct ranked {
    double first;
    double second;
    const char *text;
    size_t place;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;

    if (a->first != b->first)
        return a->first > b->first ? -1 : 1;
    if (a->second != b->second)
        return a->second > b->second ? -1 : 1;
    if (a->text != NULL && b->text != NULL)
        return strcmp(a->text, b->text);
    return a->place < b->place ? -1 : a->place > b->place;
}

static void sort_ranked(struct ranked *ranked, size_t count)
{
    if (count > 0)
        qsort(ranked, count, sizeof *ranked, compare_ranked);
}

/* One run of analytics_json_make. */
struct maker {
    struct analytics_figures *figures;
    const struct catalogue *catalogue;
    struct ranked *ranked; /* room for all users or products */
};

typedef struct json *(*make_fn)(struct maker *maker);

static struct json *make_actions(struct maker *maker)
{
    struct json *object = json_value_new_object();
    size_t counts[ACTION_COUNT] = {0};
    bool good = object != NULL;

    for (size_t product = 0; product < maker->figures->product_count; product++) {
        for (unsigned action = 0; action < ACTION_COUNT; action++)
            counts[action] += maker->figures->products[product].by_action[action];
    }
    for (unsigned action = 0; good && action < ACTION_COUNT; action++)
        good = put_count(object, action_name((enum action)action), counts[action]);
    return keep_if(good, object);
}

/* The first of the list by a member of the users. */
static struct json *list_users(struct maker *maker, size_t member, const char *key)
{
    const struct analytics_figures *figures = maker->figures;
    struct json *list = json_value_new_array();
    size_t count = 0;
    bool good = list != NULL;

    for (size_t user = 0; user < figures->user_count; user++) {
        size_t value;

        memcpy(&value, (const char *)&figures->users[user] + member, sizeof value);
        if (value > 0)
            maker->ranked[count++] = (struct ranked){
                .first = (double)value, .text = id_table_text(figures->rows->users, (uint32_t)user), .place = user};
    }
    sort_ranked(maker->ranked, count);
    for (size_t i = 0; good && i < count && i < TOP; i++) {
        struct json *entry = json_value_new_object();

        good = json_value_set_text(entry, "user_uid", maker->ranked[i].text) &&
               put_count(entry, key, (size_t)maker->ranked[i].first);
        good = json_value_append(list, entry) && good;
    }
    return keep_if(good, list);
}

static struct json *make_top_users(struct maker *maker)
{
    return list_users(maker, offsetof(struct analytics_user, rows), "rows");
}

static bool put_product(struct maker *maker, struct json *entry, const struct analytics_product *product)
{
    const struct product *known = catalogue_find(maker->catalogue, product->id);

    return json_value_set_int(entry, "product_id", product->id) &&
           json_value_set_text(entry, "title", known != NULL ? known->title : NULL);
}

static size_t views_of(const struct analytics_product *product)
{
    return product->by_action[ACTION_CONTENT_VIEW];
}

static double conversion_of(const struct analytics_product *product)
{
    return (double)product->by_action[ACTION_ADD_TO_CART] / (double)views_of(product);
}

static struct json *product_entry(struct maker *maker, const struct analytics_product *product)
{
    struct json *entry = json_value_new_object();

    return keep_if(put_product(maker, entry, product) && put_count(entry, "rows", product->rows) &&
                       put_count(entry, "views", views_of(product)) &&
                       put_count(entry, "carts", product->by_action[ACTION_ADD_TO_CART]) &&
                       put_count(entry, "purchases", product->by_action[ACTION_PURCHASE]) &&
                       (views_of(product) > 0 ? put_real(entry, "conversion", conversion_of(product))
                                              : json_value_set_null(entry, "conversion")),
                   entry);
}

static struct json *list_products(struct maker *maker, size_t count, size_t most)
{
    struct json *list = json_value_new_array();
    bool good = list != NULL;

    sort_ranked(maker->ranked, count);
    for (size_t i = 0; good && i < count && i < most; i++)
        good = json_value_append(list, product_entry(maker, &maker->figures->products[maker->ranked[i].place]));
    return keep_if(good, list);
}

static struct json *make_top_products(struct maker *maker)
{
    size_t count = maker->figures->product_count;

    for (size_t i = 0; i < count; i++)
        maker->ranked[i] = (struct ranked){.first = (double)maker->figures->products[i].rows, .place = i};
    return list_products(maker, count, TOP_PRODUCTS);
}

static struct json *make_hours(struct maker *maker)
{
    struct json *list = json_value_new_array();

    for (size_t hour = 0; hour < ANALYTICS_HOURS; hour++) {
        if (json_value_append(list, json_value_new_int((int64_t)maker->figures->by_hour[hour])))
            continue;
        json_value_destroy(list);
        return NULL;
    }
    return list;
}

static struct json *make_weekdays(struct maker *maker)
{
    struct json *object = json_value_new_object();

    for (size_t day = 0; day < ANALYTICS_WEEKDAYS; day++) {
        if (put_count(object, weekdays[day], maker->figures->by_weekday[day]))
            continue;
        json_value_destroy(object);
        return NULL;
    }
    return object;
}

static struct json *make_funnel(struct maker *maker)
{
    const unsigned view = 1u << ACTION_CONTENT_VIEW;
    const unsigned cart = 1u << ACTION_ADD_TO_CART;
    struct json *object = json_value_new_object();
    size_t viewed = 0;
    size_t carted = 0;
    size_t both = 0;
    size_t purchased = 0;

    for (size_t user = 0; user < maker->figures->user_count; user++) {
        unsigned actions = maker->figures->users[user].actions;

        viewed += (actions & view) != 0;
        carted += (actions & cart) != 0;
        both += (actions & (view | cart)) == (view | cart);
        purchased += (actions & 1u << ACTION_PURCHASE) != 0;
    }
    return keep_if(put_count(object, "viewed", viewed) && put_count(object, "carted", carted) &&
                       put_count(object, "viewed_and_carted", both) && put_count(object, "purchased", purchased),
                   object);
}

static int compare_numbers(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static double sort_numbers(struct analytics_numbers *numbers)
{
    double sum = 0;

    if (numbers->count == 0)
        return 0;
    qsort(numbers->values, numbers->count, sizeof *numbers->values, compare_numbers);
    for (size_t i = 0; i < numbers->count; i++)
        sum += numbers->values[i];
    return sum / (double)numbers->count;
}

/* Null where there are none; between two neighbours by linear interpolation, as numpy has it. */
static bool put_percentile(struct json *object, const char *key, const struct analytics_numbers *numbers,
                           double percent)
{
    double place = percent / 100 * (double)(numbers->count > 0 ? numbers->count - 1 : 0);
    size_t below = (size_t)place;
    size_t above = below + 1 < numbers->count ? below + 1 : below;

    if (numbers->count == 0)
        return json_value_set_null(object, key);
    return put_real(object, key,
                    numbers->values[below] +
                        (numbers->values[above] - numbers->values[below]) * (place - (double)below));
}

static struct json *make_user_days(struct maker *maker)
{
    struct analytics_numbers *numbers = &maker->figures->user_day_rows;
    double mean = sort_numbers(numbers);
    struct json *object = json_value_new_object();

    return keep_if(put_count(object, "user_days", numbers->count) && put_real(object, "mean", mean) &&
                       put_percentile(object, "median", numbers, 50) && put_percentile(object, "p95", numbers, 95) &&
                       put_percentile(object, "most", numbers, 100),
                   object);
}

/* [{from, to, users}] of the users' member, which 0 keeps out. */
static struct json *list_classes(struct maker *maker, size_t member, const size_t *classes, size_t class_count)
{
    struct json *list = json_value_new_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < class_count; i++) {
        struct json *entry = json_value_new_object();
        size_t users = 0;

        for (size_t user = 0; user < maker->figures->user_count; user++) {
            size_t value;

            memcpy(&value, (const char *)&maker->figures->users[user] + member, sizeof value);
            users += value >= classes[i] && (i + 1 == class_count || value < classes[i + 1]);
        }
        good = put_count(entry, "from", classes[i]) &&
               (i + 1 < class_count ? put_count(entry, "to", classes[i + 1] - 1) : json_value_set_null(entry, "to")) &&
               put_count(entry, "users", users);
        good = json_value_append(list, entry) && good;
    }
    return keep_if(good, list);
}

static struct json *make_activity(struct maker *maker)
{
    return list_classes(maker, offsetof(struct analytics_user, rows), activity_classes,
                        sizeof activity_classes / sizeof activity_classes[0]);
}

static struct json *make_best_conversion(struct maker *maker)
{
    const struct analytics_figures *figures = maker->figures;
    size_t count = 0;

    for (size_t i = 0; i < figures->product_count; i++) {
        const struct analytics_product *product = &figures->products[i];

        if (views_of(product) >= LEAST_VIEWS)
            maker->ranked[count++] =
                (struct ranked){.first = conversion_of(product), .second = (double)views_of(product), .place = i};
    }
    return list_products(maker, count, TOP);
}

/* From the first month with rows to the last. */
static struct json *make_months(struct maker *maker)
{
    const struct analytics_figures *figures = maker->figures;
    struct json *list = json_value_new_array();
    size_t begin = 0;
    size_t end = figures->month_count;
    bool good = list != NULL;

    while (begin < end && figures->by_month[begin] == 0)
        begin++;
    while (end > begin && figures->by_month[end - 1] == 0)
        end--;
    for (size_t month = begin; good && month < end; month++) {
        struct json *entry = json_value_new_object();
        char name[MONTH_BYTES];

        (void)snprintf(name, sizeof name, "%04u-%02u", (unsigned)(FIRST_YEAR + month / MONTHS) % 10000,
                       (unsigned)(month % MONTHS + 1));
        good = json_value_set_text(entry, "month", name) && put_count(entry, "rows", figures->by_month[month]);
        good = json_value_append(list, entry) && good;
    }
    return keep_if(good, list);
}

static struct json *make_carts(struct maker *maker)
{
    const struct analytics_figures *figures = maker->figures;
    struct json *object = json_value_new_object();
    size_t users = 0;
    size_t several = 0;
    size_t products = 0;

    for (size_t user = 0; user < figures->user_count; user++) {
        users += figures->users[user].cart_products > 0;
        several += figures->users[user].cart_products > 1;
        products += figures->users[user].cart_products;
    }
    return keep_if(put_count(object, "users", users) && put_count(object, "with_several_products", several) &&
                       put_real(object, "products_mean", users > 0 ? (double)products / (double)users : 0) &&
                       json_value_set(object, "top",
                                      list_users(maker, offsetof(struct analytics_user, cart_products), "products")),
                   object);
}

static struct json *make_retention(struct maker *maker)
{
    return list_classes(maker, offsetof(struct analytics_user, days), retention_classes,
                        sizeof retention_classes / sizeof retention_classes[0]);
}

static struct json *list_linked(struct maker *maker, size_t member)
{
    struct json *list = json_value_new_array();
    size_t count = 0;
    bool good = list != NULL;

    for (size_t i = 0; i < maker->figures->product_count; i++) {
        size_t value;

        memcpy(&value, (const char *)&maker->figures->products[i] + member, sizeof value);
        if (value > 0)
            maker->ranked[count++] = (struct ranked){.first = (double)value, .place = i};
    }
    sort_ranked(maker->ranked, count);
    for (size_t i = 0; good && i < count && i < TOP; i++) {
        struct json *entry = json_value_new_object();

        good = put_product(maker, entry, &maker->figures->products[maker->ranked[i].place]) &&
               put_count(entry, "products", (size_t)maker->ranked[i].first);
        good = json_value_append(list, entry) && good;
    }
    return keep_if(good, list);
}

static struct json *make_recommendations(struct maker *maker)
{
    return list_linked(maker, offsetof(struct analytics_product, recommendations));
}

static struct json *make_recommended(struct maker *maker)
{
    return list_linked(maker, offsetof(struct analytics_product, recommended));
}

static struct json *make_weights(struct maker *maker)
{
    struct json *object = json_value_new_object();
    struct json *bins = json_value_new_array();
    bool good = object != NULL && bins != NULL;

    for (size_t i = 0; good && i < ANALYTICS_WEIGHT_BINS; i++) {
        struct json *bin = json_value_new_object();

        good = put_real(bin, "from", analytics_pairs_edges[i]) &&
               (i + 1 < ANALYTICS_WEIGHT_BINS ? put_real(bin, "to", analytics_pairs_edges[i + 1])
                                              : json_value_set_null(bin, "to")) &&
               put_count(bin, "pairs", maker->figures->weight_bins[i]);
        good = json_value_append(bins, bin) && good;
    }
    good = json_value_set(object, "bins", bins) && good && put_count(object, "pairs", maker->figures->weight_pairs);
    return keep_if(good, object);
}

static struct json *make_cart_hours(struct maker *maker)
{
    struct analytics_numbers *numbers = &maker->figures->cart_hours;
    double mean = sort_numbers(numbers);
    struct json *object = json_value_new_object();

    return keep_if(put_count(object, "pairs", numbers->count) && put_real(object, "mean", mean) &&
                       put_percentile(object, "p25", numbers, 25) && put_percentile(object, "median", numbers, 50) &&
                       put_percentile(object, "p75", numbers, 75) && put_percentile(object, "p95", numbers, 95),
                   object);
}

static bool put_head(struct json *json, const struct analytics_figures *figures)
{
    const char *timezone = figures->params->timezone;
    size_t users = 0;

    for (size_t user = 0; user < figures->user_count; user++)
        users += figures->users[user].rows > 0;
    return json_value_set_int(json, "now", figures->params->now_s) &&
           json_value_set_text(json, "timezone", timezone != NULL ? timezone : "UTC") &&
           put_count(json, "rows", figures->rows->count) && put_count(json, "users", users) &&
           put_count(json, "products", figures->product_count) && json_value_set_int(json, "from", figures->from_s) &&
           json_value_set_int(json, "to", figures->to_s);
}

enum err_code analytics_json_make(struct json **out, struct analytics_figures *figures,
                                  const struct catalogue *catalogue, struct err *err)
{
    static const struct {
        const char *name;
        make_fn make;
    } analyses[] = {
        {"interactions_by_action", make_actions},
        {"top_users", make_top_users},
        {"top_products", make_top_products},
        {"by_hour", make_hours},
        {"by_weekday", make_weekdays},
        {"funnel", make_funnel},
        {"rows_per_user_day", make_user_days},
        {"users_by_activity", make_activity},
        {"best_conversion", make_best_conversion},
        {"by_month", make_months},
        {"carts", make_carts},
        {"retention", make_retention},
        {"most_recommendations", make_recommendations},
        {"weights", make_weights},
        {"most_recommended", make_recommended},
        {"view_to_cart_hours", make_cart_hours},
    };
    size_t room = figures->user_count > figures->product_count ? figures->user_count : figures->product_count;
    struct maker maker = {.figures = figures, .catalogue = catalogue, .ranked = mem_zeroed(room, sizeof *maker.ranked)};
    struct json *json = json_value_new_object();
    bool good = json != NULL && maker.ranked != NULL && put_head(json, figures);

    for (size_t i = 0; good && i < sizeof analyses / sizeof analyses[0]; i++)
        good = json_value_set(json, analyses[i].name, analyses[i].make(&maker));
    free(maker.ranked);
    if (!good) {
        json_value_destroy(json);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the analytics");
    }
    *out = json;
    return ERR_OK;
}
