#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/redis_command.h"
#include "common/net/redis_internal.h"
#include "common/net/redis_request.h"

static const struct redis_script script = {"answer", "return 42", "0123456789012345678901234567890123456789"};

static void assert_argument(const struct redis_command *command, size_t index, const char *wanted, size_t wanted_length)
{
    size_t length;
    const char *text = redis_command_argument(command, index, &length);

    assert_int_equal(length, wanted_length);
    assert_memory_equal(text, wanted, length);
}

static void arguments_are_kept_apart_and_binary(void **state)
{
    struct redis_command command;

    (void)state;
    redis_command_init(&command, "SET");
    redis_command_add_bytes(&command, "a\0b", 3);
    redis_command_add(&command, "");
    redis_command_add_int(&command, INT64_MIN);
    redis_command_add_format(&command, "%s:%d", "k", 7);
    assert_int_equal(command.count, 5);
    assert_argument(&command, 0, "SET", 3);
    assert_argument(&command, 1, "a\0b", 3);
    assert_argument(&command, 2, "", 0);
    assert_argument(&command, 3, "-9223372036854775808", 20);
    assert_argument(&command, 4, "k:7", 3);
    redis_command_fini(&command);
    assert_int_equal(command.count, 0);
}

static void texts_are_joined_to_one_argument(void **state)
{
    static const char *const texts[] = {"q:{", "train", "}:", "", "j"};
    struct redis_command command;

    (void)state;
    redis_command_init(&command, "GET");
    redis_command_add_joined(&command, texts, sizeof texts / sizeof texts[0]);
    redis_command_add_joined(&command, NULL, 0);
    assert_int_equal(command.count, 3);
    assert_argument(&command, 1, "q:{train}:j", 11);
    assert_argument(&command, 2, "", 0);
    redis_command_fini(&command);
}

static void assert_printed(const struct redis_command *command, bool as_eval, const char *wanted, size_t length)
{
    struct str text = {0};

    assert_true(redis_command_print(&text, command, as_eval));
    assert_int_equal(text.length, length);
    assert_memory_equal(text.text, wanted, length);
    str_fini(&text);
}

static void a_command_is_framed_for_the_wire(void **state)
{
    static const char wanted[] = "*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n";
    struct redis_command command;

    (void)state;
    redis_command_init(&command, "SET");
    redis_command_add_bytes(&command, "a\0b", 3);
    redis_command_add(&command, "");
    assert_printed(&command, false, wanted, sizeof wanted - 1);
    redis_command_fini(&command);
}

static void a_script_goes_by_its_hash_or_by_its_text(void **state)
{
    static const char by_hash[] =
        "*4\r\n$7\r\nEVALSHA\r\n$40\r\n0123456789012345678901234567890123456789\r\n$1\r\n1\r\n$3\r\nkey\r\n";
    static const char by_text[] = "*4\r\n$4\r\nEVAL\r\n$9\r\nreturn 42\r\n$1\r\n1\r\n$3\r\nkey\r\n";
    struct redis_command command;

    (void)state;
    redis_command_init_script(&command, &script, 1);
    redis_command_add(&command, "key");
    assert_printed(&command, false, by_hash, sizeof by_hash - 1);
    assert_printed(&command, true, by_text, sizeof by_text - 1);
    redis_command_fini(&command);
}

static void a_copy_has_its_own_memory(void **state)
{
    struct redis_command command;
    struct redis_command copy;

    (void)state;
    redis_command_init_script(&command, &script, 0);
    redis_command_add(&command, "argument");
    assert_true(redis_command_copy(&copy, &command));
    redis_command_fini(&command);
    assert_int_equal(copy.count, 4);
    assert_ptr_equal(copy.script, &script);
    assert_argument(&copy, 3, "argument", 8);
    redis_command_fini(&copy);
}

static void a_failed_append_marks_the_command(void **state)
{
    struct redis_command command;
    struct redis_command copy;
    struct str text = {0};

    (void)state;
    redis_command_init(&command, "PING");
    redis_command_add_bytes(&command, "x", SIZE_MAX); /* more than there can be */
    assert_false(redis_command_print(&text, &command, false));
    assert_false(redis_command_copy(&copy, &command));
    assert_null(redis_request_create(&command));
    redis_command_fini(&copy);
    redis_command_fini(&command);
}

static struct redis_request *request_of(const char *const *words)
{
    struct redis_command command;
    struct redis_request *request;

    redis_command_init(&command, words[0]);
    for (size_t i = 1; words[i] != NULL; i++)
        redis_command_add(&command, words[i]);
    request = redis_request_create(&command);
    assert_non_null(request);
    redis_command_fini(&command);
    return request;
}

static void a_blocking_read_may_take_its_block_and_the_timeout(void **state)
{
    static const struct {
        const char *words[10];
        uint64_t wanted_ms; /* after now, with a reply timeout of 100 */
    } cases[] = {
        {{"PING"}, 100},
        {{"XREADGROUP", "GROUP", "g", "w", "BLOCK", "5000", "STREAMS", "s", ">"}, 5100},
        {{"xread", "block", "20", "STREAMS", "1234", "$"}, 120},
        {{"XREADGROUP", "GROUP", "g", "w", "BLOCK"}, 100},
        {{"XREAD", "BLOCK", "x"}, 100},
        {{"XREAD", "BLOCK", "-5"}, 100},
        {{"XREAD", "BLOCK", "99999999999999999999999999999999"}, 100},
        {{"XREAD", "BLOCK", "999999999999"}, 86400100},
        {{"XREADX", "BLOCK", "5000"}, 100},
        {{"SET", "BLOCK", "5000"}, 100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_request_list none = {0};
        struct redis_request *request = request_of(cases[i].words);

        assert_int_equal(redis_request_deadline(request, &none, 1000, 100), 1000 + cases[i].wanted_ms);
        redis_request_destroy(request);
    }
}

static void what_waits_behind_a_block_has_time_for_it_too(void **state)
{
    static const char *const blocking[] = {"XREAD", "BLOCK", "5000", "STREAMS", "s", "$", NULL};
    static const char *const plain[] = {"PING", NULL};
    struct redis_request_list list = {0};
    uint64_t wanted[] = {5100, 10100, 10100};
    struct redis_request *request;

    (void)state;
    for (int i = 0; i < 3; i++) {
        request = request_of(i < 2 ? blocking : plain);
        request->deadline_ms = redis_request_deadline(request, &list, 0, 100);
        assert_int_equal(request->deadline_ms, wanted[i]);
        redis_request_push(&list, request);
    }
    assert_int_equal(list.count, 3);
    while ((request = redis_request_pop(&list)) != NULL)
        redis_request_destroy(request);
    assert_int_equal(list.count, 0);
    assert_null(list.tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_kept_apart_and_binary),
        cmocka_unit_test(texts_are_joined_to_one_argument),
        cmocka_unit_test(a_command_is_framed_for_the_wire),
        cmocka_unit_test(a_script_goes_by_its_hash_or_by_its_text),
        cmocka_unit_test(a_copy_has_its_own_memory),
        cmocka_unit_test(a_failed_append_marks_the_command),
        cmocka_unit_test(a_blocking_read_may_take_its_block_and_the_timeout),
        cmocka_unit_test(what_waits_behind_a_block_has_time_for_it_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
