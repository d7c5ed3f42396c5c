#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pipeline/clean.h"

enum { NOW = 1767225600 };

struct cleaned {
    struct interactions rows;
    struct clean_counts counts;
};

static void clean(struct cleaned *cleaned, const char *text)
{
    struct json *activity;
    struct err err;

    if (json_value_parse(&activity, text, strlen(text), &err) != ERR_OK)
        fail_msg("%s: %s", text, err.message);
    assert_int_equal(clean_activity(&cleaned->rows, &cleaned->counts, activity, NOW, &err), ERR_OK);
    json_value_destroy(activity);
}

static void cleaned_init(struct cleaned *cleaned)
{
    memset(cleaned, 0, sizeof *cleaned);
    assert_int_equal(interactions_init(&cleaned->rows, NULL), ERR_OK);
}

static size_t dropped(const struct cleaned *cleaned)
{
    size_t sum = 0;

    for (unsigned reason = 0; reason < CLEAN_REASON_COUNT; reason++)
        sum += cleaned->counts.dropped[reason];
    return sum;
}

/* The text gives no row and `count` drops of that reason alone. */
static void check_drop(const char *text, enum clean_reason reason, size_t count)
{
    struct cleaned cleaned;

    cleaned_init(&cleaned);
    clean(&cleaned, text);
    if (cleaned.rows.count != 0 || cleaned.counts.dropped[reason] != count || dropped(&cleaned) != count)
        fail_msg("%s: %zu rows, %zu drops, of them %zu %s", text, cleaned.rows.count, dropped(&cleaned),
                 cleaned.counts.dropped[reason], clean_reason_name(reason));
    assert_int_equal(cleaned.counts.served, 1);
    interactions_fini(&cleaned.rows);
}

/* The text gives the products (0 ends) and `count` drops. */
static void check_products(const char *text, const int64_t *products, size_t count)
{
    struct cleaned cleaned;
    size_t row = 0;

    cleaned_init(&cleaned);
    clean(&cleaned, text);
    for (; products[row] != 0; row++) {
        if (row >= cleaned.rows.count || cleaned.rows.product_id[row] != products[row])
            fail_msg("%s: row %zu is not product %lld", text, row, (long long)products[row]);
    }
    if (cleaned.rows.count != row || dropped(&cleaned) != count)
        fail_msg("%s: %zu rows and %zu drops", text, cleaned.rows.count, dropped(&cleaned));
    interactions_fini(&cleaned.rows);
}

#define IDS(...)       ((const int64_t[]){__VA_ARGS__, 0})
#define PURCHASE(info) "{\"id\":5,\"action\":\"purchase\",\"user_uid\":\"u\",\"created\":100,\"info\":" info "}"
#define LIST(ids)      PURCHASE("{\"content_ids\":" ids "}")
#define CART(id)       "{\"id\":5,\"action\":\"add_to_cart\",\"user_uid\":\"u\",\"created\":100,\"info\":{\"id\":" id "}}"
#define VIEW(info)     "{\"id\":5,\"action\":\"content_view\",\"user_uid\":\"u\",\"created\":100,\"info\":" info "}"

static void a_row_has_all_of_its_activity(void **state)
{
    struct cleaned cleaned;

    (void)state;
    cleaned_init(&cleaned);
    clean(&cleaned, "{\"id\":5,\"action\":\"add_to_wishlist\",\"user_uid\":\"NA\",\"created\":100,"
                    "\"info\":{\"content_ids\":\",12,\"}}");
    assert_int_equal(cleaned.rows.count, 1);
    assert_int_equal(cleaned.rows.activity_id[0], 5);
    assert_int_equal(cleaned.rows.action[0], ACTION_ADD_TO_WISHLIST);
    assert_string_equal(id_table_text(cleaned.rows.users, cleaned.rows.user[0]), "NA");
    assert_int_equal(cleaned.rows.created[0], 100);
    assert_int_equal(cleaned.rows.product_id[0], 12);
    assert_int_equal(cleaned.counts.rows_by_action[ACTION_ADD_TO_WISHLIST], 1);
    interactions_fini(&cleaned.rows);
}

