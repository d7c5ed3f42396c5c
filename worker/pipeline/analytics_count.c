/* What one pass over the rows counts: by action, product, user, and the shop's hours, days and months. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/analytics_figures.h"
#include "worker/pipeline/product_index.h"

enum { DAY_S = 86400, HOUR_S = 3600, QUARTER_S = 900, KEPT_OFFSETS = 4096, MONTHS = 12 };

/* Zones change their offset at full quarters of an hour: what one row of such a quarter asked, the others need not. */
struct offsets {
    analytics_offset_fn fn;
    int64_t quarters[KEPT_OFFSETS]; /* the one kept at its place, + 1; 0: none */
    int32_t seconds[KEPT_OFFSETS];
};

static int64_t local_time(struct offsets *offsets, int64_t unix_s)
{
    int64_t quarter = unix_s / QUARTER_S;
    size_t place = (size_t)quarter % KEPT_OFFSETS;

    if (offsets->fn == NULL)
        return unix_s;
    if (offsets->quarters[place] != quarter + 1) {
        offsets->quarters[place] = quarter + 1;
        offsets->seconds[place] = offsets->fn(unix_s);
    }
    return unix_s + offsets->seconds[place];
}

/* Months since January 1970 of a day since 1970-01-01, that of the Gregorian calendar (H. Hinnant, "chrono-compatible
 * low-level date algorithms", civil_from_days), for days that are not negative. */
static size_t month_of(int64_t day)
{
    int64_t shifted = day + 719468; /* from 0000-03-01 */
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t year = year_of_era + era * 400 + (month_from_march >= 10);
    int64_t month = month_from_march < 10 ? month_from_march + 2 : month_from_march - 10; /* 0: January */

    return (size_t)((year - 1970) * MONTHS + month);
}

/* What lies before 1970 counts as its first second: nothing that a shop has seen does. */
static int64_t not_negative(int64_t value)
{
    return value > 0 ? value : 0;
}

static enum err_code number_products(struct analytics_figures *figures, struct err *err)
{
    struct product_index index;
    enum err_code rc = product_index_init(&index, figures->rows, err);

    if (rc != ERR_OK)
        return rc;
    figures->product_of = index.of_row;
    index.of_row = NULL; /* given to the figures */
    figures->product_count = index.count;
    figures->products = mem_zeroed(index.count, sizeof *figures->products);
    if (figures->products == NULL) {
        product_index_fini(&index);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the analytics of %zu products", figures->product_count);
    }
    for (size_t product = 0; product < index.count; product++)
        figures->products[product].id = index.ids[product];
    product_index_fini(&index);
    return ERR_OK;
}

static void count_row(struct analytics_figures *figures, struct offsets *offsets, size_t row)
{
    const struct interactions *rows = figures->rows;
    struct analytics_product *product = &figures->products[figures->product_of[row]];
    struct analytics_user *user = &figures->users[rows->user[row]];
    int64_t local_s = not_negative(local_time(offsets, not_negative(rows->created[row])));
    int64_t day = local_s / DAY_S;

    figures->local_day[row] = day + 1;
    figures->by_hour[local_s % DAY_S / HOUR_S]++;
    figures->by_weekday[(day + 3) % ANALYTICS_WEEKDAYS]++; /* 1970 began on a Thursday */
    figures->by_month[month_of(day)]++;
    product->rows++;
    product->by_action[rows->action[row]]++;
    user->rows++;
    user->actions |= 1u << rows->action[row];
}

static enum err_code allocate(struct analytics_figures *figures, struct err *err)
{
    const struct interactions *rows = figures->rows;

    figures->from_s = figures->to_s = rows->count > 0 ? rows->created[0] : 0;
    for (size_t row = 1; row < rows->count; row++) {
        figures->from_s = rows->created[row] < figures->from_s ? rows->created[row] : figures->from_s;
        figures->to_s = rows->created[row] > figures->to_s ? rows->created[row] : figures->to_s;
    }
    figures->month_count = month_of(not_negative(figures->to_s) / DAY_S + 2) + 1; /* whatever the zone */
    figures->user_count = id_table_count(rows->users);
    figures->by_month = mem_zeroed(figures->month_count, sizeof *figures->by_month);
    figures->users = mem_zeroed(figures->user_count, sizeof *figures->users);
    figures->local_day = mem_zeroed(rows->count, sizeof *figures->local_day);
    if (figures->by_month == NULL || figures->users == NULL || figures->local_day == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the analytics of %zu rows", rows->count);
    return ERR_OK;
}

enum err_code analytics_count_rows(struct analytics_figures *figures, struct err *err)
{
    struct offsets *offsets = mem_zeroed(1, sizeof *offsets);
    enum err_code rc;

    if (offsets == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a time zone");
    offsets->fn = figures->params->offset_s;
    rc = allocate(figures, err);
    if (rc == ERR_OK)
        rc = number_products(figures, err);
    for (size_t row = 0; rc == ERR_OK && row < figures->rows->count; row++)
        count_row(figures, offsets, row);
    free(offsets);
    return rc;
}
