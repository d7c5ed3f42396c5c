#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "worker/pipeline/dump.h"

enum { PATH_BYTES = 256 };

/* Two users, one with a name that CSV must quote, and two products. */
struct shop {
    struct matrix matrix;
    struct recommendations recommendations;
};

static void fill_lists(struct als_lists *lists, size_t rows)
{
    static const int32_t items[] = {1, 0, 0, 0};
    static const float scores[] = {.75F, .000143F, 1, 0};
    static const int32_t counts[] = {2, 1};

    *lists = (struct als_lists){.rows = rows, .n = 2};
    lists->items = calloc(4, sizeof *lists->items);
    lists->scores = calloc(4, sizeof *lists->scores);
    lists->counts = calloc(2, sizeof *lists->counts);
    memcpy(lists->items, items, sizeof items);
    memcpy(lists->scores, scores, sizeof scores);
    memcpy(lists->counts, counts, sizeof counts);
}

static void shop_init(struct shop *shop)
{
    static const int32_t columns[] = {0, 1, 1};

    memset(shop, 0, sizeof *shop);
    shop->matrix = (struct matrix){.users = 2, .products = 2, .pairs = 3};
    assert_int_equal(csr_init(&shop->matrix.values, 2, 2, 3, NULL), ERR_OK);
    memcpy(shop->matrix.values.columns, columns, sizeof columns);
    shop->matrix.values.offsets[1] = 2;
    shop->matrix.values.offsets[2] = 3;
    shop->matrix.user_uids = calloc(2, sizeof *shop->matrix.user_uids);
    shop->matrix.user_uids[0] = strdup("a,\"b\"");
    shop->matrix.user_uids[1] = strdup("c");
    shop->matrix.product_ids = calloc(2, sizeof *shop->matrix.product_ids);
    shop->matrix.product_ids[0] = 7;
    shop->matrix.product_ids[1] = 38420;
    shop->matrix.raw = calloc(3, sizeof *shop->matrix.raw);
    shop->matrix.bm25 = calloc(3, sizeof *shop->matrix.bm25);
    for (size_t i = 0; i < 3; i++) {
        shop->matrix.raw[i] = (double)(i + 1) / 3;
        shop->matrix.bm25[i] = (double)(i + 1) / 3e8;
    }
    fill_lists(&shop->recommendations.users, 2);
    fill_lists(&shop->recommendations.similar, 2);
    shop->recommendations.top_overall = calloc(2, sizeof *shop->recommendations.top_overall);
    shop->recommendations.top_overall_sums = calloc(2, sizeof *shop->recommendations.top_overall_sums);
    shop->recommendations.top_overall[0] = 1;
    shop->recommendations.top_overall_sums[0] = 5.0 / 3;
    shop->recommendations.top_overall_sums[1] = 1.0 / 3;
    shop->recommendations.top_overall_count = 2;
}

static void shop_fini(struct shop *shop)
{
    recommendations_fini(&shop->recommendations);
    matrix_fini(&shop->matrix);
}

static int make_folder(void **state)
{
    static char path[PATH_BYTES];

    (void)snprintf(path, sizeof path, "/tmp/recfleet-dump-XXXXXX");
    *state = path;
    return mkdtemp(path) == NULL;
}

static int remove_folder(void **state)
{
    char *command = str_format("rm -r '%s'", (const char *)*state);
    int status = system(command);

    free(command);
    return status;
}

static char *read_file(const char *dir, const char *name)
{
    char *path = str_format("%s/%s", dir, name);
    struct str text = {0};
    char buffer[4096];
    size_t got;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        str_append(&text, buffer, got);
    assert_int_equal(fclose(file), 0);
    free(path);
    return str_take(&text);
}

static void check_file(const char *dir, const char *name, const char *expected)
{
    char *text = read_file(dir, name);
    char *temporary = str_format("%s/%s.tmp", dir, name);

    assert_string_equal(text, expected);
    assert_int_equal(access(temporary, F_OK), -1);
    free(temporary);
    free(text);
}

