#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/report.h"
#include "worker/pipeline/report_samples.h"
#include "worker/pipeline/report_text.h"

enum { NOW = 1767225600 };

static struct json *new_report(void)
{
    struct json *report;

    assert_int_equal(report_create(&report, "homepage_and_similar_products", NOW, NULL), ERR_OK);
    return report;
}

/* The member at keys "a.b" as one line of JSON equals `expected`. */
static void check_member(const struct json *report, const char *path, const char *expected)
{
    char *keys = strdup(path);
    char *rest = keys;
    const struct json *value = report;
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

static void check_text(const struct json *report, const char *part)
{
    char *text = report_text_make(report);

    assert_non_null(text);
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
    free(text);
}

static void a_new_report_has_all_parts_that_are_always_there(void **state)
{
    struct json *report = new_report();
    char *text = json_value_print(report, false, 0);

    (void)state;
    assert_string_equal(text,
                        "{\"type\":\"homepage_and_similar_products\",\"now\":1767225600,\"stages\":[],\"loss\":[],"
                        "\"metrics\":null,\"published\":false,\"warnings\":[]}");
    free(text);
    json_value_destroy(report);
}

static void stages_have_time_rows_and_drops(void **state)
{
    struct json *report = new_report();
    struct report_stage fetch = {.name = "fetch", .seconds = 1.2345, .rows_in = 20, .rows_out = 10, .notes = "6 pages"};
    struct report_stage weigh = {.name = "weigh", .rows_in = 10, .rows_out = 5};

    (void)state;
    fetch.dropped = json_value_new_object();
    assert_true(json_value_set_int(fetch.dropped, "no_user", 3));
    assert_true(json_value_set_int(fetch.dropped, "duplicate", 7));
    report_add_stage(report, &fetch);
    report_add_stage(report, &weigh);
    check_member(report, "stages",
                 "[{\"name\":\"fetch\",\"seconds\":1.235,\"rows_in\":20,\"rows_out\":10,\"dropped\":{\"no_user\":3,"
                 "\"duplicate\":7},\"notes\":\"6 pages\"},{\"name\":\"weigh\",\"seconds\":0.0,\"rows_in\":10,"
                 "\"rows_out\":5,\"dropped\":{},\"notes\":\"\"}]");
    check_text(report, "\nstage           seconds          in         out\n"
                       "fetch             1.235          20          10  6 pages  dropped: no_user 3, duplicate 7\n"
                       "weigh             0.000          10           5\n");
    json_value_destroy(report);
}

static void percentiles_lie_between_the_values(void **state)
{
    double raw[] = {4, 1, 2, 3};
    const struct matrix matrix = {.users = 2, .products = 4, .pairs = 4, .raw = raw};
    struct json *report = new_report();

    (void)state;
    report_set_matrix(report, &matrix);
    check_member(report, "matrix",
                 "{\"users\":2,\"products\":4,\"nonzeros\":4,\"density\":0.5,\"percentiles\":{\"0\":1.0,\"25\":1.75,"
                 "\"50\":2.5,\"75\":3.25,\"100\":4.0}}");
    check_text(report, "matrix       2 users x 4 products, 4 values (50 % full)\n");
    check_text(report, "values       least 1, quarter 1.75, median 2.5, three quarters 3.25, most 4\n");
    json_value_destroy(report);
}

static void one_value_is_every_percentile(void **state)
{
    double raw[] = {0.5};
    const struct matrix matrix = {.users = 1, .products = 1, .pairs = 1, .raw = raw};
    struct json *report = new_report();

    (void)state;
    report_set_matrix(report, &matrix);
    check_member(report, "matrix.percentiles", "{\"0\":0.5,\"25\":0.5,\"50\":0.5,\"75\":0.5,\"100\":0.5}");
    json_value_destroy(report);
}

static void acceleration_is_reported_where_it_is_on(void **state)
{
    const struct als_params params = {.acceleration = true, .factors = 8, .alpha = 800, .iterations = 3};
    struct json *report = new_report();

    (void)state;
    report_set_als(report, &params, "cpu");
    check_member(report, "als.acceleration", "\"on\"");
    report_add_loss(report, 1);
    check_text(report, "3 iterations, accelerated, seed 0, cpu");
    json_value_destroy(report);
}

static void the_setting_and_each_loss_are_reported(void **state)
{
    const struct als_params params = {.solver = ALS_SOLVER_CG,
                                      .factors = 800,
                                      .regularization = .005,
                                      .alpha = 800,
                                      .iterations = 35,
                                      .cg_steps = 3,
                                      .seed = 42};
    struct json *report = new_report();

    (void)state;
    report_set_als(report, &params, "cpu SkylakeX");
    for (int i = 0; i < 9; i++)
        report_add_loss(report, 1.0 / (i + 1));
    check_member(report, "als",
                 "{\"solver\":\"cg\",\"factors\":800,\"regularization\":0.005,\"alpha\":800.0,\"iterations\":35,"
                 "\"cg_steps\":3,\"seed\":42,\"threads\":0,\"backend\":\"cpu SkylakeX\",\"precision\":\"fp32\"}");
    assert_int_equal(json_value_count(json_value_get(report, "loss")), 9);
    check_text(report,
               "als          cg, 800 factors, regularization 0.005, alpha 800, 35 iterations, seed 42, cpu Sky");
    check_text(report, "loss         1           0.5         ");
    check_text(report, "0.125       \n             0.111111    \n");
    json_value_destroy(report);
}

static void what_was_published_is_counted(void **state)
{
    const struct publish_counts counts = {.recommendable = 1,
                                          .users = 2,
                                          .similar_lists = 3,
                                          .homepage_keys = 4,
                                          .similar_keys = 5,
                                          .reserved_users = 6,
                                          .removed = 7};
    const struct publish_counts dry = {.recommendable = 1, .users = 2, .similar_lists = 3};
    struct json *report = new_report();

    (void)state;
    report_set_published(report, &counts);
    check_member(report, "published", "true");
    check_member(report, "published_counts",
                 "{\"recommendable\":1,\"users\":2,\"similar_lists\":3,\"homepage_keys\":4,\"similar_keys\":5,"
                 "\"reserved_users\":6,\"removed\":7}");
    check_text(report, "published    4 homepage keys, 5 similar keys, 7 removed (2 users, 3 products with similar");
    report_set_published(report, &dry);
    check_member(report, "published", "false");
    check_text(report, "published    nothing (2 users");
    json_value_destroy(report);
}

static void samples_of_what_was_dropped_are_kept(void **state)
{
    static struct fetch_result fetch; /* large for a stack */
    struct clean_counts *counts = &fetch.clean;
    struct json *report = new_report();

    (void)state;
    memset(&fetch, 0, sizeof fetch);
    counts->dropped[CLEAN_NO_USER] = 5;
    for (size_t i = 0; i < CLEAN_SAMPLES; i++)
        (void)snprintf(counts->samples[CLEAN_NO_USER][i], CLEAN_SAMPLE_BYTES, "{\"id\":%zu}", i);
    counts->dropped[CLEAN_DUPLICATE] = 2; /* without samples */
    source_count_bad(&fetch.source, "line_time", "line %d", 7);
    fetch.products_malformed = 1;
    (void)snprintf(fetch.product_samples[0], CLEAN_SAMPLE_BYTES, "{\"id\":\"x\"}");
    report_set_dropped(report, &fetch);
    check_member(report, "dropped_samples",
                 "{\"line_time\":[\"line 7\"],\"no_user\":[\"{\\\"id\\\":0}\",\"{\\\"id\\\":1}\",\"{\\\"id\\\":2}\"],"
                 "\"duplicate\":[],\"product_malformed\":[\"{\\\"id\\\":\\\"x\\\"}\"]}");
    check_text(report, "\nleft out, the first of each\n"
                       "  line_time            line 7\n"
                       "  no_user              {\"id\":0}\n"
                       "                       {\"id\":1}\n"
                       "                       {\"id\":2}\n"
                       "  product_malformed    {\"id\":\"x\"}\n");
    json_value_destroy(report);
}

static void the_ten_largest_outliers_are_shown(void **state)
{
    enum { REMOVED = 12 };
    struct outlier_user removed[REMOVED] = {0};
    struct outlier_result outliers = {
        .removed = removed, .removed_count = REMOVED, .rows_removed = 78, .by_rows_only = 2};
    struct json *report = new_report();
    struct id_table *users;
    const struct json *top;

    (void)state;
    assert_int_equal(id_table_create(&users, NULL), ERR_OK);
    for (uint32_t i = 0; i < REMOVED; i++) {
        char name[16];
        uint32_t index;

        (void)snprintf(name, sizeof name, "u%u", i);
        assert_int_equal(id_table_intern(users, name, strlen(name), &index, NULL), ERR_OK);
        removed[i] = (struct outlier_user){.user = i,
                                           .rule = i == 3 ? OUTLIER_EXCLUDED : OUTLIER_PER_DAY,
                                           .rows = i / 2, /* two of each */
                                           .last_count = 1};
        removed[i].last[0] = (struct outlier_row){.created = NOW, .product_id = 7, .action = ACTION_CONTENT_VIEW};
    }
    report_set_outliers(report, &outliers, users);
    check_member(report, "outliers.by_rule", "{\"per_day\":11,\"excluded\":1}");
    check_member(report, "outliers.users", "12");
    check_member(report, "outliers.by_rows_only", "2");
    top = json_value_get(json_value_get(report, "outliers"), "top");
    assert_int_equal(json_value_count(top), 10);
    assert_string_equal(json_value_get_text(json_value_at(top, 0), "user_uid"), "u10");
    assert_string_equal(json_value_get_text(json_value_at(top, 1), "user_uid"), "u11");
    assert_string_equal(json_value_get_text(json_value_at(top, 2), "user_uid"), "u8");
    assert_string_equal(json_value_get_text(json_value_at(top, 9), "user_uid"), "u3");
    check_text(report,
               "outliers     12 users with 78 rows removed: per_day 11, excluded 1; 2 of them for rows, not for");
    check_text(report, "         1 rows  excluded     u3, last 2026-01-01T00:00:00.000Z content_view of product 7\n");
    id_table_destroy(users);
    json_value_destroy(report);
}

static void the_removed_users_stay_out_of_the_counts(void **state)
{
    static const char text[] = "{\"fetch\":{\"pages\":6},\"homepage\":{\"users\":3,\"outlier_uids\":[\"a\",\"b\"]}}";
    struct json *report = new_report();
    struct json *counts;

    (void)state;
    assert_int_equal(json_value_parse(&counts, text, strlen(text), NULL), ERR_OK);
    report_set_counts(report, counts);
    check_member(report, "counts", "{\"fetch\":{\"pages\":6},\"homepage\":{\"users\":3}}");
    check_member(counts, "homepage.outlier_uids", "[\"a\",\"b\"]");
    json_value_destroy(counts);
    json_value_destroy(report);
}

static void an_error_stands_on_top_of_the_text(void **state)
{
    struct json *report = new_report();
    struct err err;

    (void)state;
    (void)ERR_SET(&err, ERR_NETWORK, "the shop is away");
    report_set_error(report, "fetch", &err);
    report_finish(report, 3.25);
    check_member(report, "error",
                 "{\"stage\":\"fetch\",\"code\":\"network\",\"message\":\"the shop is away\",\"transient\":true}");
    check_text(report, "homepage_and_similar_products: failed after 3.2 s, as of 2026-01-01T00:00:00.000Z\n\n"
                       "ERROR in fetch (network): the shop is away\n");
    assert_non_null(json_value_get_text(report, "text"));
    json_value_destroy(report);
}

static void cancelled_is_not_failed(void **state)
{
    struct json *report = new_report();
    struct err err;

    (void)state;
    (void)ERR_SET(&err, ERR_CANCELLED, "asked to stop");
    report_set_error(report, "als", &err);
    check_text(report, "homepage_and_similar_products: cancelled after 0.0 s");
    json_value_destroy(report);
}

static void durations_are_written_in_full(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0.04, "after 0.0 s,"},
                 {59.9, "after 59.9 s,"},
                 {60, "after 1 min 0 s,"},
                 {3599, "after 59 min 59 s,"},
                 {26 * 3600 + 3 * 60 + 7, "after 26 h 3 min 7 s,"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *report = new_report();

        report_finish(report, cases[i].seconds);
        check_text(report, cases[i].text);
        json_value_destroy(report);
    }
}

