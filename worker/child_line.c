#include "worker/child_line.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

enum child_exit child_line_exit_of(enum err_code code)
{
    if (code == ERR_OK)
        return CHILD_EXIT_DONE;
    if (code == ERR_DEVICE_LOST)
        return CHILD_EXIT_DEVICE_LOST;
    return err_is_transient(code) ? CHILD_EXIT_TRANSIENT : CHILD_EXIT_PERMANENT;
}

void child_end_fini(struct child_end *end)
{
    json_value_destroy(end->report);
    json_value_destroy(end->result);
    *end = (struct child_end){0};
}

void child_line_fini(struct child_line *line)
{
    json_value_destroy(line->report);
    line->report = NULL;
    child_end_fini(&line->end);
}

static void copy_text(char *out, size_t size, const struct json *object, const char *key)
{
    const char *text = json_value_get_text(object, key);

    str_copy(out, size, text != NULL ? text : "");
}

static enum err_code parse_progress(struct child_line *out, const struct json *line, struct err *err)
{
    out->kind = CHILD_LINE_PROGRESS;
    if (!json_value_get_double(line, "progress", &out->progress) || !(out->progress >= 0 && out->progress <= 1))
        return ERR_SET(err, ERR_FORMAT, "a progress that is not within 0..1");
    copy_text(out->stage, sizeof out->stage, line, "stage");
    copy_text(out->note, sizeof out->note, line, "note");
    return ERR_OK;
}

/* A copy of a member that is an object; NULL for none. */
static struct json *dup_object(const struct json *object, const char *key)
{
    const struct json *value = json_value_get(object, key);

    return json_value_kind(value) == JSON_KIND_OBJECT ? json_value_dup(value) : NULL;
}

static enum err_code parse_end(struct child_line *out, const struct json *end, struct err *err)
{
    const struct json *error = json_value_get(end, "error");
    const char *code = json_value_get_text(error, "code");

    out->kind = CHILD_LINE_END;
    if (json_value_kind(end) != JSON_KIND_OBJECT ||
        (json_value_kind(error) != JSON_KIND_NULL && (code == NULL || strcmp(code, err_code_name(ERR_OK)) == 0)))
        return ERR_SET(err, ERR_FORMAT, "an end without its error's code");
    if (code != NULL) {
        out->end.err.code = err_code_from_name(code);
        copy_text(out->end.err.message, sizeof out->end.err.message, error, "message");
    }
    (void)json_value_get_bool(end, "refused_at_start", &out->end.refused_at_start);
    (void)json_value_get_int64(end, "newest_fence", &out->end.newest_fence);
    copy_text(out->end.backend, sizeof out->end.backend, end, "backend");
    out->end.report = dup_object(end, "report");
    out->end.result = dup_object(end, "result");
    return ERR_OK;
}

static enum err_code parse_report(struct child_line *out, const struct json *line, size_t length, struct err *err)
{
    out->kind = CHILD_LINE_REPORT;
    if (length > CHILD_LINE_REPORT_BYTES)
        return ERR_SET(err, ERR_TOO_LARGE, "a report so far of %zu bytes; the limit is %d", length,
                       CHILD_LINE_REPORT_BYTES);
    if (json_value_kind(json_value_get(line, "report")) != JSON_KIND_OBJECT)
        return ERR_SET(err, ERR_FORMAT, "a report that is no object");
    out->report = dup_object(line, "report");
    return out->report != NULL ? ERR_OK : ERR_SET(err, ERR_NO_MEMORY, "no memory for a report");
}

static enum err_code parse_object(struct child_line *out, const struct json *line, size_t length, struct err *err)
{
    bool cancel = false;

    if (json_value_get(line, "progress") != NULL)
        return parse_progress(out, line, err);
    if (json_value_get(line, "report") != NULL)
        return parse_report(out, line, length, err);
    if (json_value_get(line, "end") != NULL)
        return parse_end(out, json_value_get(line, "end"), err);
    if (json_value_get_int64(line, "may_publish", &out->number) && out->number > 0) {
        out->kind = CHILD_LINE_MAY_PUBLISH;
        return ERR_OK;
    }
    if (json_value_get_bool(line, "cancel", &cancel) && cancel) {
        out->kind = CHILD_LINE_CANCEL;
        return ERR_OK;
    }
    return ERR_SET(err, ERR_FORMAT, "a line that says nothing known");
}

enum err_code child_line_parse(struct child_line *out, const char *text, size_t length, struct err *err)
{
    struct json *line = NULL;
    enum err_code rc;

    *out = (struct child_line){0};
    rc = json_value_parse(&line, text, length, err);
    if (rc == ERR_OK)
        rc = parse_object(out, line, length, err);
    json_value_destroy(line);
    if (rc != ERR_OK)
        child_line_fini(out);
    return rc;
}

/* The object's text and a newline; takes the object. */
static char *print_line(struct json *object, bool made)
{
    struct str line = {0};
    char *text = made ? json_value_print(object, false, 0) : NULL;

    json_value_destroy(object);
    if (text == NULL)
        return NULL;
    str_append_text(&line, text);
    str_append_char(&line, '\n');
    free(text);
    return str_take(&line);
}

char *child_line_print_progress(const char *stage, double progress, const char *note)
{
    struct json *object = json_value_new_object();
    bool made = object != NULL && json_value_set_real(object, "progress", progress) &&
                json_value_set_text(object, "stage", stage) && json_value_set_text(object, "note", note);

    return print_line(object, made);
}

char *child_line_print_report(const struct json *report)
{
    struct json *object = json_value_new_object();
    bool made = object != NULL && json_value_set(object, "report", json_value_dup(report));

    return print_line(object, made);
}

char *child_line_print_may_publish(int64_t number)
{
    return str_format("{\"may_publish\":%lld}\n", (long long)number);
}

char *child_line_print_cancel(void)
{
    return strdup("{\"cancel\":true}\n");
}

static struct json *make_error(const struct err *err)
{
    struct json *error = json_value_new_object();

    if (error == NULL || !json_value_set_text(error, "code", err_code_name(err->code)) ||
        !json_value_set_text(error, "message", err->message)) {
        json_value_destroy(error);
        return NULL;
    }
    return error;
}

static bool fill_end(struct json *object, const struct child_end *end)
{
    bool made = end->err.code == ERR_OK || json_value_set(object, "error", make_error(&end->err));

    made = json_value_set_bool(object, "refused_at_start", end->refused_at_start) && made;
    made = json_value_set_int(object, "newest_fence", end->newest_fence) && made;
    made = json_value_set_text(object, "backend", end->backend) && made;
    if (end->report != NULL)
        made = json_value_set(object, "report", json_value_dup(end->report)) && made;
    if (end->result != NULL)
        made = json_value_set(object, "result", json_value_dup(end->result)) && made;
    return made;
}

char *child_line_print_end(const struct child_end *end)
{
    struct json *line = json_value_new_object();
    struct json *object = json_value_new_object();
    bool made = line != NULL && object != NULL && fill_end(object, end);

    made = json_value_set(line, "end", object) && made;
    return print_line(line, made);
}
