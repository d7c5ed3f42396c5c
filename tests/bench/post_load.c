/*
 * Clients that POST jobs to a gateway, each a job that nobody else posts: as fast as they are answered, or as many a
 * second as asked for. In the second case a request's time counts from when it was due, whether or not a client was
 * free to send it. One thread, so as to leave the processors to what is measured.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/str.h"

enum { MAX_CLIENTS = 1024, BUFFER_BYTES = 8192, MAX_TIMES = 1 << 22, WAIT_S = 5, TYPES = 4, SECOND_NS = 1000000000 };

static const char *const types[TYPES] = {"warehouse", "cross_sell", "hyperparameter_search",
                                         "homepage_and_similar_products"};

struct options {
    int port;
    const char *key;
    int clients;
    double seconds;
    double rate; /* requests a second; 0: as many as go */
    int shops;
    int first;       /* the number of the first job */
    bool idempotent; /* each with an Idempotency-Key of its own */
};

struct client {
    int socket;
    bool busy;
    int64_t due_ns; /* what its answer's time counts from */
    size_t received;
    char answer[BUFFER_BYTES];
};

struct load {
    struct options options;
    int poll;
    struct client *clients;
    int64_t begin_ns;
    int64_t end_ns; /* no request is sent after it */
    int64_t last_ns;
    int sent;
    int answered;
    int accepted;
    int other_status; /* of the last answer that was not 202 */
    uint32_t *times_us;
    struct str body; /* of the request that is sent */
    struct str request;
};

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "post_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_client(struct load *load, struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->options.port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->socket < 0 || connect(client->socket, (const struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    (void)setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(load->poll, EPOLL_CTL_ADD, client->socket, &event) != 0)
        fail("epoll_ctl");
}

static void print_body(struct str *out, const struct options *options, int number)
{
    str_append_text(out, "{\"type\":\"");
    str_append_text(out, types[number / options->shops % TYPES]);
    str_append_text(out, "\",\"params\":{\"namespace\":\"shop-");
    str_append_int(out, number % options->shops);
    str_append_text(out, "\"}}");
}

static void print_request(struct str *out, const struct options *options, int number, const struct str *body)
{
    str_append_text(out, "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: ");
    str_append_text(out, options->key);
    if (options->idempotent) {
        str_append_text(out, "\r\nIdempotency-Key: load-");
        str_append_int(out, number);
    }
    str_append_text(out, "\r\nContent-Type: application/json\r\nContent-Length: ");
    str_append_int(out, (int64_t)body->length);
    str_append_text(out, "\r\n\r\n");
    str_append(out, body->text, body->length);
}

static void send_request(struct load *load, struct client *client, int64_t due_ns)
{
    int number = load->options.first + load->sent;

    str_clear(&load->body);
    str_clear(&load->request);
    print_body(&load->body, &load->options, number);
    print_request(&load->request, &load->options, number, &load->body);
    client->due_ns = due_ns;
    client->received = 0;
    client->busy = true;
    load->sent++;
    if (send(client->socket, load->request.text, load->request.length, MSG_NOSIGNAL) != (ssize_t)load->request.length)
        fail("send");
}

/* Whether one answer is whole: its head and as much as Content-Length says. */
static bool is_whole(const struct client *client)
{
    const char *end = strstr(client->answer, "\r\n\r\n");
    const char *length = strstr(client->answer, "Content-Length: ");

    if (end == NULL || length == NULL || length > end)
        return false;
    return client->received >= (size_t)(end + 4 - client->answer) + strtoul(length + 16, NULL, 10);
}

static void note_answer(struct load *load, struct client *client)
{
    int status = (int)strtol(client->answer + strlen("HTTP/1.1 "), NULL, 10);

    load->last_ns = now_ns();
    client->busy = false;
    if (load->answered < MAX_TIMES)
        load->times_us[load->answered] = (uint32_t)((load->last_ns - client->due_ns) / 1000);
    load->answered++;
    if (status == 202)
        load->accepted++;
    else
        load->other_status = status;
}

static void receive(struct load *load, struct client *client)
{
    ssize_t length = recv(client->socket, client->answer + client->received, BUFFER_BYTES - 1 - client->received, 0);

    if (length <= 0)
        fail("an answer is cut off");
    client->received += (size_t)length;
    client->answer[client->received] = '\0';
    if (is_whole(client))
        note_answer(load, client);
}

/* Every free client sends, as far as it is time to. */
static void send_due(struct load *load)
{
    const struct options *options = &load->options;
    int64_t now = now_ns();

    for (int i = 0; i < options->clients && now < load->end_ns; i++) {
        struct client *client = &load->clients[i];
        int64_t due_ns = now;

        if (client->busy)
            continue;
        if (options->rate > 0) {
            due_ns = load->begin_ns + (int64_t)(load->sent * 1e9 / options->rate);
            if (due_ns > now)
                return;
        }
        send_request(load, client, due_ns);
    }
}

