#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "gateway/cli/cli_arguments.h"
#include "gateway/cli/cli_commands.h"
#include "gateway/cli/cli_submit.h"

enum { MAX_WORDS = 80 };

/* The words of a line, divided by spaces, behind the program's name. */
static enum err_code parse(struct cli_arguments *out, const char *line, struct err *err)
{
    static char text[2048];
    char *words[MAX_WORDS];
    char *rest = text;
    int count = 1;

    words[0] = text;
    assert_true(strlen(line) < sizeof text);
    strcpy(text, line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (word[0] == '\0')
            continue;
        assert_true(count < MAX_WORDS);
        words[count++] = word;
    }
    return cli_arguments_parse(out, cli_commands_all(), count, words, err);
}

static void parse_well(struct cli_arguments *out, const char *line)
{
    struct err err = {0};

    if (parse(out, line, &err) != ERR_OK)
        fail_msg("%s: %s", line, err.message);
}

static void assert_refused(const char *line, const char *message)
{
    struct cli_arguments arguments;
    struct err err = {0};

    assert_int_equal(parse(&arguments, line, &err), ERR_ARGUMENT);
    if (strstr(err.message, message) == NULL)
        fail_msg("%s: \"%s\" says nothing of \"%s\"", line, err.message, message);
}

static void options_stand_before_and_behind_the_command(void **state)
{
    struct cli_arguments arguments;

    (void)state;
    parse_well(&arguments, "--url http://a --json list --limit 5 --state=dead --all");
    assert_string_equal(arguments.command->name, "list");
    assert_string_equal(cli_arguments_value(&arguments, "--url"), "http://a");
    assert_string_equal(cli_arguments_value(&arguments, "--state"), "dead");
    assert_true(cli_arguments_has(&arguments, "--json"));
    assert_true(cli_arguments_has(&arguments, "--all"));
    assert_false(cli_arguments_has(&arguments, "--type"));
    assert_null(cli_arguments_value(&arguments, "--type"));
}

static void an_options_value_is_no_command(void **state)
{
    struct cli_arguments arguments;

    (void)state;
    parse_well(&arguments, "--env-file list status 01JZWQ5T8X9C3M7V2K4N6P8R0S");
    assert_string_equal(arguments.command->name, "status");
    assert_int_equal(arguments.operand_count, 1);
}

static void an_option_that_comes_often_is_kept_in_order(void **state)
{
    struct cli_arguments arguments;

    (void)state;
    parse_well(&arguments, "submit cross_sell --param a=1 --param=b=2");
    assert_int_equal(arguments.option_count, 2);
    assert_string_equal(arguments.options[0].value, "a=1");
    assert_string_equal(arguments.options[1].value, "b=2");
    assert_string_equal(cli_arguments_value(&arguments, "--param"), "b=2");
}

static void what_is_behind_two_dashes_is_an_operand(void **state)
{
    struct cli_arguments arguments;

    (void)state;
    parse_well(&arguments, "recommend homepage -- --odd-user");
    assert_int_equal(arguments.operand_count, 2);
    assert_string_equal(arguments.operands[1], "--odd-user");
}

static void wrong_words_are_named(void **state)
{
    (void)state;
    assert_refused("frobnicate", "frobnicate");
    assert_refused("list --frob", "--frob");
    assert_refused("list --watch", "--watch"); /* another command's */
    assert_refused("list --limit", "--limit needs a value");
    assert_refused("list extra", "extra");
    assert_refused("status", "ID");
    assert_refused("recommend homepage", "USER");
    assert_refused("list --json=1", "--json=1"); /* a flag takes none */
    assert_refused("status a b c d e", "e");
}

static void help_wins_over_missing_operands(void **state)
{
    struct cli_arguments arguments;

    (void)state;
    parse_well(&arguments, "status --help");
    parse_well(&arguments, "-h");
    assert_null(arguments.command);
    assert_true(cli_arguments_has(&arguments, "--help"));
}

