#include "common/job/job_routes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/job/job_settings.h"

static const char *trim(char *text)
{
    size_t length;

    text += strspn(text, " \t");
    length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        text[--length] = '\0';
    return text;
}

static bool has_name(const struct job_queue_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) == 0)
            return true;
    }
    return false;
}

static enum err_code check_name(const char *name, struct err *err)
{
    if (job_settings_is_name(name))
        return ERR_OK;
    return ERR_SET(err, ERR_CONFIG, "\"%.80s\" cannot name a queue (1 to %d of A-Z a-z 0-9 . _ -)", name,
                   JOB_ROUTES_NAME_BYTES - 1);
}

static void set_name(char *out, const char *name)
{
    str_copy(out, JOB_ROUTES_NAME_BYTES, name);
}

/* One "TYPE=QUEUE". rest: what * names; given: which types have a queue. */
static enum err_code parse_route(struct job_routes *out, char *pair, char *rest, bool *given, struct err *err)
{
    char *equals = strchr(pair, '=');
    const char *name;
    const char *queue;
    enum job_type type;

    if (equals == NULL)
        return ERR_SET(err, ERR_CONFIG, "\"%.80s\" is not TYPE=QUEUE", pair);
    *equals = '\0';
    name = trim(pair);
    queue = trim(equals + 1);
    if (strcmp(name, "*") == 0) {
        if (rest[0] != '\0')
            return ERR_SET(err, ERR_CONFIG, "* is routed twice");
        if (check_name(queue, err) != ERR_OK)
            return ERR_CONFIG;
        set_name(rest, queue);
        return ERR_OK;
    }
    if (!job_type_parse(name, &type))
        return ERR_SET(err, ERR_CONFIG, "\"%.80s\" is no type of job", name);
    if (given[type])
        return ERR_SET(err, ERR_CONFIG, "%s is routed twice", name);
    if (check_name(queue, err) != ERR_OK)
        return ERR_CONFIG;
    given[type] = true;
    set_name(out->queue[type], queue);
    return ERR_OK;
}

static void add_once(struct job_queue_names *names, const char *name)
{
    if (!has_name(names, name))
        set_name(names->names[names->count++], name);
}

enum err_code job_routes_parse(struct job_routes *out, const char *text, const char *fallback, struct err *err)
{
    bool given[JOB_TYPE_COUNT] = {false};
    char rest[JOB_ROUTES_NAME_BYTES] = "";
    char *copy = strdup(text != NULL ? text : "");
    char *left = copy;
    char *pair;
    enum err_code rc = ERR_OK;

    *out = (struct job_routes){0};
    if (copy == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for routes");
    while (rc == ERR_OK && copy[0] != '\0' && (pair = strsep(&left, ",")) != NULL)
        rc = parse_route(out, pair, rest, given, err);
    free(copy);
    for (size_t type = 0; type < JOB_TYPE_COUNT; type++) {
        if (!given[type])
            set_name(out->queue[type], rest[0] != '\0' ? rest : fallback);
        add_once(&out->all, out->queue[type]);
    }
    add_once(&out->all, fallback);
    return rc;
}

static enum err_code parse_name(struct job_queue_names *out, char *text, struct err *err)
{
    const char *name = trim(text);

    if (check_name(name, err) != ERR_OK)
        return ERR_CONFIG;
    if (has_name(out, name))
        return ERR_SET(err, ERR_CONFIG, "the queue %s is named twice", name);
    if (out->count == JOB_ROUTES_MAX)
        return ERR_SET(err, ERR_CONFIG, "more than %d queues", JOB_ROUTES_MAX);
    set_name(out->names[out->count++], name);
    return ERR_OK;
}

enum err_code job_routes_parse_names(struct job_queue_names *out, const char *text, const char *fallback,
                                     struct err *err)
{
    char *copy = strdup(text != NULL && text[0] != '\0' ? text : fallback);
    char *left = copy;
    char *name;
    enum err_code rc = ERR_OK;

    out->count = 0;
    if (copy == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for queues");
    while (rc == ERR_OK && (name = strsep(&left, ",")) != NULL)
        rc = parse_name(out, name, err);
    free(copy);
    return rc;
}