static void lists_are_stripped_of_commas_and_split(void **state)
{
    (void)state;
    check_products(LIST("\",12,34,\""), IDS(12, 34), 0);
    check_products(LIST("\"12,34\""), IDS(12, 34), 0);
    check_products(LIST("\",,,12,,,\""), IDS(12), 0);
    check_products(LIST("\",1,,2,\""), IDS(1, 2), 1);
    check_products(LIST("\",nan,1,2,\""), IDS(1, 2), 1);
    check_products(LIST("\",1,nan,x,2,\""), IDS(1, 2), 2);
    check_products(LIST("\",7,8,7,\""), IDS(7, 8, 7), 0);
    check_products(LIST("38420"), IDS(38420), 0);
}

static void product_ids_are_read_in_every_form(void **state)
{
    (void)state;
    check_products(CART("\"12\""), IDS(12), 0);
    check_products(CART("12"), IDS(12), 0);
    check_products(CART("12.0"), IDS(12), 0);
    check_products(CART("\"38420.0\""), IDS(38420), 0);
    check_products(CART("\" 12 \""), IDS(12), 0);
    check_products(CART("\"0012\""), IDS(12), 0);
    check_products(CART("\"999999999999999999\""), IDS(999999999999999999), 0);
    check_products(VIEW("{\"id\":\"12\",\"referrer\":\"\"}"), IDS(12), 0);
}

