/* Replies of any shape, and a client whose server misbehaves. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/canned_redis.h"

static void a_null_reply_is_nil(void **state)
{
    int64_t number = 5;

    (void)state;
    assert_int_equal(redis_reply_kind(NULL), REDIS_REPLY_KIND_NIL);
    assert_null(redis_reply_text(NULL));
    assert_int_equal(redis_reply_text_length(NULL), 0);
    assert_false(redis_reply_to_int64(NULL, &number));
    assert_int_equal(redis_reply_count(NULL), 0);
    assert_null(redis_reply_at(NULL, 0));
    assert_false(redis_reply_is_error(NULL, "ERR"));
    assert_int_equal(redis_reply_check(NULL, NULL), ERR_OK);
    redis_reply_destroy(NULL);
}

static void every_kind_is_told(void **state)
{
    static const struct {
        const char *bytes;
        enum redis_reply_kind kind;
    } cases[] = {
        {"$-1\r\n", REDIS_REPLY_KIND_NIL},         {"*-1\r\n", REDIS_REPLY_KIND_NIL},
        {"+OK\r\n", REDIS_REPLY_KIND_TEXT},        {"$2\r\nab\r\n", REDIS_REPLY_KIND_TEXT},
        {":7\r\n", REDIS_REPLY_KIND_INT},          {"*0\r\n", REDIS_REPLY_KIND_ARRAY},
        {"-ERR what\r\n", REDIS_REPLY_KIND_ERROR},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reply *reply = canned_redis_reply(*state, cases[i].bytes);

        assert_int_equal(redis_reply_kind(reply), cases[i].kind);
        assert_null(redis_reply_at(reply, 0));
        redis_reply_destroy(reply);
    }
}

static void integers_are_read_strictly(void **state)
{
    static const struct {
        const char *bytes;
        bool is_number;
        int64_t number;
    } cases[] = {
        {":-3\r\n", true, -3},      {"$13\r\n1795000000123\r\n", true, 1795000000123},
        {"+12\r\n", true, 12},      {"$2\r\n1x\r\n", false, 0},
        {"$0\r\n\r\n", false, 0},   {"$20\r\n99999999999999999999\r\n", false, 0},
        {"*1\r\n:1\r\n", false, 0}, {"-1\r\n", false, 0},
        {"$-1\r\n", false, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reply *reply = canned_redis_reply(*state, cases[i].bytes);
        int64_t number = 0;

        assert_int_equal(redis_reply_to_int64(reply, &number), cases[i].is_number);
        assert_int_equal(number, cases[i].number);
        redis_reply_destroy(reply);
    }
}

static void a_text_may_hold_any_byte(void **state)
{
    struct canned_redis *canned = *state;
    struct redis_reply *reply = canned_redis_reply(canned, "$4\r\na\r\nb\r\n");

    assert_int_equal(redis_reply_text_length(reply), 4);
    assert_memory_equal(redis_reply_text(reply), "a\r\nb", 5); /* terminated */
    redis_reply_destroy(reply);
}

static void nested_replies_are_reached(void **state)
{
    struct redis_reply *reply = canned_redis_reply(*state, "*2\r\n*1\r\n$1\r\nx\r\n:5\r\n");

    assert_int_equal(redis_reply_count(reply), 2);
    assert_string_equal(redis_reply_text(redis_reply_at(redis_reply_at(reply, 0), 0)), "x");
    assert_null(redis_reply_at(reply, 2));
    redis_reply_destroy(reply);
}

