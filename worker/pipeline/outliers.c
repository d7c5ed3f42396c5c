#include "worker/pipeline/outliers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/radix.h"

enum { DAY_S = 86400, MINUTE_S = 60, SESSION_GAP_S = 1800, REGULAR_MIN_ACTIVITIES = 30 };

static const double regular_deviation = 0.05; /* of the mean gap */

static const char *const rule_names[OUTLIER_RULE_COUNT] = {
    [OUTLIER_PER_DAY] = "per_day",           [OUTLIER_PER_MINUTE] = "per_minute", [OUTLIER_PER_SESSION] = "per_session",
    [OUTLIER_REGULAR_GAPS] = "regular_gaps", [OUTLIER_EXCLUDED] = "excluded",
};

const char *outlier_rule_name(enum outlier_rule rule)
{
    return rule < OUTLIER_RULE_COUNT ? rule_names[rule] : "unknown";
}

/* What a user did, by time: either every row or one event for each activity. */
struct events {
    size_t count;
    int64_t *created;
    int64_t *products;
};

/* The rows by user, then time, and scratch memory for one user's. */
struct judge {
    const struct interactions *rows;
    const struct outlier_params *params;
    uint32_t *order;    /* rows by user, time, activity */
    struct events each; /* scratch: as many as the largest user has rows */
    int64_t *sorted;    /* scratch */
};

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int compare_int64(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static bool any_span_over(const struct events *events, int64_t span_s, int limit)
{
    size_t in_span = 0;

    if (limit <= 0)
        return false;
    for (size_t i = 0; i < events->count; i++) {
        bool same = i > 0 && floor_divide(events->created[i], span_s) == floor_divide(events->created[i - 1], span_s);

        in_span = same ? in_span + 1 : 1;
        if (in_span > (size_t)limit)
            return true;
    }
    return false;
}

static size_t count_distinct(int64_t *sorted, const int64_t *values, size_t count)
{
    size_t distinct = 0;

    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, compare_int64);
    for (size_t i = 0; i < count; i++)
        distinct += i == 0 || sorted[i] != sorted[i - 1];
    return distinct;
}

/* The events ascend in time, so the unsigned difference is right even where the signed one would overflow. */
static uint64_t gap(const struct events *events, size_t i)
{
    return (uint64_t)events->created[i] - (uint64_t)events->created[i - 1];
}

static bool any_session_over(const struct events *events, int limit, int64_t *sorted)
{
    size_t start = 0;

    if (limit <= 0)
        return false;
    for (size_t i = 1; i <= events->count; i++) {
        if (i < events->count && gap(events, i) <= SESSION_GAP_S)
            continue;
        if (i - start > (size_t)limit && count_distinct(sorted, events->products + start, i - start) > (size_t)limit)
            return true;
        start = i;
    }
    return false;
}

static bool gaps_are_regular(const struct events *events)
{
    double gaps = (double)events->count - 1;
    double mean;
    double squares = 0;

    if (events->count < REGULAR_MIN_ACTIVITIES)
        return false;
    mean = ((double)events->created[events->count - 1] - (double)events->created[0]) / gaps;
    for (size_t i = 1; i < events->count; i++)
        squares += ((double)gap(events, i) - mean) * ((double)gap(events, i) - mean);
    return sqrt(squares / gaps) < regular_deviation * mean;
}

/* Fills the scratch with one user's events. An activity's rows lie side by side: its first stands for it. */
static void collect(struct judge *judge, size_t begin, size_t end, bool activities)
{
    const struct interactions *rows = judge->rows;
    struct events *events = &judge->each;

    events->count = 0;
    for (size_t i = begin; i < end; i++) {
        uint32_t row = judge->order[i];

        if (activities && i > begin && rows->activity_id[row] == rows->activity_id[judge->order[i - 1]] &&
            rows->created[row] == rows->created[judge->order[i - 1]])
            continue;
        events->created[events->count] = rows->created[row];
        events->products[events->count] = rows->product_id[row];
        events->count++;
    }
}

