/*
 * The whole job between a source that serves a small shop from memory and a sink that keeps what is published.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "common/base/str.h"
#include "worker/pipeline/homepage_job.h"

enum { NOW = 1767225600, USERS = 8, PRODUCTS = 10, ITERATIONS = 3, DAY_S = 86400 };

/* User u buys the products u, u + 1, u + 2, u + 3 (modulo 10), each in a purchase of its own; `bot` buys all at once.
 */
struct shop {
    enum err_code refuse; /* not ERR_OK: the source fails with it */
    int users;
    int bot_rows;
    int bad_lines;
    size_t asked; /* calls of the source */
};

static enum err_code serve(source_activity_fn fn, void *context, enum action asked, const char *user, int64_t id,
                           int64_t product, struct err *err)
{
    char *text = str_format("{\"id\":%lld,\"action\":\"purchase\",\"user_uid\":\"%s\",\"created\":%lld,"
                            "\"info\":{\"content_ids\":\",%lld,\"}}",
                            (long long)id, user, (long long)(NOW - id * 3600), (long long)product);
    struct json *activity;
    enum err_code rc;

    assert_int_equal(json_value_parse(&activity, text, strlen(text), err), ERR_OK);
    rc = fn(context, asked, activity, err);
    json_value_destroy(activity);
    free(text);
    return rc;
}

static enum err_code serve_activities(void *self, const int64_t from_s[ACTION_COUNT], source_activity_fn fn,
                                      void *context, const struct progress *progress, struct source_counts *counts,
                                      struct err *err)
{
    struct shop *shop = self;
    enum err_code rc = ERR_OK;
    char name[32];

    (void)from_s;
    (void)progress;
    shop->asked++;
    if (shop->refuse != ERR_OK)
        return ERR_SET(err, shop->refuse, "the shop is away");
    counts->pages++;
    for (int i = 0; i < shop->bad_lines; i++) {
        source_count_bad(counts, "line_time", "line %d", i);
        counts->lines++;
    }
    for (int user = 0; rc == ERR_OK && user < shop->users; user++) {
        (void)snprintf(name, sizeof name, "user-%d", user);
        for (int i = 0; rc == ERR_OK && i < 4; i++)
            rc = serve(fn, context, ACTION_PURCHASE, name, 1 + user * 4 + i, (user + i) % PRODUCTS, err);
    }
    for (int i = 0; rc == ERR_OK && i < shop->bot_rows; i++)
        rc = serve(fn, context, ACTION_PURCHASE, "bot", 5000, i, err);
    return rc;
}

static enum err_code serve_products(void *self, source_product_fn fn, void *context, const struct progress *progress,
                                    struct source_counts *counts, struct err *err)
{
    enum err_code rc = ERR_OK;

    (void)self;
    (void)progress;
    counts->pages++;
    for (int id = 0; rc == ERR_OK && id < PRODUCTS; id++) {
        char *text = str_format("{\"id\":%d,\"stock\":%d,\"status\":\"Published\",\"title\":\"Cup %d\"}", id,
                                id == 3 ? 0 : 5, id);
        struct json *product;

        assert_int_equal(json_value_parse(&product, text, strlen(text), err), ERR_OK);
        rc = fn(context, product, err);
        json_value_destroy(product);
        free(text);
    }
    return rc;
}

struct shelf {
    size_t keys[PUBLISH_KIND_COUNT];
    size_t fences;
    bool holds_sold_out; /* some value names product 3 */
};

static enum err_code raise_fence(void *self, enum publish_kind kind, struct err *err)
{
    struct shelf *shelf = self;

    (void)kind;
    (void)err;
    shelf->fences++;
    return ERR_OK;
}

static enum err_code put(void *self, enum publish_kind kind, const struct sink_pair *pairs, size_t count,
                         struct err *err)
{
    struct shelf *shelf = self;

    (void)err;
    shelf->keys[kind] += count;
    for (size_t i = 0; i < count; i++)
        shelf->holds_sold_out = shelf->holds_sold_out || strpbrk(pairs[i].value, "3") != NULL;
    return ERR_OK;
}

static enum err_code complete(void *self, enum publish_kind kind, size_t *removed, struct err *err)
{
    (void)self;
    (void)kind;
    (void)err;
    *removed = 0;
    return ERR_OK;
}

