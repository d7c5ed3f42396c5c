#include "worker/pipeline/weigh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/radix.h"

enum { INSERTION_ROWS = 32 }; /* more are sorted by digits */

static const double day_s = 86400.0;

/* Rows by user (uid bytewise), product, time and activity, with both as the indices of `pairs`: side by side in that
 * order, since rows of a pair lie far apart in memory. */
struct ordered_rows {
    uint32_t *order;
    uint32_t *product; /* index in pairs.product_ids */
    uint32_t *user;    /* index in pairs.user_uids */
};

/* `table` has the texts of both indices. */
static int compare_users(const void *left, const void *right, void *table)
{
    return strcmp(id_table_text(table, *(const uint32_t *)left), id_table_text(table, *(const uint32_t *)right));
}

/* The users that have rows, bytewise; rank[index in the table] is their place. */
static enum err_code rank_users(struct pairs *out, uint32_t *rank, const struct interactions *rows, struct err *err)
{
    size_t known = id_table_count(rows->users);
    uint32_t *by_text;

    for (size_t row = 0; row < rows->count; row++) {
        out->users += rank[rows->user[row]] == 0;
        rank[rows->user[row]] = 1;
    }
    by_text = mem_zeroed(out->users, sizeof *by_text);
    out->user_uids = mem_zeroed(out->users, sizeof *out->user_uids);
    out->user_rows = mem_zeroed(out->users, sizeof *out->user_rows);
    if (by_text == NULL || out->user_uids == NULL || out->user_rows == NULL) {
        free(by_text);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu users", out->users);
    }
    for (size_t user = 0, next = 0; user < known; user++) {
        if (rank[user] != 0)
            by_text[next++] = (uint32_t)user;
    }
    if (out->users > 0)
        qsort_r(by_text, out->users, sizeof *by_text, compare_users, rows->users);
    for (size_t place = 0; place < out->users; place++) {
        out->user_uids[place] = id_table_text(rows->users, by_text[place]);
        rank[by_text[place]] = (uint32_t)place;
    }
    free(by_text);
    return ERR_OK;
}

/* A counting sort, so that rows of a user keep their order. next[users + 1] is all 0; rank as above. */
static void sort_by_user(struct ordered_rows *to, const struct ordered_rows *from, size_t *next, const uint32_t *rank,
                         size_t users, const struct interactions *rows)
{
    for (size_t row = 0; row < rows->count; row++)
        next[rank[rows->user[row]] + 1]++;
    for (size_t user = 0; user < users; user++)
        next[user + 1] += next[user];
    for (size_t i = 0; i < rows->count; i++) {
        uint32_t user = rank[rows->user[from->order[i]]];
        size_t place = next[user]++;

        to->order[place] = from->order[i];
        to->product[place] = from->product[i];
        to->user[place] = user;
    }
}

static enum err_code ordered_rows_init(struct ordered_rows *ordered, size_t count, struct err *err)
{
    ordered->order = mem_zeroed(count, sizeof *ordered->order);
    ordered->product = mem_zeroed(count, sizeof *ordered->product);
    ordered->user = mem_zeroed(count, sizeof *ordered->user);
    if (ordered->order == NULL || ordered->product == NULL || ordered->user == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to order %zu rows", count);
    return ERR_OK;
}

static void ordered_rows_fini(struct ordered_rows *ordered)
{
    free(ordered->order);
    free(ordered->product);
    free(ordered->user);
}

static enum err_code order_by_user(struct pairs *out, struct ordered_rows *ordered,
                                   const struct ordered_rows *by_product, const struct interactions *rows,
                                   struct err *err)
{
    uint32_t *rank = mem_zeroed(id_table_count(rows->users), sizeof *rank);
    size_t *next = mem_zeroed(id_table_count(rows->users) + 1, sizeof *next);
    enum err_code rc;

