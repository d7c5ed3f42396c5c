/*
 * Weights between products: for each two rows of one user in one session, the later (or as late) one's action counts
 * for the pair (golden README, step 11). Product by product, so that memory is linear in rows and products.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/pipeline/analytics_figures.h"
#include "worker/pipeline/radix.h"

enum { PRODUCTS_PER_PROGRESS = 256 };

const double analytics_pairs_edges[ANALYTICS_WEIGHT_BINS] = {0, .1, .5, 1, 2, 5, 100};

static const double day_s = 86400;

/* The rows that count, by user, then time, and where each product stands among them. */
struct sessions {
    size_t count;
    uint32_t *order;
    size_t *begins;   /* [products + 1] into places */
    uint32_t *places; /* [count]: indices into order, by product */
    double *weights;  /* [products]: of the product at hand to each other */
    uint32_t *met;    /* those that are not 0 */
};

static void sessions_fini(struct sessions *sessions)
{
    free(sessions->order);
    free(sessions->begins);
    free(sessions->places);
    free(sessions->weights);
    free(sessions->met);
}

static bool counts(const struct analytics_figures *figures, size_t row)
{
    const struct analytics_params *params = figures->params;

    return figures->users[figures->rows->user[row]].rows >= (size_t)params->min_user_rows &&
           figures->products[figures->product_of[row]].rows >= (size_t)params->min_product_rows;
}

static enum err_code order_rows(struct sessions *sessions, const struct analytics_figures *figures, struct err *err)
{
    const struct interactions *rows = figures->rows;
    int64_t *keys = mem_zeroed(rows->count, sizeof *keys);
    enum err_code rc;

    if (keys == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the analytics of %zu rows", rows->count);
    rc = radix_rows(&sessions->order, rows->count, err);
    for (size_t row = 0; rc == ERR_OK && row < rows->count; row++) {
        keys[row] = rows->user[row];
        if (counts(figures, row))
            sessions->order[sessions->count++] = (uint32_t)row;
    }
    if (rc == ERR_OK)
        rc = radix_sort(sessions->order, rows->created, sessions->count, err);
    if (rc == ERR_OK)
        rc = radix_sort(sessions->order, keys, sessions->count, err);
    free(keys);
    return rc;
}

static enum err_code place_products(struct sessions *sessions, const struct analytics_figures *figures, struct err *err)
{
    size_t products = figures->product_count;

    sessions->begins = mem_zeroed(products + 2, sizeof *sessions->begins);
    sessions->places = mem_zeroed(sessions->count, sizeof *sessions->places);
    sessions->weights = mem_zeroed(products, sizeof *sessions->weights);
    sessions->met = mem_zeroed(products, sizeof *sessions->met);
    if (sessions->begins == NULL || sessions->places == NULL || sessions->weights == NULL || sessions->met == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the weights between %zu products", products);
    for (size_t i = 0; i < sessions->count; i++)
        sessions->begins[figures->product_of[sessions->order[i]] + 2]++;
    for (size_t product = 2; product < products + 2; product++)
        sessions->begins[product] += sessions->begins[product - 1];
    for (size_t i = 0; i < sessions->count; i++)
        sessions->places[sessions->begins[figures->product_of[sessions->order[i]] + 1]++] = (uint32_t)i;
    return ERR_OK;
}

/* All that follows the row at `place` within its session, or happened with it. */
static size_t add_followers(struct sessions *sessions, const struct analytics_figures *figures, size_t place,
                            size_t met)
{
    const struct interactions *rows = figures->rows;
    const struct analytics_params *params = figures->params;
    size_t left;
    int64_t from_s;

    assert(sessions->order != NULL && place < sessions->count);
    left = sessions->order[place];
    from_s = rows->created[left];
    while (place > 0 && rows->user[sessions->order[place - 1]] == rows->user[left] &&
           rows->created[sessions->order[place - 1]] == from_s)
        place--;
    for (; place < sessions->count; place++) {
        size_t right = sessions->order[place];
        uint32_t product = figures->product_of[right];
        double gap_s = (double)(rows->created[right] - from_s);
        double scale = gap_s / day_s / params->decay_days;

        if (rows->user[right] != rows->user[left] || gap_s >= params->session_s)
            break;
        if (product == figures->product_of[left] || params->weights[rows->action[right]] <= 0)
            continue;
        if (sessions->weights[product] == 0)
            sessions->met[met++] = product;
        sessions->weights[product] += params->weights[rows->action[right]] * exp(-scale * scale);
    }
    return met;
}

static size_t bin_of(double weight)
{
    size_t bin = ANALYTICS_WEIGHT_BINS - 1;

    while (bin > 0 && weight < analytics_pairs_edges[bin])
        bin--;
    return bin;
}

static void count_product(struct analytics_figures *figures, struct sessions *sessions, size_t product)
{
    size_t met = 0;

    for (size_t i = sessions->begins[product]; i < sessions->begins[product + 1]; i++)
        met = add_followers(sessions, figures, sessions->places[i], met);
    figures->products[product].recommendations = met;
    figures->weight_pairs += met;
    for (size_t i = 0; i < met; i++) {
        uint32_t other = sessions->met[i];

        figures->products[other].recommended++;
        figures->weight_bins[bin_of(sessions->weights[other])]++;
        sessions->weights[other] = 0;
    }
}

enum err_code analytics_pairs_count(struct analytics_figures *figures, const struct progress *progress, struct err *err)
{
    struct sessions sessions = {0};
    enum err_code rc = order_rows(&sessions, figures, err);

    if (rc == ERR_OK)
        rc = place_products(&sessions, figures, err);
    for (size_t product = 0; rc == ERR_OK && product < figures->product_count; product++) {
        count_product(figures, &sessions, product);
        if (product % PRODUCTS_PER_PROGRESS == 0 &&
            !progress_report(progress, "analytics", (double)product / (double)figures->product_count, NULL))
            rc = ERR_SET(err, ERR_CANCELLED, "cancelled in the analytics");
    }
    sessions_fini(&sessions);
    return rc;
}
