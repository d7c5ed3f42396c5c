#include "worker/child_link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/line_reader.h"

enum { READ_BYTES = 4096, ANSWER_BYTES = 4096 };

struct child_link {
    int fd_up;
    int fd_down;
    int wake[2]; /* closing wake[1] ends the thread */
    int last_words;
    pthread_t thread;
    int64_t asked;    /* the job's thread's own */
    int64_t consumed; /* chunks let go; the same */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t granted; /* under the lock, as the next */
    bool cancelled;
};

static bool on_line(void *context, char *line, size_t length)
{
    struct child_link *link = context;
    struct child_line parsed;

    if (child_line_parse(&parsed, line, length, NULL) != ERR_OK)
        return true; /* a parent of another version may say more */
    (void)pthread_mutex_lock(&link->lock);
    if (parsed.kind == CHILD_LINE_CANCEL)
        link->cancelled = true;
    else if (parsed.kind == CHILD_LINE_MAY_PUBLISH && parsed.number > link->granted)
        link->granted = parsed.number;
    (void)pthread_cond_broadcast(&link->changed);
    (void)pthread_mutex_unlock(&link->lock);
    child_line_fini(&parsed);
    return true;
}

static void *listen_to_parent(void *context)
{
    struct child_link *link = context;
    struct line_reader reader = {.limit = ANSWER_BYTES};
    struct pollfd fds[] = {{.fd = link->fd_down, .events = POLLIN}, {.fd = link->wake[0], .events = POLLIN}};
    char bytes[READ_BYTES];
    bool parent_lives = true;

    while (parent_lives) {
        ssize_t got;

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents != 0)
            break;
        if (fds[0].revents == 0)
            continue;
        got = read(link->fd_down, bytes, sizeof bytes);
        if (got > 0)
            parent_lives = line_reader_feed(&reader, bytes, (size_t)got, on_line, link, NULL) == ERR_OK;
        else
            parent_lives = got < 0 && (errno == EINTR || errno == EAGAIN);
    }
    line_reader_fini(&reader);
    if (!parent_lives)
        _exit(link->last_words); /* there is nobody to report to, and the solver cannot be waited for */
    return NULL;
}

enum err_code child_link_create(struct child_link **out, int fd_up, int fd_down, int last_words, struct err *err)
{
    struct child_link *link = mem_zeroed(1, sizeof *link);

    *out = NULL;
    if (link == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for the link to the parent");
    link->fd_up = fd_up;
    link->fd_down = fd_down;
    link->last_words = last_words;
    (void)pthread_mutex_init(&link->lock, NULL);
    (void)pthread_cond_init(&link->changed, NULL);
    if (pipe(link->wake) != 0) {
        free(link);
        return ERR_SET(err, ERR_IO, "pipe: %s", strerror(errno));
    }
    if (pthread_create(&link->thread, NULL, listen_to_parent, link) != 0) {
        (void)close(link->wake[0]);
        (void)close(link->wake[1]);
        free(link);
        return ERR_SET(err, ERR_NO_MEMORY, "no thread for the link to the parent");
    }
    *out = link;
    return ERR_OK;
}

void child_link_destroy(struct child_link *link)
{
    if (link == NULL)
        return;
    (void)close(link->wake[1]);
    (void)pthread_join(link->thread, NULL);
    (void)close(link->wake[0]);
    (void)close(link->fd_up);
    (void)close(link->fd_down);
    (void)pthread_cond_destroy(&link->changed);
    (void)pthread_mutex_destroy(&link->lock);
    free(link);
}

/* Writes all of a malloc'd line and frees it. */
static enum err_code tell(struct child_link *link, char *line, struct err *err)
{
    size_t length = line != NULL ? strlen(line) : 0;
    size_t written = 0;

    if (line == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to tell the parent");
    while (written < length) {
        ssize_t got = write(link->fd_up, line + written, length - written);

        if (got < 0 && errno == EAGAIN) {
            struct pollfd fd = {.fd = link->fd_up, .events = POLLOUT};

            (void)poll(&fd, 1, -1);
        } else if (got < 0 && errno != EINTR) {
            free(line);
            return ERR_SET(err, ERR_IO, "the parent does not listen: %s", strerror(errno));
        }
        written += got > 0 ? (size_t)got : 0;
    }
    free(line);
    return ERR_OK;
}

void child_link_tell_progress(struct child_link *link, const char *stage, double progress, const char *note)
{
    (void)tell(link, child_line_print_progress(stage, progress, note), NULL);
}

enum err_code child_link_tell_report(struct child_link *link, const struct json *report, struct err *err)
{
    char *line = child_line_print_report(report);
    size_t length = line != NULL ? strlen(line) : 0;

    if (length > CHILD_LINE_REPORT_BYTES) {
        free(line);
        return ERR_SET(err, ERR_TOO_LARGE, "the report so far has %zu bytes; the limit is %d", length,
                       CHILD_LINE_REPORT_BYTES);
    }
    return tell(link, line, err);
}

enum err_code child_link_tell_end(struct child_link *link, const struct child_end *end, struct err *err)
{
    return tell(link, child_line_print_end(end), err);
}

bool child_link_is_cancelled(struct child_link *link)
{
    bool cancelled;

    (void)pthread_mutex_lock(&link->lock);
    cancelled = link->cancelled;
    (void)pthread_mutex_unlock(&link->lock);
    return cancelled;
}

enum err_code child_link_may_publish(struct child_link *link, struct err *err)
{
    enum err_code rc = ERR_OK;
    bool cancelled;

    while (rc == ERR_OK && link->asked < link->consumed + 2) {
        link->asked++;
        rc = tell(link, child_line_print_may_publish(link->asked), err);
    }
    if (rc != ERR_OK)
        return rc;
    (void)pthread_mutex_lock(&link->lock);
    while (link->granted <= link->consumed && !link->cancelled)
        (void)pthread_cond_wait(&link->changed, &link->lock);
    cancelled = link->granted <= link->consumed;
    (void)pthread_mutex_unlock(&link->lock);
    if (cancelled)
        return ERR_SET(err, ERR_CANCELLED, "cancelled before it was published");
    link->consumed++;
    return ERR_OK;
}
