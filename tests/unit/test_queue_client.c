/* How enqueues go to Redis, of which this test is the server. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/queue_client.h"

enum { GROUP = 16, JOBS = 4 * GROUP + 4, TURNS = 2000, PAUSE_US = 1000, RECEIVED_BYTES = 256 * 1024 };

static const struct job_queue_names queues = {.names = {"train"}, .count = 1};

struct bench {
    uv_loop_t loop;
    struct queue_client *client;
    int listener;
    int peer; /* the server's end */
    char received[RECEIVED_BYTES];
    size_t received_bytes;
    size_t queued;
    size_t refused;
    bool closed;
};

static size_t count_of(const struct bench *bench, const char *word)
{
    size_t count = 0;

    for (const char *at = bench->received; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

static void turn(struct bench *bench)
{
    ssize_t length;

    (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    if (bench->peer < 0)
        return;
    length = recv(bench->peer, bench->received + bench->received_bytes, RECEIVED_BYTES - 1 - bench->received_bytes,
                  MSG_DONTWAIT);
    if (length > 0)
        bench->received_bytes += (size_t)length;
}

static void wait_for_word(struct bench *bench, const char *word, size_t count)
{
    for (int i = 0; i < TURNS && count_of(bench, word) < count; i++) {
        turn(bench);
        (void)usleep(PAUSE_US);
    }
    assert_int_equal(count_of(bench, word), count);
}

/* All that is sent without an answer. */
static void let_it_send(struct bench *bench)
{
    for (int i = 0; i < 20; i++) {
        turn(bench);
        (void)usleep(PAUSE_US);
    }
}

static void reply(struct bench *bench, const char *text)
{
    assert_int_equal(send(bench->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void reply_to_enqueues(struct bench *bench, size_t count)
{
    for (size_t i = 0; i < count; i++)
        reply(bench, "*2\r\n$3\r\nNEW\r\n$26\r\n01KDVDNA000000000000000000\r\n");
}

static void on_enqueued(void *context, enum job_queue_enqueued outcome, const char *id, const struct err *err)
{
    struct bench *bench = context;

    (void)outcome;
    (void)id;
    if (err == NULL)
        bench->queued++;
    else
        bench->refused++;
}

static void on_closed(void *context)
{
    struct bench *bench = context;

    bench->closed = true;
}

static void enqueue(struct bench *bench, size_t count)
{
    const struct job_queue_enqueue job = {.queue = "train",
                                          .id = "01KDVDNA000000000000000000",
                                          .shop = "shop",
                                          .type = JOB_CROSS_SELL,
                                          .args = "{}",
                                          .client = "key",
                                          .fingerprint = ""};

    for (size_t i = 0; i < count; i++)
        queue_client_enqueue(bench->client, &job, on_enqueued, bench);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct queue_client_config config = {.url = {.host = "127.0.0.1"}, .queues = &queues};
    socklen_t size = sizeof address;
    int on = 1;

    *state = bench;
    bench->peer = -1;
    bench->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(bench->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(bench->listener, 1), 0);
    assert_int_equal(getsockname(bench->listener, (struct sockaddr *)&address, &size), 0);
    config.url.port = ntohs(address.sin_port);
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    assert_int_equal(queue_client_create(&bench->client, &bench->loop, &config, NULL), ERR_OK);
    for (int i = 0; i < TURNS && bench->peer < 0; i++) {
        turn(bench);
        (void)usleep(PAUSE_US);
        bench->peer = accept(bench->listener, NULL, NULL);
    }
    assert_int_equal(setsockopt(bench->peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    wait_for_word(bench, "PING", 1);
    reply(bench, "+PONG\r\n");
    wait_for_word(bench, "XGROUP", 1);
    reply(bench, "+OK\r\n");
    for (int i = 0; i < TURNS && !queue_client_is_ready(bench->client); i++)
        turn(bench);
    assert_true(queue_client_is_ready(bench->client));
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    queue_client_close(bench->client, on_closed, bench);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_true(bench->closed);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    (void)close(bench->peer);
    (void)close(bench->listener);
    free(bench);
    return 0;
}

static void redis_has_a_group_to_work_at_and_one_to_find(void **state)
{
    struct bench *bench = *state;

    enqueue(bench, JOBS);
    wait_for_word(bench, "EVALSHA", GROUP); /* the second is no part of the first one's write */
    let_it_send(bench);
    assert_int_equal(count_of(bench, "EVALSHA"), 2 * GROUP);
    reply_to_enqueues(bench, GROUP - 1);
    let_it_send(bench);
    assert_int_equal(count_of(bench, "EVALSHA"), 2 * GROUP);
    reply_to_enqueues(bench, 1);
    wait_for_word(bench, "EVALSHA", 3 * GROUP);
    reply_to_enqueues(bench, 2 * GROUP); /* of both groups at once */
    wait_for_word(bench, "EVALSHA", JOBS);
    reply_to_enqueues(bench, JOBS - 3 * GROUP);
    let_it_send(bench);
    assert_int_equal(bench->queued, JOBS);
    enqueue(bench, 1);
    wait_for_word(bench, "EVALSHA", JOBS + 1);
}

static void at_the_end_what_waits_is_refused(void **state)
{
    struct bench *bench = *state;

    enqueue(bench, JOBS);
    let_it_send(bench);
    queue_client_close(bench->client, on_closed, bench);
    assert_int_equal(bench->refused, JOBS);
    enqueue(bench, 1);
    assert_int_equal(bench->refused, JOBS + 1);
}

static void with_the_connection_all_that_is_sent_and_waits_is_answered(void **state)
{
    struct bench *bench = *state;

    enqueue(bench, JOBS);
    let_it_send(bench);
    (void)close(bench->peer);
    bench->peer = -1;
    for (int i = 0; i < TURNS && bench->refused < JOBS; i++)
        turn(bench);
    assert_int_equal(bench->refused, JOBS);
    assert_int_equal(bench->queued, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(redis_has_a_group_to_work_at_and_one_to_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_the_end_what_waits_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_the_connection_all_that_is_sent_and_waits_is_answered, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
