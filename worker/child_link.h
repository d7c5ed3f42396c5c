/*
 * The child's end of its pipes. A thread of its own reads what the parent says, so that a cancel is heard while the
 * solver computes, and ends the process when the parent's end closes: a run without its parent may not go on.
 */
#ifndef WORKER_CHILD_LINK_H
#define WORKER_CHILD_LINK_H

#include <stdbool.h>

#include "common/base/err.h"
#include "worker/child_line.h"

struct child_link;

/* Takes both descriptors. `last_words` is the exit status when the parent is gone. */
enum err_code child_link_create(struct child_link **out, int fd_up, int fd_down, int last_words,
                                struct err *err) MUST_CHECK;
void child_link_destroy(struct child_link *link);

/* The job's thread: tells the parent. A progress that does not get through is no loss. */
void child_link_tell_progress(struct child_link *link, const char *stage, double progress, const char *note);
/* ERR_TOO_LARGE: it is longer than the parent takes. */
enum err_code child_link_tell_report(struct child_link *link, const struct json *report, struct err *err) MUST_CHECK;
enum err_code child_link_tell_end(struct child_link *link, const struct child_end *end, struct err *err) MUST_CHECK;

/* Whether the parent asked to stop. Any thread. */
bool child_link_is_cancelled(struct child_link *link);

/* Asks whether the next chunk may be published and waits for the word, one chunk ahead: the question for the chunk
 * after it is on its way already. ERR_CANCELLED. */
enum err_code child_link_may_publish(struct child_link *link, struct err *err) MUST_CHECK;

#endif