static void warnings_are_listed(void **state)
{
    struct json *report = new_report();

    (void)state;
    report_add_warning(report, "%d products are malformed", 3);
    report_add_warning(report, "the cache was corrupt");
    check_member(report, "warnings", "[\"3 products are malformed\",\"the cache was corrupt\"]");
    check_text(report, "\nwarnings\n  - 3 products are malformed\n  - the cache was corrupt\n");
    json_value_destroy(report);
}

/* Users "dQ==" (the base64 of "u") and "v", products 7 (titled), 8 and 9. */
struct shop {
    struct matrix matrix;
    struct catalogue catalogue;
    struct recommendations recommendations;
    struct report_samples samples;
    char *uids[2];
    char first[8];
    char second[8];
    int64_t products[3];
    double raw[4];
    int64_t offsets[3];
    int32_t columns[4];
    int32_t items[6];
    float scores[6];
    int32_t counts[3];
    int32_t top[1];
    double sums[1];
};

static void shop_init(struct shop *shop)
{
    *shop = (struct shop){.first = "dQ==",
                          .second = "v",
                          .products = {7, 8, 9},
                          .raw = {1, 3, 2, 5},
                          .offsets = {0, 3, 4},
                          .columns = {0, 1, 2, 2},
                          .items = {1, 0, 2, 0, 0, 1},
                          .scores = {.5F, .25F, 1, 0, .75F, .5F},
                          .counts = {2, 1, 2},
                          .top = {2},
                          .sums = {7}};
    shop->uids[0] = shop->first;
    shop->uids[1] = shop->second;
    shop->matrix = (struct matrix){.users = 2,
                                   .products = 3,
                                   .pairs = 4,
                                   .user_uids = shop->uids,
                                   .product_ids = shop->products,
                                   .raw = shop->raw};
    shop->matrix.values = (struct csr){.rows = 2, .cols = 3, .offsets = shop->offsets, .columns = shop->columns};
    shop->recommendations.users =
        (struct als_lists){.rows = 2, .n = 2, .items = shop->items, .scores = shop->scores, .counts = shop->counts};
    shop->recommendations.similar =
        (struct als_lists){.rows = 3, .n = 2, .items = shop->items, .scores = shop->scores, .counts = shop->counts};
    shop->recommendations.top_overall = shop->top;
    shop->recommendations.top_overall_sums = shop->sums;
    shop->recommendations.top_overall_count = 1;
    assert_int_equal(catalogue_add(&shop->catalogue, 7, 1, true, "Tea cup", NULL), ERR_OK);
    shop->samples = (struct report_samples){
        .matrix = &shop->matrix, .catalogue = &shop->catalogue, .recommendations = &shop->recommendations};
}

