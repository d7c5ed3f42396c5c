/*
 * Real servers for integration tests: each on a free loopback port, with a folder of its own, killed when the thread
 * that started it ends (PR_SET_PDEATHSIG). Functions that answer false have said why on stderr.
 */
#ifndef TESTS_SUPPORT_SERVERS_H
#define TESTS_SUPPORT_SERVERS_H

#include <stdbool.h>
#include <sys/types.h>

enum { SERVER_TEXT_BYTES = 256, SERVER_MAX_ARGUMENTS = 48 };

/* Plain data, but for argv; goes to server_fini. */
struct test_server {
    char folder[SERVER_TEXT_BYTES]; /* temporary; the server's output is in folder/log */
    char url[SERVER_TEXT_BYTES];    /* redis://127.0.0.1:PORT */
    int port;
    pid_t pid;                                       /* 0: not running */
    char *argv[SERVER_MAX_ARGUMENTS + 1];            /* malloc'd, for restarts */
    bool (*ready)(const struct test_server *server); /* whether it serves by now; asked until it does */
};

/* redis-server with AOF (appendfsync always), no snapshots; further options and their values follow, then NULL:
 * server_start_redis(&server, "--requirepass", "x", NULL). Later options win over earlier ones. */
bool server_start_redis(struct test_server *out, ...) __attribute__((sentinel));

/* The same in steps, for other servers: a folder and a free port; then a program (argv ends with NULL, copied) that is
 * waited for until ready() or timeout_ms. server_prepare clears *server. */
bool server_prepare(struct test_server *server);
bool server_spawn(struct test_server *server, const char *const *argv, bool (*ready)(const struct test_server *server),
                  int timeout_ms);

/* A ready() that is content with a TCP connect. */
bool server_accepts(const struct test_server *server);

/* Starts it again with the same port, folder and arguments. */
bool server_restart(struct test_server *server);

void server_kill(struct test_server *server);   /* SIGKILL, waited for */
void server_stop(struct test_server *server);   /* SIGTERM, waited for; SIGKILL after 10 s */
void server_freeze(struct test_server *server); /* SIGSTOP: it accepts connections and answers nothing */
void server_thaw(struct test_server *server);   /* SIGCONT */

/* Kills it and removes its folder. Idempotent. */
void server_fini(struct test_server *server);

/* A port that was free a moment ago; 0 on failure. */
int server_free_port(void);

#endif
