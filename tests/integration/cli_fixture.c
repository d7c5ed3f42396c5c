#include "tests/integration/cli_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { STEP_MS = 20, PART_BYTES = 4096, PATH_BYTES = 512 };

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the child, which has nothing but _exit to fail with. */
static void set_environment(const struct cli_setup *setup)
{
    (void)unsetenv("RECFLEET_URL");
    if (setup->url != NULL)
        (void)setenv("RECFLEET_URL", setup->url, 1);
    (void)setenv("TERM", "xterm", 1);
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    (void)unsetenv("API_KEY");
    (void)unsetenv("NO_COLOR");
    (void)unsetenv("RECFLEET_API_KEY");
    (void)unsetenv("http_proxy");
    if (setup->key != NULL)
        (void)setenv("RECFLEET_API_KEY", setup->key, 1);
    for (const char *const *setting = setup->settings; setting != NULL && *setting != NULL; setting++) {
        char name[64];
        size_t length = strcspn(*setting, "=");

        (void)snprintf(name, sizeof name, "%.*s", (int)length, *setting);
        (void)setenv(name, *setting + length + 1, 1);
    }
}

static void run_child(const struct cli_setup *setup, int in, int out, int err, char *const *argv)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setup->terminal) {
        (void)setsid();
        (void)ioctl(in, TIOCSCTTY, 0);
    }
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    for (int fd = 3; fd < 64; fd++)
        (void)close(fd);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    set_environment(setup);
    (void)execv(argv[0], argv);
    _exit(127);
}

static void open_terminal(int *ours, int *theirs)
{
    struct winsize size = {.ws_row = CLI_ROWS, .ws_col = CLI_COLUMNS};

    *ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*ours >= 0);
    assert_int_equal(grantpt(*ours), 0);
    assert_int_equal(unlockpt(*ours), 0);
    *theirs = open(ptsname(*ours), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*theirs >= 0);
    assert_int_equal(ioctl(*theirs, TIOCSWINSZ, &size), 0);
}

static void open_pipe(int *read_end, int *write_end)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    *read_end = fds[0];
    *write_end = fds[1];
}

static void spawn(struct cli_program *program, const struct cli_setup *setup, char *const *argv)
{
    int in;
    int out;
    int err;

    if (setup->terminal) {
        open_terminal(&program->out, &in);
        program->in = program->out;
        program->err = -1;
        out = in;
        err = in;
    } else {
        open_pipe(&in, &program->in);
        open_pipe(&program->out, &out);
        open_pipe(&program->err, &err);
    }
    program->pid = fork();
    assert_true(program->pid >= 0);
    if (program->pid == 0)
        run_child(setup, in, out, err, argv);
    (void)close(in);
    if (!setup->terminal) {
        (void)close(out);
        (void)close(err);
    }
}

static void start(struct cli_program *program, const struct cli_setup *setup, const char *word, va_list words)
{
    char *argv[CLI_MAX_WORDS + 2] = {NULL};
    char path[PATH_BYTES];
    const char *bin = getenv("RECFLEET_BIN");
    int count = 1;

    assert_non_null(bin);
    (void)snprintf(path, sizeof path, "%s/recfleet", bin);
    *program = (struct cli_program){.in = -1, .out = -1, .err = -1};
    argv[0] = path;
    for (; word != NULL; word = va_arg(words, const char *)) {
        assert_true(count <= CLI_MAX_WORDS);
        argv[count] = strdup(word);
        assert_non_null(argv[count++]);
    }
    spawn(program, setup, argv);
    while (--count > 0)
        free(argv[count]);
}

void cli_program_start(struct cli_program *program, const struct cli_setup *setup, const char *word, ...)
{
    va_list words;

    va_start(words, word);
    start(program, setup, word, words);
    va_end(words);
}

static void read_part(int *fd, struct str *into)
{
    char part[PART_BYTES];
    ssize_t count = read(*fd, part, sizeof part);

    if (count > 0) {
        str_append(into, part, (size_t)count);
        assert_false(into->failed);
    } else if (count == 0 || errno != EINTR) { /* EIO: a terminal that the program has left */
        (void)close(*fd);
        *fd = -1;
    }
}

/* Reads what there is within STEP_MS; false: both have ended. */
static bool read_some(struct cli_program *program)
{
    struct pollfd fds[2] = {{.fd = program->out, .events = POLLIN}, {.fd = program->err, .events = POLLIN}};

    if (program->out < 0 && program->err < 0)
        return false;
    if (poll(fds, 2, STEP_MS) <= 0)
        return true;
    if (program->out >= 0 && fds[0].revents != 0) {
        bool terminal = program->in == program->out;

        read_part(&program->out, &program->output);
        if (terminal)
            program->in = program->out;
    }
    if (program->err >= 0 && fds[1].revents != 0)
        read_part(&program->err, &program->errors);
    return true;
}

static bool holds(const struct str *text, const char *part)
{
    return text->length > 0 && strstr(text->text, part) != NULL;
}

static void show(const struct cli_program *program)
{
    /* print_error would cut it off */
    (void)fprintf(stderr, "output:\n%s\nerrors:\n%s\n", program->output.length > 0 ? program->output.text : "",
                  program->errors.length > 0 ? program->errors.text : "");
}

static void wait_for(struct cli_program *program, const struct str *where, const char *text)
{
    int64_t deadline_ms = now_ms() + CLI_WAIT_MS;

    while (!holds(where, text)) {
        if (!read_some(program) || now_ms() > deadline_ms) {
            show(program);
            fail_msg("recfleet did not write \"%s\"", text);
        }
    }
}

void cli_program_wait_for(struct cli_program *program, const char *text)
{
    wait_for(program, &program->output, text);
}

void cli_program_wait_for_error(struct cli_program *program, const char *text)
{
    wait_for(program, &program->errors, text);
}

void cli_program_type(struct cli_program *program, const char *text)
{
    assert_int_equal(write(program->in, text, strlen(text)), strlen(text));
}

int cli_program_end(struct cli_program *program)
{
    int64_t deadline_ms = now_ms() + CLI_WAIT_MS;
    int status = 0;

    while (read_some(program) || waitpid(program->pid, &status, WNOHANG) == 0) {
        if (now_ms() > deadline_ms) {
            show(program);
            (void)kill(program->pid, SIGKILL);
            (void)waitpid(program->pid, &status, 0);
            fail_msg("recfleet does not end");
        }
        if (program->out < 0 && program->err < 0)
            (void)poll(NULL, 0, STEP_MS);
    }
    program->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void cli_program_fini(struct cli_program *program)
{
    if (program->pid > 0) {
        (void)kill(program->pid, SIGKILL);
        (void)waitpid(program->pid, NULL, 0);
    }
    if (program->in >= 0)
        (void)close(program->in);
    if (program->out >= 0 && program->out != program->in)
        (void)close(program->out);
    if (program->err >= 0)
        (void)close(program->err);
    str_fini(&program->output);
    str_fini(&program->errors);
}

int cli_program_run(struct cli_program *program, const struct cli_setup *setup, const char *word, ...)
{
    va_list words;

    va_start(words, word);
    start(program, setup, word, words);
    va_end(words);
    return cli_program_end(program);
}

void cli_program_assert_output(const struct cli_program *program, const char *text)
{
    if (!holds(&program->output, text)) {
        show(program);
        fail_msg("the output lacks \"%s\"", text);
    }
}

void cli_program_assert_error(const struct cli_program *program, const char *text)
{
    if (!holds(&program->errors, text)) {
        show(program);
        fail_msg("stderr lacks \"%s\"", text);
    }
}