static void errors_that_pass_are_told_from_those_that_stay(void **state)
{
    static const struct {
        const char *bytes;
        enum err_code code;
    } cases[] = {
        {"-LOADING Redis is loading the dataset\r\n", ERR_UNAVAILABLE},
        {"-READONLY You can't write against a read only replica.\r\n", ERR_UNAVAILABLE},
        {"-OOM command not allowed\r\n", ERR_UNAVAILABLE},
        {"-BUSY Redis is busy running a script\r\n", ERR_UNAVAILABLE},
        {"-MISCONF Redis is configured to save\r\n", ERR_UNAVAILABLE},
        {"-NOREPLICAS Not enough good replicas\r\n", ERR_UNAVAILABLE},
        {"-CLUSTERDOWN\r\n", ERR_UNAVAILABLE},
        {"-BUSYGROUP Consumer Group name already exists\r\n", ERR_REMOTE},
        {"-WRONGTYPE Operation\r\n", ERR_REMOTE},
        {"-ERR unknown command\r\n", ERR_REMOTE},
        {"-\r\n", ERR_REMOTE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reply *reply = canned_redis_reply(*state, cases[i].bytes);

        assert_int_equal(redis_reply_check(reply, NULL), cases[i].code);
        redis_reply_destroy(reply);
    }
}

static void an_error_is_named_by_its_whole_first_word(void **state)
{
    struct redis_reply *reply = canned_redis_reply(*state, "-NOSCRIPT No matching script\r\n");

    assert_true(redis_reply_is_error(reply, "NOSCRIPT"));
    assert_false(redis_reply_is_error(reply, "NOSCR"));
    assert_false(redis_reply_is_error(reply, "NOSCRIPTS"));
    redis_reply_destroy(reply);
    reply = canned_redis_reply(*state, "+NOSCRIPT\r\n");
    assert_false(redis_reply_is_error(reply, "NOSCRIPT"));
    redis_reply_destroy(reply);
}

static enum err_code send_ping(struct canned_redis *canned, struct redis_reply **reply, struct err *err)
{
    struct redis_command command;
    enum err_code rc;

    redis_command_init(&command, "PING");
    rc = redis_client_send(canned->client, &command, reply, err);
    redis_command_fini(&command);
    return rc;
}

static void garbage_and_hang_ups_are_network_errors(void **state)
{
    static const char *const cases[] = {"HTTP/1.1 400 Bad Request\r\n", "$5\r\nab", "$-7\r\n", ""};
    struct canned_redis *canned = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reply *reply = NULL;
        struct err err = {0};

        canned_redis_write(canned, cases[i]);
        canned_redis_hang_up(canned);
        assert_int_equal(send_ping(canned, &reply, &err), ERR_NETWORK);
        assert_null(reply);
        assert_non_null(strstr(err.message, "127.0.0.1"));
        assert_int_equal(send_ping(canned, &reply, &err), ERR_NETWORK); /* and stays one */
        assert_int_equal(canned_redis_teardown(state), 0);
        assert_int_equal(canned_redis_setup(state), 0);
        canned = *state;
    }
}

static const char by_hash[] = "*3\r\n$7\r\nEVALSHA\r\n$40\r\n0123456789012345678901234567890123456789\r\n$1\r\n0\r\n";
static const char by_text[] = "*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n";

static void *serve_no_script(void *context)
{
    char received[sizeof by_hash];

    canned_redis_received(context, received, strlen(by_hash));
    assert_string_equal(received, by_hash);
    canned_redis_write(context, "-NOSCRIPT no\r\n");
    canned_redis_received(context, received, strlen(by_text));
    assert_string_equal(received, by_text);
    canned_redis_write(context, "-NOSCRIPT still not\r\n");
    return NULL;
}

static void a_script_is_sent_again_once(void **state)
{
    static const struct redis_script script = {"s", "return 1", "0123456789012345678901234567890123456789"};
    struct canned_redis *canned = *state;
    struct redis_command command;
    struct redis_reply *reply = NULL;
    struct err err = {0};
    pthread_t server;

    assert_int_equal(pthread_create(&server, NULL, serve_no_script, canned), 0);
    redis_command_init_script(&command, &script, 0);
    assert_int_equal(redis_client_send(canned->client, &command, &reply, &err), ERR_REMOTE);
    assert_null(reply);
    redis_command_fini(&command);
    assert_int_equal(pthread_join(server, NULL), 0);
}

static void a_marked_command_is_not_sent(void **state)
{
    struct canned_redis *canned = *state;
    struct redis_command command;
    struct redis_reply *reply = NULL;
    struct err err = {0};

    redis_command_init(&command, "PING");
    redis_command_add_bytes(&command, "x", SIZE_MAX); /* more than there can be */
    assert_int_equal(redis_client_send(canned->client, &command, &reply, &err), ERR_NO_MEMORY);
    redis_command_fini(&command);
    canned_redis_write(canned, "+PONG\r\n"); /* the connection is still good */
    assert_int_equal(send_ping(canned, &reply, &err), ERR_OK);
    redis_reply_destroy(reply);
}

int main(void)
{
#define CANNED_TEST(f) cmocka_unit_test_setup_teardown(f, canned_redis_setup, canned_redis_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_null_reply_is_nil),
        CANNED_TEST(every_kind_is_told),
        CANNED_TEST(integers_are_read_strictly),
        CANNED_TEST(a_text_may_hold_any_byte),
        CANNED_TEST(nested_replies_are_reached),
        CANNED_TEST(errors_that_pass_are_told_from_those_that_stay),
        CANNED_TEST(an_error_is_named_by_its_whole_first_word),
        CANNED_TEST(garbage_and_hang_ups_are_network_errors),
        CANNED_TEST(a_script_is_sent_again_once),
        CANNED_TEST(a_marked_command_is_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