    if (rank == NULL || next == NULL) {
        free(rank);
        free(next);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu users", id_table_count(rows->users));
    }
    rc = rank_users(out, rank, rows, err);
    if (rc == ERR_OK)
        sort_by_user(ordered, by_product, next, rank, out->users, rows);
    free(rank);
    free(next);
    return rc;
}

/* The rows by product; users are not known yet. */
static enum err_code order_by_product(struct pairs *out, struct ordered_rows *by_product,
                                      const struct interactions *rows, struct err *err)
{
    enum err_code rc = radix_rows(&by_product->order, rows->count, err);
    int64_t last = 0;

    by_product->product = mem_zeroed(rows->count, sizeof *by_product->product);
    if (by_product->order == NULL || by_product->product == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to order %zu rows", rows->count);
    if (rc == ERR_OK)
        rc = radix_sort(by_product->order, rows->product_id, rows->count, err);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < rows->count; i++) {
        int64_t id = rows->product_id[by_product->order[i]];

        out->products += i == 0 || id != last;
        by_product->product[i] = (uint32_t)out->products - 1;
        last = id;
    }
    out->product_ids = mem_zeroed(out->products, sizeof *out->product_ids);
    out->product_rows = mem_zeroed(out->products, sizeof *out->product_rows);
    if (out->product_ids == NULL || out->product_rows == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu products", out->products);
    for (size_t i = 0; i < rows->count; i++) {
        if (i == 0 || by_product->product[i] != by_product->product[i - 1])
            out->product_ids[by_product->product[i]] = rows->product_id[by_product->order[i]];
    }
    return ERR_OK;
}

static bool same_pair(const struct ordered_rows *ordered, size_t a, size_t b)
{
    return ordered->user[a] == ordered->user[b] && ordered->product[a] == ordered->product[b];
}

static bool is_later(const struct interactions *rows, uint32_t a, uint32_t b)
{
    return rows->created[a] > rows->created[b] ||
           (rows->created[a] == rows->created[b] && rows->activity_id[a] > rows->activity_id[b]);
}

/* The rows of one pair by time and activity; both ways keep the order of equal ones. */
static enum err_code order_pair(uint32_t *order, size_t count, const struct interactions *rows, struct err *err)
{
    enum err_code rc;

    if (count > INSERTION_ROWS) {
        rc = radix_sort(order, rows->activity_id, count, err);
        return rc == ERR_OK ? radix_sort(order, rows->created, count, err) : rc;
    }
    for (size_t i = 1; i < count; i++) {
        uint32_t row = order[i];
        size_t place = i;

        for (; place > 0 && is_later(rows, order[place - 1], row); place--)
            order[place] = order[place - 1];
        order[place] = row;
    }
    return ERR_OK;
}

/* By product, then by user, and what is left to order is a few rows of a pair. */
static enum err_code order_rows(struct pairs *out, struct ordered_rows *ordered, const struct interactions *rows,
                                struct err *err)
{
    struct ordered_rows by_product = {0};
    enum err_code rc = order_by_product(out, &by_product, rows, err);

    if (rc == ERR_OK)
        rc = ordered_rows_init(ordered, rows->count, err);
    if (rc == ERR_OK)
        rc = order_by_user(out, ordered, &by_product, rows, err);
    ordered_rows_fini(&by_product);
    for (size_t begin = 0, end; rc == ERR_OK && begin < rows->count; begin = end) {
        end = begin + 1;
        while (end < rows->count && same_pair(ordered, end, begin))
            end++;
        rc = order_pair(ordered->order + begin, end - begin, rows, err);
    }
    return rc;
}

/* w(action) * exp(-age in days / decay_days) */
static double row_value(const struct interactions *rows, uint32_t row, const struct weigh_params *params)
{
    double age_days = ((double)params->now_s - (double)rows->created[row]) / day_s;

    return params->weights[rows->action[row]] * exp(-age_days / params->decay_days);
}

/* The value of one pair from its rows, oldest first: (sum of row values) * factor^(n - 1), or the sum of the n-th row's
 * value * factor^(n - 1). */
static double pair_value(const struct interactions *rows, const uint32_t *order, size_t count,
                         const struct weigh_params *params)
{
    double sum = 0;
    double factor = 1;

    for (size_t n = 0; n < count; n++) {
        if (n > 0)
            factor *= params->repeat_factor;
        sum += row_value(rows, order[n], params) * (params->repeat_decay == REPEAT_DECAY_EACH ? factor : 1);
    }
    return params->repeat_decay == REPEAT_DECAY_EACH ? sum : sum * factor;
}

static enum err_code make_pairs(struct pairs *out, const struct ordered_rows *ordered, const struct interactions *rows,
                                const struct weigh_params *params, struct err *err)
{
    size_t count = 0;

    for (size_t i = 0; i < rows->count; i++)
        count += i == 0 || !same_pair(ordered, i, i - 1);
    out->pairs = mem_zeroed(count, sizeof *out->pairs);
    if (out->pairs == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu pairs of user and product", count);
    for (size_t begin = 0, end; begin < rows->count; begin = end) {
        struct pair *pair = &out->pairs[out->count++];

        end = begin + 1;
        while (end < rows->count && same_pair(ordered, end, begin))
            end++;
        pair->user = ordered->user[begin];
        pair->product = ordered->product[begin];
        pair->rows = (uint32_t)(end - begin);
        pair->value = pair_value(rows, ordered->order + begin, end - begin, params);
        out->user_rows[pair->user] += pair->rows;
        out->product_rows[pair->product] += pair->rows;
    }
    return ERR_OK;
}

enum err_code weigh_run(struct pairs *out, const struct interactions *rows, const struct weigh_params *params,
                        struct err *err)
{
    struct ordered_rows ordered = {0};
    enum err_code rc;

    *out = (struct pairs){0};
    rc = order_rows(out, &ordered, rows, err);
    if (rc == ERR_OK)
        rc = make_pairs(out, &ordered, rows, params, err);
    if (rc != ERR_OK)
        pairs_fini(out);
    ordered_rows_fini(&ordered);
    return rc;
}

void pairs_fini(struct pairs *pairs)
{
    free(pairs->pairs);
    free(pairs->user_uids);
    free(pairs->product_ids);
    free(pairs->user_rows);
    free(pairs->product_rows);
    *pairs = (struct pairs){0};
}
