/*
 * The job cross_sell between a shop in memory and a sink that keeps what is published.
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

#include "common/base/file_text.h"
#include "common/base/str.h"
#include "tests/unit/fake_shop.h"
#include "worker/pipeline/cross_sell_job.h"

enum { NOW = 1767225600, BEGIN = NOW - 86400, LIST = 18 };

/* What the sink was given, as "kind key=value " each, and how often a kind was completed. */
struct shelf {
    struct str text;
    size_t completed;
    size_t vanished; /* told as removed */
    enum err_code refuse;
};

static enum err_code raise_fence(void *self, enum publish_kind kind, struct err *err)
{
    (void)self;
    (void)kind;
    (void)err;
    return ERR_OK;
}

static enum err_code put(void *self, enum publish_kind kind, const struct sink_pair *pairs, size_t count,
                         struct err *err)
{
    struct shelf *shelf = self;

    if (shelf->refuse != ERR_OK)
        return ERR_SET(err, shelf->refuse, "the sink refuses");
    for (size_t i = 0; i < count; i++)
        str_append_format(&shelf->text, "%s %s=%s ", publish_kind_name(kind), pairs[i].key, pairs[i].value);
    return ERR_OK;
}

static enum err_code complete(void *self, enum publish_kind kind, size_t *removed, struct err *err)
{
    struct shelf *shelf = self;

    (void)err;
    assert_int_equal(kind, PUBLISH_CROSS_SELL);
    shelf->completed++;
    *removed = shelf->vanished;
    return ERR_OK;
}

struct watcher {
    const char *stop_at; /* stage; NULL: nowhere */
    char stages[128];    /* each change of stage */
    char last[32];
};

static bool on_progress(void *context, const char *stage, double fraction, const char *note)
{
    struct watcher *watcher = context;

    (void)note;
    assert_true(fraction >= 0 && fraction <= 1);
    if (strcmp(watcher->last, stage) != 0) {
        size_t used = strlen(watcher->stages);

        (void)snprintf(watcher->last, sizeof watcher->last, "%s", stage);
        (void)snprintf(watcher->stages + used, sizeof watcher->stages - used, "%s ", stage);
    }
    return watcher->stop_at == NULL || strcmp(watcher->stop_at, stage) != 0 || fraction == 0;
}

struct job {
    struct fake_shop shop;
    struct shelf shelf;
    struct watcher watcher;
    struct cross_sell_job_params params;
    struct job_inputs inputs;
    struct json *report;
    struct err err;
};

/* Users buy one product a minute. Product 4 is not in the catalogue: 3 has a list, but nothing to put on it. */
static void open_shop(struct fake_shop *shop)
{
    static const struct {
        const char *user;
        int64_t product;
        int64_t minute;
    } bought[] = {{"u1", 1, 0}, {"u1", 2, 1}, {"u1", 4, 2}, {"u2", 1, 3}, {"u2", 2, 4},
                  {"u3", 2, 5}, {"u3", 3, 6}, {"u4", 3, 7}, {"u4", 4, 8}};

    shop->products = 3;
    for (size_t i = 0; i < sizeof bought / sizeof bought[0]; i++)
        fake_shop_add_plain(shop, ACTION_PURCHASE, bought[i].user, bought[i].product, BEGIN + 60 * bought[i].minute);
}

