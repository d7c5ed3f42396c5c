#include "worker/pipeline/weigh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/radix.h"

static const double day_s = 86400.0;

/* Rows by user (uid bytewise), product, time and activity, with both as the indices of `pairs`. */
struct ordered_rows {
    uint32_t *order;
    uint32_t *product; /* of each row: index in pairs.product_ids */
    int64_t *user;     /* of each row: index in pairs.user_uids */
};

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The users that have rows, bytewise; rank[index in the table] is their place. */
static enum err_code rank_users(struct pairs *out, uint32_t *rank, const struct interactions *rows, struct err *err)
{
    size_t known = id_table_count(rows->users);
    uint32_t found;

    for (size_t row = 0; row < rows->count; row++) {
        out->users += rank[rows->user[row]] == 0;
        rank[rows->user[row]] = 1;
    }
    out->user_uids = mem_zeroed(out->users, sizeof *out->user_uids);
    out->user_rows = mem_zeroed(out->users, sizeof *out->user_rows);
    if (out->user_uids == NULL || out->user_rows == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu users", out->users);
    for (size_t user = 0, next = 0; user < known; user++) {
        if (rank[user] != 0)
            out->user_uids[next++] = id_table_text(rows->users, (uint32_t)user);
    }
    qsort(out->user_uids, out->users, sizeof *out->user_uids, compare_texts);
    for (size_t place = 0; place < out->users; place++) {
        if (id_table_find(rows->users, out->user_uids[place], strlen(out->user_uids[place]), &found))
            rank[found] = (uint32_t)place;
    }
    return ERR_OK;
}

static enum err_code order_by_user(struct pairs *out, struct ordered_rows *ordered, const struct interactions *rows,
                                   struct err *err)
{
    uint32_t *rank = mem_zeroed(id_table_count(rows->users), sizeof *rank);
    enum err_code rc;

    if (rank == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu users", id_table_count(rows->users));
    rc = rank_users(out, rank, rows, err);
    for (size_t row = 0; rc == ERR_OK && row < rows->count; row++)
        ordered->user[row] = rank[rows->user[row]];
    free(rank);
    return rc == ERR_OK ? radix_sort(ordered->order, ordered->user, rows->count, err) : rc;
}

static enum err_code number_products(struct pairs *out, struct ordered_rows *ordered, const struct interactions *rows,
                                     struct err *err)
{
    size_t next = 0;

    for (size_t i = 0; i < rows->count; i++)
        out->products += i == 0 || rows->product_id[ordered->order[i]] != rows->product_id[ordered->order[i - 1]];
    out->product_ids = mem_zeroed(out->products, sizeof *out->product_ids);
    out->product_rows = mem_zeroed(out->products, sizeof *out->product_rows);
    if (out->product_ids == NULL || out->product_rows == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu products", out->products);
    for (size_t i = 0; i < rows->count; i++) {
        uint32_t row = ordered->order[i];

        if (next == 0 || rows->product_id[row] != out->product_ids[next - 1])
            out->product_ids[next++] = rows->product_id[row];
        ordered->product[row] = (uint32_t)next - 1;
    }
    return ERR_OK;
}

static enum err_code order_rows(struct pairs *out, struct ordered_rows *ordered, const struct interactions *rows,
                                struct err *err)
{
    enum err_code rc = radix_rows(&ordered->order, rows->count, err);

    ordered->product = mem_zeroed(rows->count, sizeof *ordered->product);
    ordered->user = mem_zeroed(rows->count, sizeof *ordered->user);
    if (rc != ERR_OK || ordered->product == NULL || ordered->user == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to order %zu rows", rows->count);
    rc = radix_sort(ordered->order, rows->activity_id, rows->count, err);
    if (rc == ERR_OK)
        rc = radix_sort(ordered->order, rows->created, rows->count, err);
    if (rc == ERR_OK)
        rc = radix_sort(ordered->order, rows->product_id, rows->count, err);
    if (rc == ERR_OK)
        rc = number_products(out, ordered, rows, err);
    return rc == ERR_OK ? order_by_user(out, ordered, rows, err) : rc;
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

static bool same_pair(const struct ordered_rows *ordered, size_t a, size_t b)
{
    return ordered->user[ordered->order[a]] == ordered->user[ordered->order[b]] &&
           ordered->product[ordered->order[a]] == ordered->product[ordered->order[b]];
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
        pair->user = (uint32_t)ordered->user[ordered->order[begin]];
        pair->product = ordered->product[ordered->order[begin]];
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
    free(ordered.order);
    free(ordered.product);
    free(ordered.user);
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
