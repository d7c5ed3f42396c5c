#include "worker/pipeline/cross_sell.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/product_index.h"
#include "worker/pipeline/radix.h"

enum {
    HOUR_S = 3600,
    DAY_S = 86400,
    DECAY_TABLE_S = 7 * DAY_S, /* of longer sessions each exp is computed */
    SPARSE = 16                /* a row with fewer than a 16th of all products is sorted rather than scanned for */
};

/* The rows over both thresholds, by user, then time, and their windows. */
struct timeline {
    size_t count;
    int64_t *created;
    uint32_t *product;
    uint8_t *action;
    uint32_t *window_begin; /* the first row of the same user and time */
    uint32_t *window_end;   /* behind the last row of the session */
    /* the same rows by product: those of p are places[starts[p] .. starts[p + 1]) */
    uint32_t *places;
    size_t *starts;
};

/* Distinct products, ascending, and how many rows each user and product has. */
struct census {
    struct product_index products;
    uint32_t *product_rows;
    uint32_t *user_rows;
};

/* One left product at a time. */
struct sums {
    double *weights;   /* by product; 0 where `marked` is */
    uint8_t *marked;   /* touched by the present left product */
    uint32_t *touched; /* [count] */
    size_t count;
    uint8_t *is_right; /* touched by any */
    double *decay;     /* by second; NULL: the session is too long for a table */
    double decay_s;
    double action_weights[ACTION_COUNT];
};

static void census_fini(struct census *census)
{
    product_index_fini(&census->products);
    free(census->product_rows);
    free(census->user_rows);
}

static enum err_code take_census(struct census *census, const struct interactions *rows, struct err *err)
{
    size_t users = id_table_count(rows->users);
    enum err_code rc = product_index_init(&census->products, rows, err);