static int start(void **state)
{
    struct job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return -1;
    open_shop(&job->shop);
    job->params = (struct cross_sell_job_params){
        .rows = {.fetch = {.now_s = NOW}, .outliers = {.max_per_day = 150}},
        .analytics = {.weights = {1, .7, .5, .3, .1}, .decay_days = 25, .session_s = 43200, .now_s = NOW},
        .pairs = {.min_user_rows = 1,
                  .min_product_rows = 1,
                  .weights = {1, .7, .5, .3, .1},
                  .decay_days = 25,
                  .session_hours = 12},
        .lists = {.list_size = LIST, .minimum_weight = .1},
        .publish = {.enabled = true, .guard_percent = 50},
    };
    job->inputs = (struct job_inputs){
        .source = fake_shop_source(&job->shop),
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
    fake_shop_fini(&job->shop);
    str_fini(&job->shelf.text);
    free(job);
    return 0;
}

static enum err_code run(struct job *job)
{
    json_value_destroy(job->report);
    return cross_sell_job_run(&job->report, &job->params, &job->inputs, &job->err);
}

/* The member at keys "a.b" as one line of JSON equals `expected`. */
static void check_member(const struct job *job, const char *path, const char *expected)
{
    char *keys = strdup(path);
    char *rest = keys;
    const struct json *value = job->report;
    char *text;

    while (rest != NULL)
        value = json_value_get(value, strsep(&rest, "."));
    if (value == NULL)
        fail_msg("the report has no %s", path);
    text = json_value_print(value, false, 0);
    assert_string_equal(text, expected);
    free(text);
    free(keys);
}

static void check_warning(const struct job *job, const char *part)
{
    char *text = json_value_print(json_value_get(job->report, "warnings"), false, 0);

    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in %s", part, text);
    free(text);
}

static void check_error(const struct job *job, const char *stage, const char *code)
{
    const struct json *error = json_value_get(job->report, "error");

    assert_string_equal(json_value_get_text(error, "stage"), stage);
    assert_string_equal(json_value_get_text(error, "code"), code);
}

static void a_job_goes_through_all_stages_and_publishes_its_lists(void **state)
{
    struct job *job = *state;

    job->shelf.vanished = 2;
    if (run(job) != ERR_OK)
        fail_msg("%s", job->err.message);
    assert_string_equal(job->watcher.stages, "fetch outliers analytics pairs publish ");
    assert_string_equal(job->shelf.text.text, "cross_sell 1=[2] cross_sell 2=[3] ");
    assert_int_equal(job->shelf.completed, 1);
    check_member(job, "published", "true");
    check_member(job, "published_counts",
                 "{\"recommendable\":3,\"cross_sell_lists\":2,\"cross_sell_keys\":2,\"removed\":2}");
    check_member(job, "cross_sell",
                 "{\"rows\":9,\"users\":4,\"products\":4,\"left_products\":3,\"product_pairs\":5,\"weight_sum\":"
                 "5.99999999305556,\"merge_rows\":21,\"lists\":3,\"lists_empty\":1,\"lists_full\":0,"
                 "\"list_items\":2}");
    check_member(job, "warnings", "[\"1 requests had to be made again\"]"); /* the source says so */
}

static void counts_have_the_keys_of_the_golden_data(void **state)
{
    struct job *job = *state;

    assert_int_equal(run(job), ERR_OK);
    check_member(job, "counts.cross_sell",
                 "{\"rows_after_outliers\":9,\"outlier_users\":0,\"rows_after_outliers_by_action\":{\"purchase\":9},"
                 "\"users_before_outliers\":4,\"days_before_outliers\":1,\"users_seen\":4,\"products_seen\":4,"
                 "\"users_over_threshold\":4,\"products_over_threshold\":4,\"rows_or_pairs_after_threshold\":9,"
                 "\"merge_rows\":21,\"merge_max_user_rows\":3,\"left_products\":3,\"right_products\":3,"
                 "\"product_pairs\":5,\"weight_sum\":\"5.99999999\",\"lists\":3,\"lists_empty\":1,\"lists_full\":0,"
                 "\"list_items\":2}");
}

static void the_sample_is_the_product_with_the_largest_sum_or_the_one_named(void **state)
{
    struct job *job = *state;

    assert_int_equal(run(job), ERR_OK);
    check_member(job, "samples.cross_sell.product_id", "1");
    job->params.sample_product = "2";
    assert_int_equal(run(job), ERR_OK);
    check_member(job, "samples.cross_sell",
                 "{\"product_id\":2,\"title\":\"P\",\"cross_sell\":[{\"product_id\":3,\"title\":\"P\",\"score\":"
                 "0.999999999228395}]}");
    assert_non_null(strstr(json_value_get_text(job->report, "text"), "looked at or bought together with 2 P are\n"
                                                                     "   1.          3  1          P\n"));
    job->params.sample_product = "4";
    assert_int_equal(run(job), ERR_OK);
    check_member(job, "samples.cross_sell.product_id", "1");
    check_warning(job, "the sample product \\\"4\\\" has no list");
}

static void only_empty_lists_are_warned_of(void **state)
{
    struct job *job = *state;

    job->params.lists.minimum_weight = 100;
    assert_int_equal(run(job), ERR_OK);
    check_warning(job, "all 3 lists are empty");
    check_member(job, "published", "false");
    assert_int_equal(job->shelf.text.length, 0);
    assert_int_equal(job->shelf.completed, 1); /* what an earlier run published goes */
}

static void a_dry_run_publishes_nothing(void **state)
{
    struct job *job = *state;

    job->params.publish.enabled = false;
    assert_int_equal(run(job), ERR_OK);
    check_member(job, "published", "false");
    check_member(job, "published_counts",
                 "{\"recommendable\":3,\"cross_sell_lists\":2,\"cross_sell_keys\":0,\"removed\":0}");
    assert_int_equal(job->shelf.completed, 0);
}

static void a_fall_since_the_last_run_is_not_published(void **state)
{
    static const struct {
        const char *last;
        bool held_back;
    } cases[] = {{"{\"recommendable\":7,\"cross_sell_lists\":2}", true},
                 {"{\"recommendable\":3,\"cross_sell_lists\":5}", true},
                 {"{\"recommendable\":6,\"cross_sell_lists\":4}", false}, /* half is not more than 50 % */
                 {"{}", false}};
    struct job *job = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = str_format("{\"published_counts\":%s}", cases[i].last);
        struct json *last;

        assert_int_equal(json_value_parse(&last, text, strlen(text), NULL), ERR_OK);
        job->inputs.last_published = last;
        job->params.publish.force = false;
        job->shelf.completed = 0;
        assert_int_equal(run(job), cases[i].held_back ? ERR_GUARD : ERR_OK);
        assert_int_equal(job->shelf.completed, cases[i].held_back ? 0 : 1);
        check_member(job, "published", cases[i].held_back ? "false" : "true");
        job->params.publish.force = true;
        assert_int_equal(run(job), ERR_OK);
        json_value_destroy(last);
        free(text);
    }
}

