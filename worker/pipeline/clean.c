#include "worker/pipeline/clean.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

enum { FUTURE_TOLERANCE_S = 3600, ID_DIGITS = 18 };

static const char *const reason_names[CLEAN_REASON_COUNT] = {
    [CLEAN_UNKNOWN_ACTION] = "unknown_action", [CLEAN_MALFORMED] = "malformed",
    [CLEAN_INFO_EMPTY] = "info_empty",         [CLEAN_NO_USER] = "no_user",
    [CLEAN_IN_FUTURE] = "in_future",           [CLEAN_NO_REFERRER] = "no_referrer",
    [CLEAN_NO_PRODUCT] = "no_product",         [CLEAN_PRODUCT_NOT_INTEGER] = "product_not_integer",
    [CLEAN_DUPLICATE] = "duplicate",
};

const char *clean_reason_name(enum clean_reason reason)
{
    return reason < CLEAN_REASON_COUNT ? reason_names[reason] : "unknown";
}

/* A stretch of text, not terminated. */
struct piece {
    const char *text;
    size_t length;
};

/* One activity on its way to rows. */
struct activity {
    const struct json *json;
    const struct json *info;
    enum action action;
    int64_t id;
    int64_t created;
    struct piece user;
    char *user_number; /* owned: the decimal text of a user given as a number */
    bool no_memory;
    size_t rows;
};