/* Until the next request is due, where a client is free to send it. */
static struct timespec time_to_wait(const struct load *load)
{
    static const struct timespec for_answers = {.tv_sec = WAIT_S};
    int64_t now = now_ns();
    int64_t left_ns;

    if (load->options.rate <= 0 || now >= load->end_ns || load->sent - load->answered == load->options.clients)
        return for_answers;
    left_ns = load->begin_ns + (int64_t)(load->sent * 1e9 / load->options.rate) - now;
    if (left_ns < 0)
        left_ns = 0;
    return (struct timespec){.tv_sec = left_ns / SECOND_NS, .tv_nsec = left_ns % SECOND_NS};
}

static void run(struct load *load)
{
    struct epoll_event events[MAX_CLIENTS];

    load->begin_ns = now_ns();
    load->end_ns = load->begin_ns + (int64_t)(load->options.seconds * 1e9);
    send_due(load);
    while (load->answered < load->sent || now_ns() < load->end_ns) {
        struct timespec wait = time_to_wait(load);
        int count = epoll_pwait2(load->poll, events, MAX_CLIENTS, &wait, NULL);

        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        if (count == 0 && load->options.rate <= 0) {
            errno = ETIMEDOUT;
            fail("no answer");
        }
        for (int i = 0; i < count; i++)
            receive(load, events[i].data.ptr);
        send_due(load);
    }
}

static int compare_times(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double percentile_ms(const struct load *load, double part)
{
    int count = load->answered < MAX_TIMES ? load->answered : MAX_TIMES;
    int index = (int)(part * (count - 1));

    return count > 0 ? load->times_us[index] / 1000.0 : 0;
}

static void report(struct load *load)
{
    double seconds = (double)(load->last_ns - load->begin_ns) / 1e9;

    qsort(load->times_us, (size_t)(load->answered < MAX_TIMES ? load->answered : MAX_TIMES), sizeof *load->times_us,
          compare_times);
    printf("{\"accepted\":%d,\"other\":%d,\"other_status\":%d,\"seconds\":%.3f,\"per_second\":%.1f,\"p50_ms\":%.2f,"
           "\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           load->accepted, load->answered - load->accepted, load->other_status, seconds,
           seconds > 0 ? load->accepted / seconds : 0, percentile_ms(load, 0.5), percentile_ms(load, 0.99),
           percentile_ms(load, 1));
}

static bool read_options(struct options *out, int argc, char **argv)
{
    static const struct option names[] = {{"port", required_argument, NULL, 'p'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"clients", required_argument, NULL, 'c'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"shops", required_argument, NULL, 'n'},
                                          {"first", required_argument, NULL, 'f'},
                                          {"idempotent", no_argument, NULL, 'i'},
                                          {NULL, 0, NULL, 0}};
    int option;

    *out = (struct options){.clients = 64, .seconds = 3, .shops = 10000, .key = ""};
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'p':
            out->port = atoi(optarg);
            break;
        case 'k':
            out->key = optarg;
            break;
        case 'c':
            out->clients = atoi(optarg);
            break;
        case 's':
            out->seconds = atof(optarg);
            break;
        case 'r':
            out->rate = atof(optarg);
            break;
        case 'n':
            out->shops = atoi(optarg);
            break;
        case 'f':
            out->first = atoi(optarg);
            break;
        case 'i':
            out->idempotent = true;
            break;
        default:
            return false;
        }
    }
    return out->port > 0 && out->clients > 0 && out->clients <= MAX_CLIENTS && out->shops > 0;
}

int main(int argc, char **argv)
{
    struct load load = {0};

    if (!read_options(&load.options, argc, argv)) {
        (void)fprintf(stderr, "usage: post_load --port N --key KEY [--clients N] [--seconds S] [--rate N] [--shops N] "
                              "[--first N] [--idempotent]\n");
        return 64;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    /* As clients of other machines they do not interrupt the gateway between two answers. */
    (void)sched_setscheduler(0, SCHED_BATCH, &(const struct sched_param){0});
    load.poll = epoll_create1(EPOLL_CLOEXEC);
    load.clients = calloc((size_t)load.options.clients, sizeof *load.clients);
    load.times_us = malloc(MAX_TIMES * sizeof *load.times_us);
    if (load.poll < 0 || load.clients == NULL || load.times_us == NULL)
        fail("start");
    for (int i = 0; i < load.options.clients; i++)
        open_client(&load, &load.clients[i]);
    run(&load);
    report(&load);
    for (int i = 0; i < load.options.clients; i++)
        (void)close(load.clients[i].socket);
    (void)close(load.poll);
    free(load.clients);
    free(load.times_us);
    str_fini(&load.body);
    str_fini(&load.request);
    return load.accepted == load.answered ? 0 : 1;
}
