/* The connection on the loop: what is answered, what happens when Redis goes, and how it closes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/net/redis_async.h"
#include "common/net/redis_client.h"
#include "tests/support/servers.h"

enum { PATIENCE_MS = 20000, WAKE_MS = 10 };

/* One loop, one server, one connection. */
struct bench {
    struct test_server server;
    uv_loop_t loop;
    uv_timer_t wake; /* so that a wait can look at the clock */
    struct redis_async *redis;
    int ready;
    int lost;
    int closed;
    int wakes;
    struct err lost_err;
    bool close_on_ready;
    bool close_on_lost;
};

/* What a callback was told. */
struct answer {
    struct bench *bench;
    int calls;
    int lost; /* the bench's, when it was called */
    enum err_code code;
    bool has_reply;
    int64_t number;
    char text[ERR_MESSAGE_BYTES];
};

static void on_closed(void *context)
{
    struct bench *bench = context;

    bench->closed++;
}

static void close_redis(struct bench *bench)
{
    redis_async_close(bench->redis, on_closed, bench);
}

static void on_state(void *context, bool ready, const struct err *err)
{
    struct bench *bench = context;

    assert_true(ready == (err == NULL));
    assert_true(redis_async_is_ready(bench->redis) == ready);
    if (ready) {
        bench->ready++;
        if (bench->close_on_ready)
            close_redis(bench);
        return;
    }
    bench->lost++;
    bench->lost_err = *err;
    if (bench->close_on_lost)
        close_redis(bench);
}

static void on_answer(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct answer *answer = context;
    const char *text = err != NULL ? err->message : redis_reply_text(reply);

    answer->calls++;
    answer->lost = answer->bench->lost;
    answer->code = err != NULL ? err->code : ERR_OK;
    answer->has_reply = reply != NULL;
    (void)redis_reply_to_int64(reply, &answer->number);
    (void)snprintf(answer->text, sizeof answer->text, "%s", text != NULL ? text : "");
}

static void on_wake(uv_timer_t *timer)
{
    struct bench *bench = timer->data;

    bench->wakes++;
}

/* Runs the loop until *counter reaches `wanted`. */
static void wait_for(struct bench *bench, const int *counter, int wanted)
{
    struct clock_source clock = clock_system();
    int64_t deadline_ms = clock_monotonic_ms(&clock) + PATIENCE_MS;

    while (*counter < wanted) {
        if (clock_monotonic_ms(&clock) > deadline_ms)
            fail_msg("%d of %d after %d ms; lost: %s", *counter, wanted, PATIENCE_MS, bench->lost_err.message);
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    }
}

static void open_url(struct bench *bench, const char *url, int reply_timeout_ms)
{
    struct redis_async_config config = {
        .reply_timeout_ms = reply_timeout_ms, .connect_timeout_ms = 1000, .on_state = on_state, .context = bench};
    struct err err = {0};

    assert_int_equal(redis_url_parse(&config.url, url, &err), ERR_OK);
    assert_int_equal(redis_async_create(&bench->redis, &bench->loop, &config, &err), ERR_OK);
}

static void open_ready(struct bench *bench, int reply_timeout_ms)
{
    open_url(bench, bench->server.url, reply_timeout_ms);
    wait_for(bench, &bench->ready, 1);
}

static void send_words(struct bench *bench, struct answer *answer, const char *word, ...)
{
    struct redis_command command;
    va_list words;

    answer->bench = bench;
    redis_command_init(&command, word);
    va_start(words, word);
    while ((word = va_arg(words, const char *)) != NULL)
        redis_command_add(&command, word);
    va_end(words);
    redis_async_send(bench->redis, &command, on_answer, answer);
    redis_command_fini(&command);
}

static enum err_code ask(struct bench *bench, struct answer *answer, const char *word, const char *argument)
{
    int calls = answer->calls;

    send_words(bench, answer, word, argument, NULL);
    assert_int_equal(answer->calls, calls); /* never from within the call */
    wait_for(bench, &answer->calls, calls + 1);
    return answer->code;
}

