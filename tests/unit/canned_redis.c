#include "tests/unit/canned_redis.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

enum { TIMEOUT_MS = 5000 };

int canned_redis_setup(void **state)
{
    struct canned_redis *canned = calloc(1, sizeof *canned);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct redis_url url = {.host = "127.0.0.1"};
    struct timeval patience = {.tv_sec = TIMEOUT_MS / 1000};
    socklen_t size = sizeof address;
    struct err err = {0};

    (void)signal(SIGPIPE, SIG_IGN);
    *state = canned;
    if (canned == NULL)
        return -1;
    canned->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(canned->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(canned->listener, 1) != 0 || getsockname(canned->listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    url.port = ntohs(address.sin_port);
    if (redis_client_connect(&canned->client, &url, TIMEOUT_MS, &err) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    canned->peer = accept(canned->listener, NULL, NULL);
    return canned->peer >= 0 && setsockopt(canned->peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 ? 0
                                                                                                                   : -1;
}

int canned_redis_teardown(void **state)
{
    struct canned_redis *canned = *state;

    redis_client_destroy(canned->client);
    canned_redis_hang_up(canned);
    (void)close(canned->listener);
    free(canned);
    return 0;
}

void canned_redis_hang_up(struct canned_redis *canned)
{
    if (canned->peer >= 0)
        (void)close(canned->peer);
    canned->peer = -1;
}

void canned_redis_write(struct canned_redis *canned, const char *bytes)
{
    assert_int_equal(send(canned->peer, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

struct redis_reply *canned_redis_reply(struct canned_redis *canned, const char *bytes)
{
    struct redis_reply *reply = NULL;
    struct err err = {0};

    canned_redis_write(canned, bytes);
    if (redis_client_receive(canned->client, &reply, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return reply;
}

void canned_redis_received(struct canned_redis *canned, char *out, size_t length)
{
    assert_int_equal(recv(canned->peer, out, length, MSG_WAITALL), length);
    out[length] = '\0';
}
