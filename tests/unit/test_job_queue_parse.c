/* The queue's commands as they go out, and answers that no script of ours gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_queue.h"
#include "common/job/job_scripts.h"
#include "tests/unit/canned_redis.h"

#define ID "01HZ0000000000000000000001"

static const struct job_queue_lease lease = {.entry = {.stream_id = "5-0", .job_id = ID},
                                             .fence = 77,
                                             .attempt = 1,
                                             .type = JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS,
                                             .shop = "toys"};

/* name, then each argument, with spaces between */
static void assert_command(struct redis_command *command, const char *wanted)
{
    struct str text = {0};

    for (size_t i = 0; i < command->count; i++) {
        size_t length;
        const char *argument = redis_command_argument(command, i, &length);

        if (i > 0)
            str_append_char(&text, ' ');
        if (i == 1 && command->script != NULL) {
            str_append_text(&text, command->script->name);
            continue;
        }
        str_append(&text, argument, length);
    }
    assert_string_equal(text.text, wanted);
    str_fini(&text);
    redis_command_fini(command);
}

static void plain_commands_are_built(void **state)
{
    struct redis_command command;

    (void)state;
    job_queue_group_command(&command, "train");
    assert_command(&command, "XGROUP CREATE q:{train}:s g 0 MKSTREAM");
    job_queue_idle_command(&command, "train", 60000);
    assert_command(&command, "XPENDING q:{train}:s g IDLE 60000 - + 1");
    job_queue_claim_command(&command, "train", "w", 60000, "5-0");
    assert_command(&command, "XCLAIM q:{train}:s g w 60000 5-0");
    job_queue_read_command(&command, "train", "w", 5000);
    assert_command(&command, "XREADGROUP GROUP g w COUNT 1 BLOCK 5000 STREAMS q:{train}:s >");
    job_queue_read_command(&command, "train", "w", 0);
    assert_command(&command, "XREADGROUP GROUP g w COUNT 1 STREAMS q:{train}:s >");
    job_queue_describe_command(&command, "train", ID);
    assert_command(&command, "HGETALL q:{train}:j:" ID);
    job_queue_due_command(&command, "train", 123);
    assert_command(&command, "ZRANGEBYSCORE q:{train}:delay -inf 123 LIMIT 0 100");
}

static void scripted_commands_are_built(void **state)
{
    struct redis_command command;

    (void)state;
    job_queue_beat_command(&command, "q", &lease, "w", 0.5, "als");
    assert_command(&command, "EVALSHA beat 3 q:{q}:j:" ID " q:{q}:s q:{q}:ev g 5-0 w 77 0.5000 als " ID);
    job_queue_finish_command(&command, "q", &lease, JOB_SUCCEEDED, "", -1);
    assert_command(&command, "EVALSHA finish 6 q:{q}:j:" ID " q:{q}:s q:{q}:open "
                             "q:{q}:u:homepage_and_similar_products:toys q:{q}:ev q:{q}:delay g 5-0 " ID
                             " 77 succeeded  86400 -1");
    job_queue_release_command(&command, "q", &lease, "w");
    assert_command(&command, "EVALSHA release 3 q:{q}:j:" ID " q:{q}:s q:{q}:ev g 5-0 w 77 " ID);
    job_queue_promote_command(&command, "q", ID, "unique");
    assert_command(&command, "EVALSHA promote 6 q:{q}:delay q:{q}:j:" ID " q:{q}:s q:{q}:open unique q:{q}:ev " ID
                             " q:{q}:j: 86400");
    job_queue_fence_command(&command, "q", 9);
    assert_command(&command, "EVALSHA fence 1 q:{q}:fence 9");
    job_queue_publish_command(&command, "recfleet:fence:homepage", 77, 60);
    assert_command(&command, "EVALSHA publish 1 recfleet:fence:homepage 77 60");
    job_queue_prune_command(&command, "f", "i", 77);
    assert_command(&command, "EVALSHA prune 2 f i 77");
}

static void a_job_without_a_hash_is_started_without_a_lock(void **state)
{
    struct redis_command command;

    (void)state;
    job_queue_start_command(&command, "q", &lease.entry, NULL, "w", 60000, 0);
    assert_command(&command, "EVALSHA start 7 q:{q}:j:" ID " q:{q}:s q:{q}:open q:{q}:fence q:{q}:u:- q:{q}:ev "
                             "q:{q}:paused g 5-0 " ID " w 86400 60000 0");
}

