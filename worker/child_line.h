/*
 * What parent and child say to each other: one JSON object a line. Child to parent (fd 3): {"progress":0.42,"stage":…,
 * "note":…}; {"report":{…}}, what there is of it so far; {"may_publish":n}, asked before the n-th chunk; {"end":{…}},
 * once and last. Parent to child (fd 4): {"may_publish":n} grants all up to the n-th; {"cancel":true}.
 */
#ifndef WORKER_CHILD_LINE_H
#define WORKER_CHILD_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/json_value.h"

enum {
    CHILD_LINE_MAX_BYTES = 16 * 1024 * 1024,
    CHILD_LINE_REPORT_BYTES = 1024 * 1024, /* of a line with a report, which may come each second */
    CHILD_LINE_STAGE_BYTES = 32,
    CHILD_LINE_NOTE_BYTES = 160
};

/* Where the descriptors are in the child. */
enum { CHILD_LINE_FD_UP = 3, CHILD_LINE_FD_DOWN = 4 };

/* The child's exit statuses, as of sysexits.h where it has them. */
enum child_exit {
    CHILD_EXIT_DONE = 0,
    CHILD_EXIT_PERMANENT = 65,
    CHILD_EXIT_TRANSIENT = 75,
    CHILD_EXIT_DEVICE_LOST = 76
};

enum child_exit child_line_exit_of(enum err_code code);

enum child_line_kind {
    CHILD_LINE_PROGRESS,
    CHILD_LINE_REPORT,
    CHILD_LINE_MAY_PUBLISH,
    CHILD_LINE_END,
    CHILD_LINE_CANCEL,
    CHILD_LINE_KIND_COUNT
};

/* What a run came to. */
struct child_end {
    struct err err;        /* code ERR_OK: it succeeded */
    bool refused_at_start; /* ERR_FENCED before anything was computed */
    int64_t newest_fence;  /* seen at a target; 0: none */
    struct json *report;   /* NULL: it did not get that far */
    struct json *result;   /* of the document; NULL: none */
    char backend[64];      /* "": not known */
};

void child_end_fini(struct child_end *end);

struct child_line {
    enum child_line_kind kind;
    double progress;
    char stage[CHILD_LINE_STAGE_BYTES];
    char note[CHILD_LINE_NOTE_BYTES];
    int64_t number;      /* of CHILD_LINE_MAY_PUBLISH */
    struct json *report; /* of CHILD_LINE_REPORT */
    struct child_end end;
};

/* ERR_FORMAT: no line of ours; ERR_TOO_LARGE: a report that is longer than such may be. *out goes to child_line_fini.
 */
enum err_code child_line_parse(struct child_line *out, const char *text, size_t length, struct err *err) MUST_CHECK;
void child_line_fini(struct child_line *line);

/* malloc'd texts with their newline; NULL when out of memory. */
char *child_line_print_progress(const char *stage, double progress, const char *note);
char *child_line_print_report(const struct json *report);
char *child_line_print_may_publish(int64_t number);
char *child_line_print_cancel(void);
char *child_line_print_end(const struct child_end *end);

#endif
