/* An export in a folder as a source: what is read, and what is counted and shown as bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "worker/connect/folder.h"
#include "worker/connect/folder_file.h"
#include "worker/pipeline/fetch.h"

enum { NOW = 1767225600, DAY = 86400, PATH_BYTES = 128 };

struct scene {
    char path[PATH_BYTES];
    struct fetch_result result;
    struct err err;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    *state = scene;
    if (scene == NULL)
        return -1;
    (void)snprintf(scene->path, sizeof scene->path, "/tmp/recfleet-folder-XXXXXX");
    return mkdtemp(scene->path) != NULL ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    fetch_result_fini(&scene->result);
    (void)nftw(scene->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(scene);
    return 0;
}

static void write_bytes(const struct scene *scene, const char *name, const char *data, size_t size)
{
    char path[PATH_BYTES + 64];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", scene->path, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void write_text(const struct scene *scene, const char *name, const char *text)
{
    write_bytes(scene, name, text, strlen(text));
}

static enum err_code fetch_as(struct scene *scene, int window_days, const struct progress *progress)
{
    const struct fetch_params params = {.now_s = NOW, .window_days = window_days};
    struct folder *folder;
    struct source source;
    enum err_code rc = folder_create(&folder, scene->path, &scene->err);

    fetch_result_fini(&scene->result);
    if (rc != ERR_OK)
        return rc;
    source = folder_source(folder);
    rc = fetch_run(&scene->result, &params, &source, NULL, progress, &scene->err);
    folder_destroy(folder);
    return rc;
}

static void fetch(struct scene *scene)
{
    if (fetch_as(scene, 0, NULL) != ERR_OK)
        fail_msg("%s", scene->err.message);
}

/* "id action user product created" of each row, in their order, must be `expected`. */
static void check_rows(const struct scene *scene, const char *expected)
{
    const struct interactions *rows = &scene->result.rows;
    struct str text = {0};

    for (size_t row = 0; row < rows->count; row++)
        str_append_format(&text, "%lld %s %s %lld %lld\n", (long long)rows->activity_id[row],
                          action_name((enum action)rows->action[row]), id_table_text(rows->users, rows->user[row]),
                          (long long)rows->product_id[row], (long long)rows->created[row]);
    assert_string_equal(text.text, expected);
    str_fini(&text);
}

static void check_bad(const struct scene *scene, const char *reason, size_t count, const char *sample)
{
    const struct source_bad *bad = scene->result.source.bad;

    for (size_t i = 0; i < SOURCE_BAD_REASONS && bad[i].reason != NULL; i++) {
        if (strcmp(bad[i].reason, reason) != 0)
            continue;
        assert_int_equal(bad[i].count, count);
        assert_string_equal(bad[i].samples[0], sample);
        return;
    }
    fail_msg("nothing is bad as %s", reason);
}

static void check_dropped(const struct scene *scene, enum clean_reason reason, size_t count, const char *part)
{
    const struct clean_counts *clean = &scene->result.clean;

    assert_int_equal(clean->dropped[reason], count);
    if (strstr(clean->samples[reason][0], part) == NULL)
        fail_msg("no %s in %s", part, clean->samples[reason][0]);
}

static void check_refused(struct scene *scene, enum err_code code, const char *part)
{
    assert_int_equal(fetch_as(scene, 0, NULL), code);
    if (strstr(scene->err.message, part) == NULL)
        fail_msg("no \"%s\" in \"%s\"", part, scene->err.message);
}

static void columns_come_in_any_order_and_lines_in_theirs(void **state)
{
    struct scene *scene = *state;

    write_text(scene, "interactions.csv",
               "time,colour,Product, user ,action\n"
               "1767225000,red,12,bob,purchase\n"
               "2025-12-31T23:00:00Z,blue,13,\"o\"\"neil, ann\",content_view\n"
               "1767225001,,14.0,bob,Cart\n");
    fetch(scene);
    check_rows(scene, "-2 purchase bob 12 1767225000\n"
                      "-3 content_view o\"neil, ann 13 1767222000\n"
                      "-4 add_to_cart bob 14 1767225001\n");
    assert_int_equal(scene->result.source.lines, 3);
    assert_int_equal(source_bad_total(&scene->result.source), 0);
}