static void scripts_are_embedded_whole(void **state)
{
    static const struct redis_script *const scripts[] = {
        &job_script_beat,    &job_script_cancel, &job_script_enqueue,    &job_script_fence,  &job_script_finish,
        &job_script_promote, &job_script_prune,  &job_script_publish,    &job_script_repair, &job_script_release,
        &job_script_start,   &job_script_trim,   &job_script_gc_consumer};
    const char *root = getenv("RECFLEET_SOURCE");

    (void)state;
    if (root == NULL) {
        print_message("RECFLEET_SOURCE is not set\n");
        skip();
    }
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        char *path = str_format("%s/common/job/scripts/%s.lua", root, scripts[i]->name);
        char text[8192];
        FILE *file = fopen(path, "r");
        size_t length;

        assert_non_null(file);
        length = fread(text, 1, sizeof text - 1, file);
        text[length] = '\0';
        (void)fclose(file);
        free(path);
        assert_string_equal(scripts[i]->text, text);
        assert_int_equal(strlen(scripts[i]->sha1), 40);
    }
}

/* Every parser by the same signature; the outcome is of no interest where an error is wanted. */

static enum err_code parse_enqueue(const struct redis_reply *reply, struct err *err)
{
    enum job_queue_enqueued outcome;
    char id[JOB_ID_BYTES];

    return job_queue_enqueue_parse(reply, &outcome, id, err);
}

static enum err_code parse_start(const struct redis_reply *reply, struct err *err)
{
    enum job_queue_started outcome;
    struct job_queue_lease started = {0};
    char *args = NULL;
    enum err_code rc = job_queue_start_parse(reply, &outcome, &started, &args, err);

    if (rc != ERR_OK)
        assert_null(args);
    free(args);
    return rc;
}

static enum err_code parse_beat(const struct redis_reply *reply, struct err *err)
{
    enum job_queue_beaten outcome;

    return job_queue_beat_parse(reply, &outcome, err);
}

static enum err_code parse_finish(const struct redis_reply *reply, struct err *err)
{
    enum job_queue_finished outcome;

    return job_queue_finish_parse(reply, &outcome, err);
}

static enum err_code parse_release(const struct redis_reply *reply, struct err *err)
{
    bool fenced;

    return job_queue_release_parse(reply, &fenced, err);
}

static enum err_code parse_publish(const struct redis_reply *reply, struct err *err)
{
    int64_t written;
    int64_t fence;

    return job_queue_publish_parse(reply, &written, &fence, err);
}

static void answers_of_no_script_are_refused(void **state)
{
    static enum err_code (*const parsers[])(const struct redis_reply *reply, struct err *err) = {
        parse_enqueue, parse_start, parse_beat, parse_finish, parse_release, parse_publish};
    static const char *const cases[] = {
        "$-1\r\n",
        "*0\r\n",
        "*-1\r\n",
        ":12\r\n",
        "+WHAT\r\n",
        "$0\r\n\r\n",
        "*1\r\n$-1\r\n",
        "*2\r\n$-1\r\n$-1\r\n",
        "*1\r\n*1\r\n$3\r\nRUN\r\n",
        "*1\r\n$3\r\nRUN\r\n",
        "*5\r\n$3\r\nRUN\r\n$1\r\nx\r\n:1\r\n$1\r\na\r\n$2\r\n{}\r\n",
        "*1\r\n$3\r\nNEW\r\n",
        "*2\r\n$3\r\nNEW\r\n:5\r\n",
        "*2\r\n$3\r\nNEW\r\n$40\r\n0123456789012345678901234567890123456789\r\n",
        "*2\r\n$1\r\nx\r\n$1\r\ny\r\n",
        "-ERR user_script:1: bad\r\n",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reply *reply = canned_redis_reply(*state, cases[i]);

        for (size_t j = 0; j < sizeof parsers / sizeof parsers[0]; j++) {
            struct err err = {0};

            if (parsers[j](reply, &err) == ERR_OK)
                fail_msg("parser %zu took case %zu", j, i);
            assert_true(err.message[0] != '\0');
        }
        redis_reply_destroy(reply);
    }
}

static void a_run_that_cannot_be_read_keeps_its_fence(void **state)
{
    static const char *const cases[] = {
        "*5\r\n$3\r\nRUN\r\n$2\r\n77\r\n:2\r\n$7\r\nunknown\r\n$2\r\n{}\r\n",
        "*5\r\n$3\r\nRUN\r\n$2\r\n77\r\n:2\r\n$10\r\ncross_sell\r\n$1\r\n{\r\n",
        "*5\r\n$3\r\nRUN\r\n$2\r\n77\r\n:2\r\n$10\r\ncross_sell\r\n$80\r\n{\"namespace\":\""
        "0123456789012345678901234567890123456789012345678901234567890123"
        "\"}\r\n",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reply *reply = canned_redis_reply(*state, cases[i]);
        enum job_queue_started outcome = JOB_QUEUE_GONE;
        struct job_queue_lease started = {0};
        char *args = NULL;

        assert_int_equal(job_queue_start_parse(reply, &outcome, &started, &args, NULL), ERR_FORMAT);
        assert_int_equal(outcome, JOB_QUEUE_RUN);
        assert_int_equal(started.fence, 77);
        assert_int_equal(started.attempt, 2);
        assert_null(args);
        redis_reply_destroy(reply);
    }
}