static void more_options_than_fit_are_refused(void **state)
{
    struct str line = {0};
    struct cli_arguments arguments;
    struct err err = {0};

    (void)state;
    str_append_text(&line, "submit cross_sell");
    for (int i = 0; i <= CLI_MAX_OPTIONS; i++)
        str_append_text(&line, " --watch");
    assert_int_equal(parse(&arguments, line.text, &err), ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "more than"));
    str_fini(&line);
}

static void numbers_are_held_to_their_range(void **state)
{
    struct cli_arguments arguments;
    int number;

    (void)state;
    parse_well(&arguments, "list --limit 7");
    assert_int_equal(cli_arguments_int(&arguments, "--limit", 3, 1, 9, &number, NULL), ERR_OK);
    assert_int_equal(number, 7);
    assert_int_equal(cli_arguments_int(&arguments, "--limit", 3, 1, 6, &number, NULL), ERR_ARGUMENT);
    assert_int_equal(cli_arguments_int(&arguments, "--other", 3, 5, 6, &number, NULL), ERR_OK);
    assert_int_equal(number, 3);
    parse_well(&arguments, "list --limit 7x");
    assert_int_equal(cli_arguments_int(&arguments, "--limit", 3, 1, 9, &number, NULL), ERR_ARGUMENT);
}

static void every_command_has_its_help(void **state)
{
    struct str all = {0};

    (void)state;
    cli_commands_append_help(NULL, &all);
    for (const struct cli_command *command = cli_commands_all(); command->name != NULL; command++) {
        struct str help = {0};

        assert_non_null(strstr(all.text, command->summary));
        cli_commands_append_help(command, &help);
        assert_non_null(strstr(help.text, command->operands));
        for (const struct cli_option *option = command->options; option != NULL && option->name != NULL; option++)
            assert_non_null(strstr(help.text, option->meaning));
        str_fini(&help);
    }
    str_fini(&all);
}

static void a_time_is_a_date_or_from_now(void **state)
{
    int64_t unix_ms;

    (void)state;
    assert_true(cli_submit_parse_time("2026-01-31T06:00:00Z", 0, &unix_ms));
    assert_int_equal(unix_ms, 1769839200000);
    assert_true(cli_submit_parse_time("+90s", 1000, &unix_ms));
    assert_int_equal(unix_ms, 91000);
    assert_true(cli_submit_parse_time("+30m", 0, &unix_ms));
    assert_int_equal(unix_ms, 1800000);
    assert_true(cli_submit_parse_time("+2h", 0, &unix_ms));
    assert_int_equal(unix_ms, 7200000);
    assert_true(cli_submit_parse_time("+1d", 0, &unix_ms));
    assert_int_equal(unix_ms, 86400000);
    assert_false(cli_submit_parse_time("", 0, &unix_ms));
    assert_false(cli_submit_parse_time("+", 0, &unix_ms));
    assert_false(cli_submit_parse_time("+h", 0, &unix_ms));
    assert_false(cli_submit_parse_time("+2", 0, &unix_ms));
    assert_false(cli_submit_parse_time("+2w", 0, &unix_ms));
    assert_false(cli_submit_parse_time("+-2h", 0, &unix_ms));
    assert_false(cli_submit_parse_time("+9999999999999999999h", 0, &unix_ms));
    assert_false(cli_submit_parse_time("tomorrow", 0, &unix_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_and_behind_the_command),
        cmocka_unit_test(an_options_value_is_no_command),
        cmocka_unit_test(an_option_that_comes_often_is_kept_in_order),
        cmocka_unit_test(what_is_behind_two_dashes_is_an_operand),
        cmocka_unit_test(wrong_words_are_named),
        cmocka_unit_test(help_wins_over_missing_operands),
        cmocka_unit_test(more_options_than_fit_are_refused),
        cmocka_unit_test(numbers_are_held_to_their_range),
        cmocka_unit_test(every_command_has_its_help),
        cmocka_unit_test(a_time_is_a_date_or_from_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
