#include "worker/supervisor_child.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/line_reader.h"

enum { READ_BYTES = 65536, STDIO_COUNT = 5 };

struct supervisor_child {
    struct supervisor_child_config config;
    uv_process_t process;
    uv_pipe_t job;  /* to its stdin */
    uv_pipe_t up;   /* from its fd 3 */
    uv_pipe_t down; /* to its fd 4 */
    int open_handles;
    bool failed_to_start;
    bool exited;
    bool silent; /* fd 3 is at its end */
    struct supervisor_child_exit exit;
    struct line_reader reader;
    char bytes[READ_BYTES];
};

/* A write under way with its text. */
struct said {
    uv_write_t request;
    char *text;
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct supervisor_child *child = handle->data;

    child->open_handles--;
    if (child->open_handles > 0)
        return;
    line_reader_fini(&child->reader);
    if (!child->failed_to_start)
        child->config.on_exit(child->config.context, &child->exit);
    free(child);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

/* Its last line may come behind the news of its exit. */
static void close_when_ended(struct supervisor_child *child)
{
    if (!child->exited || !child->silent)
        return;
    close_handle((uv_handle_t *)&child->process);
    close_handle((uv_handle_t *)&child->job);
    close_handle((uv_handle_t *)&child->up);
    close_handle((uv_handle_t *)&child->down);
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal)
{
    struct supervisor_child *child = process->data;

    child->exited = true;
    child->exit.status = (int)status;
    child->exit.signal = signal;
    close_when_ended(child);
}

static bool on_line(void *context, char *text, size_t length)
{
    struct supervisor_child *child = context;
    struct child_line line;
    struct err err;

    if (child_line_parse(&line, text, length, &err) != ERR_OK) {
        log_warn("child.unknown_line", log_text("message", err.message));
        return true;
    }
    child->config.on_line(child->config.context, &line);
    child_line_fini(&line);
    return true;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct supervisor_child *child = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(child->bytes, sizeof child->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct supervisor_child *child = stream->data;
    struct err err;

    if (got > 0 && line_reader_feed(&child->reader, buffer->base, (size_t)got, on_line, child, &err) == ERR_OK)
        return;
    if (got == 0)
        return;
    if (got > 0) {
        log_err("child.line_refused", &err);
        child->exit.line_too_long = true;
        supervisor_child_kill(child);
    }
    (void)uv_read_stop(stream);
    child->silent = true;
    close_when_ended(child);
}

static void on_said(uv_write_t *request, int status)
{
    struct said *said = (struct said *)request;

    (void)status; /* a child that does not listen has ended or will */
    free(said->text);
    free(said);
}

/* Takes the text. */
static bool say(uv_pipe_t *pipe, char *text)
{
    struct said *said = text != NULL ? mem_zeroed(1, sizeof *said) : NULL;
    uv_buf_t buffer;

    if (said == NULL) {
        free(text);
        return false;
    }
    said->text = text;
    buffer = uv_buf_init(text, (unsigned)strlen(text));
    if (uv_write(&said->request, (uv_stream_t *)pipe, &buffer, 1, on_said) == 0)
        return true;
    free(text);
    free(said);
    return false;
}

void supervisor_child_say(struct supervisor_child *child, char *line)
{
    (void)say(&child->down, line);
}

static void on_job_sent(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

/* The job, and the end of stdin behind it. */
static bool send_job(struct supervisor_child *child)
{
    uv_shutdown_t *shutdown = mem_zeroed(1, sizeof *shutdown);

    if (shutdown == NULL || !say(&child->job, strdup(child->config.job)) ||
        uv_shutdown(shutdown, (uv_stream_t *)&child->job, on_job_sent) != 0) {
        free(shutdown);
        return false;
    }
    return true;
}

static int spawn(struct supervisor_child *child)
{
    char program[] = "recfleet-worker";
    char run_job[] = "--run-job";
    char env_option[] = "--env-file";
    char *env_file = child->config.env_file != NULL ? strdup(child->config.env_file) : NULL;
    char *arguments[] = {program, run_job, env_file != NULL ? env_option : NULL, env_file, NULL};
    const uv_stdio_flags to_child = UV_CREATE_PIPE | UV_READABLE_PIPE;
    uv_stdio_container_t stdio[STDIO_COUNT] = {
        {.flags = to_child, .data.stream = (uv_stream_t *)&child->job},
        {.flags = UV_INHERIT_FD, .data.fd = 2}, /* stdout: whatever a library may print */
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->up},
        {.flags = to_child, .data.stream = (uv_stream_t *)&child->down},
    };
    uv_process_options_t options = {.file = "/proc/self/exe",
                                    .args = arguments,
                                    .exit_cb = on_process_exit,
                                    .stdio = stdio,
                                    .stdio_count = STDIO_COUNT};
    int status = child->config.env_file != NULL && env_file == NULL
                     ? UV_ENOMEM
                     : uv_spawn(child->config.loop, &child->process, &options);

    free(env_file);
    return status;
}

static struct supervisor_child *create(const struct supervisor_child_config *config)
{
    struct supervisor_child *child = mem_zeroed(1, sizeof *child);

    if (child == NULL)
        return NULL;
    child->config = *config;
    child->reader.limit = CHILD_LINE_MAX_BYTES;
    (void)uv_pipe_init(config->loop, &child->job, 0); /* these never fail */
    (void)uv_pipe_init(config->loop, &child->up, 0);
    (void)uv_pipe_init(config->loop, &child->down, 0);
    child->job.data = child;
    child->up.data = child;
    child->down.data = child;
    child->process.data = child;
    child->open_handles = 4;
    return child;
}

enum err_code supervisor_child_start(struct supervisor_child **out, const struct supervisor_child_config *config,
                                     struct err *err)
{
    struct supervisor_child *child = create(config);
    int status;

    *out = NULL;
    if (child == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a process");
    status = spawn(child);
    if (status == 0 && (!send_job(child) || uv_read_start((uv_stream_t *)&child->up, on_alloc, on_read) != 0)) {
        supervisor_child_kill(child);
        child->silent = true; /* its exit alone is waited for */
    }
    if (status != 0) {
        child->failed_to_start = true;
        child->exited = true;
        child->silent = true;
        close_when_ended(child);
        return ERR_SET(err, ERR_UNAVAILABLE, "start a process: %s", uv_strerror(status));
    }
    *out = child;
    return ERR_OK;
}

void supervisor_child_kill(struct supervisor_child *child)
{
    if (!child->exited)
        (void)uv_process_kill(&child->process, SIGKILL);
}

int supervisor_child_pid(const struct supervisor_child *child)
{
    return uv_process_get_pid(&child->process);
}