static void entries_of_any_shape_are_read_or_refused(void **state)
{
    static const struct {
        const char *bytes;
        enum err_code code;
        const char *stream_id;
        const char *job_id;
    } cases[] = {
        {"*-1\r\n", ERR_OK, "", ""}, /* nothing came within BLOCK */
        {"*0\r\n", ERR_OK, "", ""},  /* somebody else claimed it */
        {"*1\r\n$-1\r\n", ERR_OK, "", ""},
        {"*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$2\r\nid\r\n$26\r\n" ID "\r\n", ERR_OK, "5-0", ID},
        {"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$2\r\nid\r\n$26\r\n" ID "\r\n", ERR_OK, "5-0", ID},
        {"*1\r\n*2\r\n$3\r\n5-0\r\n*-1\r\n", ERR_OK, "5-0", "-"},
        {"*1\r\n*2\r\n$3\r\n5-0\r\n*2\r\n$2\r\nid\r\n$3\r\nbad\r\n", ERR_OK, "5-0", "-"},
        {"*1\r\n*2\r\n$3\r\n5-0\r\n*1\r\n$2\r\nid\r\n", ERR_OK, "5-0", "-"},
        {"*1\r\n*2\r\n:5\r\n*0\r\n", ERR_REMOTE, "", ""},
        {"*1\r\n*2\r\n$60\r\n012345678901234567890123456789012345678901234567890123456789\r\n*0\r\n", ERR_REMOTE, "",
         ""},
        {"-NOGROUP No such key\r\n", ERR_NOT_FOUND, "", ""},
        {"-LOADING wait\r\n", ERR_UNAVAILABLE, "", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reply *reply = canned_redis_reply(*state, cases[i].bytes);
        struct job_queue_entry entry;

        if (job_queue_entry_parse(reply, &entry, NULL) != cases[i].code)
            fail_msg("case %zu", i);
        assert_string_equal(entry.stream_id, cases[i].stream_id);
        assert_string_equal(entry.job_id, cases[i].job_id);
        redis_reply_destroy(reply);
    }
}

static void idle_entries_of_any_shape_are_read_or_refused(void **state)
{
    static const struct {
        const char *bytes;
        enum err_code code;
        const char *stream_id;
    } cases[] = {
        {"*0\r\n", ERR_OK, ""},
        {"*1\r\n*4\r\n$3\r\n5-0\r\n$1\r\nw\r\n:61000\r\n:1\r\n", ERR_OK, "5-0"},
        {"*1\r\n:4\r\n", ERR_REMOTE, ""},
        {"-NOGROUP No such key\r\n", ERR_NOT_FOUND, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reply *reply = canned_redis_reply(*state, cases[i].bytes);
        struct job_queue_entry entry;

        assert_int_equal(job_queue_idle_parse(reply, &entry, NULL), cases[i].code);
        assert_string_equal(entry.stream_id, cases[i].stream_id);
        redis_reply_destroy(reply);
    }
}

static void a_description_of_odd_shape_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        enum err_code code;
    } cases[] = {
        {"*0\r\n", ERR_NOT_FOUND},
        {"$-1\r\n", ERR_NOT_FOUND},
        {"*2\r\n:1\r\n$1\r\nx\r\n", ERR_REMOTE},
        {"*2\r\n$1\r\nx\r\n*0\r\n", ERR_REMOTE},
        {"-WRONGTYPE no\r\n", ERR_REMOTE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_reply *reply = canned_redis_reply(*state, cases[i].bytes);
        struct json *document = NULL;

        assert_int_equal(job_queue_describe_parse(reply, &document, NULL), cases[i].code);
        assert_null(document);
        redis_reply_destroy(reply);
    }
}

int main(void)
{
#define CANNED_TEST(f) cmocka_unit_test_setup_teardown(f, canned_redis_setup, canned_redis_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_commands_are_built),
        cmocka_unit_test(scripted_commands_are_built),
        cmocka_unit_test(a_job_without_a_hash_is_started_without_a_lock),
        cmocka_unit_test(scripts_are_embedded_whole),
        CANNED_TEST(answers_of_no_script_are_refused),
        CANNED_TEST(a_run_that_cannot_be_read_keeps_its_fence),
        CANNED_TEST(entries_of_any_shape_are_read_or_refused),
        CANNED_TEST(idle_entries_of_any_shape_are_read_or_refused),
        CANNED_TEST(a_description_of_odd_shape_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
