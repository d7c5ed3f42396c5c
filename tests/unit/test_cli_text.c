#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/cli/cli_chart.h"
#include "gateway/cli/cli_format.h"
#include "gateway/cli/cli_job.h"
#include "gateway/cli/cli_report.h"
#include "gateway/cli/cli_table.h"

static const struct cli_style plain = {.columns = 0};
static const struct cli_style coloured = {.terminal = true, .colour = true, .utf8 = true, .columns = 80, .rows = 24};

static void assert_text(struct str *text, const char *expected)
{
    assert_false(text->failed);
    assert_string_equal(text->text != NULL ? text->text : "", expected);
    str_fini(text);
}

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct err err = {0};

    if (json_value_parse(&value, text, strlen(text), &err) != ERR_OK)
        fail_msg("%s: %s", err.message, text);
    return value;
}

static void numbers_read_well(void **state)
{
    static const struct {
        int64_t number;
        const char *text;
    } counts[] = {{0, "0"},        {999, "999"},
                  {1000, "1,000"}, {-1234567, "-1,234,567"},
                  {-100, "-100"},  {INT64_MIN, "-9,223,372,036,854,775,808"}};
    char text[CLI_FORMAT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        cli_format_count(text, counts[i].number);
        assert_string_equal(text, counts[i].text);
    }
}

static void durations_read_well(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } durations[] = {{-1, "0.0 s"},         {0.04, "0.0 s"},      {9.94, "9.9 s"},
                     {9.96, "10 s"},        {59.4, "59 s"},       {59.6, "1 min 00 s"},
                     {3599, "59 min 59 s"}, {7260, "2 h 01 min"}, {86400 * 2, "2 d 0 h"}};
    char text[CLI_FORMAT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        cli_format_duration(text, durations[i].seconds);
        assert_string_equal(text, durations[i].text);
    }
}

static void times_are_told_from_now(void **state)
{
    struct json *job = parse("{\"at\":\"1970-01-01T01:00:00Z\",\"none\":null,\"odd\":\"yesterday\"}");
    char text[CLI_FORMAT_BYTES];

    (void)state;
    cli_format_ago(text, 5000, 6000);
    assert_string_equal(text, "just now");
    cli_format_ago(text, 0, 12000);
    assert_string_equal(text, "12 s ago");
    cli_format_ago(text, 200000, 0);
    assert_string_equal(text, "in 3 min");
    cli_format_ago(text, 0, (int64_t)86400000 * 3);
    assert_string_equal(text, "3 d ago");
    cli_format_member_ago(text, job, "at", 3600000 + 7200000);
    assert_string_equal(text, "2 h ago");
    cli_format_member_ago(text, job, "none", 0);
    assert_string_equal(text, "-");
    cli_format_member_ago(text, job, "odd", 0);
    assert_string_equal(text, "-");
    json_value_destroy(job);
}

static void values_become_text(void **state)
{
    static const char *const expected[] = {"a", "12,345", "0.5", "yes", "-", "-", "-"};
    struct json *values = parse("[\"a\",12345,0.5,true,null,\"\",[]]");
    char text[CLI_FORMAT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        cli_format_value(text, json_value_at(values, i));
        assert_string_equal(text, expected[i]);
    }
    json_value_destroy(values);
}

static void what_steers_a_terminal_does_not_reach_it(void **state)
{
    struct str text = {0};

    (void)state;
    cli_style_append(&plain, &text, CLI_RED, "a\033[2Jb\nc\x7f\xc2\x9bß");
    assert_text(&text, "a?[2Jb?c??ß");
}

static void colours_are_for_terminals(void **state)
{
    struct str text = {0};

    (void)state;
    cli_style_append(&plain, &text, CLI_RED, "a");
    assert_text(&text, "a");
    cli_style_append(&coloured, &text, CLI_RED, "a");
    assert_text(&text, "\033[31ma\033[0m");
}

static void cells_are_cut_and_filled(void **state)
{
    struct str text = {0};

    (void)state;
    cli_style_append_cell(&plain, &text, CLI_PLAIN, "ab", 4, false);
    assert_text(&text, "ab  ");
    cli_style_append_cell(&plain, &text, CLI_PLAIN, "ab", 4, true);
    assert_text(&text, "  ab");
    cli_style_append_cell(&plain, &text, CLI_PLAIN, "čšžabc", 4, false);
    assert_text(&text, "čšž~");
    cli_style_append_cell(&plain, &text, CLI_PLAIN, "abc", 0, false);
    assert_text(&text, "");
}