/* The first rule that condemns the user of order[begin..end), or OUTLIER_RULE_COUNT. */
static enum outlier_rule find_rule(struct judge *judge, size_t begin, size_t end, bool activities)
{
    const struct outlier_params *params = judge->params;
    const char *uid = id_table_text(judge->rows->users, judge->rows->user[judge->order[begin]]);
    uint32_t excluded;

    collect(judge, begin, end, activities);
    if (any_span_over(&judge->each, DAY_S, params->max_per_day))
        return OUTLIER_PER_DAY;
    if (any_span_over(&judge->each, MINUTE_S, params->max_per_minute))
        return OUTLIER_PER_MINUTE;
    if (any_session_over(&judge->each, params->max_products_per_session, judge->sorted))
        return OUTLIER_PER_SESSION;
    if (params->regular_gaps) {
        collect(judge, begin, end, true);
        if (gaps_are_regular(&judge->each))
            return OUTLIER_REGULAR_GAPS;
    }
    if (params->excluded != NULL && id_table_find(params->excluded, uid, strlen(uid), &excluded))
        return OUTLIER_EXCLUDED;
    return OUTLIER_RULE_COUNT;
}

/* Rows by user, then time, then activity. */
static enum err_code order_rows(struct judge *judge, struct err *err)
{
    const struct interactions *rows = judge->rows;
    int64_t *users = NULL;
    enum err_code rc = radix_rows(&judge->order, rows->count, err);

    if (rc != ERR_OK)
        goto done;
    users = mem_zeroed(rows->count, sizeof *users);
    if (users == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to order %zu rows by user", rows->count);
        goto done;
    }
    for (size_t row = 0; row < rows->count; row++)
        users[row] = rows->user[row];
    rc = radix_sort(judge->order, rows->activity_id, rows->count, err);
    if (rc == ERR_OK)
        rc = radix_sort(judge->order, rows->created, rows->count, err);
    if (rc == ERR_OK)
        rc = radix_sort(judge->order, users, rows->count, err);
done:
    free(users);
    return rc;
}

static size_t end_of_user(const struct judge *judge, size_t begin)
{
    uint32_t user = judge->rows->user[judge->order[begin]];
    size_t end = begin + 1;

    while (end < judge->rows->count && judge->rows->user[judge->order[end]] == user)
        end++;
    return end;
}