static void samples_carry_titles(void **state)
{
    struct json *report = new_report();
    struct shop shop;

    (void)state;
    shop_init(&shop);
    report_samples_set(report, &shop.samples);
    check_member(
        report, "samples.user",
        "{\"user_uid\":\"dQ==\",\"history\":[{\"product_id\":8,\"title\":null,\"score\":3.0},{\"product_id\":9,"
        "\"title\":null,\"score\":2.0},{\"product_id\":7,\"title\":\"Tea cup\",\"score\":1.0}],"
        "\"recommended\":[{\"product_id\":8,\"title\":null,\"score\":0.5},{\"product_id\":7,"
        "\"title\":\"Tea cup\",\"score\":0.25}]}");
    check_member(report, "samples.top_overall", "[{\"product_id\":9,\"title\":null,\"score\":7.0}]");
    check_member(report, "samples.similar.product_id", "9");
    check_member(report, "samples.similar.similar",
                 "[{\"product_id\":7,\"title\":\"Tea cup\",\"score\":0.75},{\"product_id\":8,\"title\":null,"
                 "\"score\":0.5}]");
    check_member(report, "warnings", "[]");
    check_text(report, "user dQ== has shown most interest in\n");
    check_text(report, "   2.          7  0.25       Tea cup\n");
    check_text(report, "   1.          9  7          (not in the catalogue)\n");
    catalogue_fini(&shop.catalogue);
    json_value_destroy(report);
}