static void bars_are_as_full_as_they_say(void **state)
{
    struct str text = {0};

    (void)state;
    cli_style_append_bar(&plain, &text, CLI_PLAIN, 0.5, 4);
    assert_text(&text, "##--");
    cli_style_append_bar(&plain, &text, CLI_PLAIN, 7, 3);
    assert_text(&text, "###");
    cli_style_append_bar(&plain, &text, CLI_PLAIN, -1, 3);
    assert_text(&text, "---");
}

static const struct cli_column columns[] = {{"name", false, 0}, {"n", true, 5}, {"note", false, 4}};

static void tables_are_aligned(void **state)
{
    struct cli_table table;
    struct str text = {0};

    (void)state;
    cli_table_init(&table, columns, 3);
    cli_table_add(&table, CLI_PLAIN, "a");
    cli_table_add(&table, CLI_PLAIN, "1");
    cli_table_add(&table, CLI_PLAIN, "");
    cli_table_add(&table, CLI_PLAIN, "longer");
    cli_table_add(&table, CLI_PLAIN, "1,000");
    cli_table_add(&table, CLI_PLAIN, "x\ny");
    assert_true(cli_table_append(&table, &plain, 0, 2, &text));
    assert_text(&text, "name        n  note\na           1\nlonger  1,000  x?y\n");
    assert_true(cli_table_append(&table, &plain, 2, 1, &text)); /* the first row alone */
    assert_text(&text, "  name  n  note\n  a     1\n");
    cli_table_fini(&table);
}

static void cells_are_cut_where_the_terminal_is_narrow(void **state)
{
    struct cli_style narrow = {.columns = 20};
    struct cli_table table;
    struct str text = {0};

    (void)state;
    cli_table_init(&table, columns, 3);
    cli_table_add(&table, CLI_PLAIN, "a");
    cli_table_add(&table, CLI_PLAIN, "1");
    cli_table_add(&table, CLI_PLAIN, "a note that is longer than that");
    assert_true(cli_table_append(&table, &narrow, 0, 1, &text));
    assert_text(&text, "name  n  note\na     1  a note tha~\n");
    narrow.columns = 27;
    cli_table_add(&table, CLI_PLAIN, "the name stays");
    cli_table_add(&table, CLI_PLAIN, "123456789");
    cli_table_add(&table, CLI_PLAIN, "");
    assert_true(cli_table_append(&table, &narrow, 0, 2, &text));
    assert_text(&text, "name                n  note\na                   1  a n~\nthe name stays  1234~\n");
    cli_table_fini(&table);
}

static void a_chart_falls_from_the_left(void **state)
{
    const double values[] = {3, 2, 1};
    const double same[] = {5};
    struct str text = {0};

    (void)state;
    cli_chart_append(&plain, &text, values, 3, 0);
    assert_non_null(strstr(text.text, "          3 |###      \n"));
    assert_non_null(strstr(text.text, "          1 |######...\n"));
    str_fini(&text);
    cli_chart_append(&plain, &text, same, 1, 0);
    assert_non_null(strstr(text.text, "          5 |###\n"));
    str_fini(&text);
}

static void a_job_is_shown_with_what_matters(void **state)
{
    struct json *job =
        parse("{\"id\":\"01JZWQ5T8X9C3M7V2K4N6P8R0S\",\"type\":\"cross_sell\",\"state\":\"running\","
              "\"stage\":\"pairs\",\"progress\":0.5,\"attempt\":2,\"errors\":1,\"lost\":0,\"stalled\":true,"
              "\"started_at\":\"1970-01-01T00:00:10Z\",\"worker\":\"w\\u001b[0m\",\"error\":null,"
              "\"cancel_requested\":true,\"queue_position\":null,\"params\":{\"publish\":false}}");
    struct str text = {0};

    (void)state;
    cli_job_append_details(&plain, &text, job, 75000);
    assert_non_null(strstr(text.text, "running, stalled: its worker is silent, to be cancelled\n"));
    assert_non_null(strstr(text.text, "###############---------------  50 %  pairs\n"));
    assert_non_null(strstr(text.text, "elapsed    1 min 05 s\n"));
    assert_non_null(strstr(text.text, "2 (1 ended in an error, 0 by a lost worker)"));
    assert_non_null(strstr(text.text, "publish no\n"));
    assert_non_null(strstr(text.text, "w?[0m\n"));
    assert_null(strstr(text.text, "finished"));
    str_fini(&text);
    json_value_destroy(job);
}