static void every_command_is_answered_in_order(void **state)
{
    struct bench *bench = *state;
    struct answer answers[200] = {{0}};

    open_ready(bench, 0);
    assert_true(redis_async_ready_for_ms(bench->redis) >= 0);
    for (int i = 0; i < 200; i++)
        send_words(bench, &answers[i], "INCR", "n", NULL);
    assert_int_equal(answers[0].calls, 0);
    wait_for(bench, &answers[199].calls, 1);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].number, i + 1);
    }
    assert_int_equal(redis_async_reconnects(bench->redis), 0);
}

static void a_send_before_it_is_ready_is_refused_from_the_loop(void **state)
{
    struct bench *bench = *state;
    struct answer answers[3] = {{0}};

    open_url(bench, bench->server.url, 0);
    assert_false(redis_async_is_ready(bench->redis));
    assert_int_equal(redis_async_ready_for_ms(bench->redis), -1);
    for (int i = 0; i < 3; i++)
        send_words(bench, &answers[i], "PING", NULL);
    assert_int_equal(answers[0].calls, 0);
    wait_for(bench, &answers[2].calls, 1);
    assert_int_equal(answers[0].code, ERR_UNAVAILABLE);
    assert_int_equal(answers[0].calls, 1);
}

static void an_error_reply_comes_with_its_words(void **state)
{
    struct bench *bench = *state;
    struct answer answer = {0};

    open_ready(bench, 0);
    send_words(bench, &answer, "XREADGROUP", "GROUP", "g", "w", "STREAMS", "s", ">", NULL);
    wait_for(bench, &answer.calls, 1);
    assert_int_equal(answer.code, ERR_REMOTE);
    assert_true(answer.has_reply);
    assert_non_null(strstr(answer.text, "NOGROUP"));
    assert_int_equal(ask(bench, &answer, "PING", NULL), ERR_OK); /* and the connection stays */
    assert_int_equal(bench->lost, 0);
}

static void redis_down_at_the_start_is_waited_for(void **state)
{
    struct bench *bench = *state;

    server_kill(&bench->server);
    open_url(bench, bench->server.url, 0);
    wait_for(bench, &bench->lost, 1);
    assert_int_equal(bench->lost_err.code, ERR_UNAVAILABLE);
    wait_for(bench, &bench->wakes, bench->wakes + 1000 / WAKE_MS); /* a few tries more */
    assert_true(server_restart(&bench->server));
    wait_for(bench, &bench->ready, 1);
    assert_int_equal(bench->lost, 1); /* each further try that fails is not told */
}

static void a_killed_redis_answers_what_was_pending_once_and_is_found_again(void **state)
{
    struct bench *bench = *state;
    struct answer blocked = {0};
    struct answer behind = {0};

    open_ready(bench, 0);
    send_words(bench, &blocked, "XREAD", "BLOCK", "60000", "STREAMS", "s", "$", NULL);
    send_words(bench, &behind, "PING", NULL);
    (void)uv_run(&bench->loop, UV_RUN_ONCE);
    server_kill(&bench->server);
    wait_for(bench, &bench->lost, 1);
    assert_false(redis_async_is_ready(bench->redis));
    wait_for(bench, &behind.calls, 1);
    assert_int_equal(blocked.code, ERR_NETWORK);
    assert_int_equal(blocked.lost, 1); /* on_state came first */
    assert_int_equal(behind.code, ERR_NETWORK);
    assert_int_equal(ask(bench, &behind, "PING", NULL), ERR_UNAVAILABLE);
    assert_true(server_restart(&bench->server));
    wait_for(bench, &bench->ready, 2);
    assert_int_equal(ask(bench, &behind, "PING", NULL), ERR_OK);
    assert_int_equal(redis_async_reconnects(bench->redis), 1);
    assert_int_equal(blocked.calls, 1);
}

