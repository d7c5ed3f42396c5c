/* What is known of users once their rows stand together: rows and days, and the way from a view to the cart. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/pipeline/analytics_figures.h"
#include "worker/pipeline/radix.h"

enum { KEY_BITS = 31 }; /* of the second key */

static const double hour_s = 3600;

/* Rows by user and a second key, and within those by time. *keys are those of the rows. */
static enum err_code order_by_user(const struct interactions *rows, int64_t *keys, uint32_t **order, struct err *err)
{
    enum err_code rc = radix_rows(order, rows->count, err);

    if (rc == ERR_OK)
        rc = radix_sort(*order, rows->created, rows->count, err);
    return rc == ERR_OK ? radix_sort(*order, keys, rows->count, err) : rc;
}

static enum err_code add_number(struct analytics_numbers *numbers, size_t *capacity, double value, struct err *err)
{
    enum err_code rc = mem_grow(&numbers->values, capacity, numbers->count + 1, sizeof *numbers->values, err);

    if (rc == ERR_OK)
        numbers->values[numbers->count++] = value;
    return rc;
}

/* Runs of equal keys are the days of a user. */
static enum err_code count_days(struct analytics_figures *figures, int64_t *keys, struct err *err)
{
    const struct interactions *rows = figures->rows;
    uint32_t *order = NULL;
    size_t capacity = 0;
    enum err_code rc;

    for (size_t row = 0; row < rows->count; row++)
        keys[row] = (int64_t)((uint64_t)rows->user[row] << KEY_BITS) + figures->local_day[row];
    rc = order_by_user(rows, keys, &order, err);
    for (size_t begin = 0, end; rc == ERR_OK && begin < rows->count; begin = end) {
        end = begin + 1;
        while (end < rows->count && keys[order[end]] == keys[order[begin]])
            end++;
        figures->users[rows->user[order[begin]]].days++;
        rc = add_number(&figures->user_day_rows, &capacity, (double)(end - begin), err);
    }
    free(order);
    return rc;
}

/* The rows of one user and product, by time: from the first view to the first cart at or after it. */
static enum err_code follow_to_cart(struct analytics_figures *figures, size_t *capacity, const uint32_t *order,
                                    size_t count, struct err *err)
{
    const struct interactions *rows = figures->rows;
    const uint32_t *view = NULL;
    bool carted = false;

    for (size_t i = 0; i < count; i++) {
        carted = carted || rows->action[order[i]] == ACTION_ADD_TO_CART;
        if (view == NULL && rows->action[order[i]] == ACTION_CONTENT_VIEW)
            view = &order[i];
    }
    figures->users[rows->user[order[0]]].cart_products += carted;
    for (size_t i = 0; view != NULL && carted && i < count; i++) {
        if (rows->action[order[i]] == ACTION_ADD_TO_CART && rows->created[order[i]] >= rows->created[*view])
            return add_number(&figures->cart_hours, capacity,
                              (double)(rows->created[order[i]] - rows->created[*view]) / hour_s, err);
    }
    return ERR_OK;
}

static enum err_code count_carts(struct analytics_figures *figures, int64_t *keys, struct err *err)
{
    const struct interactions *rows = figures->rows;
    uint32_t *order = NULL;
    size_t capacity = 0;
    enum err_code rc;

    for (size_t row = 0; row < rows->count; row++)
        keys[row] = (int64_t)((uint64_t)rows->user[row] << KEY_BITS) + figures->product_of[row];
    rc = order_by_user(rows, keys, &order, err);
    for (size_t begin = 0, end; rc == ERR_OK && begin < rows->count; begin = end) {
        end = begin + 1;
        while (end < rows->count && keys[order[end]] == keys[order[begin]])
            end++;
        rc = follow_to_cart(figures, &capacity, &order[begin], end - begin, err);
    }
    free(order);
    return rc;
}

enum err_code analytics_users_count(struct analytics_figures *figures, struct err *err)
{
    int64_t *keys = mem_zeroed(figures->rows->count, sizeof *keys);
    enum err_code rc;

    if (keys == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the analytics of %zu rows", figures->rows->count);
    rc = count_days(figures, keys, err);
    if (rc == ERR_OK)
        rc = count_carts(figures, keys, err);
    free(keys);
    return rc;
}