static void what_is_no_integer_is_no_product_id(void **state)
{
    static const char *const bad[] = {
        CART("\"12a\""),
        CART("\"1e3\""),
        CART("\"-1\""),
        CART("\"+1\""),
        CART("\"12.5\""),
        CART("\"12.00\""),
        CART("\".0\""),
        CART("\"1 2\""),
        CART("\"1,2\""),
        CART("\"0x10\""),
        CART("\"1000000000000000000\""), /* 19 digits */
        CART("12.5"),
        CART("1e300"),
        CART("true"),
        CART("[1]"),
        CART("{}"),
        LIST("\"x\""),
        LIST("[1,2]"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_drop(bad[i], CLEAN_PRODUCT_NOT_INTEGER, 1);
}

static void missing_products_are_counted_by_piece(void **state)
{
    (void)state;
    check_drop(CART("null"), CLEAN_NO_PRODUCT, 1);
    check_drop(CART("\"\""), CLEAN_NO_PRODUCT, 1);
    check_drop(CART("\"nan\""), CLEAN_NO_PRODUCT, 1);
    check_drop(LIST("\"\""), CLEAN_NO_PRODUCT, 1);
    check_drop(LIST("\",,\""), CLEAN_NO_PRODUCT, 1);
    check_drop(LIST("\",nan,,nan,\""), CLEAN_NO_PRODUCT, 3);
    check_drop(LIST("null"), CLEAN_NO_PRODUCT, 1);
    check_drop(PURCHASE("{\"id\":\"12\"}"), CLEAN_NO_PRODUCT, 1);
    check_drop(VIEW("{\"content_ids\":\",12,\",\"referrer\":\"r\"}"), CLEAN_NO_PRODUCT, 1);
}

static void empty_information_costs_the_activity(void **state)
{
    (void)state;
    check_drop(PURCHASE("{}"), CLEAN_INFO_EMPTY, 1);
    check_drop(PURCHASE("null"), CLEAN_INFO_EMPTY, 1);
    check_drop(PURCHASE("\"\""), CLEAN_INFO_EMPTY, 1);
    check_drop(PURCHASE("[1]"), CLEAN_INFO_EMPTY, 1);
    check_drop("{\"id\":5,\"action\":\"purchase\",\"user_uid\":\"u\",\"created\":100}", CLEAN_INFO_EMPTY, 1);
}

static void views_need_a_referrer(void **state)
{
    (void)state;
    check_drop(VIEW("{\"id\":\"12\"}"), CLEAN_NO_REFERRER, 1);
    check_drop(VIEW("{\"id\":\"12\",\"referrer\":null}"), CLEAN_NO_REFERRER, 1);
    check_drop(VIEW("{\"id\":\"nan\"}"), CLEAN_NO_REFERRER, 1);
}

#define WHO(user, created) \
    "{\"id\":5,\"action\":\"add_to_cart\",\"user_uid\":" user ",\"created\":" created ",\"info\":{\"id\":\"1\"}}"

static void users_are_texts_or_numbers(void **state)
{
    struct cleaned cleaned;

    (void)state;
    check_drop(WHO("null", "1"), CLEAN_NO_USER, 1);
    check_drop(WHO("\"\"", "1"), CLEAN_NO_USER, 1);
    check_drop(WHO("[\"u\"]", "1"), CLEAN_NO_USER, 1);
    check_drop(WHO("true", "1"), CLEAN_NO_USER, 1);
    check_drop(WHO("\"a\\u0000b\"", "1"), CLEAN_NO_USER, 1);
    cleaned_init(&cleaned);
    clean(&cleaned, WHO("38420", "1"));
    clean(&cleaned, WHO("\"38420\"", "1"));
    clean(&cleaned, WHO("\"null\"", "1"));
    assert_int_equal(id_table_count(cleaned.rows.users), 2);
    assert_string_equal(id_table_text(cleaned.rows.users, 0), "38420");
    assert_string_equal(id_table_text(cleaned.rows.users, 1), "null");
    interactions_fini(&cleaned.rows);
}

static void times_up_to_an_hour_ahead_are_kept_as_they_are(void **state)
{
    struct cleaned cleaned;

    (void)state;
    cleaned_init(&cleaned);
    clean(&cleaned, WHO("\"u\"", "1767229200")); /* NOW + 3600 */
    assert_int_equal(cleaned.rows.count, 1);
    assert_int_equal(cleaned.rows.created[0], NOW + 3600);
    interactions_fini(&cleaned.rows);
    check_drop(WHO("\"u\"", "1767229201"), CLEAN_IN_FUTURE, 1);
    check_drop(WHO("\"u\"", "1767225600000"), CLEAN_IN_FUTURE, 1); /* milliseconds */
}

static void ids_and_times_may_be_numeric_texts(void **state)
{
    struct cleaned cleaned;

    (void)state;
    cleaned_init(&cleaned);
    clean(&cleaned, "{\"id\":\"77\",\"action\":\"add_to_cart\",\"user_uid\":\"u\",\"created\":\"1234\","
                    "\"info\":{\"id\":\"1\"}}");
    assert_int_equal(cleaned.rows.count, 1);
    assert_int_equal(cleaned.rows.activity_id[0], 77);
    assert_int_equal(cleaned.rows.created[0], 1234);
    interactions_fini(&cleaned.rows);
}

static void without_id_or_time_an_activity_is_malformed(void **state)
{
    (void)state;
    check_drop("{\"action\":\"purchase\",\"user_uid\":null,\"created\":1,\"info\":{}}", CLEAN_MALFORMED, 1);
    check_drop("{\"id\":\"x\",\"action\":\"purchase\",\"user_uid\":\"u\",\"created\":1,\"info\":{\"a\":1}}",
               CLEAN_MALFORMED, 1);
    check_drop(WHO("\"u\"", "null"), CLEAN_MALFORMED, 1);
    check_drop(WHO("\"u\"", "\"yesterday\""), CLEAN_MALFORMED, 1);
    check_drop(WHO("\"u\"", "1.5"), CLEAN_MALFORMED, 1);
}

static void what_is_no_activity_has_an_unknown_action(void **state)
{
    (void)state;
    check_drop("{\"action\":\"search\"}", CLEAN_UNKNOWN_ACTION, 1);
    check_drop("{\"action\":7,\"id\":1}", CLEAN_UNKNOWN_ACTION, 1);
    check_drop("null", CLEAN_UNKNOWN_ACTION, 1);
    check_drop("[]", CLEAN_UNKNOWN_ACTION, 1);
    check_drop("\"purchase\"", CLEAN_UNKNOWN_ACTION, 1);
}

/* Each text has all faults from its own on; the first in the order of pipeline.md counts. */
static void of_several_faults_the_first_counts(void **state)
{
    (void)state;
    check_drop("{\"action\":\"x\",\"info\":{},\"user_uid\":null}", CLEAN_UNKNOWN_ACTION, 1);
    check_drop("{\"action\":\"content_view\",\"info\":{},\"user_uid\":null}", CLEAN_MALFORMED, 1);
    check_drop("{\"id\":1,\"created\":9999999999,\"action\":\"content_view\",\"info\":{},\"user_uid\":null}",
               CLEAN_INFO_EMPTY, 1);
    check_drop("{\"id\":1,\"created\":9999999999,\"action\":\"content_view\",\"info\":{\"id\":\"\"},\"user_uid\":null}",
               CLEAN_NO_USER, 1);
    check_drop(
        "{\"id\":1,\"created\":9999999999,\"action\":\"content_view\",\"info\":{\"id\":\"\"},\"user_uid\":\"u\"}",
        CLEAN_IN_FUTURE, 1);
    check_drop("{\"id\":1,\"created\":1,\"action\":\"content_view\",\"info\":{\"id\":\"\"},\"user_uid\":\"u\"}",
               CLEAN_NO_REFERRER, 1);
}

static void the_first_three_of_a_reason_are_kept_and_cut(void **state)
{
    struct cleaned cleaned;
    char text[1024];

    (void)state;
    cleaned_init(&cleaned);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof text, "{\"action\":\"no%d\",\"pad\":\"%0300d\xc3\xa4\"}", i, i);
        clean(&cleaned, text);
    }
    assert_int_equal(cleaned.counts.dropped[CLEAN_UNKNOWN_ACTION], 5);
    assert_non_null(strstr(cleaned.counts.samples[CLEAN_UNKNOWN_ACTION][0], "no0"));
    assert_non_null(strstr(cleaned.counts.samples[CLEAN_UNKNOWN_ACTION][2], "no2"));
    assert_int_equal(strlen(cleaned.counts.samples[CLEAN_UNKNOWN_ACTION][0]), CLEAN_SAMPLE_BYTES - 1);
    interactions_fini(&cleaned.rows);
}