static void a_redis_that_stands_still_is_left_and_found_again(void **state)
{
    struct bench *bench = *state;
    struct answer answer = {0};

    open_ready(bench, 300);
    server_freeze(&bench->server);
    assert_int_equal(ask(bench, &answer, "PING", NULL), ERR_NETWORK);
    assert_non_null(strstr(answer.text, "no reply in time"));
    assert_int_equal(bench->lost, 1);
    server_thaw(&bench->server);
    wait_for(bench, &bench->ready, 2);
    assert_int_equal(ask(bench, &answer, "PING", NULL), ERR_OK);
}

static void a_block_may_last_longer_than_the_reply_timeout(void **state)
{
    struct bench *bench = *state;
    struct answer answers[3] = {{0}};

    open_ready(bench, 200);
    send_words(bench, &answers[0], "XREAD", "BLOCK", "500", "STREAMS", "s", "$", NULL);
    send_words(bench, &answers[1], "XREAD", "BLOCK", "500", "STREAMS", "s", "$", NULL);
    send_words(bench, &answers[2], "PING", NULL);
    wait_for(bench, &answers[2].calls, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(answers[i].code, ERR_OK);
    assert_int_equal(bench->lost, 0);
}

static void a_script_is_known_again_after_a_flush(void **state)
{
    static const struct redis_script script = {"s", "return redis.call('INCR',KEYS[1])",
                                               "da8455f0535fd532821b3713a4eccd80fc4b8457"};
    struct bench *bench = *state;
    struct answer answers[4] = {{0}};

    open_ready(bench, 0);
    for (int i = 0; i < 4; i++) {
        struct redis_command command;

        redis_command_init_script(&command, &script, 1);
        redis_command_add(&command, "scripted");
        answers[i].bench = bench;
        redis_async_send(bench->redis, &command, on_answer, &answers[i]);
        redis_command_fini(&command);
        if (i == 1) { /* the first two met NOSCRIPT side by side */
            struct answer flushed = {0};

            wait_for(bench, &answers[1].calls, 1);
            assert_int_equal(ask(bench, &flushed, "SCRIPT", "FLUSH"), ERR_OK);
        }
    }
    wait_for(bench, &answers[3].calls, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(answers[i].code, ERR_OK);
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].number, i + 1);
    }
}

static void a_read_only_replica_is_told_and_left(void **state)
{
    struct bench *bench = *state;
    struct answer answer = {0};

    open_ready(bench, 0);
    send_words(bench, &answer, "REPLICAOF", "127.0.0.1", "1", NULL);
    wait_for(bench, &answer.calls, 1);
    send_words(bench, &answer, "SET", "k", "v", NULL);
    wait_for(bench, &answer.calls, 2);
    assert_int_equal(answer.code, ERR_UNAVAILABLE);
    assert_true(answer.has_reply);
    assert_non_null(strstr(answer.text, "READONLY"));
    wait_for(bench, &bench->lost, 1);
    wait_for(bench, &bench->ready, 2);
    send_words(bench, &answer, "REPLICAOF", "NO", "ONE", NULL);
    wait_for(bench, &answer.calls, 3);
}

static void credentials_and_database_are_sent_first(void **state)
{
    struct bench *bench = *state;
    struct answer answer = {0};
    struct test_server guarded;
    char url[256];

    assert_true(server_start_redis(&guarded, "--requirepass", "hunter2", NULL));
    (void)snprintf(url, sizeof url, "redis://default:hunter2@localhost:%d/3", guarded.port);
    open_url(bench, url, 0);
    wait_for(bench, &bench->ready, 1);
    send_words(bench, &answer, "CLIENT", "INFO", NULL);
    wait_for(bench, &answer.calls, 1);
    assert_non_null(strstr(answer.text, " db=3 "));
    server_fini(&guarded);
}

