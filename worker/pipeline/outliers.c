#include "worker/pipeline/outliers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/pipeline/row_groups.h"

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

/* The rows by user, and scratch memory for one user's. */
struct judge {
    const struct interactions *rows;
    const struct outlier_params *params;
    struct row_groups users;
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

/* One user's rows, by time, then activity. */
struct history {
    uint32_t user; /* index in the table */
    size_t count;
    const uint32_t *rows;
};

/* Fills the scratch with one user's events. An activity's rows lie side by side: its first stands for it. */
static void collect(struct judge *judge, const struct history *history, bool activities)
{
    const struct interactions *rows = judge->rows;
    struct events *events = &judge->each;

    events->count = 0;
    for (size_t i = 0; i < history->count; i++) {
        uint32_t row = history->rows[i];

        if (activities && i > 0 && rows->activity_id[row] == rows->activity_id[history->rows[i - 1]] &&
            rows->created[row] == rows->created[history->rows[i - 1]])
            continue;
        events->created[events->count] = rows->created[row];
        events->products[events->count] = rows->product_id[row];
        events->count++;
    }
}

static bool is_excluded(const struct judge *judge, uint32_t user)
{
    const char *uid;
    uint32_t excluded;

    if (judge->params->excluded == NULL)
        return false;
    uid = id_table_text(judge->rows->users, user);
    return id_table_find(judge->params->excluded, uid, strlen(uid), &excluded);
}

/* The first rule that condemns the user, or OUTLIER_RULE_COUNT. */
static enum outlier_rule find_rule(struct judge *judge, const struct history *history, bool activities)
{
    const struct outlier_params *params = judge->params;

    collect(judge, history, activities);
    if (any_span_over(&judge->each, DAY_S, params->max_per_day))
        return OUTLIER_PER_DAY;
    if (any_span_over(&judge->each, MINUTE_S, params->max_per_minute))
        return OUTLIER_PER_MINUTE;
    if (any_session_over(&judge->each, params->max_products_per_session, judge->sorted))
        return OUTLIER_PER_SESSION;
    if (params->regular_gaps) {
        collect(judge, history, true);
        if (gaps_are_regular(&judge->each))
            return OUTLIER_REGULAR_GAPS;
    }
    return is_excluded(judge, history->user) ? OUTLIER_EXCLUDED : OUTLIER_RULE_COUNT;
}

static enum err_code judge_init(struct judge *judge, const struct interactions *rows,
                                const struct outlier_params *params, struct err *err)
{
    size_t most;
    enum err_code rc;

    *judge = (struct judge){.rows = rows, .params = params};
    rc = row_groups_by_user(&judge->users, rows, NULL, id_table_count(rows->users), err);
    if (rc != ERR_OK)
        return rc;
    most = judge->users.largest;
    judge->each.created = mem_zeroed(most, sizeof *judge->each.created);
    judge->each.products = mem_zeroed(most, sizeof *judge->each.products);
    judge->sorted = mem_zeroed(most, sizeof *judge->sorted);
    if (judge->each.created == NULL || judge->each.products == NULL || judge->sorted == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the %zu rows of one user", most);
    return ERR_OK;
}

static void judge_fini(struct judge *judge)
{
    row_groups_fini(&judge->users);
    free(judge->each.created);
    free(judge->each.products);
    free(judge->sorted);
}

static enum err_code add_removed(struct outlier_result *out, size_t *capacity, const struct judge *judge,
                                 const struct history *history, enum outlier_rule rule, struct err *err)
{
    enum err_code rc = mem_grow(&out->removed, capacity, out->removed_count + 1, sizeof *out->removed, err);
    struct outlier_user *user;

    if (rc != ERR_OK)
        return rc;
    user = &out->removed[out->removed_count++];
    *user = (struct outlier_user){.user = history->user, .rule = rule, .rows = history->count};
    while (user->last_count < OUTLIER_LAST_ROWS && user->last_count < user->rows) {
        uint32_t row = history->rows[history->count - 1 - user->last_count];

        user->last[user->last_count++] = (struct outlier_row){.created = judge->rows->created[row],
                                                              .product_id = judge->rows->product_id[row],
                                                              .action = (enum action)judge->rows->action[row]};
    }
    return ERR_OK;
}

/* Judges one user; `keep` loses the rows of the removed. */
static enum err_code judge_user(struct outlier_result *out, size_t *capacity, struct judge *judge,
                                const struct history *history, uint8_t *keep, struct err *err)
{
    const struct outlier_params *params = judge->params;
    enum outlier_rule rule = find_rule(judge, history, params->count_activities);

    out->users_before++;
    if (rule == OUTLIER_RULE_COUNT)
        return ERR_OK;
    if (!params->count_activities && find_rule(judge, history, true) == OUTLIER_RULE_COUNT)
        out->by_rows_only++;
    out->rows_removed += history->count;
    for (size_t i = 0; i < history->count; i++)
        keep[history->rows[i]] = 0;
    return add_removed(out, capacity, judge, history, rule, err);
}

static void fetch_ahead(const struct judge *judge, size_t user)
{
    const struct row_groups *users = &judge->users;
    size_t end = row_groups_ahead(users, user + 1);

    for (size_t i = row_groups_ahead(users, user); i < end; i++) {
        __builtin_prefetch(&judge->rows->created[users->rows[i]]);
        __builtin_prefetch(&judge->rows->product_id[users->rows[i]]);
    }
}

static enum err_code judge_all(struct outlier_result *out, struct judge *judge, uint8_t *keep, struct err *err)
{
    struct row_groups *users = &judge->users;
    size_t capacity = 0;
    enum err_code rc = ERR_OK;

    for (size_t user = 0; rc == ERR_OK && user < users->count; user++) {
        struct history history = {.user = (uint32_t)user,
                                  .count = users->starts[user + 1] - users->starts[user],
                                  .rows = users->rows + users->starts[user]};

        fetch_ahead(judge, user);
        row_groups_order(users, user, judge->rows, NULL);
        if (history.count > 0)
            rc = judge_user(out, &capacity, judge, &history, keep, err);
    }
    return rc;
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

    if (out->removed_count > 0)
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