static enum err_code judge_init(struct judge *judge, const struct interactions *rows,
                                const struct outlier_params *params, struct err *err)
{
    size_t most = 0;
    enum err_code rc;

    *judge = (struct judge){.rows = rows, .params = params};
    rc = order_rows(judge, err);
    if (rc != ERR_OK)
        return rc;
    for (size_t begin = 0, end; begin < rows->count; begin = end) {
        end = end_of_user(judge, begin);
        most = end - begin > most ? end - begin : most;
    }
    judge->each.created = mem_zeroed(most, sizeof *judge->each.created);
    judge->each.products = mem_zeroed(most, sizeof *judge->each.products);
    judge->sorted = mem_zeroed(most, sizeof *judge->sorted);
    if (judge->each.created == NULL || judge->each.products == NULL || judge->sorted == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the %zu rows of one user", most);
    return ERR_OK;
}

static void judge_fini(struct judge *judge)
{
    free(judge->order);
    free(judge->each.created);
    free(judge->each.products);
    free(judge->sorted);
}

static enum err_code add_removed(struct outlier_result *out, size_t *capacity, const struct judge *judge, size_t begin,
                                 size_t end, enum outlier_rule rule, struct err *err)
{
    enum err_code rc = mem_grow(&out->removed, capacity, out->removed_count + 1, sizeof *out->removed, err);
    struct outlier_user *user;

    if (rc != ERR_OK)
        return rc;
    user = &out->removed[out->removed_count++];
    *user = (struct outlier_user){.user = judge->rows->user[judge->order[begin]], .rule = rule, .rows = end - begin};
    while (user->last_count < OUTLIER_LAST_ROWS && user->last_count < user->rows) {
        uint32_t row = judge->order[end - 1 - user->last_count];

        user->last[user->last_count++] = (struct outlier_row){.created = judge->rows->created[row],
                                                              .product_id = judge->rows->product_id[row],
                                                              .action = (enum action)judge->rows->action[row]};
    }
    return ERR_OK;
}

/* Judges every user; `keep` loses the rows of the removed. */
static enum err_code judge_all(struct outlier_result *out, struct judge *judge, uint8_t *keep, struct err *err)
{
    const struct outlier_params *params = judge->params;
    size_t capacity = 0;

    for (size_t begin = 0, end; begin < judge->rows->count; begin = end) {
        enum outlier_rule rule;
        enum err_code rc;

        end = end_of_user(judge, begin);
        out->users_before++;
        rule = find_rule(judge, begin, end, params->count_activities);
        if (rule == OUTLIER_RULE_COUNT)
            continue;
        if (!params->count_activities && find_rule(judge, begin, end, true) == OUTLIER_RULE_COUNT)
            out->by_rows_only++;
        rc = add_removed(out, &capacity, judge, begin, end, rule, err);
        if (rc != ERR_OK)
            return rc;
        out->rows_removed += end - begin;
        for (size_t i = begin; i < end; i++)
            keep[judge->order[i]] = 0;
    }
    return ERR_OK;
}

/* Rows come nearly by time, so that neighbours share their day: only changes of day are collected and sorted. */
static enum err_code count_days(size_t *out, const struct interactions *rows, struct err *err)
{
    int64_t *days = NULL;
    size_t capacity = 0;
    size_t count = 0;

    *out = 0;
    for (size_t row = 0; row < rows->count; row++) {
        int64_t day = floor_divide(rows->created[row], DAY_S);
        enum err_code rc;

        if (count > 0 && days[count - 1] == day)
            continue;
        rc = mem_grow(&days, &capacity, count + 1, sizeof *days, err);
        if (rc != ERR_OK) {
            free(days);
            return rc;
        }
        days[count++] = day;
    }
    if (count > 0)
        qsort(days, count, sizeof *days, compare_int64);
    for (size_t i = 0; i < count; i++)
        *out += i == 0 || days[i] != days[i - 1];
    free(days);
    return ERR_OK;
}

static int compare_uids(const void *left, const void *right, void *users)
{
    const struct outlier_user *a = left;
    const struct outlier_user *b = right;

    return strcmp(id_table_text(users, a->user), id_table_text(users, b->user));
}

enum err_code outliers_run(struct outlier_result *out, struct interactions *rows, const struct outlier_params *params,
                           struct err *err)
{
    struct judge judge = {0};
    uint8_t *keep = NULL;
    enum err_code rc;

    *out = (struct outlier_result){0};
    rc = count_days(&out->days_before, rows, err);
    if (rc != ERR_OK)
        goto done;
    rc = judge_init(&judge, rows, params, err);
    if (rc != ERR_OK)
        goto done;
    keep = mem_zeroed(rows->count, 1);
    if (keep == NULL) {
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory to mark %zu rows", rows->count);
        goto done;
    }
    memset(keep, 1, rows->count);
    rc = judge_all(out, &judge, keep, err);
    if (rc != ERR_OK)
        goto done;

    interactions_filter(rows, keep);
    if (out->removed_count > 0)
        qsort_r(out->removed, out->removed_count, sizeof *out->removed, compare_uids, rows->users);
done:
    if (rc != ERR_OK)
        outlier_result_fini(out);
    free(keep);
    judge_fini(&judge);
    return rc;
}

void outlier_result_fini(struct outlier_result *result)
{
    free(result->removed);
    *result = (struct outlier_result){0};
}