/* What progress was told, and where it asks to stop. */
struct watcher {
    const char *stop_at; /* stage; NULL: nowhere */
    char stages[256];    /* each change of stage */
    char last_stage[32];
    char als_note[128];
};

static bool on_progress(void *context, const char *stage, double fraction, const char *note)
{
    struct watcher *watcher = context;

    assert_true(fraction >= 0 && fraction <= 1);
    if (strcmp(watcher->last_stage, stage) != 0) {
        size_t used = strlen(watcher->stages);

        (void)snprintf(watcher->last_stage, sizeof watcher->last_stage, "%s", stage);
        (void)snprintf(watcher->stages + used, sizeof watcher->stages - used, "%s ", stage);
    }
    if (strcmp(stage, "als") == 0 && note != NULL && strncmp(note, "iteration", 9) == 0)
        (void)snprintf(watcher->als_note, sizeof watcher->als_note, "%s", note);
    return watcher->stop_at == NULL || strcmp(watcher->stop_at, stage) != 0;
}

struct job {
    struct shop shop;
    struct shelf shelf;
    struct watcher watcher;
    struct homepage_params params;
    struct job_inputs inputs;
    struct json *report;
    struct err err;
};

static int start(void **state)
{
    struct job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return -1;
    job->shop.users = USERS;
    job->params = (struct homepage_params){
        .rows = {.fetch = {.now_s = NOW}, .outliers = {.max_per_day = 150}},
        .analytics = {.weights = {1, .7, .5, .3, .1}, .decay_days = 25, .session_s = 43200, .now_s = NOW},
        .weigh = {.weights = {1, .7, .5, .3, .1}, .decay_days = 25, .repeat_factor = .8, .now_s = NOW},
        .matrix = {.min_user_rows = 3, .min_product_rows = 1, .bm25_k1 = 1.2, .bm25_b = .3},
        .als = {.solver = ALS_SOLVER_EXACT,
                .backend = ALS_BACKEND_CPU,
                .factors = 8,
                .regularization = 1,
                .alpha = 10,
                .iterations = ITERATIONS,
                .cg_steps = 3,
                .seed = 42,
                .threads = 1},
        .recommend = {.list_size = 18, .similar_size = 10, .similar_floor = .3, .threads = 1},
        .publish = {.enabled = true, .guard_percent = 50},
    };
    job->inputs = (struct job_inputs){
        .source = {.activities = serve_activities, .products = serve_products, .self = &job->shop, .identity = "shop"},
        .sink = {.raise_fence = raise_fence, .put = put, .complete = complete, .self = &job->shelf},
        .progress = {.fn = on_progress, .context = &job->watcher},
    };
    *state = job;
    return 0;
}

static int stop(void **state)
{
    struct job *job = *state;

    json_value_destroy(job->report);
    free(job);
    return 0;
}

static enum err_code run(struct job *job)
{
    return homepage_job_run(&job->report, &job->params, &job->inputs, &job->err);
}

static void check_error(const struct job *job, const char *stage, const char *code)
{
    const struct json *error = json_value_get(job->report, "error");

    assert_non_null(error);
    assert_string_equal(json_value_get_text(error, "stage"), stage);
    assert_string_equal(json_value_get_text(error, "code"), code);
    assert_string_equal(json_value_get_text(error, "message"), job->err.message);
    assert_non_null(strstr(json_value_get_text(job->report, "text"), job->err.message));
}

static void check_published(const struct job *job, bool expected)
{
    bool published = !expected;

    assert_true(json_value_get_bool(job->report, "published", &published));
    assert_int_equal(published, expected);
    assert_int_equal(job->shelf.keys[PUBLISH_HOMEPAGE] + job->shelf.keys[PUBLISH_SIMILAR] > 0, expected);
}