static bool is_space(char character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

static struct piece trim(struct piece piece)
{
    while (piece.length > 0 && is_space(piece.text[0])) {
        piece.text++;
        piece.length--;
    }
    while (piece.length > 0 && is_space(piece.text[piece.length - 1]))
        piece.length--;
    return piece;
}

static struct piece piece_of(const struct json *value)
{
    return (struct piece){.text = json_value_text(value), .length = json_value_text_length(value)};
}

/* [0-9]{1,18}(\.0)? : 18 digits always fit into 63 bits. */
static bool parse_id(struct piece piece, int64_t *out)
{
    int64_t number = 0;

    if (piece.length > 2 && memcmp(piece.text + piece.length - 2, ".0", 2) == 0)
        piece.length -= 2;
    if (piece.length < 1 || piece.length > ID_DIGITS)
        return false;
    for (size_t i = 0; i < piece.length; i++) {
        if (piece.text[i] < '0' || piece.text[i] > '9')
            return false;
        number = number * 10 + (piece.text[i] - '0');
    }
    *out = number;
    return true;
}

/* An integer, a real without a fraction (38420.0), or one of both as text. */
static bool integer_of(const struct json *value, int64_t *out)
{
    double real;

    if (json_value_to_int64(value, out))
        return true;
    if (json_value_kind(value) == JSON_KIND_TEXT)
        return parse_id(trim(piece_of(value)), out);
    if (!json_value_to_double(value, &real) || real != floor(real) || fabs(real) > 1e15)
        return false;
    *out = (int64_t)real;
    return true;
}

/* Copies at most CLEAN_SAMPLE_BYTES - 1 bytes, not cutting a UTF-8 sequence in two. */
static void copy_sample(char *out, const char *text)
{
    size_t length = strnlen(text, CLEAN_SAMPLE_BYTES);

    if (length == CLEAN_SAMPLE_BYTES) {
        length--;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

void clean_print_sample(char *out, const struct json *json)
{
    char *text = json_value_print(json, false, 0);

    copy_sample(out, text != NULL ? text : "(no memory to show it)");
    free(text);
}

static void drop(struct clean_counts *counts, enum clean_reason reason, const struct json *activity)
{
    size_t nth = counts->dropped[reason]++;

    if (nth < CLEAN_SAMPLES)
        clean_print_sample(counts->samples[reason][nth], activity);
}

/* false for null, "", what is neither text nor number, and texts with a NUL (they can be no key). A number becomes its
 * decimal text in user_number. */
static bool read_user(struct activity *activity, const struct json *value)
{
    activity->user = piece_of(value);
    if (json_value_kind(value) == JSON_KIND_INT || json_value_kind(value) == JSON_KIND_REAL) {
        activity->user_number = json_value_print(value, false, 0);
        activity->no_memory = activity->user_number == NULL;
        if (activity->user_number != NULL)
            activity->user = (struct piece){.text = activity->user_number, .length = strlen(activity->user_number)};
    }
    return activity->user.length > 0 && memchr(activity->user.text, '\0', activity->user.length) == NULL;
}

/* What costs the whole activity, in the order in which reasons count; CLEAN_REASON_COUNT: it is good. */
static enum clean_reason read_activity(struct activity *activity, int64_t now_s)
{
    const struct json *json = activity->json;

    if (!action_parse(json_value_get_text(json, "action"), &activity->action))
        return CLEAN_UNKNOWN_ACTION;
    if (!integer_of(json_value_get(json, "id"), &activity->id) ||
        !integer_of(json_value_get(json, "created"), &activity->created))
        return CLEAN_MALFORMED;
    activity->info = json_value_get(json, "info");
    if (json_value_kind(activity->info) != JSON_KIND_OBJECT || json_value_count(activity->info) == 0)
        return CLEAN_INFO_EMPTY;
    if (!read_user(activity, json_value_get(json, "user_uid")))
        return CLEAN_NO_USER;
    if (activity->created > now_s + FUTURE_TOLERANCE_S)
        return CLEAN_IN_FUTURE;
    if (activity->action == ACTION_CONTENT_VIEW &&
        json_value_kind(json_value_get(activity->info, "referrer")) == JSON_KIND_NULL)
        return CLEAN_NO_REFERRER;
    return CLEAN_REASON_COUNT;
}

static enum err_code add_row(struct interactions *rows, struct clean_counts *counts, struct activity *activity,
                             int64_t product_id, struct err *err)
{
    enum err_code rc = interactions_add(rows, activity->id, activity->action, activity->user.text,
                                        activity->user.length, activity->created, product_id, err);

    if (rc == ERR_OK) {
        counts->rows_by_action[activity->action]++;
        activity->rows++;
    }
    return rc;
}

static enum err_code add_piece(struct interactions *rows, struct clean_counts *counts, struct activity *activity,
                               struct piece piece, struct err *err)
{
    int64_t product_id;

    piece = trim(piece);
    if (piece.length == 0 || (piece.length == 3 && memcmp(piece.text, "nan", 3) == 0)) {
        drop(counts, CLEAN_NO_PRODUCT, activity->json);
        return ERR_OK;
    }
    if (!parse_id(piece, &product_id)) {
        drop(counts, CLEAN_PRODUCT_NOT_INTEGER, activity->json);
        return ERR_OK;
    }
    return add_row(rows, counts, activity, product_id, err);
}

/* ",12,34," is 12 and 34: stripped of commas at both ends, then split; what is empty inside is a missing product. */
static enum err_code add_pieces(struct interactions *rows, struct clean_counts *counts, struct activity *activity,
                                struct piece list, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (list.length > 0 && list.text[0] == ',') {
        list.text++;
        list.length--;
    }
    while (list.length > 0 && list.text[list.length - 1] == ',')
        list.length--;
    for (;;) {
        const char *comma = list.length > 0 ? memchr(list.text, ',', list.length) : NULL;
        size_t length = comma != NULL ? (size_t)(comma - list.text) : list.length;

        rc = add_piece(rows, counts, activity, (struct piece){.text = list.text, .length = length}, err);
        if (rc != ERR_OK || comma == NULL)
            return rc;
        list.text += length + 1;
        list.length -= length + 1;
    }
}

static bool holds_list(enum action action)
{
    return action == ACTION_PURCHASE || action == ACTION_INITIATE_CHECKOUT || action == ACTION_ADD_TO_WISHLIST;
}

static enum err_code add_products(struct interactions *rows, struct clean_counts *counts, struct activity *activity,
                                  struct err *err)
{
    const struct json *value = json_value_get(activity->info, holds_list(activity->action) ? "content_ids" : "id");
    int64_t product_id;

    if (json_value_kind(value) == JSON_KIND_TEXT)
        return holds_list(activity->action) ? add_pieces(rows, counts, activity, piece_of(value), err)
                                            : add_piece(rows, counts, activity, piece_of(value), err);
    if (integer_of(value, &product_id))
        return add_row(rows, counts, activity, product_id, err);
    drop(counts, json_value_kind(value) == JSON_KIND_NULL ? CLEAN_NO_PRODUCT : CLEAN_PRODUCT_NOT_INTEGER,
         activity->json);
    return ERR_OK;
}

enum err_code clean_activity(struct interactions *rows, struct clean_counts *counts, const struct json *activity,
                             int64_t now_s, struct err *err)
{
    struct activity state = {.json = activity};
    enum clean_reason reason;
    enum err_code rc = ERR_OK;

    counts->served++;
    reason = read_activity(&state, now_s);
    if (state.no_memory)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the user of activity %lld", (long long)state.id);
    if (reason == CLEAN_REASON_COUNT)
        rc = add_products(rows, counts, &state, err);
    else
        drop(counts, reason, activity);
    if (state.rows > 1) {
        counts->activities_of_several_products++;
        counts->products_of_those += state.rows;
    }
    free(state.user_number);
    return rc;
}

enum err_code clean_duplicates(struct interactions *rows, struct clean_counts *counts, size_t *removed, struct err *err)
{
    uint8_t *keep = mem_zeroed(rows->count, 1);
    enum err_code rc;

    *removed = 0;
    if (keep == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to find duplicates among %zu rows", rows->count);
    rc = interactions_mark_duplicates(rows, keep, removed, err);
    if (rc != ERR_OK)
        goto done;
    for (size_t row = 0; row < rows->count && counts->dropped[CLEAN_DUPLICATE] < CLEAN_SAMPLES; row++) {
        if (!keep[row])
            (void)snprintf(counts->samples[CLEAN_DUPLICATE][counts->dropped[CLEAN_DUPLICATE]++], CLEAN_SAMPLE_BYTES,
                           "{\"id\":%lld,\"action\":\"%s\",\"created\":%lld,\"product_id\":%lld}",
                           (long long)rows->activity_id[row], action_name((enum action)rows->action[row]),
                           (long long)rows->created[row], (long long)rows->product_id[row]);
    }
    counts->dropped[CLEAN_DUPLICATE] = *removed;
    interactions_filter(rows, keep);
done:
    free(keep);
    return rc;
}

/* null and absent stock is 0; a fraction is cut off. */
static bool read_stock(const struct json *value, int64_t *out)
{
    struct piece piece = trim(piece_of(value));
    bool negative = piece.length > 1 && piece.text[0] == '-';
    double real;

    *out = 0;
    if (json_value_kind(value) == JSON_KIND_NULL || json_value_to_int64(value, out))
        return true;
    if (json_value_to_double(value, &real) && fabs(real) < 1e15) {
        *out = (int64_t)real;
        return true;
    }
    if (json_value_kind(value) != JSON_KIND_TEXT)
        return false;
    if (negative) {
        piece.text++;
        piece.length--;
    }
    if (!parse_id(piece, out))
        return false;
    *out = negative ? -*out : *out;
    return true;
}

enum err_code clean_product(struct catalogue *catalogue, size_t *malformed, const struct json *product, struct err *err)
{
    const char *status = json_value_get_text(product, "status");
    int64_t id;
    int64_t stock;

    if (!integer_of(json_value_get(product, "id"), &id) || !read_stock(json_value_get(product, "stock"), &stock)) {
        (*malformed)++;
        return ERR_OK;
    }
    return catalogue_add(catalogue, id, stock, status != NULL && strcmp(status, "Published") == 0,
                         json_value_get_text(product, "title"), err);
}
