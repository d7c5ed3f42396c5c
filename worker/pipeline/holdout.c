#include "worker/pipeline/holdout.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/matrix_places.h"

enum { DAY_S = 86400, LEAST_DAYS = 7, TRAIN_SHARES = 4 };

/* A pair after the cut, by its place in the matrix. */
struct place {
    int32_t user;
    int32_t product;
};

struct places {
    struct place *places;
    size_t count;
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;

    if (a->user != b->user)
        return a->user < b->user ? -1 : 1;
    return (a->product > b->product) - (a->product < b->product);
}

static enum err_code choose_cut(struct holdout *out, const struct interactions *rows, int test_days, struct err *err)
{
    int64_t oldest = INT64_MAX;
    int64_t newest = INT64_MIN;
    int64_t days;

    for (size_t i = 0; i < rows->count; i++) {
        oldest = rows->created[i] < oldest ? rows->created[i] : oldest;
        newest = rows->created[i] > newest ? rows->created[i] : newest;
    }
    days = rows->count > 0 ? (newest - oldest) / DAY_S : 0;
    if (days < LEAST_DAYS)
        return ERR_SET(err, ERR_NO_DATA, "%lld days of interactions are too few to hold some out", (long long)days);
    out->days = days / TRAIN_SHARES < test_days ? (int)(days / TRAIN_SHARES) : test_days;
    out->cut_s = newest - (int64_t)out->days * DAY_S;
    return ERR_OK;
}

/* The rows before the cut, as columns of their own; the users are those of `rows`. */
static enum err_code copy_rows(struct interactions *part, const struct interactions *rows, int64_t cut_s,
                               struct err *err)
{
    size_t count = 0;

    *part = (struct interactions){.users = rows->users};
    for (size_t i = 0; i < rows->count; i++)
        count += rows->created[i] < cut_s;
    part->activity_id = mem_zeroed(count, sizeof *part->activity_id);
    part->created = mem_zeroed(count, sizeof *part->created);
    part->product_id = mem_zeroed(count, sizeof *part->product_id);
    part->user = mem_zeroed(count, sizeof *part->user);
    part->action = mem_zeroed(count, sizeof *part->action);
    part->capacity = count;
    if (part->activity_id == NULL || part->created == NULL || part->product_id == NULL || part->user == NULL ||
        part->action == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu rows", count);
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->created[i] >= cut_s)
            continue;
        part->activity_id[part->count] = rows->activity_id[i];
        part->created[part->count] = rows->created[i];
        part->product_id[part->count] = rows->product_id[i];
        part->user[part->count] = rows->user[i];
        part->action[part->count++] = rows->action[i];
    }
    return ERR_OK;
}

static enum err_code make_train(struct holdout *out, const struct interactions *rows,
                                const struct holdout_params *params, struct err *err)
{
    struct weigh_params weigh = params->weigh;
    struct interactions part;
    struct pairs pairs = {0};
    enum err_code rc = copy_rows(&part, rows, out->cut_s, err);

    weigh.now_s = out->cut_s;
    if (rc == ERR_OK)
        rc = weigh_run(&pairs, &part, &weigh, err);
    if (rc == ERR_OK)
        rc = matrix_build(&out->train, &pairs, &params->matrix, err);
    pairs_fini(&pairs);
    interactions_drop_rows(&part);
    return rc;
}

static void collect_places(struct places *out, const struct holdout *holdout, const struct interactions *rows,
                           const int32_t *user_places)
{
    const struct matrix *train = &holdout->train;

    for (size_t i = 0; i < rows->count; i++) {
        int32_t user = user_places[rows->user[i]];
        int32_t product;

        if (rows->created[i] < holdout->cut_s || user < 0)
            continue;
        product = matrix_place_of_product(train, rows->product_id[i]);
        if (product >= 0 && !csr_has(&train->values, (size_t)user, product))
            out->places[out->count++] = (struct place){user, product};
    }
}

/* The pairs after the cut that training has not, each once, by user and product. */
static enum err_code find_places(struct places *out, const struct holdout *holdout, const struct interactions *rows,
                                 struct err *err)
{
    int32_t *user_places = NULL;
    size_t unique = 0;
    enum err_code rc = matrix_places_of_users(&user_places, &holdout->train, rows->users, err);

    if (rc != ERR_OK)
        return rc;
    out->places = mem_zeroed(rows->count, sizeof *out->places);
    if (out->places == NULL) {
        free(user_places);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu pairs", rows->count);
    }
    collect_places(out, holdout, rows, user_places);
    free(user_places);
    qsort(out->places, out->count, sizeof *out->places, compare_places);
    for (size_t i = 0; i < out->count; i++) {
        if (i == 0 || compare_places(&out->places[i - 1], &out->places[i]) != 0)
            out->places[unique++] = out->places[i];
    }
    out->count = unique;
    return ERR_OK;
}

/* Keeps the pairs of about every n-th user, so that at most `most` are left; how many users there are then. */
static size_t sample_users(struct places *places, size_t most)
{
    size_t users = 0;
    size_t every;
    size_t turn = 0;
    size_t kept = 0;
    size_t kept_users = 0;

    for (size_t i = 0; i < places->count; i++)
        users += i == 0 || places->places[i].user != places->places[i - 1].user;
    every = most > 0 && users > most ? (users + most - 1) / most : 1;
    for (size_t i = 0; i < places->count; i++) {
        bool next = i == 0 || places->places[i].user != places->places[i - 1].user;
        struct place place = places->places[i];

        turn += next;
        if ((turn - 1) % every != 0)
            continue;
        kept_users += next;
        places->places[kept++] = place;
    }
    places->count = kept;
    return kept_users;
}

static enum err_code fill_test(struct holdout *out, const struct places *places, struct err *err)
{
    enum err_code rc = csr_init(&out->test, out->users, out->train.products, places->count, err);
    size_t row = 0;

    if (rc != ERR_OK)
        return rc;
    out->user = mem_zeroed(out->users, sizeof *out->user);
    if (out->user == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu users", out->users);
    for (size_t i = 0; i < places->count; i++) {
        if (i > 0 && places->places[i].user != places->places[i - 1].user)
            row++;
        out->user[row] = places->places[i].user;
        out->test.columns[i] = places->places[i].product;
        out->test.values[i] = 1;
        out->test.offsets[row + 1] = (int64_t)i + 1;
    }
    return ERR_OK;
}

enum err_code holdout_make(struct holdout *out, const struct interactions *rows, const struct holdout_params *params,
                           struct err *err)
{
    struct places places = {0};
    enum err_code rc;

    memset(out, 0, sizeof *out);
    rc = choose_cut(out, rows, params->test_days, err);
    if (rc == ERR_OK)
        rc = make_train(out, rows, params, err);
    if (rc == ERR_OK)
        rc = find_places(&places, out, rows, err);
    if (rc == ERR_OK && places.count == 0)
        rc = ERR_SET(err, ERR_NO_DATA, "no user of before has met a product that is new to it in the last %d days",
                     out->days);
    if (rc == ERR_OK) {
        out->users = sample_users(&places, params->most_users);
        rc = fill_test(out, &places, err);
    }
    free(places.places);
    if (rc != ERR_OK)
        holdout_fini(out);
    return rc;
}

void holdout_fini(struct holdout *holdout)
{
    matrix_fini(&holdout->train);
    csr_fini(&holdout->test);
    free(holdout->user);
    memset(holdout, 0, sizeof *holdout);
}