static void a_job_goes_through_all_stages(void **state)
{
    struct job *job = *state;
    const struct json *stages;
    int64_t analyzed;

    if (run(job) != ERR_OK)
        fail_msg("%s", job->err.message);
    assert_string_equal(job->watcher.stages, "fetch outliers analytics weigh matrix als recommend evaluate publish ");
    assert_true(str_starts_with(job->watcher.als_note, "iteration 3 of 3, loss "));
    stages = json_value_get(job->report, "stages");
    assert_int_equal(json_value_count(stages), 9);
    for (size_t i = 1; i < 5; i++) { /* each stage begins with what the one before ended with */
        int64_t out;
        int64_t in;

        assert_true(json_value_get_int64(json_value_at(stages, i - 1), "rows_out", &out));
        assert_true(json_value_get_int64(json_value_at(stages, i), "rows_in", &in));
        assert_int_equal(in, out);
        assert_int_equal(in, USERS * 4);
    }
    assert_int_equal(json_value_count(json_value_get(job->report, "loss")), ITERATIONS);
    assert_true(json_value_get_int64(json_value_get(job->report, "analytics"), "rows", &analyzed));
    assert_int_equal(analyzed, USERS * 4);
    assert_null(json_value_get(job->report, "error"));
    check_published(job, true);
    assert_int_equal(job->shelf.keys[PUBLISH_HOMEPAGE], USERS + 1);
    assert_false(job->shelf.holds_sold_out);
    assert_non_null(strstr(json_value_get_text(job->report, "text"), "Cup 4"));
}

static void a_dump_has_every_file(void **state)
{
    static const char *const names[] = {"counts.json", "matrix.csv",  "top_overall.json", "als.json",
                                        "lists.csv",   "similar.csv", "report.json",      "analytics.json"};
    struct job *job = *state;
    char folder[] = "/tmp/recfleet-job-XXXXXX";
    char *dir;
    char *command;

    assert_non_null(mkdtemp(folder));
    dir = str_format("%s/new", folder);
    job->inputs.dump_dir = dir;
    assert_int_equal(run(job), ERR_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = str_format("%s/%s", dir, names[i]);

        if (access(path, R_OK) != 0)
            fail_msg("%s is missing", path);
        free(path);
    }
    command = str_format("rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
    free(command);
    free(dir);
}

static void a_folder_that_cannot_be_made_fails_before_anything_is_fetched(void **state)
{
    struct job *job = *state;

    job->inputs.dump_dir = "/dev/null/dump";
    assert_int_equal(run(job), ERR_IO);
    check_error(job, "dump", "io");
    assert_int_equal(job->shop.asked, 0);
}

static void a_dry_run_publishes_nothing(void **state)
{
    struct job *job = *state;

    job->params.publish.enabled = false;
    assert_int_equal(run(job), ERR_OK);
    check_published(job, false);
}

static void a_source_that_fails_is_reported(void **state)
{
    struct job *job = *state;

    job->shop.refuse = ERR_NETWORK;
    assert_int_equal(run(job), ERR_NETWORK);
    check_error(job, "fetch", "network");
    assert_int_equal(json_value_count(json_value_get(job->report, "stages")), 1);
    check_published(job, false);
}

static void without_interactions_there_is_nothing_to_train(void **state)
{
    struct job *job = *state;

    job->shop.users = 0;
    assert_int_equal(run(job), ERR_NO_DATA);
    assert_string_equal(job->err.message, "Interactions are required.");
    check_error(job, "fetch", "no_data");
}

static void only_outliers_are_nothing_to_train(void **state)
{
    struct job *job = *state;

    job->shop.users = 0;
    job->shop.bot_rows = 151;
    assert_int_equal(run(job), ERR_NO_DATA);
    assert_string_equal(job->err.message, "No interactions are left: all 1 users were removed as outliers.");
    check_error(job, "outliers", "no_data");
}

static void removed_baskets_are_warned_of(void **state)
{
    struct job *job = *state;

    job->shop.bot_rows = 151;
    assert_int_equal(run(job), ERR_OK);
    assert_int_equal(json_value_count(json_value_get(job->report, "warnings")), 1);
    assert_non_null(
        strstr(json_value_text(json_value_at(json_value_get(job->report, "warnings"), 0)), "1 of the 1 users removed"));
}

static void an_old_export_is_warned_of(void **state)
{
    struct job *job = *state;

    job->params.rows.fetch.now_s += 31 * DAY_S; /* the newest activity is an hour older than NOW */
    assert_int_equal(run(job), ERR_OK);
    assert_int_equal(json_value_count(json_value_get(job->report, "warnings")), 1);
    assert_string_equal(
        json_value_text(json_value_at(json_value_get(job->report, "warnings"), 0)),
        "the newest interaction is 31 days old; the parameter now=1767225600 trains as of the hour after it");
}

static void bad_lines_of_the_source_stand_in_the_stage(void **state)
{
    struct job *job = *state;
    const struct json *stage;
    int64_t count;

    job->shop.bad_lines = 5;
    assert_int_equal(run(job), ERR_OK);
    stage = json_value_at(json_value_get(job->report, "stages"), 0);
    assert_true(json_value_get_int64(stage, "rows_in", &count));
    assert_int_equal(count, USERS * 4 + 5);
    assert_true(json_value_get_int64(json_value_get(stage, "dropped"), "line_time", &count));
    assert_int_equal(count, 5);
    assert_string_equal(json_value_get_text(stage, "notes"), "5 lines, 0 of them too old, 10 products");
    assert_int_equal(json_value_count(json_value_get(json_value_get(job->report, "dropped_samples"), "line_time")), 3);
}

static void nothing_over_the_thresholds_ends_at_the_matrix(void **state)
{
    struct job *job = *state;

    job->params.matrix.min_user_rows = 5;
    assert_int_equal(run(job), ERR_NO_DATA);
    check_error(job, "matrix", "no_data");
    assert_int_equal(json_value_count(json_value_get(job->report, "stages")), 5);
}

/* Three users of four products each, of six in all. */
static void users_of_half_of_all_products_are_nothing_to_train(void **state)
{
    struct job *job = *state;

    job->shop.users = 3;
    assert_int_equal(run(job), ERR_NO_DATA);
    assert_string_equal(job->err.message, "Each of the 3 users has at least half of the 6 products: there is nothing "
                                          "to tell one from another by.");
    check_error(job, "matrix", "no_data");
}

static void a_job_can_be_stopped_in_each_stage(void **state)
{
    static const char *const stages[] = {"fetch", "outliers",  "analytics", "weigh",  "matrix",
                                         "als",   "recommend", "evaluate",  "publish"};
    struct job *job = *state;

    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        job->watcher = (struct watcher){.stop_at = stages[i]};
        assert_int_equal(run(job), ERR_CANCELLED);
        check_error(job, stages[i], "cancelled");
        check_published(job, false);
        json_value_destroy(job->report);
        job->report = NULL;
    }
}