    if (rc != ERR_OK)
        return rc;
    census->product_rows = mem_zeroed(census->products.count, sizeof *census->product_rows);
    census->user_rows = mem_zeroed(users, sizeof *census->user_rows);
    if (census->product_rows == NULL || census->user_rows == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to count the products of %zu rows", rows->count);
    for (size_t row = 0; row < rows->count; row++) {
        census->product_rows[census->products.of_row[row]]++;
        census->user_rows[rows->user[row]]++;
    }
    return ERR_OK;
}

static void count_census(struct cross_sell_counts *counts, const struct census *census, size_t users,
                         const struct cross_sell_params *params)
{
    for (size_t user = 0; user < users; user++) {
        counts->users_seen += census->user_rows[user] > 0;
        counts->users_over_threshold +=
            census->user_rows[user] > 0 && census->user_rows[user] >= (uint32_t)params->min_user_rows;
    }
    counts->products_seen = census->products.count;
    for (size_t product = 0; product < census->products.count; product++)
        counts->products_over_threshold += census->product_rows[product] >= (uint32_t)params->min_product_rows;
}

static void timeline_fini(struct timeline *line)
{
    free(line->created);
    free(line->product);
    free(line->action);
    free(line->window_begin);
    free(line->window_end);
    free(line->places);
    free(line->starts);
}

static enum err_code allocate_timeline(struct timeline *line, size_t products, struct err *err)
{
    line->created = mem_zeroed(line->count, sizeof *line->created);
    line->product = mem_zeroed(line->count, sizeof *line->product);
    line->action = mem_zeroed(line->count, sizeof *line->action);
    line->window_begin = mem_zeroed(line->count, sizeof *line->window_begin);
    line->window_end = mem_zeroed(line->count, sizeof *line->window_end);
    line->places = mem_zeroed(line->count, sizeof *line->places);
    line->starts = mem_zeroed(products + 1, sizeof *line->starts);
    if (line->created == NULL || line->product == NULL || line->action == NULL || line->window_begin == NULL ||
        line->window_end == NULL || line->places == NULL || line->starts == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the sessions of %zu rows", line->count);
    return ERR_OK;
}

/* The rows that stay, by user, then time; equal times in the order of the rows. */
static enum err_code order_rows(uint32_t **order, size_t *kept, const struct interactions *rows,
                                const struct census *census, const struct cross_sell_params *params, struct err *err)
{
    int64_t *users = mem_zeroed(rows->count, sizeof *users);
    enum err_code rc;

    *kept = 0;
    if (users == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to order %zu rows", rows->count);
    rc = radix_rows(order, rows->count, err);
    for (size_t row = 0; rc == ERR_OK && row < rows->count; row++) {
        users[row] = rows->user[row];
        if (census->user_rows[rows->user[row]] >= (uint32_t)params->min_user_rows &&
            census->product_rows[census->products.of_row[row]] >= (uint32_t)params->min_product_rows)
            (*order)[(*kept)++] = (uint32_t)row;
    }
    if (rc == ERR_OK)
        rc = radix_sort(*order, rows->created, *kept, err);
    if (rc == ERR_OK)
        rc = radix_sort(*order, users, *kept, err);
    free(users);
    return rc;
}

/* The windows of one user's rows, which are begin .. end - 1. */
static void set_windows(struct timeline *line, size_t begin, size_t end, int64_t session_s)
{
    size_t first = begin;
    size_t last = begin;

    for (size_t i = begin; i < end; i++) {
        if (line->created[i] != line->created[first])
            first = i;
        while (last < end && line->created[last] < line->created[i] + session_s)
            last++;
        line->window_begin[i] = (uint32_t)first;
        line->window_end[i] = (uint32_t)last;
    }
}

static void fill_timeline(struct timeline *line, struct cross_sell_counts *counts, const uint32_t *order,
                          const struct interactions *rows, const struct census *census, int64_t session_s)
{
    for (size_t i = 0; i < line->count; i++) {
        line->created[i] = rows->created[order[i]];
        line->product[i] = census->products.of_row[order[i]];
        line->action[i] = rows->action[order[i]];
        line->starts[line->product[i] + 1]++;
    }
    for (size_t begin = 0, end = 0; begin < line->count; begin = end) {
        while (end < line->count && rows->user[order[end]] == rows->user[order[begin]])
            end++;
        set_windows(line, begin, end, session_s);
        counts->merge_rows += (uint64_t)(end - begin) * (end - begin);
        if (end - begin > counts->merge_max_rows)
            counts->merge_max_rows = end - begin;
    }
}

/* A counting sort, so that rows of a product keep their order. */
static enum err_code index_by_product(struct timeline *line, size_t products, struct err *err)
{
    size_t *next = mem_zeroed(products, sizeof *next);

    if (next == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu products", products);
    for (size_t product = 0; product < products; product++) {
        next[product] = line->starts[product];
        line->starts[product + 1] += line->starts[product];
    }
    for (size_t i = 0; i < line->count; i++)
        line->places[next[line->product[i]]++] = (uint32_t)i;
    free(next);
    return ERR_OK;
}

static enum err_code make_timeline(struct timeline *line, struct cross_sell_counts *counts,
                                   const struct interactions *rows, const struct census *census,
                                   const struct cross_sell_params *params, struct err *err)
{
    uint32_t *order = NULL;
    enum err_code rc = order_rows(&order, &line->count, rows, census, params, err);

    counts->rows = line->count;
    if (rc == ERR_OK && line->count == 0)
        rc = ERR_SET(err, ERR_NO_DATA,
                     "Nothing over the thresholds: of %zu users %zu have at least %d interactions, of %zu products "
                     "%zu have at least %d, and of %zu interactions none has both.",
                     counts->users_seen, counts->users_over_threshold, params->min_user_rows, counts->products_seen,
                     counts->products_over_threshold, params->min_product_rows, rows->count);
    if (rc == ERR_OK)
        rc = allocate_timeline(line, census->products.count, err);
    if (rc == ERR_OK) {
        fill_timeline(line, counts, order, rows, census, (int64_t)llround(params->session_hours * HOUR_S));
        rc = index_by_product(line, census->products.count, err);
    }
    free(order);
    return rc;
}

static void sums_fini(struct sums *sums)
{
    free(sums->weights);
    free(sums->marked);
    free(sums->touched);
    free(sums->is_right);
    free(sums->decay);
}

static double decay_after(const struct sums *sums, int64_t seconds)
{
    double share = (double)seconds / sums->decay_s;

    return exp(-share * share);
}

static enum err_code make_sums(struct sums *sums, size_t products, const struct cross_sell_params *params,
                               struct err *err)
{
    int64_t session_s = (int64_t)llround(params->session_hours * HOUR_S);

    sums->decay_s = params->decay_days * DAY_S;
    memcpy(sums->action_weights, params->weights, sizeof sums->action_weights);
    sums->weights = mem_zeroed(products, sizeof *sums->weights);
    sums->marked = mem_zeroed(products, sizeof *sums->marked);
    sums->touched = mem_zeroed(products, sizeof *sums->touched);
    sums->is_right = mem_zeroed(products, sizeof *sums->is_right);
    if (session_s <= DECAY_TABLE_S)
        sums->decay = mem_zeroed((size_t)session_s + 1, sizeof *sums->decay);
    if (sums->weights == NULL || sums->marked == NULL || sums->touched == NULL || sums->is_right == NULL ||
        (session_s <= DECAY_TABLE_S && sums->decay == NULL))
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the weights of %zu products", products);
    for (int64_t s = 0; sums->decay != NULL && s <= session_s; s++)
        sums->decay[s] = decay_after(sums, s);
    return ERR_OK;
}

/* What the rows in one row's window add to its product's weights. */
static void add_window(struct sums *sums, const struct timeline *line, uint32_t left)
{
    int64_t created = line->created[left];
    uint32_t own = line->product[left];

    for (uint32_t right = line->window_begin[left]; right < line->window_end[left]; right++) {
        uint32_t product = line->product[right];
        int64_t seconds = line->created[right] - created;

        if (seconds == 0 && product == own)
            continue;
        if (!sums->marked[product]) {
            sums->marked[product] = 1;
            sums->touched[sums->count++] = product;
        }
        sums->weights[product] += sums->action_weights[line->action[right]] *
                                  (sums->decay != NULL ? sums->decay[seconds] : decay_after(sums, seconds));
    }
}

static int compare_products(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

/* Brings `touched` into the order of the products. */
static void order_touched(struct sums *sums, size_t products)
{
    if (sums->count < products / SPARSE) {
        qsort(sums->touched, sums->count, sizeof *sums->touched, compare_products);
        return;
    }
    sums->count = 0;
    for (size_t product = 0; product < products; product++) {
        if (sums->marked[product])
            sums->touched[sums->count++] = (uint32_t)product;
    }
}

/* Leaves out the weights of 0, of actions that count nothing. */
static void count_row(struct cross_sell_counts *counts, struct sums *sums)
{
    size_t kept = 0;

    for (size_t i = 0; i < sums->count; i++) {
        uint32_t product = sums->touched[i];

        sums->marked[product] = 0;
        if (sums->weights[product] == 0)
            continue;
        sums->is_right[product] = 1;
        counts->weight_sum += sums->weights[product];
        sums->touched[kept++] = product;
    }
    sums->count = kept;
    counts->product_pairs += kept;
    counts->left_products += kept > 0;
}

static enum err_code visit_products(struct cross_sell_counts *counts, struct sums *sums, const struct timeline *line,
                                    const struct census *census, const struct progress *progress,
                                    const struct cross_sell_visitor *visitor, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t product = 0; rc == ERR_OK && product < census->products.count; product++) {
        struct cross_sell_row row = {.product_id = census->products.ids[product],
                                     .right = sums->touched,
                                     .weights = sums->weights,
                                     .product_ids = census->products.ids};

        sums->count = 0;
        for (size_t i = line->starts[product]; i < line->starts[product + 1]; i++)
            add_window(sums, line, line->places[i]);
        order_touched(sums, census->products.count);
        count_row(counts, sums);
        row.count = sums->count;
        if (row.count > 0)
            rc = visitor->fn(visitor->context, &row, err);
        for (size_t i = 0; i < row.count; i++)
            sums->weights[sums->touched[i]] = 0;
        if (rc == ERR_OK && line->starts[product] < line->starts[product + 1] &&
            !progress_report(progress, "pairs", (double)line->starts[product + 1] / (double)line->count, NULL))
            rc = ERR_SET(err, ERR_CANCELLED, "cancelled at product %zu of %zu", product + 1, census->products.count);
    }
    for (size_t product = 0; product < census->products.count; product++)
        counts->right_products += sums->is_right[product];
    if (rc == ERR_OK && counts->product_pairs == 0)
        rc = ERR_SET(err, ERR_NO_DATA, "No user has two interactions in one session (of %zu).", line->count);
    return rc;
}

enum err_code cross_sell_run(struct cross_sell_counts *counts, const struct interactions *rows,
                             const struct cross_sell_params *params, const struct progress *progress,
                             const struct cross_sell_visitor *visitor, struct err *err)
{
    struct census census = {0};
    struct timeline line = {0};
    struct sums sums = {0};
    enum err_code rc = take_census(&census, rows, err);

    *counts = (struct cross_sell_counts){0};
    if (rc == ERR_OK) {
        count_census(counts, &census, id_table_count(rows->users), params);
        rc = make_timeline(&line, counts, rows, &census, params, err);
    }
    if (rc == ERR_OK)
        rc = make_sums(&sums, census.products.count, params, err);
    if (rc == ERR_OK)
        rc = visit_products(counts, &sums, &line, &census, progress, visitor, err);
    sums_fini(&sums);
    timeline_fini(&line);
    census_fini(&census);
    return rc;
}