static void a_wrong_password_is_told_but_not_shown(void **state)
{
    struct bench *bench = *state;
    struct test_server guarded;
    char url[256];

    assert_true(server_start_redis(&guarded, "--requirepass", "right", NULL));
    (void)snprintf(url, sizeof url, "redis://:hunter2@127.0.0.1:%d", guarded.port);
    open_url(bench, url, 0);
    wait_for(bench, &bench->lost, 1);
    assert_non_null(strstr(bench->lost_err.message, "WRONGPASS"));
    assert_null(strstr(bench->lost_err.message, "hunter2"));
    assert_int_equal(bench->ready, 0);
    server_fini(&guarded);
}

static void a_unix_socket_is_served(void **state)
{
    struct bench *bench = *state;
    struct answer answer = {0};
    struct test_server server;
    char url[SERVER_TEXT_BYTES + 32];

    assert_true(server_start_redis(&server, "--unixsocket", "socket", NULL));
    (void)snprintf(url, sizeof url, "unix://%s/socket", server.folder);
    open_url(bench, url, 0);
    wait_for(bench, &bench->ready, 1);
    assert_int_equal(ask(bench, &answer, "PING", NULL), ERR_OK);
    server_fini(&server);
    wait_for(bench, &bench->lost, 1);
}

static void a_name_that_nobody_has_is_tried_again(void **state)
{
    struct bench *bench = *state;

    open_url(bench, "redis://no..such..host:1", 0);
    wait_for(bench, &bench->lost, 1);
    assert_int_equal(bench->lost_err.code, ERR_UNAVAILABLE);
}

static void tls_fails_on_a_plain_server_or_is_refused_at_once(void **state)
{
    struct bench *bench = *state;
    struct redis_async_config config = {.connect_timeout_ms = 1000, .on_state = on_state, .context = bench};
    char url[64];
    struct err err = {0};
    enum err_code rc;

    (void)snprintf(url, sizeof url, "rediss://localhost:%d", bench->server.port);
    assert_int_equal(redis_url_parse(&config.url, url, &err), ERR_OK);
    rc = redis_async_create(&bench->redis, &bench->loop, &config, &err);
    if (rc == ERR_OK) { /* hiredis >= 1.0 */
        wait_for(bench, &bench->lost, 1);
        assert_int_equal(bench->ready, 0);
        return;
    }
    assert_int_equal(rc, ERR_CONFIG);
    assert_non_null(strstr(err.message, "TLS"));
    assert_null(bench->redis);
}

static void on_chain(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct answer *answer = context;
    struct redis_command command;

    assert_null(err);
    answer->calls++;
    assert_true(redis_reply_to_int64(reply, &answer->number));
    if (answer->calls == 1000)
        return;
    redis_command_init(&command, "INCR");
    redis_command_add(&command, "chain");
    redis_async_send(answer->bench->redis, &command, on_chain, answer);
    redis_command_fini(&command);
}

static void a_callback_may_send(void **state)
{
    struct bench *bench = *state;
    struct answer answer = {.bench = bench};
    struct redis_command command;

    open_ready(bench, 0);
    redis_command_init(&command, "INCR");
    redis_command_add(&command, "chain");
    redis_async_send(bench->redis, &command, on_chain, &answer);
    redis_command_fini(&command);
    wait_for(bench, &answer.calls, 1000);
    assert_int_equal(answer.number, 1000);
}

/* Sends again for as long as it is refused. */
static void on_stubborn(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct answer *answer = context;
    struct redis_command command;

    (void)reply;
    if (err == NULL) {
        answer->calls = 1;
        return;
    }
    if (err->code == ERR_CANCELLED)
        return;
    answer->number++;
    redis_command_init(&command, "PING");
    redis_async_send(answer->bench->redis, &command, on_stubborn, answer);
    redis_command_fini(&command);
}

static void a_callback_that_sends_again_at_once_does_not_hold_up_the_loop(void **state)
{
    struct bench *bench = *state;
    struct answer answer = {.bench = bench};
    struct redis_command command;

    open_url(bench, bench->server.url, 0);
    redis_command_init(&command, "PING");
    redis_async_send(bench->redis, &command, on_stubborn, &answer);
    redis_command_fini(&command);
    wait_for(bench, &answer.calls, 1);
    assert_true(answer.number > 0);
}