static void far_less_than_last_time_is_not_published(void **state)
{
    static const char last[] = "{\"published\":true,\"published_counts\":{\"recommendable\":10,\"users\":100,"
                               "\"similar_lists\":10}}";
    struct job *job = *state;
    struct json *report;

    assert_int_equal(json_value_parse(&report, last, strlen(last), NULL), ERR_OK);
    job->inputs.last_published = report;
    assert_int_equal(run(job), ERR_GUARD);
    check_error(job, "publish", "guard");
    check_published(job, false);
    json_value_destroy(job->report);
    job->report = NULL;
    job->params.publish.force = true;
    assert_int_equal(run(job), ERR_OK);
    check_published(job, true);
    json_value_destroy(report);
}

#define JOB_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB_TEST(a_job_goes_through_all_stages),
        JOB_TEST(a_dump_has_every_file),
        JOB_TEST(a_folder_that_cannot_be_made_fails_before_anything_is_fetched),
        JOB_TEST(a_dry_run_publishes_nothing),
        JOB_TEST(a_source_that_fails_is_reported),
        JOB_TEST(without_interactions_there_is_nothing_to_train),
        JOB_TEST(only_outliers_are_nothing_to_train),
        JOB_TEST(removed_baskets_are_warned_of),
        JOB_TEST(an_old_export_is_warned_of),
        JOB_TEST(bad_lines_of_the_source_stand_in_the_stage),
        JOB_TEST(nothing_over_the_thresholds_ends_at_the_matrix),
        JOB_TEST(users_of_half_of_all_products_are_nothing_to_train),
        JOB_TEST(a_job_can_be_stopped_in_each_stage),
        JOB_TEST(far_less_than_last_time_is_not_published),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
