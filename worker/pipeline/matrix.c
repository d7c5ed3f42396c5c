#include "worker/pipeline/matrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { DROPPED = -1 };

/* Where the users and products of `pairs` go in the matrix: a row, a column, or DROPPED. */
struct places {
    int32_t *users;
    int32_t *products;
};

static bool stays(const struct pair *pair, const struct pairs *pairs, const struct matrix_params *params)
{
    return (int64_t)pairs->user_rows[pair->user] >= params->min_user_rows &&
           (int64_t)pairs->product_rows[pair->product] >= params->min_product_rows;
}

static size_t count_at_least(const uint32_t *rows, size_t count, int64_t least)
{
    size_t over = 0;

    for (size_t i = 0; i < count; i++)
        over += (int64_t)rows[i] >= least;
    return over;
}

/* Numbers the marked ones in their order; the rest is dropped. */
static size_t number_marked(int32_t *places, size_t count)
{
    int32_t next = 0;

    for (size_t i = 0; i < count; i++)
        places[i] = places[i] != 0 ? next++ : DROPPED;
    return (size_t)next;
}

static enum err_code find_places(const struct places *places, struct matrix *out, const struct pairs *pairs,
                                 const struct matrix_params *params, struct err *err)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (!stays(&pairs->pairs[i], pairs, params))
            continue;
        places->users[pairs->pairs[i].user] = 1;
        places->products[pairs->pairs[i].product] = 1;
        out->pairs++;
    }
    out->users = number_marked(places->users, pairs->users);
    out->products = number_marked(places->products, pairs->products);
    out->users_over_threshold = count_at_least(pairs->user_rows, pairs->users, params->min_user_rows);
    out->products_over_threshold = count_at_least(pairs->product_rows, pairs->products, params->min_product_rows);
    if (out->pairs == 0)
        return ERR_SET(err, ERR_NO_DATA,
                       "Nothing over the thresholds: of %zu users %zu have at least %d interactions, of %zu products "
                       "%zu have at least %d, and of %zu pairs none has both.",
                       pairs->users, out->users_over_threshold, params->min_user_rows, pairs->products,
                       out->products_over_threshold, params->min_product_rows, pairs->count);
    return ERR_OK;
}

static enum err_code copy_ids(struct matrix *out, const struct places *places, const struct pairs *pairs,
                              struct err *err)
{
    out->user_uids = mem_zeroed(out->users, sizeof *out->user_uids);
    out->product_ids = mem_zeroed(out->products, sizeof *out->product_ids);
    if (out->user_uids == NULL || out->product_ids == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the ids of %zu users and %zu products", out->users,
                       out->products);
    for (size_t user = 0; user < pairs->users; user++) {
        if (places->users[user] == DROPPED)
            continue;
        out->user_uids[places->users[user]] = strdup(pairs->user_uids[user]);
        if (out->user_uids[places->users[user]] == NULL)
            return ERR_SET(err, ERR_NO_MEMORY, "no memory for the ids of %zu users", out->users);
    }
    for (size_t product = 0; product < pairs->products; product++) {
        if (places->products[product] != DROPPED)
            out->product_ids[places->products[product]] = pairs->product_ids[product];
    }
    return ERR_OK;
}

/* Users and products keep their order, so the rows come out sorted. */
static enum err_code fill_values(struct matrix *out, const struct places *places, const struct pairs *pairs,
                                 struct err *err)
{
    enum err_code rc = csr_init(&out->values, out->users, out->products, out->pairs, err);
    size_t next = 0;

    if (rc != ERR_OK)
        return rc;
    out->raw = mem_zeroed(out->pairs, sizeof *out->raw);
    out->bm25 = mem_zeroed(out->pairs, sizeof *out->bm25);
    if (out->raw == NULL || out->bm25 == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu values", out->pairs);
    for (size_t i = 0; i < pairs->count; i++) {
        int32_t user = places->users[pairs->pairs[i].user];
        int32_t product = places->products[pairs->pairs[i].product];

        if (user == DROPPED || product == DROPPED)
            continue;
        out->values.columns[next] = product;
        out->raw[next] = pairs->pairs[i].value;
        next++;
        out->values.offsets[user + 1] = (int64_t)next;
    }
    return ERR_OK;
}

/*
 * Okapi BM25 with users as the terms of the documents "product" (golden step 9): N products, d(u) products of a user,
 * L(p) the sum of a product's values, avg their mean;
 * idf(u) = max(0, ln((N - d + .5) / (d + .5))), bm25 = value (K1 + 1) / (K1 (1 - B + B L / avg) + value) idf.
 */
enum err_code matrix_apply_bm25(struct matrix *out, const struct matrix_params *params, struct err *err)
{
    double *lengths = mem_zeroed(out->products, sizeof *lengths);
    double total = 0;
    double count = (double)out->products;

    if (lengths == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu products", out->products);
    for (size_t i = 0; i < out->pairs; i++)
        lengths[out->values.columns[i]] += out->raw[i];
    for (size_t product = 0; product < out->products; product++)
        total += lengths[product];
    for (size_t user = 0; user < out->users; user++) {
        size_t begin = (size_t)out->values.offsets[user];
        size_t end = (size_t)out->values.offsets[user + 1];
        double idf = fmax(0, log((count - (double)(end - begin) + 0.5) / ((double)(end - begin) + 0.5)));

        for (size_t i = begin; i < end; i++) {
            double length = total > 0 ? lengths[out->values.columns[i]] / (total / count) : 1;
            double below = params->bm25_k1 * (1 - params->bm25_b + params->bm25_b * length) + out->raw[i];

            out->bm25[i] = below > 0 ? out->raw[i] * (params->bm25_k1 + 1) / below * idf : 0;
            out->values.values[i] = (float)out->bm25[i];
        }
    }
    free(lengths);
    return ERR_OK;
}

enum err_code matrix_build(struct matrix *out, const struct pairs *pairs, const struct matrix_params *params,
                           struct err *err)
{
    struct places places = {.users = mem_zeroed(pairs->users, sizeof *places.users),
                            .products = mem_zeroed(pairs->products, sizeof *places.products)};
    enum err_code rc;

    *out = (struct matrix){0};
    if (places.users == NULL || places.products == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu users and %zu products", pairs->users, pairs->products);
        goto done;
    }
    if (pairs->users > INT32_MAX || pairs->products > INT32_MAX) {
        rc = ERR_SET(err, ERR_TOO_LARGE, "%zu users x %zu products are more than a matrix holds", pairs->users,
                     pairs->products);
        goto done;
    }
    rc = find_places(&places, out, pairs, params, err);
    if (rc == ERR_OK)
        rc = copy_ids(out, &places, pairs, err);
    if (rc == ERR_OK)
        rc = fill_values(out, &places, pairs, err);
    if (rc == ERR_OK)
        rc = matrix_apply_bm25(out, params, err);
done:
    if (rc != ERR_OK)
        matrix_fini(out);
    free(places.users);
    free(places.products);
    return rc;
}

void matrix_fini(struct matrix *matrix)
{
    for (size_t user = 0; matrix->user_uids != NULL && user < matrix->users; user++)
        free(matrix->user_uids[user]);
    free(matrix->user_uids);
    free(matrix->product_ids);
    free(matrix->raw);
    free(matrix->bm25);
    csr_fini(&matrix->values);
    *matrix = (struct matrix){0};
}

bool matrix_has_values(const struct matrix *matrix)
{
    for (size_t i = 0; i < matrix->pairs; i++) {
        if (matrix->bm25[i] > 0)
            return true;
    }
    return false;
}
