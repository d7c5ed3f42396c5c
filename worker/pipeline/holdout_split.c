#include "worker/pipeline/holdout_split.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/pcg64.h"
#include "worker/pipeline/matrix_places.h"

static enum err_code allocate(struct holdout *out, const struct matrix *matrix, size_t training, struct err *err)
{
    struct matrix *train = &out->train;
    enum err_code rc;

    *train = (struct matrix){.users = matrix->users,
                             .products = matrix->products,
                             .users_over_threshold = matrix->users_over_threshold,
                             .products_over_threshold = matrix->products_over_threshold,
                             .pairs = training};
    rc = csr_init(&train->values, matrix->users, matrix->products, training, err);
    if (rc == ERR_OK)
        rc = csr_init(&out->test, matrix->users, matrix->products, matrix->pairs - training, err);
    if (rc != ERR_OK)
        return rc;
    train->raw = mem_zeroed(training, sizeof *train->raw);
    train->bm25 = mem_zeroed(training, sizeof *train->bm25);
    out->user = mem_zeroed(matrix->users, sizeof *out->user);
    if (train->raw == NULL || train->bm25 == NULL || out->user == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to split %zu values", matrix->pairs);
    return ERR_OK;
}

static void take_entries(struct holdout *out, const struct matrix *matrix, const uint8_t *held_out)
{
    struct matrix *train = &out->train;
    int64_t trained = 0;
    int64_t tested = 0;

    for (size_t user = 0; user < matrix->users; user++) {
        out->user[user] = (int32_t)user;
        for (int64_t k = matrix->values.offsets[user]; k < matrix->values.offsets[user + 1]; k++) {
            if (held_out[k] != 0) {
                out->test.columns[tested] = matrix->values.columns[k];
                out->test.values[tested++] = 1;
                continue;
            }
            train->values.columns[trained] = matrix->values.columns[k];
            train->values.values[trained] = matrix->values.values[k];
            train->raw[trained] = matrix->raw[k];
            train->bm25[trained++] = matrix->bm25[k];
        }
        train->values.offsets[user + 1] = trained;
        out->test.offsets[user + 1] = tested;
    }
    out->users = matrix->users;
}

/* held_out[k]: of the matrix's entry k. */
static enum err_code split(struct holdout *out, const struct matrix *matrix, const uint8_t *held_out,
                           const struct holdout_split_params *params, struct err *err)
{
    size_t tested = 0;
    enum err_code rc;

    memset(out, 0, sizeof *out);
    for (size_t k = 0; k < matrix->pairs; k++)
        tested += held_out[k] != 0;
    if (tested == 0 || tested == matrix->pairs)
        return ERR_SET(err, ERR_NO_DATA, "of %zu values %zu would be held out: there is nothing to %s", matrix->pairs,
                       tested, tested == 0 ? "foretell" : "train on");
    rc = allocate(out, matrix, matrix->pairs - tested, err);
    if (rc == ERR_OK)
        take_entries(out, matrix, held_out);
    if (rc == ERR_OK && !params->bm25_before)
        rc = matrix_apply_bm25(&out->train, &params->matrix, err);
    if (rc != ERR_OK)
        holdout_fini(out);
    return rc;
}

enum err_code holdout_random(struct holdout *out, const struct matrix *matrix,
                             const struct holdout_split_params *params, struct err *err)
{
    struct pcg64 generator;
    uint8_t *held_out = mem_zeroed(matrix->pairs, 1);
    enum err_code rc;

    memset(out, 0, sizeof *out);
    if (held_out == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to split %zu values", matrix->pairs);
    pcg64_seed(&generator, params->seed);
    for (size_t k = 0; k < matrix->pairs; k++)
        held_out[k] = !(pcg64_next_double(&generator) < params->train_fraction);
    rc = split(out, matrix, held_out, params, err);
    free(held_out);
    return rc;
}

/* The entry of a row's user and product; -1: the thresholds took it. */
static int64_t find_entry(const struct matrix *matrix, int32_t user, int32_t product)
{
    int64_t low;
    int64_t high;

    if (user < 0 || product < 0)
        return -1;
    low = matrix->values.offsets[user];
    high = matrix->values.offsets[user + 1];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;

        if (matrix->values.columns[middle] < product)
            low = middle + 1;
        else
            high = middle;
    }
    return low < matrix->values.offsets[user + 1] && matrix->values.columns[low] == product ? low : -1;
}

/* newest[k]: of the rows of entry k */
static enum err_code find_newest(int64_t *newest, const struct matrix *matrix, const struct interactions *rows,
                                 struct err *err)
{
    int32_t *users = NULL;
    enum err_code rc = matrix_places_of_users(&users, matrix, rows->users, err);

    for (size_t k = 0; k < matrix->pairs; k++)
        newest[k] = -1;
    for (size_t i = 0; rc == ERR_OK && i < rows->count; i++) {
        int64_t entry = find_entry(matrix, users[rows->user[i]], matrix_place_of_product(matrix, rows->product_id[i]));

        if (entry >= 0 && rows->created[i] > newest[entry])
            newest[entry] = rows->created[i];
    }
    free(users);
    return rc;
}

static void mark_last(uint8_t *held_out, const struct matrix *matrix, const int64_t *newest)
{
    for (size_t user = 0; user < matrix->users; user++) {
        int64_t first = matrix->values.offsets[user];
        int64_t end = matrix->values.offsets[user + 1];
        int64_t last = first;

        for (int64_t k = first + 1; k < end; k++) {
            if (newest[k] > newest[last])
                last = k;
        }
        if (end - first > 1)
            held_out[last] = 1;
    }
}

enum err_code holdout_last_out(struct holdout *out, const struct matrix *matrix, const struct interactions *rows,
                               const struct holdout_split_params *params, struct err *err)
{
    uint8_t *held_out = mem_zeroed(matrix->pairs, 1);
    int64_t *newest = mem_zeroed(matrix->pairs, sizeof *newest);
    enum err_code rc;

    memset(out, 0, sizeof *out);
    if (held_out == NULL || newest == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to split %zu values", matrix->pairs);
        goto done;
    }
    rc = find_newest(newest, matrix, rows, err);
    if (rc != ERR_OK)
        goto done;
    mark_last(held_out, matrix, newest);
    rc = split(out, matrix, held_out, params, err);
done:
    free(held_out);
    free(newest);
    return rc;
}