/* Whether a connection of its own finds the key, without a turn of the loop. */
static bool is_there(struct bench *bench, const char *key)
{
    struct redis_client *client = NULL;
    struct redis_url url;
    bool found = false;

    assert_int_equal(redis_url_parse(&url, bench->server.url, NULL), ERR_OK);
    assert_int_equal(redis_client_connect(&client, &url, PATIENCE_MS, NULL), ERR_OK);
    for (int i = 0; i < 200 && !found; i++) {
        struct redis_reply *reply = NULL;
        struct redis_command command;

        redis_command_init(&command, "GET");
        redis_command_add(&command, key);
        assert_int_equal(redis_client_send(client, &command, &reply, NULL), ERR_OK);
        redis_command_fini(&command);
        found = redis_reply_text(reply) != NULL;
        redis_reply_destroy(reply);
    }
    redis_client_destroy(client);
    return found;
}

static void give_key(struct bench *bench, struct answer *answer, const char *key)
{
    struct redis_command command;

    answer->bench = bench;
    redis_command_init(&command, "SET");
    redis_command_add(&command, key);
    redis_command_add(&command, "1");
    redis_async_give(bench->redis, &command, on_answer, answer);
    assert_int_equal(command.count, 0);
    assert_null(command.bytes.text);
}

static void what_is_sent_goes_at_the_turns_end_or_with_a_flush(void **state)
{
    struct bench *bench = *state;
    struct answer answers[2] = {{0}};

    open_ready(bench, 0);
    give_key(bench, &answers[0], "later");
    assert_false(is_there(bench, "later"));
    wait_for(bench, &answers[0].calls, 1);
    assert_int_equal(answers[0].code, ERR_OK);
    give_key(bench, &answers[1], "now");
    redis_async_flush(bench->redis);
    redis_async_flush(bench->redis); /* of nothing */
    assert_true(is_there(bench, "now"));
    wait_for(bench, &answers[1].calls, 1);
    assert_int_equal(answers[1].code, ERR_OK);
}

static void a_command_that_was_given_is_refused_as_one_that_was_sent(void **state)
{
    struct bench *bench = *state;
    struct answer answers[2] = {{0}};

    open_url(bench, bench->server.url, 0);
    give_key(bench, &answers[0], "early");
    redis_async_flush(bench->redis); /* without a connection */
    assert_int_equal(answers[0].calls, 0);
    wait_for(bench, &answers[0].calls, 1);
    assert_int_equal(answers[0].code, ERR_UNAVAILABLE);
    close_redis(bench);
    give_key(bench, &answers[1], "late");
    assert_int_equal(answers[1].code, ERR_CANCELLED);
}

static void on_close_inside(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct answer *answer = context;

    on_answer(context, reply, err);
    close_redis(answer->bench);
}

static void closing_inside_a_callback_cancels_the_rest_once(void **state)
{
    struct bench *bench = *state;
    struct answer answers[5] = {{0}};
    struct redis_command command;

    open_ready(bench, 0);
    redis_command_init(&command, "PING");
    for (int i = 0; i < 5; i++) {
        answers[i].bench = bench;
        redis_async_send(bench->redis, &command, i == 1 ? on_close_inside : on_answer, &answers[i]);
    }
    redis_command_fini(&command);
    wait_for(bench, &bench->closed, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].code, i < 2 ? ERR_OK : ERR_CANCELLED);
    }
}

