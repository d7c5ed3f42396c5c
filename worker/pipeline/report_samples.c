#include "worker/pipeline/report_samples.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "worker/pipeline/report.h"

/* How many of a user's own products are shown beside what is recommended. */
enum { HISTORY_SIZE = 5 };

static struct json *product_entry(const struct report_samples *samples, int32_t product)
{
    int64_t id = samples->matrix->product_ids[product];
    const struct product *found = catalogue_find(samples->catalogue, id);
    struct json *entry = json_value_new_object();

    (void)json_value_set_int(entry, "product_id", id);
    (void)json_value_set_text(entry, "title", found != NULL ? found->title : NULL);
    return entry;
}

static void append_product(struct json *list, const struct report_samples *samples, int32_t product, double score)
{
    struct json *entry = product_entry(samples, product);

    (void)json_value_set_real(entry, "score", score);
    (void)json_value_append(list, entry);
}

static struct json *list_entries(const struct report_samples *samples, const struct als_lists *lists, size_t row)
{
    struct json *list = json_value_new_array();

    for (int32_t i = 0; i < lists->counts[row]; i++) {
        size_t place = row * lists->n + (size_t)i;

        append_product(list, samples, lists->items[place], (double)lists->scores[place]);
    }
    return list;
}

/* The products that the user values most, each with its value before BM25. */
static struct json *history_entries(const struct report_samples *samples, size_t user)
{
    const struct matrix *matrix = samples->matrix;
    struct json *list = json_value_new_array();
    size_t shown[HISTORY_SIZE];

    for (size_t n = 0; n < HISTORY_SIZE; n++) {
        size_t best = matrix->pairs;

        for (size_t i = (size_t)matrix->values.offsets[user]; i < (size_t)matrix->values.offsets[user + 1]; i++) {
            bool taken = false;

            for (size_t k = 0; k < n; k++)
                taken = taken || shown[k] == i;
            if (!taken && (best == matrix->pairs || matrix->raw[i] > matrix->raw[best]))
                best = i;
        }
        if (best == matrix->pairs)
            break;
        shown[n] = best;
        append_product(list, samples, matrix->values.columns[best], matrix->raw[best]);
    }
    return list;
}

/* The text as base64 (RFC 4648): shops make user ids of e-mail addresses that way. NULL when out of memory. */
static char *to_base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct str out = {0};
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        unsigned bits = (unsigned)(unsigned char)text[i] << 16;

        bits |= left > 1 ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
        bits |= left > 2 ? (unsigned)(unsigned char)text[i + 2] : 0;
        str_append_char(&out, digits[bits >> 18]);
        str_append_char(&out, digits[(bits >> 12) & 63]);
        str_append_char(&out, left > 1 ? digits[(bits >> 6) & 63] : '=');
        str_append_char(&out, left > 2 ? digits[bits & 63] : '=');
    }
    return str_take(&out);
}

static bool find_user(const struct matrix *matrix, const char *uid, size_t *user)
{
    for (*user = 0; *user < matrix->users; (*user)++) {
        if (strcmp(matrix->user_uids[*user], uid) == 0)
            return true;
    }
    return false;
}

static size_t choose_user(struct json *report, const struct report_samples *samples)
{
    size_t user = samples->fallback_user;
    char *encoded;
    bool found;

    if (samples->user == NULL || samples->user[0] == '\0' || find_user(samples->matrix, samples->user, &user))
        return user;
    encoded = to_base64(samples->user);
    found = encoded != NULL && find_user(samples->matrix, encoded, &user);
    free(encoded);
    if (found)
        return user;
    report_add_warning(report, "the sample user \"%s\" has no list; another one is shown", samples->user);
    return samples->fallback_user;
}

static bool find_product(const struct matrix *matrix, const char *text, int32_t *product)
{
    int64_t id;

    if (!str_to_int64(text, &id))
        return false;
    for (size_t i = 0; i < matrix->products; i++) {
        if (matrix->product_ids[i] == id) {
            *product = (int32_t)i;
            return true;
        }
    }
    return false;
}

/* false: there is none to show */
static bool choose_product(struct json *report, const struct report_samples *samples, int32_t *product)
{
    if (samples->product != NULL && samples->product[0] != '\0') {
        if (find_product(samples->matrix, samples->product, product))
            return true;
        report_add_warning(report, "the sample product \"%s\" is not in the matrix; another one is shown",
                           samples->product);
    }
    if (samples->recommendations->top_overall_count == 0)
        return false;
    *product = samples->recommendations->top_overall[0];
    return true;
}

void report_samples_set(struct json *report, const struct report_samples *samples)
{
    const struct recommendations *recommendations = samples->recommendations;
    struct json *object = json_value_new_object();
    struct json *user_object = json_value_new_object();
    struct json *top = json_value_new_array();
    size_t user = choose_user(report, samples);
    int32_t product;

    (void)json_value_set_text(user_object, "user_uid", samples->matrix->user_uids[user]);
    (void)json_value_set(user_object, "history", history_entries(samples, user));
    (void)json_value_set(user_object, "recommended", list_entries(samples, &recommendations->users, user));
    (void)json_value_set(object, "user", user_object);
    for (size_t i = 0; i < recommendations->top_overall_count; i++)
        append_product(top, samples, recommendations->top_overall[i], recommendations->top_overall_sums[i]);
    (void)json_value_set(object, "top_overall", top);
    if (choose_product(report, samples, &product)) {
        struct json *similar = product_entry(samples, product);

        (void)json_value_set(similar, "similar", list_entries(samples, &recommendations->similar, (size_t)product));
        (void)json_value_set(object, "similar", similar);
    }
    (void)json_value_set(report, "samples", object);
}