static void a_sample_is_not_cut_inside_a_character(void **state)
{
    struct cleaned cleaned;
    char text[1024];
    char *pad = text;

    (void)state;
    cleaned_init(&cleaned);
    pad += sprintf(pad, "{\"action\":\"no\",\"pad\":\"");
    for (int i = 0; i < 200; i++)
        pad += sprintf(pad, "\xe2\x82\xac");
    (void)sprintf(pad, "\"}");
    clean(&cleaned, text);
    /* 23 bytes before the characters of three bytes each: 72 of them fit into 239 */
    assert_int_equal(strlen(cleaned.counts.samples[CLEAN_UNKNOWN_ACTION][0]), 23 + 72 * 3 - 1);
    interactions_fini(&cleaned.rows);
}

static void baskets_are_counted(void **state)
{
    struct cleaned cleaned;

    (void)state;
    cleaned_init(&cleaned);
    clean(&cleaned, LIST("\",1,2,nan,3,\""));
    clean(&cleaned, LIST("\",1,nan,\""));
    clean(&cleaned, CART("1"));
    assert_int_equal(cleaned.counts.activities_of_several_products, 1);
    assert_int_equal(cleaned.counts.products_of_those, 3);
    interactions_fini(&cleaned.rows);
}

static void duplicates_are_counted_and_shown(void **state)
{
    struct cleaned cleaned;
    size_t removed;

    (void)state;
    cleaned_init(&cleaned);
    for (int i = 0; i < 6; i++)
        clean(&cleaned, LIST("\",1,2,\""));
    assert_int_equal(clean_duplicates(&cleaned.rows, &cleaned.counts, &removed, NULL), ERR_OK);
    assert_int_equal(removed, 10);
    assert_int_equal(cleaned.rows.count, 2);
    assert_int_equal(cleaned.counts.dropped[CLEAN_DUPLICATE], 10);
    assert_string_equal(cleaned.counts.samples[CLEAN_DUPLICATE][1],
                        "{\"id\":5,\"action\":\"purchase\",\"created\":100,\"product_id\":2}");
    interactions_fini(&cleaned.rows);
}