static void every_action_has_its_name_and_a_short_one(void **state)
{
    struct scene *scene = *state;

    write_text(scene, "interactions.csv",
               "id,user,product,action,time\n1,u,1,purchase,9\n2,u,2,initiate_checkout,9\n3,u,3,checkout,9\n"
               "4,u,4,add_to_cart,9\n5,u,5,cart,9\n6,u,6,add_to_wishlist,9\n7,u,7,wishlist,9\n"
               "8,u,8,content_view,9\n9,u,9,VIEW,9\n");
    fetch(scene);
    check_rows(scene, "1 purchase u 1 9\n2 initiate_checkout u 2 9\n3 initiate_checkout u 3 9\n4 add_to_cart u 4 9\n"
                      "5 add_to_cart u 5 9\n6 add_to_wishlist u 6 9\n7 add_to_wishlist u 7 9\n8 content_view u 8 9\n"
                      "9 content_view u 9 9\n");
}

static void lines_of_one_id_are_one_activity_and_a_product_of_it_counts_once(void **state)
{
    struct scene *scene = *state;

    write_text(scene, "interactions.csv",
               "id,user,product,action,time\nINV-7,u,1,purchase,9\nINV-7,u,2,purchase,9\nINV-7,u,1,purchase,9\n"
               "INV-8,u,1,purchase,9\n,u,1,purchase,9\n,u,1,purchase,9\n");
    fetch(scene);
    assert_int_equal(scene->result.rows.count, 5);
    assert_int_equal(scene->result.rows_dropped_as_duplicates, 1);
    assert_true(scene->result.rows.activity_id[0] == scene->result.rows.activity_id[1]);
    assert_true(scene->result.rows.activity_id[0] > 0);
    assert_true(scene->result.rows.activity_id[0] != scene->result.rows.activity_id[2]);
    assert_int_equal(scene->result.rows.activity_id[3], -6);
    assert_int_equal(scene->result.rows.activity_id[4], -7);
}

static void a_byte_order_mark_crlf_and_empty_lines_are_nothing(void **state)
{
    struct scene *scene = *state;

    write_text(scene, "interactions.csv", "\xef\xbb\xbfuser;product;action;time\r\n\r\nu;1;view;9\r\n\r\nu;2;view;9");
    write_text(scene, "products.csv", "\xef\xbb\xbfid\ttitle\r\n1\tCup\r\n\r\n");
    fetch(scene);
    check_rows(scene, "-3 content_view u 1 9\n-5 content_view u 2 9\n");
    assert_int_equal(source_bad_total(&scene->result.source), 0);
    assert_int_equal(scene->result.catalogue.count, 1);
}

static void every_kind_of_bad_line_is_counted_and_shown_with_its_number(void **state)
{
    struct scene *scene = *state;

    write_text(scene, "interactions.csv",
               "user,product,action,time\n" /* 1 */
               "u,1,view,9\n"               /* 2 */
               "u,1,view\n"                 /* 3 */
               "u,1,sing,9\n"               /* 4 */
               "u,1,view,tomorrow\n"        /* 5 */
               "\"u\"x,1,view,9\n"          /* 6 */
               "\xff\xfe,1,view,9\n"        /* 7 */
               "\"a\nb\",1,view,9\n"        /* 8, 9: good */
               ",1,view,9\n"                /* 10 */
               "u,,view,9\n"                /* 11 */
               "u,SKU-1,view,9\n"           /* 12 */
               "u,1,view,2100-01-01\n"      /* 13 */
               "\"never closed,1,view,9\n"  /* 14 */
               "u,2,view,9\n");             /* 15: good all the same */
    fetch(scene);
    check_rows(scene, "-2 content_view u 1 9\n-8 content_view a\nb 1 9\n-15 content_view u 2 9\n");
    check_bad(scene, "line_columns", 1, "interactions.csv line 3: 3 fields under a header of 4");
    check_bad(scene, "unknown_action", 1, "interactions.csv line 4: not understood: \"sing\"");
    check_bad(scene, "line_time", 1, "interactions.csv line 5: not understood: \"tomorrow\"");
    check_bad(scene, "line_quotes", 2, "interactions.csv line 6: quotes that do not match: \"\\\"u\\\"x,1,view,9\"");
    assert_string_equal(scene->result.source.bad[3].samples[1],
                        "interactions.csv line 14: quotes that do not match: \"\\\"never closed,1,view,9\"");
    check_bad(scene, "line_not_utf8", 1, "interactions.csv line 7: not understood: \"\xef\xbf\xbd\xef\xbf\xbd\"");
    check_dropped(scene, CLEAN_NO_USER, 1, "{\"line\":10,");
    check_dropped(scene, CLEAN_NO_PRODUCT, 1, "{\"line\":11,");
    check_dropped(scene, CLEAN_PRODUCT_NOT_INTEGER, 1, "{\"line\":12,");
    check_dropped(scene, CLEAN_IN_FUTURE, 1, "{\"line\":13,");
    assert_int_equal(scene->result.source.lines, 13);
}