static void folders_are_made_where_missing(void **state)
{
    char *path = str_format("%s/one/two", (const char *)*state);
    char *slash = str_format("%s/three/", (const char *)*state);
    struct stat status;

    assert_int_equal(dump_prepare(path, NULL), ERR_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    assert_int_equal(dump_prepare(path, NULL), ERR_OK); /* once more */
    assert_int_equal(dump_prepare(slash, NULL), ERR_OK);
    free(path);
    free(slash);
}

static void a_file_in_the_way_is_named(void **state)
{
    char *file = str_format("%s/file", (const char *)*state);
    char *below = str_format("%s/file/below", (const char *)*state);
    FILE *made = fopen(file, "w");
    struct err err;

    assert_non_null(made);
    assert_int_equal(fclose(made), 0);
    assert_int_equal(dump_prepare(file, &err), ERR_IO);
    assert_non_null(strstr(err.message, file));
    assert_int_equal(dump_prepare(below, &err), ERR_IO);
    assert_non_null(strstr(err.message, file));
    free(file);
    free(below);
}

static void the_matrix_is_written_by_product_then_user(void **state)
{
    struct shop shop;

    shop_init(&shop);
    assert_int_equal(dump_matrix(*state, &shop.matrix, NULL), ERR_OK);
    check_file(*state, "matrix.csv",
               "product_id,user_uid,value,bm25\n"
               "7,\"a,\"\"b\"\"\",0.333333333,3.33333333e-09\n"
               "38420,\"a,\"\"b\"\"\",0.666666667,6.66666667e-09\n"
               "38420,c,1,1e-08\n");
    shop_fini(&shop);
}

static void lists_are_written_as_in_the_golden_data(void **state)
{
    struct shop shop;

    shop_init(&shop);
    assert_int_equal(dump_recommendations(*state, &shop.matrix, &shop.recommendations, NULL), ERR_OK);
    check_file(*state, "lists.csv",
               "user_uid,recommended\n"
               "\"a,\"\"b\"\"\",38420:0.75 7:0.000143\n"
               "c,7:1\n");
    check_file(*state, "similar.csv",
               "product_id,similar\n"
               "7,38420:0.75 7:0.000143\n"
               "38420,7:1\n");
    check_file(*state, "top_overall.json", "[\n [38420, 1.66666667],\n [7, 0.333333333]\n]\n");
    shop_fini(&shop);
}

static void an_empty_top_list_is_json_too(void **state)
{
    struct shop shop;
    struct json *value;
    char *text;

    shop_init(&shop);
    shop.recommendations.top_overall_count = 0;
    assert_int_equal(dump_recommendations(*state, &shop.matrix, &shop.recommendations, NULL), ERR_OK);
    text = read_file(*state, "top_overall.json");
    assert_int_equal(json_value_parse(&value, text, strlen(text), NULL), ERR_OK);
    assert_int_equal(json_value_count(value), 0);
    json_value_destroy(value);
    free(text);
    shop_fini(&shop);
}

static void als_json_has_setting_sizes_and_losses(void **state)
{
    const struct als_params params = {.factors = 64, .regularization = 0.01, .alpha = 40, .iterations = 2, .seed = 42};
    const double loss[] = {1.0 / 3, 0.25};
    struct json *value;
    struct shop shop;
    char *text;
    char *line;

    shop_init(&shop);
    assert_int_equal(dump_als(*state, &shop.matrix, &params, loss, 2, NULL), ERR_OK);
    text = read_file(*state, "als.json");
    assert_int_equal(json_value_parse(&value, text, strlen(text), NULL), ERR_OK);
    line = json_value_print(value, false, 0);
    assert_string_equal(line, "{\"setting\":{\"factors\":64,\"regularization\":0.01,\"alpha\":40.0,\"iterations\":2},"
                              "\"random_state\":42,\"users\":2,\"products\":2,\"pairs\":3,"
                              "\"loss_per_iteration\":[0.333333333,0.25]}");
    free(line);
    free(text);
    json_value_destroy(value);
    shop_fini(&shop);
}

static void a_file_replaces_the_one_before(void **state)
{
    struct json *value = json_value_new_object();

    assert_int_equal(dump_json(*state, "counts.json", value, NULL), ERR_OK);
    check_file(*state, "counts.json", "{}\n");
    assert_true(json_value_set_int(value, "a", 1));
    assert_int_equal(dump_json(*state, "counts.json", value, NULL), ERR_OK);
    check_file(*state, "counts.json", "{\n \"a\": 1\n}\n");
    json_value_destroy(value);
}

static void errors_name_the_file(void **state)
{
    char *missing = str_format("%s/missing", (const char *)*state);
    struct json *value = json_value_new_object();
    struct shop shop;
    struct err err;

    shop_init(&shop);
    assert_int_equal(dump_json(missing, "counts.json", value, &err), ERR_IO);
    assert_non_null(strstr(err.message, "missing/counts.json"));
    assert_int_equal(dump_matrix(missing, &shop.matrix, &err), ERR_IO);
    assert_non_null(strstr(err.message, "missing/matrix.csv"));
    assert_int_equal(dump_recommendations(missing, &shop.matrix, &shop.recommendations, &err), ERR_IO);
    assert_non_null(strstr(err.message, "missing/top_overall.json"));
    shop_fini(&shop);
    json_value_destroy(value);
    free(missing);
}

/* /dev/full takes nothing: the temporary name points there. */
static void a_full_disk_is_an_error_and_leaves_the_old_file(void **state)
{
    char *temporary = str_format("%s/counts.json.tmp", (const char *)*state);
    struct json *value = json_value_new_object();
    struct err err;

    assert_int_equal(dump_json(*state, "counts.json", value, NULL), ERR_OK);
    assert_true(json_value_set_int(value, "a", 1));
    assert_int_equal(symlink("/dev/full", temporary), 0);
    assert_int_equal(dump_json(*state, "counts.json", value, &err), ERR_IO);
    assert_non_null(strstr(err.message, "counts.json.tmp: No space left on device"));
    check_file(*state, "counts.json", "{}\n");
    json_value_destroy(value);
    free(temporary);
}

#define DUMP_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DUMP_TEST(folders_are_made_where_missing),
        DUMP_TEST(a_file_in_the_way_is_named),
        DUMP_TEST(the_matrix_is_written_by_product_then_user),
        DUMP_TEST(lists_are_written_as_in_the_golden_data),
        DUMP_TEST(an_empty_top_list_is_json_too),
        DUMP_TEST(als_json_has_setting_sizes_and_losses),
        DUMP_TEST(a_file_replaces_the_one_before),
        DUMP_TEST(errors_name_the_file),
        DUMP_TEST(a_full_disk_is_an_error_and_leaves_the_old_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
