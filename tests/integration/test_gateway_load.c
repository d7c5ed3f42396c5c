/* Many clients at once: what was accepted, the documents and the stream are the same jobs, to the last one. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/gateway_fixture.h"

enum { CLIENTS = 64, LOAD_MS = 2500, TYPES = 4, JOBS_MAX = GATEWAY_SHOPS * TYPES };

static const char *const types[TYPES] = {"warehouse", "cross_sell", "hyperparameter_search",
                                         "homepage_and_similar_products"};

struct load {
    int port;
    int64_t until_ms;
    atomic_int next;     /* numbers of jobs handed to clients */
    atomic_int accepted; /* 202 */
    atomic_int read;     /* 200 */
    atomic_int refused;  /* other answers */
    atomic_int cut;      /* requests without an answer */
};

/* POST of a job nobody else posts, then a GET of it; false: the connection is gone. */
static bool post_and_get(struct load *load, struct http_probe *probe, int number)
{
    struct http_probe_answer answer;
    char location[64];
    char body[160];
    bool found;

    (void)snprintf(body, sizeof body, "{\"type\":\"%s\",\"params\":{\"namespace\":\"shop-%d\"}}",
                   types[number / GATEWAY_SHOPS], number % GATEWAY_SHOPS);
    if (!http_probe_ask(probe, "POST", "/v1/jobs", AS_JSON, body) || !http_probe_receive(probe, &answer, false)) {
        atomic_fetch_add(&load->cut, 1);
        return false;
    }
    atomic_fetch_add(answer.status == 202 ? &load->accepted : &load->refused, 1);
    found = answer.status == 202 && http_probe_header(&answer, "location", location, sizeof location);
    http_probe_answer_fini(&answer);
    if (!found)
        return true;
    if (!http_probe_ask(probe, "GET", location, WITH_KEY, NULL) || !http_probe_receive(probe, &answer, false))
        return false;
    atomic_fetch_add(answer.status == 200 ? &load->read : &load->refused, 1);
    http_probe_answer_fini(&answer);
    return true;
}

static void *run_client(void *context)
{
    struct load *load = context;
    struct http_probe probe;
    int number;

    while (gateway_fixture_now_ms() < load->until_ms && (number = atomic_fetch_add(&load->next, 1)) < JOBS_MAX) {
        if (!http_probe_open(&probe, load->port))
            break;
        for (int i = 0; i < 20; i++) { /* then a new connection */
            if (!post_and_get(load, &probe, number) || gateway_fixture_now_ms() >= load->until_ms ||
                (number = atomic_fetch_add(&load->next, 1)) >= JOBS_MAX)
                break;
        }
        http_probe_close(&probe);
    }
    return NULL;
}

static void start_clients(struct load *load, pthread_t *clients)
{
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, run_client, load), 0);
}

static void join_clients(pthread_t *clients)
{
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_join(clients[i], NULL), 0);
}

static void assert_all_agree(struct gateway_fixture *fixture, struct load *load)
{
    size_t accepted = (size_t)atomic_load(&load->accepted);

    print_message("accepted %zu, read %d, refused %d, cut %d\n", accepted, atomic_load(&load->read),
                  atomic_load(&load->refused), atomic_load(&load->cut));
    assert_true(accepted > 0);
    assert_int_equal(atomic_load(&load->refused), 0);
    assert_int_equal(gateway_fixture_count(fixture, NULL), accepted);
    assert_int_equal(gateway_fixture_count(fixture, "queued"), accepted);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "XLEN", QUEUE_KEY("s"), NULL), accepted);
    assert_int_equal(queue_fixture_ask_int(fixture->queue, "ZCARD", QUEUE_KEY("open"), NULL), accepted);
}

static int set_up(void **state)
{
    struct gateway_fixture *fixture = calloc(1, sizeof *fixture);

    *state = fixture;
    gateway_fixture_start(fixture, NULL, false);
    return 0;
}

static int tear_down(void **state)
{
    gateway_fixture_stop(*state);
    free(*state);
    return 0;
}

static void sixty_four_clients_lose_nothing(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct load load = {.port = fixture->gateway.port, .until_ms = gateway_fixture_now_ms() + LOAD_MS};
    pthread_t clients[CLIENTS];

    start_clients(&load, clients);
    join_clients(clients);
    assert_int_equal(atomic_load(&load.cut), 0);
    assert_int_equal(gateway_fixture_end_gateway(fixture), 0); /* what follows the answers is done then */
    assert_all_agree(fixture, &load);
}

static void sigterm_in_full_flight_answers_what_it_has_accepted(void **state)
{
    struct gateway_fixture *fixture = *state;
    struct load load = {.port = fixture->gateway.port, .until_ms = gateway_fixture_now_ms() + GATEWAY_WAIT_MS};
    pthread_t clients[CLIENTS];

    start_clients(&load, clients);
    while (atomic_load(&load.accepted) < 500 && gateway_fixture_now_ms() < load.until_ms)
        gateway_fixture_pause();
    assert_int_equal(gateway_fixture_end_gateway(fixture), 0);
    join_clients(clients);
    assert_all_agree(fixture, &load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sixty_four_clients_lose_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sigterm_in_full_flight_answers_what_it_has_accepted, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