static void a_sink_that_refuses_fails_the_job(void **state)
{
    struct job *job = *state;

    job->shelf.refuse = ERR_FENCED;
    assert_int_equal(run(job), ERR_FENCED);
    check_error(job, "publish", "fenced");
    check_member(job, "published", "false");
    assert_int_equal(job->shelf.completed, 0);
}

/* Within a stage too, where it tells how far it is: by then publishing goes on. */
static void a_job_can_be_stopped_until_it_publishes(void **state)
{
    static const char *const stages[] = {"fetch", "pairs"};
    struct job *job = *state;

    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        job->watcher = (struct watcher){.stop_at = stages[i]};
        assert_int_equal(run(job), ERR_CANCELLED);
        check_error(job, stages[i], "cancelled");
        assert_int_equal(job->shelf.completed, 0);
    }
    job->watcher = (struct watcher){.stop_at = "publish"};
    assert_int_equal(run(job), ERR_OK);
    assert_int_equal(job->shelf.completed, 1);
}

static void nobody_near_each_other_is_no_data(void **state)
{
    struct job *job = *state;

    job->params.pairs.session_hours = .01;
    assert_int_equal(run(job), ERR_NO_DATA);
    check_error(job, "pairs", "no_data");
}

static void check_file(const char *dir, const char *name, const char *expected)
{
    char *path = str_format("%s/%s", dir, name);
    char *text = NULL;
    size_t size = 0;
    struct err err = {0};

    if (file_text_read(&text, &size, path, 1 << 20, &err) != ERR_OK)
        fail_msg("%s", err.message);
    assert_string_equal(text, expected);
    free(text);
    free(path);
}

static void a_dump_has_rows_weights_and_lists(void **state)
{
    struct job *job = *state;
    char dir[] = "/tmp/recfleet-cross-sell-XXXXXX";
    char *command;

    assert_non_null(mkdtemp(dir));
    job->inputs.dump_dir = dir;
    assert_int_equal(run(job), ERR_OK);
    check_file(dir, "cross_sell_rows.csv",
               "product_id,pairs,self_weight,sum_weight,max_weight_other\n1,2,0,3,2\n2,2,0,2,0.999999999\n"
               "3,1,0,0.999999999,0.999999999\n");
    check_file(dir, "cross_sell_weights.csv",
               "product_id,other_product_id,weight\n1,2,2\n1,4,0.999999997\n2,3,0.999999999\n2,4,0.999999999\n"
               "3,4,0.999999999\n");
    check_file(dir, "cross_sell_lists.csv", "product_id,recommended\n1,2:2\n2,3:0.999999999\n3,\n");
    command = str_format("rm -r '%s'", dir);
    assert_int_equal(system(command), 0);
    free(command);
}

static void a_dump_of_a_run_that_failed_has_no_half_files(void **state)
{
    struct job *job = *state;
    char dir[] = "/tmp/recfleet-cross-sell-XXXXXX";
    char *command;

    assert_non_null(mkdtemp(dir));
    job->inputs.dump_dir = dir;
    job->watcher.stop_at = "pairs";
    assert_int_equal(run(job), ERR_CANCELLED);
    command = str_format(
        "cd '%s' && ls | tr '\\n' ' ' | grep -qx 'analytics.json counts.json report.json ' && rm -r '%s'", dir, dir);
    assert_int_equal(system(command), 0);
    free(command);
}

static void a_file_that_cannot_be_written_fails_the_job(void **state)
{
    struct job *job = *state;
    char dir[] = "/tmp/recfleet-cross-sell-XXXXXX";
    char *command;

    assert_non_null(mkdtemp(dir));
    command = str_format("mkdir '%s/cross_sell_weights.csv.tmp'", dir);
    assert_int_equal(system(command), 0);
    free(command);
    job->inputs.dump_dir = dir;
    assert_int_equal(run(job), ERR_IO);
    check_error(job, "pairs", "io");
    assert_non_null(strstr(job->err.message, "cross_sell_weights.csv.tmp"));
    command = str_format("test ! -e '%s/cross_sell_rows.csv' && rm -r '%s'", dir, dir);
    assert_int_equal(system(command), 0);
    free(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_goes_through_all_stages_and_publishes_its_lists),
        TEST(counts_have_the_keys_of_the_golden_data),
        TEST(the_sample_is_the_product_with_the_largest_sum_or_the_one_named),
        TEST(only_empty_lists_are_warned_of),
        TEST(a_dry_run_publishes_nothing),
        TEST(a_fall_since_the_last_run_is_not_published),
        TEST(a_sink_that_refuses_fails_the_job),
        TEST(a_job_can_be_stopped_until_it_publishes),
        TEST(nobody_near_each_other_is_no_data),
        TEST(a_dump_has_rows_weights_and_lists),
        TEST(a_dump_of_a_run_that_failed_has_no_half_files),
        TEST(a_file_that_cannot_be_written_fails_the_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
