#include "tests/support/servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READY_MS = 20000, STOP_MS = 10000, ASK_AGAIN_MS = 5, PORT_TRIES = 5 };

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000};

    (void)nanosleep(&time, NULL);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int server_free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int port = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        (void)close(fd);
    return port;
}

static int connect_to(const struct test_server *server)
{
    struct sockaddr_in address = loopback(server->port);
    struct timeval patience = {.tv_sec = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

bool server_accepts(const struct test_server *server)
{
    int fd = connect_to(server);

    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

/* It has loaded its AOF, and it is ours: another test may have taken the port in between. */
static bool redis_is_ready(const struct test_server *server)
{
    static const char question[] = "PING\r\nINFO server\r\n";
    char answer[8192];
    char mark[64];
    size_t used = 0;
    bool ready = false;
    int fd = connect_to(server);

    if (fd < 0)
        return false;
    (void)snprintf(mark, sizeof mark, "process_id:%d\r\n", (int)server->pid);
    if (send(fd, question, strlen(question), MSG_NOSIGNAL) == (ssize_t)strlen(question)) {
        while (used + 1 < sizeof answer && !ready) {
            ssize_t got = recv(fd, answer + used, sizeof answer - 1 - used, 0);

            if (got <= 0)
                break;
            used += (size_t)got;
            answer[used] = '\0';
            if (answer[0] != '+' && strncmp(answer, "-NOAUTH", strlen("-NOAUTH")) != 0)
                break;
            ready = answer[0] == '-' || strstr(answer, mark) != NULL;
        }
    }
    (void)close(fd);
    return ready;
}

bool server_prepare(struct test_server *server)
{
    *server = (struct test_server){0};
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/recfleet-test-XXXXXX");
    if (mkdtemp(server->folder) == NULL) {
        perror("mkdtemp");
        server->folder[0] = '\0';
        return false;
    }
    server->port = server_free_port();
    return server->port > 0;
}

static void free_arguments(struct test_server *server)
{
    for (size_t i = 0; server->argv[i] != NULL; i++) {
        free(server->argv[i]);
        server->argv[i] = NULL;
    }
}

static bool copy_arguments(struct test_server *server, const char *const *argv)
{
    free_arguments(server);
    for (size_t i = 0; argv[i] != NULL; i++) {
        server->argv[i] = i < SERVER_MAX_ARGUMENTS ? strdup(argv[i]) : NULL;
        if (server->argv[i] == NULL)
            return false;
    }
    return true;
}

_Noreturn static void become(struct test_server *server, pid_t parent)
{
    char log[SERVER_TEXT_BYTES + 8];
    int fd;

    (void)snprintf(log, sizeof log, "%s/log", server->folder);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(126);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(126);
    (void)execvp(server->argv[0], server->argv);
    _exit(127);
}

static void show_log(const struct test_server *server)
{
    char line[1024];
    FILE *file;

    (void)snprintf(line, sizeof line, "%s/log", server->folder);
    file = fopen(line, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        (void)fprintf(stderr, "  %s", line);
    if (file != NULL)
        (void)fclose(file);
}

static bool run_and_wait(struct test_server *server, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    pid_t parent = getpid();
    int status = 0;

    server->pid = fork();
    if (server->pid == 0)
        become(server, parent);
    if (server->pid < 0) {
        perror("fork");
        server->pid = 0;
        return false;
    }
    while (now_ms() < deadline) {
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            (void)fprintf(stderr, "%s ended with status 0x%x:\n", server->argv[0], (unsigned)status);
            show_log(server);
            server->pid = 0;
            return false;
        }
        if (server->ready(server))
            return true;
        pause_ms(ASK_AGAIN_MS);
    }
    (void)fprintf(stderr, "%s is not ready after %d ms:\n", server->argv[0], timeout_ms);
    show_log(server);
    server_kill(server);
    return false;
}

bool server_spawn(struct test_server *server, const char *const *argv, bool (*ready)(const struct test_server *server),
                  int timeout_ms)
{
    server->ready = ready;
    return copy_arguments(server, argv) && run_and_wait(server, timeout_ms);
}

bool server_restart(struct test_server *server)
{
    server_kill(server);
    return run_and_wait(server, READY_MS);
}

bool server_start_redis(struct test_server *out, ...)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        char port[16];
        const char *argv[SERVER_MAX_ARGUMENTS + 1] = {
            "redis-server", "--port", port,           "--bind", "127.0.0.1",     "--dir",  out->folder,
            "--save",       "",       "--appendonly", "yes",    "--appendfsync", "always", "--enable-debug-command",
            "local"};
        size_t count = 15;
        const char *extra;
        va_list extras;

        if (!server_prepare(out))
            return false;
        (void)snprintf(port, sizeof port, "%d", out->port);
        (void)snprintf(out->url, sizeof out->url, "redis://127.0.0.1:%d", out->port);
        va_start(extras, out);
        while ((extra = va_arg(extras, const char *)) != NULL && count < SERVER_MAX_ARGUMENTS)
            argv[count++] = extra;
        va_end(extras);
        if (server_spawn(out, argv, redis_is_ready, READY_MS))
            return true;
        server_fini(out); /* the port may have been taken: another one */
    }
    return false;
}

void server_kill(struct test_server *server)
{
    if (server->pid <= 0)
        return;
    (void)kill(server->pid, SIGKILL);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    server->pid = 0;
}

void server_stop(struct test_server *server)
{
    int64_t deadline = now_ms() + STOP_MS;

    if (server->pid <= 0)
        return;
    (void)kill(server->pid, SIGTERM);
    while (now_ms() < deadline) {
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            return;
        }
        pause_ms(ASK_AGAIN_MS);
    }
    server_kill(server);
}

/* Waits until the kernel has stopped it: a signal sent is not yet one that took effect. */
void server_freeze(struct test_server *server)
{
    if (server->pid <= 0 || kill(server->pid, SIGSTOP) != 0)
        return;
    while (waitpid(server->pid, NULL, WUNTRACED) < 0 && errno == EINTR) {
    }
}

void server_thaw(struct test_server *server)
{
    if (server->pid > 0)
        (void)kill(server->pid, SIGCONT);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void server_fini(struct test_server *server)
{
    server_kill(server);
    free_arguments(server);
    if (server->folder[0] != '\0')
        (void)nftw(server->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    server->folder[0] = '\0';
}