static void a_line_without_an_end_is_stepped_over_in_bounded_memory(void **state)
{
    static const char head[] = "user,product,action,time\nu,1,view,9\n";
    static const char tail[] = "\nu,2,view,9\n";
    enum { HUGE_BYTES = 5 << 20 };
    struct scene *scene = *state;
    char *text = malloc(HUGE_BYTES);

    assert_non_null(text);
    memset(text, 'x', HUGE_BYTES);
    memcpy(text, head, strlen(head));
    memcpy(text + HUGE_BYTES - strlen(tail), tail, strlen(tail));
    write_bytes(scene, "interactions.csv", text, HUGE_BYTES);
    fetch(scene);
    check_rows(scene, "-2 content_view u 1 9\n-4 content_view u 2 9\n");
    check_bad(scene, "line_too_long", 1,
              "interactions.csv line 3: more than a MiB: "
              "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"…");

    text[strlen(head)] = '"'; /* a quote that is never closed: the same, and the rest is read again */
    text[strlen(head) + 9] = '\n';
    write_bytes(scene, "interactions.csv", text, HUGE_BYTES);
    fetch(scene);
    check_rows(scene, "-2 content_view u 1 9\n-5 content_view u 2 9\n");
    check_bad(scene, "line_quotes", 1, "interactions.csv line 3: quotes that do not match: \"\\\"xxxxxxxx\"");
    check_bad(scene, "line_too_long", 1,
              "interactions.csv line 4: more than a MiB: "
              "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"…");
    free(text);
}

/* Records that lie across every place where the buffer is filled again. */
static void a_file_larger_than_the_buffer_is_read_whole(void **state)
{
    enum { LINES = 150001 };
    struct scene *scene = *state;
    struct str text = {0};

    str_append_text(&text, "user,product,action,time,note\n");
    for (int i = 0; i < LINES; i++)
        str_append_format(&text, "user-%d,%d,view,%d,\"%.*s\n\"\n", i % 7, i % 11, i, i % 37,
                          "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    assert_true(text.length > 2 * FOLDER_FILE_RECORD_BYTES);
    write_bytes(scene, "interactions.csv", text.text, text.length);
    str_fini(&text);
    fetch(scene);
    assert_int_equal(scene->result.rows.count, LINES);
    assert_int_equal(source_bad_total(&scene->result.source), 0);
    for (int i = 0; i < LINES; i++) {
        assert_int_equal(scene->result.rows.created[i], i);
        assert_int_equal(scene->result.rows.product_id[i], i % 11);
        assert_int_equal(scene->result.rows.activity_id[i], -(2 + 2 * i));
    }
}

static void a_truncated_file_loses_its_last_line(void **state)
{
    struct scene *scene = *state;

    write_text(scene, "interactions.csv", "user,product,action,time\nu,1,view,9\nu,2,vi");
    fetch(scene);
    check_rows(scene, "-2 content_view u 1 9\n");
    check_bad(scene, "line_columns", 1, "interactions.csv line 3: 3 fields under a header of 4");

    write_text(scene, "interactions.csv", "user,product,action,time\nu,1,view,9\nu,2,view,\"9");
    fetch(scene);
    check_bad(scene, "line_quotes", 1, "interactions.csv line 3: quotes that do not match: \"u,2,view,\\\"9\"");
}

static void a_header_that_will_not_do_is_an_error_that_says_why(void **state)
{
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"", "interactions.csv: it is empty"},
        {"user,product,action\n", "interactions.csv: the header has no column \"time\""},
        {"user,product,time,when\n", "no column \"action\""},
        {"product,time,action\n", "no column \"user\""},
        {"user,time,action\n", "no column \"product\""},
        {"user,product,action,time,user_uid\n", "the column \"user\" twice"},
        {"\"user,product", "line 1 is no header"},
        {"u,1,view,9\n", "no column \"user\""},
        {"\xff\xfeu\0s\0", "UTF-16"},
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text(scene, "interactions.csv", cases[i].text);
        check_refused(scene, ERR_FORMAT, cases[i].part);
    }
}

static void what_is_older_than_the_window_is_left_out_and_counted(void **state)
{
    struct scene *scene = *state;
    char text[256];

    (void)snprintf(text, sizeof text, "user,product,action,time\nu,1,view,%d\nu,2,view,%d\nu,3,view,%d\n",
                   NOW - 40 * DAY, NOW - 10 * DAY, NOW - 10 * DAY - 1);
    write_text(scene, "interactions.csv", text);
    assert_int_equal(fetch_as(scene, 10, NULL), ERR_OK);
    assert_int_equal(scene->result.rows.count, 1);
    assert_int_equal(scene->result.source.too_old, 2);
    assert_int_equal(scene->result.newest_s, NOW - 10 * DAY);
    assert_int_equal(scene->result.clean.served, 1);
    assert_int_equal(fetch_as(scene, 9, NULL), ERR_NO_DATA);
    assert_non_null(strstr(scene->err.message, "Interactions are required: 3 are older than the window of 9 days"));
}

static void without_products_all_that_were_met_are_recommendable(void **state)
{
    struct scene *scene = *state;

    write_text(scene, "interactions.csv", "user,product,action,time\nu,7,view,9\nu,3,view,9\nv,7,view,9\n");
    fetch(scene);
    assert_int_equal(scene->result.catalogue.count, 2);
    assert_int_equal(scene->result.catalogue.products[0].id, 3);
    assert_true(product_is_recommendable(catalogue_find(&scene->result.catalogue, 7)));
}

static void products_have_what_their_columns_say_and_are_else_in_stock(void **state)
{
    struct scene *scene = *state;
    const struct catalogue *catalogue = &scene->result.catalogue;

    write_text(scene, "interactions.csv", "user,product,action,time\nu,7,view,9\n");
    write_text(
        scene, "products.csv",
        "stock,title,status,id\n3,\"Cup, red\",published,1\n0,Gone,Published,2\n,None,Published,3\n"
        "2.5,Half,Published,4\n9,Draft,Draft,5\n-1,Minus,Published,6.0\nmany,Bad,Published,7\n1,Bad,Published,x\n"
        "1,2\n");
    fetch(scene);
    assert_int_equal(catalogue->count, 6);
    assert_string_equal(catalogue_find(catalogue, 1)->title, "Cup, red");
    assert_true(product_is_recommendable(catalogue_find(catalogue, 1)));
    assert_int_equal(catalogue_find(catalogue, 4)->stock, 2);
    for (int64_t id = 2; id <= 6; id++)
        assert_int_equal(product_is_recommendable(catalogue_find(catalogue, id)), id == 4);
    assert_int_equal(scene->result.products_malformed, 2);
    assert_non_null(strstr(scene->result.product_samples[0], "{\"line\":8,\"id\":\"7\",\"stock\":\"many\""));
    assert_non_null(strstr(scene->result.product_samples[1], "{\"line\":9,"));
    check_bad(scene, "line_columns", 1, "products.csv line 10: 2 fields under a header of 4");

    write_text(scene, "products.csv", "id\n1\n");
    fetch(scene);
    assert_true(product_is_recommendable(catalogue_find(catalogue, 1)));
}

static void events_are_read_as_the_cms_serves_them(void **state)
{
    struct scene *scene = *state;

    write_text(
        scene, "events.jsonl",
        "{\"id\":5,\"action\":\"purchase\",\"user_uid\":\"u\",\"info\":{\"content_ids\":\",1,2,\"},\"created\":9}\r\n"
        "\n"
        "{ "
        "\"id\":4,\"action\":\"content_view\",\"user_uid\":\"u\",\"info\":{\"id\":\"3\",\"referrer\":\"\"},\"created\":"
        "9}\n"
        "{\"id\":3,\"action\":\"search\",\"user_uid\":\"u\",\"info\":{},\"created\":9}\n"
        "{\"id\":2,\"action\":\"purch\n"
        "[1]\n"
        "{}\n"
        "{\"id\":1,\"action\":\"purchase\",\"user_uid\":null,\"info\":{\"content_ids\":\",1,\"},\"created\":9}\n"
        "{\"id\":0,\"action\":\"purchase\",\"user_uid\":\"v\",\"info\":{\"content_ids\":\",1,\"},\"created\":9}");
    write_text(scene, "products.json",
               "\xef\xbb\xbf[{\"id\":1,\"stock\":2,\"status\":\"Published\",\"title\":\"Cup\"}]\n");
    fetch(scene);
    check_rows(scene, "5 purchase u 1 9\n5 purchase u 2 9\n4 content_view u 3 9\n0 purchase v 1 9\n");
    check_bad(
        scene, "unknown_action", 2,
        "events.jsonl line 4: not understood: "
        "\"{\\\"id\\\":3,\\\"action\\\":\\\"search\\\",\\\"user_uid\\\":\\\"u\\\",\\\"info\\\":{},\\\"created\\\"\"…");
    check_bad(scene, "line_not_json", 2,
              "events.jsonl line 5: no JSON object: \"{\\\"id\\\":2,\\\"action\\\":\\\"purch\"");
    check_dropped(scene, CLEAN_NO_USER, 1, "{\"line\":8,\"id\":1,");
    assert_int_equal(scene->result.catalogue.count, 1);
    assert_int_equal(scene->result.source.lines, 9);
}

static void a_huge_line_of_events_is_stepped_over(void **state)
{
    static const char good[] =
        "{\"id\":5,\"action\":\"purchase\",\"user_uid\":\"u\",\"info\":{\"content_ids\":\"1\"},\"created\":9}\n";
    enum { HUGE_BYTES = 3 << 20 };
    struct scene *scene = *state;
    char *text = malloc(HUGE_BYTES);

    assert_non_null(text);
    memset(text, '{', HUGE_BYTES);
    memcpy(text, good, strlen(good));
    text[HUGE_BYTES - strlen(good) - 1] = '\n';
    memcpy(text + HUGE_BYTES - strlen(good), good, strlen(good));
    write_bytes(scene, "events.jsonl", text, HUGE_BYTES);
    free(text);
    fetch(scene);
    assert_int_equal(scene->result.clean.served, 2);
    assert_int_equal(source_bad_total(&scene->result.source), 1);
    assert_int_equal(scene->result.source.lines, 3);
}

static void a_catalogue_that_is_no_array_is_an_error(void **state)
{
    struct scene *scene = *state;

    write_text(scene, "interactions.csv", "user,product,action,time\nu,7,view,9\n");
    write_text(scene, "products.json", "{\"id\":1}");
    check_refused(scene, ERR_FORMAT, "products.json: it is no array of products");
    write_text(scene, "products.json", "[{\"id\":1},");
    check_refused(scene, ERR_FORMAT, "products.json: JSON line 1");
    write_text(scene, "products.json", "[]");
    check_refused(scene, ERR_NO_DATA, "Products are required.");
}

static void what_is_to_be_read_must_be_clear(void **state)
{
    struct scene *scene = *state;
    char path[PATH_BYTES + 32];

    check_refused(scene, ERR_CONFIG, "has neither events.jsonl nor interactions.csv");
    write_text(scene, "events.jsonl.xz", "x");
    check_refused(scene, ERR_CONFIG, "events.jsonl.xz is packed: unpack it first");
    write_text(scene, "events.jsonl", "{}\n");
    check_refused(scene, ERR_NO_DATA, "Interactions are required.");
    write_text(scene, "products.csv.xz", "x");
    check_refused(scene, ERR_CONFIG, "products.csv.xz is packed");
    write_text(scene, "products.csv", "id\n1\n");
    write_text(scene, "products.json", "[]");
    check_refused(scene, ERR_CONFIG, "both products.json and products.csv");
    write_text(scene, "interactions.csv", "");
    check_refused(scene, ERR_CONFIG, "both events.jsonl and interactions.csv");
    (void)snprintf(scene->path + strlen(scene->path), 8, "/none");
    check_refused(scene, ERR_CONFIG, "No such file or directory");
    *strrchr(scene->path, '/') = '\0';

    (void)snprintf(path, sizeof path, "%s/interactions.csv", scene->path);
    assert_int_equal(remove(path), 0);
    (void)snprintf(path, sizeof path, "%s/products.json", scene->path);
    assert_int_equal(remove(path), 0);
    (void)snprintf(path, sizeof path, "%s/events.jsonl", scene->path);
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_refused(scene, ERR_IO, "it is no file");
}

static bool refuse_to_go_on(void *context, const char *stage, double fraction, const char *note)
{
    double *seen = context;

    assert_string_equal(stage, "fetch");
    assert_non_null(strstr(note, "lines of interactions.csv"));
    *seen = fraction;
    return false;
}

static void a_reading_is_cancelled_on_its_way(void **state)
{
    enum { LINES = 20000 };
    struct scene *scene = *state;
    double seen = -1;
    const struct progress progress = {.fn = refuse_to_go_on, .context = &seen};
    struct str text = {0};

    str_append_text(&text, "user,product,action,time\n");
    for (int i = 0; i < LINES; i++)
        str_append_text(&text, "u,1,view,9\n");
    write_bytes(scene, "interactions.csv", text.text, text.length);
    str_fini(&text);
    assert_int_equal(fetch_as(scene, 0, &progress), ERR_CANCELLED);
    assert_true(seen > 0.3 && seen < 0.5); /* of the stage, whose greater part are activities */
}

static void the_identity_is_the_folder(void **state)
{
    struct scene *scene = *state;
    struct folder *folder;
    char detour[PATH_BYTES + 8];
    struct str expected = {0};

    write_text(scene, "events.jsonl", "");
    (void)snprintf(detour, sizeof detour, "%s/../%s/.", scene->path, strrchr(scene->path, '/') + 1);
    assert_int_equal(folder_create(&folder, detour, NULL), ERR_OK);
    str_append_format(&expected, "file:%s", scene->path);
    assert_string_equal(folder_source(folder).identity, expected.text);
    folder_destroy(folder);
    str_fini(&expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(columns_come_in_any_order_and_lines_in_theirs),
        TEST(every_action_has_its_name_and_a_short_one),
        TEST(lines_of_one_id_are_one_activity_and_a_product_of_it_counts_once),
        TEST(a_byte_order_mark_crlf_and_empty_lines_are_nothing),
        TEST(every_kind_of_bad_line_is_counted_and_shown_with_its_number),
        TEST(a_line_without_an_end_is_stepped_over_in_bounded_memory),
        TEST(a_file_larger_than_the_buffer_is_read_whole),
        TEST(a_truncated_file_loses_its_last_line),
        TEST(a_header_that_will_not_do_is_an_error_that_says_why),
        TEST(what_is_older_than_the_window_is_left_out_and_counted),
        TEST(without_products_all_that_were_met_are_recommendable),
        TEST(products_have_what_their_columns_say_and_are_else_in_stock),
        TEST(events_are_read_as_the_cms_serves_them),
        TEST(a_huge_line_of_events_is_stepped_over),
        TEST(a_catalogue_that_is_no_array_is_an_error),
        TEST(what_is_to_be_read_must_be_clear),
        TEST(a_reading_is_cancelled_on_its_way),
        TEST(the_identity_is_the_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