static void closing_inside_the_callback_of_a_refused_send_is_allowed(void **state)
{
    struct bench *bench = *state;
    struct answer answers[3] = {{0}};
    struct redis_command command;

    open_url(bench, bench->server.url, 0);
    redis_command_init(&command, "PING");
    for (int i = 0; i < 3; i++) {
        answers[i].bench = bench;
        redis_async_send(bench->redis, &command, i == 0 ? on_close_inside : on_answer, &answers[i]);
    }
    redis_command_fini(&command);
    wait_for(bench, &bench->closed, 1);
    assert_int_equal(answers[0].code, ERR_UNAVAILABLE);
    assert_int_equal(answers[1].code, ERR_CANCELLED);
    assert_int_equal(answers[2].calls, 1);
}

static void closing_inside_the_callback_of_a_lost_command_is_allowed(void **state)
{
    struct bench *bench = *state;
    struct answer answers[3] = {{0}};
    struct redis_command command;

    open_ready(bench, 0);
    server_freeze(&bench->server);
    redis_command_init(&command, "PING");
    for (int i = 0; i < 3; i++) {
        answers[i].bench = bench;
        redis_async_send(bench->redis, &command, i == 0 ? on_close_inside : on_answer, &answers[i]);
    }
    redis_command_fini(&command);
    server_kill(&bench->server);
    wait_for(bench, &bench->closed, 1);
    assert_int_equal(answers[0].code, ERR_NETWORK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(answers[i].calls, 1);
}

static void closing_when_it_becomes_ready_is_allowed(void **state)
{
    struct bench *bench = *state;

    bench->close_on_ready = true;
    open_url(bench, bench->server.url, 0);
    wait_for(bench, &bench->closed, 1);
    assert_int_equal(bench->ready, 1);
}

static void closing_when_it_is_lost_is_allowed(void **state)
{
    struct bench *bench = *state;
    struct answer answer = {0};

    bench->close_on_lost = true;
    open_ready(bench, 0);
    send_words(bench, &answer, "XREAD", "BLOCK", "60000", "STREAMS", "s", "$", NULL);
    (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    server_kill(&bench->server);
    wait_for(bench, &bench->closed, 1);
    assert_int_equal(answer.calls, 1);
}

static void closing_when_the_first_connect_fails_is_allowed(void **state)
{
    struct bench *bench = *state;

    bench->close_on_lost = true;
    server_kill(&bench->server);
    open_url(bench, bench->server.url, 0);
    wait_for(bench, &bench->closed, 1);
    assert_int_equal(bench->ready, 0);
}

static void closing_before_it_is_connected_is_allowed(void **state)
{
    struct bench *bench = *state;
    char url[64];

    for (int rounds = 0; rounds < 6; rounds++) { /* at once, in the look-up, in the connect, … */
        bench->closed = 0;
        (void)snprintf(url, sizeof url, "redis://localhost:%d", bench->server.port);
        open_url(bench, url, 0);
        for (int i = 0; i < rounds; i++)
            (void)uv_run(&bench->loop, UV_RUN_ONCE);
        close_redis(bench);
        wait_for(bench, &bench->closed, 1);
    }
}

static void closing_while_a_frozen_server_says_nothing_is_allowed(void **state)
{
    struct bench *bench = *state;

    server_freeze(&bench->server);
    open_url(bench, bench->server.url, 0);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    close_redis(bench);
    wait_for(bench, &bench->closed, 1);
    server_thaw(&bench->server);
}

static void a_frozen_server_is_given_up_in_the_connect_too(void **state)
{
    struct bench *bench = *state;

    server_freeze(&bench->server);
    open_url(bench, bench->server.url, 0);
    wait_for(bench, &bench->lost, 1);
    assert_non_null(strstr(bench->lost_err.message, "no connection in time"));
    server_thaw(&bench->server);
    wait_for(bench, &bench->ready, 1);
}

static void closing_twice_is_closing_once_and_later_sends_are_cancelled(void **state)
{
    struct bench *bench = *state;
    struct answer answer = {0};

    open_ready(bench, 0);
    close_redis(bench);
    close_redis(bench);
    send_words(bench, &answer, "PING", NULL);
    assert_int_equal(answer.code, ERR_CANCELLED);
    wait_for(bench, &bench->closed, 1);
    (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(bench->closed, 1);
}

static void what_is_pending_has_a_limit(void **state)
{
    struct bench *bench = *state;
    struct answer taken = {0};
    struct answer refused = {0};

    open_ready(bench, 0);
    server_freeze(&bench->server);
    for (int i = 0; i < 65536; i++)
        send_words(bench, &taken, "PING", NULL);
    assert_int_equal(ask(bench, &refused, "PING", NULL), ERR_UNAVAILABLE);
    assert_int_equal(taken.calls, 0);
    server_thaw(&bench->server);
    wait_for(bench, &taken.calls, 65536);
    assert_int_equal(taken.code, ERR_OK);
}

static int open_bench(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    (void)signal(SIGPIPE, SIG_IGN);
    *state = bench;
    if (bench == NULL || !server_start_redis(&bench->server, NULL) || uv_loop_init(&bench->loop) != 0 ||
        uv_timer_init(&bench->loop, &bench->wake) != 0)
        return -1;
    bench->wake.data = bench;
    return uv_timer_start(&bench->wake, on_wake, WAKE_MS, WAKE_MS);
}

/* The loop closes cleanly whatever a test left. */
static int close_bench(void **state)
{
    struct bench *bench = *state;
    int status;

    if (bench->redis != NULL && bench->closed == 0)
        close_redis(bench);
    uv_close((uv_handle_t *)&bench->wake, NULL);
    while (uv_run(&bench->loop, UV_RUN_DEFAULT) != 0) {
    }
    status = uv_loop_close(&bench->loop);
    server_fini(&bench->server);
    free(bench);
    return status;
}

int main(void)
{
#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, open_bench, close_bench)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(every_command_is_answered_in_order),
        LOOP_TEST(a_send_before_it_is_ready_is_refused_from_the_loop),
        LOOP_TEST(an_error_reply_comes_with_its_words),
        LOOP_TEST(redis_down_at_the_start_is_waited_for),
        LOOP_TEST(a_killed_redis_answers_what_was_pending_once_and_is_found_again),
        LOOP_TEST(a_redis_that_stands_still_is_left_and_found_again),
        LOOP_TEST(a_block_may_last_longer_than_the_reply_timeout),
        LOOP_TEST(a_script_is_known_again_after_a_flush),
        LOOP_TEST(a_read_only_replica_is_told_and_left),
        LOOP_TEST(credentials_and_database_are_sent_first),
        LOOP_TEST(a_wrong_password_is_told_but_not_shown),
        LOOP_TEST(a_unix_socket_is_served),
        LOOP_TEST(a_name_that_nobody_has_is_tried_again),
        LOOP_TEST(tls_fails_on_a_plain_server_or_is_refused_at_once),
        LOOP_TEST(a_callback_may_send),
        LOOP_TEST(a_callback_that_sends_again_at_once_does_not_hold_up_the_loop),
        LOOP_TEST(what_is_sent_goes_at_the_turns_end_or_with_a_flush),
        LOOP_TEST(a_command_that_was_given_is_refused_as_one_that_was_sent),
        LOOP_TEST(closing_inside_a_callback_cancels_the_rest_once),
        LOOP_TEST(closing_inside_the_callback_of_a_refused_send_is_allowed),
        LOOP_TEST(closing_inside_the_callback_of_a_lost_command_is_allowed),
        LOOP_TEST(closing_when_it_becomes_ready_is_allowed),
        LOOP_TEST(closing_when_it_is_lost_is_allowed),
        LOOP_TEST(closing_when_the_first_connect_fails_is_allowed),
        LOOP_TEST(closing_before_it_is_connected_is_allowed),
        LOOP_TEST(closing_while_a_frozen_server_says_nothing_is_allowed),
        LOOP_TEST(a_frozen_server_is_given_up_in_the_connect_too),
        LOOP_TEST(closing_twice_is_closing_once_and_later_sends_are_cancelled),
        LOOP_TEST(what_is_pending_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