/* stock: INT64_MIN where the product is malformed */
static void check_product(const char *text, int64_t id, int64_t stock, bool published, const char *title)
{
    struct catalogue catalogue;
    struct json *product;
    size_t malformed = 0;

    catalogue_init(&catalogue);
    assert_int_equal(json_value_parse(&product, text, strlen(text), NULL), ERR_OK);
    assert_int_equal(clean_product(&catalogue, &malformed, product, NULL), ERR_OK);
    if (malformed != (stock == INT64_MIN) || catalogue.count != (stock != INT64_MIN))
        fail_msg("%s: malformed %zu", text, malformed);
    if (catalogue.count == 1) {
        assert_int_equal(catalogue.products[0].id, id);
        assert_int_equal(catalogue.products[0].stock, stock);
        assert_int_equal(catalogue.products[0].published, published);
        assert_string_equal(catalogue.products[0].title, title);
    }
    json_value_destroy(product);
    catalogue_fini(&catalogue);
}

static void products_are_read_in_every_form(void **state)
{
    (void)state;
    check_product("{\"id\":7,\"stock\":3,\"status\":\"Published\",\"title\":\"T\"}", 7, 3, true, "T");
    check_product("{\"id\":\"7\",\"stock\":\"3\",\"status\":\"Draft\",\"title\":null}", 7, 3, false, "");
    check_product("{\"id\":7,\"stock\":null,\"status\":\"published\"}", 7, 0, false, "");
    check_product("{\"id\":7,\"status\":\"Published\"}", 7, 0, true, "");
    check_product("{\"id\":7,\"stock\":-1,\"status\":\"Published\"}", 7, -1, true, "");
    check_product("{\"id\":7,\"stock\":\"-1\",\"status\":\"Published\"}", 7, -1, true, "");
    check_product("{\"id\":7.0,\"stock\":2.9,\"status\":\"Published\"}", 7, 2, true, "");
}

static void malformed_products_are_counted(void **state)
{
    (void)state;
    check_product("{\"stock\":3}", 0, INT64_MIN, false, "");
    check_product("{\"id\":\"x\"}", 0, INT64_MIN, false, "");
    check_product("{\"id\":7,\"stock\":\"many\"}", 0, INT64_MIN, false, "");
    check_product("{\"id\":7,\"stock\":true}", 0, INT64_MIN, false, "");
    check_product("{\"id\":7,\"stock\":1e300}", 0, INT64_MIN, false, "");
    check_product("[]", 0, INT64_MIN, false, "");
    check_product("null", 0, INT64_MIN, false, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_all_of_its_activity),
        cmocka_unit_test(lists_are_stripped_of_commas_and_split),
        cmocka_unit_test(product_ids_are_read_in_every_form),
        cmocka_unit_test(what_is_no_integer_is_no_product_id),
        cmocka_unit_test(missing_products_are_counted_by_piece),
        cmocka_unit_test(empty_information_costs_the_activity),
        cmocka_unit_test(views_need_a_referrer),
        cmocka_unit_test(users_are_texts_or_numbers),
        cmocka_unit_test(times_up_to_an_hour_ahead_are_kept_as_they_are),
        cmocka_unit_test(ids_and_times_may_be_numeric_texts),
        cmocka_unit_test(without_id_or_time_an_activity_is_malformed),
        cmocka_unit_test(what_is_no_activity_has_an_unknown_action),
        cmocka_unit_test(of_several_faults_the_first_counts),
        cmocka_unit_test(the_first_three_of_a_reason_are_kept_and_cut),
        cmocka_unit_test(a_sample_is_not_cut_inside_a_character),
        cmocka_unit_test(baskets_are_counted),
        cmocka_unit_test(duplicates_are_counted_and_shown),
        cmocka_unit_test(products_are_read_in_every_form),
        cmocka_unit_test(malformed_products_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