static void an_ending_says_what_came_out(void **state)
{
    struct json *job = parse("{\"state\":\"succeeded\",\"started_at\":\"1970-01-01T00:00:10Z\",\"finished_at\":"
                             "\"1970-01-01T00:00:12Z\",\"result\":{\"users\":4335,\"published\":7198}}");
    struct json *dead = parse("{\"state\":\"dead\",\"error\":{\"code\":\"no_data\",\"message\":\"no rows\"}}");
    struct str text = {0};

    (void)state;
    cli_job_append_ending(&plain, &text, job, 0);
    assert_text(&text, "succeeded after 2.0 s: users 4,335, published 7,198\n");
    assert_int_equal(cli_job_status(job), CLI_DONE);
    cli_job_append_ending(&plain, &text, dead, 0);
    assert_text(&text, "dead: no rows\n");
    assert_int_equal(cli_job_status(dead), CLI_FAILED);
    json_value_destroy(job);
    json_value_destroy(dead);
}

static void odd_answers_do_no_harm(void **state)
{
    static const char *const odd[] = {"{}",
                                      "[]",
                                      "null",
                                      "{\"state\":1,\"progress\":\"x\",\"error\":[],\"result\":3}",
                                      "{\"all_results\":[1,{},{\"score\":\"x\"},{\"score\":1},{\"error\":3}]}",
                                      "{\"all_results\":[],\"baselines\":[],\"best_params\":1,\"test_info\":[]}",
                                      "{\"stages\":[1,{}],\"loss\":[null,\"a\"],\"warnings\":[1],\"matrix\":[]}"};

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct json *value = parse(odd[i]);
        struct str text = {0};

        cli_job_append_details(&plain, &text, value, 0);
        cli_job_append_ending(&plain, &text, value, 0);
        cli_report_append(&plain, &text, value);
        assert_false(text.failed);
        str_fini(&text);
        json_value_destroy(value);
    }
}

static void a_report_is_summed_up(void **state)
{
    struct json *report =
        parse("{\"type\":\"homepage_and_similar_products\",\"seconds\":2.5,\"stages\":[{\"name\":\"fetch\","
              "\"seconds\":0.5,\"rows_in\":1000,\"rows_out\":900,\"dropped\":{\"duplicate\":100,\"no_user\":0}},"
              "{\"name\":\"als\",\"seconds\":1.5,\"rows_in\":900,\"rows_out\":90,\"dropped\":{}}],\"loss\":[0.5,0.25],"
              "\"matrix\":{\"users\":40},\"warehouse\":{\"weights\":1234},\"published\":true,\"published_counts\":{"
              "\"homepage_keys\":41},"
              "\"warnings\":[\"mind this\"]}");
    struct str text = {0};

    (void)state;
    cli_report_append(&plain, &text, report);
    assert_non_null(strstr(text.text, "homepage_and_similar_products: succeeded after 2.5 s\n"));
    assert_non_null(strstr(text.text, "fetch    0.500  #####---------------  1,000  900  100 duplicate\n"));
    assert_non_null(strstr(text.text, "als      1.500  ###############-----    900   90\n"));
    assert_non_null(strstr(text.text, "published  homepage_keys 41\n"));
    assert_non_null(strstr(text.text, "warehouse  weights 1,234\n"));
    assert_non_null(strstr(text.text, "2 iterations, from 0.5 to 0.25\n"));
    assert_non_null(strstr(text.text, "- mind this\n"));
    str_fini(&text);
    json_value_destroy(report);
}