static void the_configured_user_and_product_are_shown(void **state)
{
    struct json *report = new_report();
    struct shop shop;

    (void)state;
    shop_init(&shop);
    shop.samples.user = "v";
    shop.samples.product = "7";
    report_samples_set(report, &shop.samples);
    check_member(report, "samples.user.user_uid", "\"v\"");
    check_member(report, "samples.similar.product_id", "7");
    check_member(report, "samples.similar.title", "\"Tea cup\"");
    catalogue_fini(&shop.catalogue);
    json_value_destroy(report);
}

static void a_user_may_be_named_by_what_the_uid_encodes(void **state)
{
    struct json *report = new_report();
    struct shop shop;

    (void)state;
    shop_init(&shop);
    shop.samples.user = "u";
    shop.samples.fallback_user = 1;
    report_samples_set(report, &shop.samples);
    check_member(report, "samples.user.user_uid", "\"dQ==\"");
    check_member(report, "warnings", "[]");
    catalogue_fini(&shop.catalogue);
    json_value_destroy(report);
}

static void who_is_not_there_is_replaced_with_a_warning(void **state)
{
    struct json *report = new_report();
    struct shop shop;

    (void)state;
    shop_init(&shop);
    shop.samples.user = "nobody";
    shop.samples.product = "77";
    shop.samples.fallback_user = 1;
    report_samples_set(report, &shop.samples);
    check_member(report, "samples.user.user_uid", "\"v\"");
    check_member(report, "samples.similar.product_id", "9");
    check_member(
        report, "warnings",
        "[\"the sample user \\\"nobody\\\" has no list; another one is shown\",\"the sample product \\\"77\\\" "
        "is not in the matrix; another one is shown\"]");
    catalogue_fini(&shop.catalogue);
    json_value_destroy(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_report_has_all_parts_that_are_always_there),
        cmocka_unit_test(stages_have_time_rows_and_drops),
        cmocka_unit_test(percentiles_lie_between_the_values),
        cmocka_unit_test(one_value_is_every_percentile),
        cmocka_unit_test(the_setting_and_each_loss_are_reported),
        cmocka_unit_test(acceleration_is_reported_where_it_is_on),
        cmocka_unit_test(what_was_published_is_counted),
        cmocka_unit_test(samples_of_what_was_dropped_are_kept),
        cmocka_unit_test(the_ten_largest_outliers_are_shown),
        cmocka_unit_test(the_removed_users_stay_out_of_the_counts),
        cmocka_unit_test(an_error_stands_on_top_of_the_text),
        cmocka_unit_test(cancelled_is_not_failed),
        cmocka_unit_test(durations_are_written_in_full),
        cmocka_unit_test(warnings_are_listed),
        cmocka_unit_test(samples_carry_titles),
        cmocka_unit_test(the_configured_user_and_product_are_shown),
        cmocka_unit_test(a_user_may_be_named_by_what_the_uid_encodes),
        cmocka_unit_test(who_is_not_there_is_replaced_with_a_warning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
