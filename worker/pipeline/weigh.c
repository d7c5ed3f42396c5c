#include "worker/pipeline/weigh.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/pipeline/id_order.h"
#include "worker/pipeline/product_index.h"
#include "worker/pipeline/row_groups.h"

static const double day_s = 86400.0;

struct weigher {
    const struct interactions *rows;
    const struct weigh_params *params;
    struct product_index products;
    struct row_groups users; /* in the order of pairs.user_uids */
    double *values;          /* of the rows, before repeats */
};

/* The users that have rows, bytewise; places[user] is that in the order. */
static enum err_code order_users(struct pairs *out, uint32_t *places, const struct interactions *rows, struct err *err)
{
    size_t known = id_table_count(rows->users);
    uint32_t *by_text;
    enum err_code rc;

    for (size_t row = 0; row < rows->count; row++)
        places[rows->user[row]] = 1;
    for (size_t user = 0; user < known; user++)
        out->users += places[user];
    by_text = mem_zeroed(out->users, sizeof *by_text);
    out->user_uids = mem_zeroed(out->users, sizeof *out->user_uids);
    out->user_rows = mem_zeroed(out->users, sizeof *out->user_rows);
    if (by_text == NULL || out->user_uids == NULL || out->user_rows == NULL) {
        free(by_text);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu users", out->users);
    }
    for (size_t user = 0, next = 0; user < known; user++) {
        if (places[user] != 0)
            by_text[next++] = (uint32_t)user;
    }
    rc = id_order_sort(by_text, out->users, rows->users, err);
    for (size_t place = 0; rc == ERR_OK && place < out->users; place++) {
        out->user_uids[place] = id_table_text(rows->users, by_text[place]);
        places[by_text[place]] = (uint32_t)place;
    }
    free(by_text);
    return rc;
}

static enum err_code group_by_user(struct pairs *out, struct weigher *weigher, struct err *err)
{
    const struct interactions *rows = weigher->rows;
    uint32_t *places = mem_zeroed(id_table_count(rows->users), sizeof *places);
    enum err_code rc;

    if (places == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu users", id_table_count(rows->users));
    rc = order_users(out, places, rows, err);
    if (rc == ERR_OK)
        rc = row_groups_by_user(&weigher->users, rows, places, out->users, err);
    free(places);
    return rc;
}

/* w(action) * exp(-age in days / decay_days) */
static double row_value(const struct interactions *rows, size_t row, const struct weigh_params *params)
{
    double age_days = ((double)params->now_s - (double)rows->created[row]) / day_s;

    return params->weights[rows->action[row]] * exp(-age_days / params->decay_days);
}

/* The value of one pair from its rows, oldest first: (sum of row values) * factor^(n - 1), or the sum of the n-th row's
 * value * factor^(n - 1). */
static double pair_value(const struct weigher *weigher, const uint32_t *order, size_t count)
{
    bool each = weigher->params->repeat_decay == REPEAT_DECAY_EACH;
    double sum = 0;
    double factor = 1;

    for (size_t n = 0; n < count; n++) {
        if (n > 0)
            factor *= weigher->params->repeat_factor;
        sum += weigher->values[order[n]] * (each ? factor : 1);
    }
    return each ? sum : sum * factor;
}

/* Adds the pairs of one user, whose rows are ordered. */
static void add_pairs(struct pairs *out, const struct weigher *weigher, uint32_t user, const uint32_t *order,
                      size_t count)
{
    const uint32_t *products = weigher->products.of_row;

    for (size_t begin = 0, end; begin < count; begin = end) {
        uint32_t product = products[order[begin]];

        end = begin + 1;
        while (end < count && products[order[end]] == product)
            end++;
        out->pairs[out->count++] =
            (struct pair){.user = user, .product = product, .value = pair_value(weigher, order + begin, end - begin)};
        out->product_rows[product] += (uint32_t)(end - begin);
        out->most_rows = end - begin > out->most_rows ? end - begin : out->most_rows;
    }
    out->user_rows[user] = (uint32_t)count;
}

static enum err_code allocate(struct pairs *out, struct weigher *weigher, struct err *err)
{
    size_t count = weigher->rows->count;

    weigher->values = mem_zeroed(count, sizeof *weigher->values);
    out->pairs = mem_zeroed(count, sizeof *out->pairs); /* at most: what has no pair is never touched */
    out->product_rows = mem_zeroed(weigher->products.count, sizeof *out->product_rows);
    if (weigher->values == NULL || out->pairs == NULL || out->product_rows == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the pairs of user and product in %zu rows", count);
    return ERR_OK;
}

/* The rows of a user lie far apart in memory: those of users to come are asked for early. */
static void fetch_ahead(const struct weigher *weigher, size_t user)
{
    const struct row_groups *users = &weigher->users;
    size_t end = row_groups_ahead(users, user + 1);

    for (size_t i = row_groups_ahead(users, user); i < end; i++) {
        __builtin_prefetch(&weigher->products.of_row[users->rows[i]]);
        __builtin_prefetch(&weigher->values[users->rows[i]]);
    }
}

static void make_pairs(struct pairs *out, struct weigher *weigher)
{
    struct row_groups *users = &weigher->users;

    for (size_t row = 0; row < weigher->rows->count; row++)
        weigher->values[row] = row_value(weigher->rows, row, weigher->params);
    for (size_t user = 0; user < users->count; user++) {
        fetch_ahead(weigher, user);
        row_groups_order(users, user, weigher->rows, weigher->products.of_row);
        add_pairs(out, weigher, (uint32_t)user, users->rows + users->starts[user],
                  users->starts[user + 1] - users->starts[user]);
    }
}

enum err_code weigh_run(struct pairs *out, const struct interactions *rows, const struct weigh_params *params,
                        struct err *err)
{
    struct weigher weigher = {.rows = rows, .params = params};
    enum err_code rc;

    *out = (struct pairs){0};
    rc = product_index_init(&weigher.products, rows, err);
    if (rc == ERR_OK)
        rc = group_by_user(out, &weigher, err);
    if (rc == ERR_OK)
        rc = allocate(out, &weigher, err);
    if (rc == ERR_OK) {
        make_pairs(out, &weigher);
        out->products = weigher.products.count;
        out->product_ids = weigher.products.ids;
        weigher.products.ids = NULL; /* given to the pairs */
    } else {
        pairs_fini(out);
    }
    product_index_fini(&weigher.products);
    row_groups_fini(&weigher.users);
    free(weigher.values);
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