static const char search_report[] =
    "{\"id\":\"01JZWQ5T8X9C3M7V2K4N6P8R0S\",\"type\":\"hyperparameter_search\",\"seconds\":9,"
    "\"test_info\":{\"validation\":\"time\",\"test_days\":14,\"users\":7,\"test_pairs\":21,"
    "\"combinations\":{\"grid\":9,\"chosen\":3,\"ended\":3,\"reused\":1,\"failed\":1}},"
    "\"best_params\":{\"solver\":\"exact\",\"factors\":64,\"regularization\":0.5,\"alpha\":800.0,\"iterations\":8},"
    "\"best_score\":0.3,\"baselines\":{\"popularity\":{\"score\":0.2,\"metrics\":{\"auc_at_10\":0.5}},"
    "\"ease\":{\"why_not\":\"too large\"}},"
    "\"all_results\":[{\"params\":{\"solver\":\"cg\",\"factors\":8,\"regularization\":1.0,\"alpha\":1.0,"
    "\"iterations\":3},\"score\":0.15,\"metrics\":{\"precision_at_10\":0.0625},\"usual\":true},"
    "{\"params\":{\"solver\":\"exact\",\"factors\":64,\"regularization\":0.5,\"alpha\":800.0,\"iterations\":8},"
    "\"score\":0.3,\"metrics\":{\"precision_at_10\":0.5}},"
    "{\"params\":{\"solver\":\"exact\",\"factors\":4096,\"regularization\":0.5,\"alpha\":800.0,\"iterations\":8},"
    "\"error\":{\"code\":\"too_large\",\"message\":\"no room\"}}]}";

static void a_search_is_a_table_with_the_best_first(void **state)
{
    struct json *report = parse(search_report);
    struct str text = {0};
    const char *best;
    const char *popular;
    const char *usual;

    (void)state;
    cli_report_append(&plain, &text, report);
    assert_non_null(strstr(text.text, "held out   what 7 users newly met in the last 14 days: 21 pairs\n"));
    assert_non_null(strstr(text.text, "tried      3 of 3 combinations, drawn from a grid of 9, 1 of them in an earlier "
                                      "attempt, 1 failed\n"));
    assert_non_null(
        strstr(text.text, "best       exact, 64 factors, regularization 0.5, alpha 800, 8 iterations: score 0.3000\n"));
    assert_non_null(strstr(text.text, "--param params_from=01JZWQ5T8X9C3M7V2K4N6P8R0S\n"));
    best = strstr(text.text, "0.3000  ########################  0.500");
    popular = strstr(text.text, "0.2000  ############------------  0.000");
    usual = strstr(text.text, "0.1500  ######------------------  0.062");
    assert_true(best != NULL && popular > best && usual > popular);
    assert_non_null(strstr(text.text, "left out   ease: too large\n"));
    assert_non_null(strstr(text.text, "failed     exact, 4096 factors, regularization 0.5, alpha 800, 8 iterations\n"
                                      "             no room\n"));
    str_fini(&text);
    json_value_destroy(report);
}

static void a_search_that_has_not_ended_says_so(void **state)
{
    struct json *report = parse(search_report);
    struct str text = {0};

    (void)state;
    assert_true(json_value_set_bool(report, "partial", true));
    cli_report_append(&plain, &text, report);
    assert_non_null(strstr(text.text, "hyperparameter_search: unfinished after 9.0 s\n"));
    assert_null(strstr(text.text, "params_from"));
    str_clear(&text);
    json_value_remove(report, "partial");
    assert_true(json_value_set(report, "error", parse("{\"code\":\"cancelled\",\"message\":\"enough\"}")));
    cli_report_append(&plain, &text, report);
    assert_non_null(strstr(text.text, "hyperparameter_search: cancelled after 9.0 s\n"));
    assert_null(strstr(text.text, "params_from"));
    str_fini(&text);
    json_value_destroy(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_read_well),
        cmocka_unit_test(durations_read_well),
        cmocka_unit_test(times_are_told_from_now),
        cmocka_unit_test(values_become_text),
        cmocka_unit_test(what_steers_a_terminal_does_not_reach_it),
        cmocka_unit_test(colours_are_for_terminals),
        cmocka_unit_test(cells_are_cut_and_filled),
        cmocka_unit_test(bars_are_as_full_as_they_say),
        cmocka_unit_test(tables_are_aligned),
        cmocka_unit_test(cells_are_cut_where_the_terminal_is_narrow),
        cmocka_unit_test(a_chart_falls_from_the_left),
        cmocka_unit_test(a_job_is_shown_with_what_matters),
        cmocka_unit_test(an_ending_says_what_came_out),
        cmocka_unit_test(odd_answers_do_no_harm),
        cmocka_unit_test(a_report_is_summed_up),
        cmocka_unit_test(a_search_is_a_table_with_the_best_first),
        cmocka_unit_test(a_search_that_has_not_ended_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
