#include "gateway/cli/cli_events.h"

#include <string.h>

#include "common/base/str.h"

void cli_events_init(struct cli_events *events, cli_event_fn fn, void *context)
{
    *events = (struct cli_events){.fn = fn, .context = context};
}

void cli_events_fini(struct cli_events *events)
{
    str_fini(&events->line);
    str_fini(&events->data);
}

void cli_events_restart(struct cli_events *events)
{
    str_clear(&events->line);
    str_clear(&events->data);
    events->name[0] = '\0';
    events->after_cr = false;
    events->too_long = false;
}

/* An empty line ends an event; one without data is none. */
static void dispatch(struct cli_events *events)
{
    struct cli_event event = {.name = events->name[0] != '\0' ? events->name : "message", .data = events->data.text};

    if (events->data.length > 0 && !events->data.failed) {
        events->data.text[events->data.length - 1] = '\0'; /* the last line's end */
        events->fn(events->context, &event);
    }
    str_clear(&events->data);
    events->name[0] = '\0';
}

static void take_field(struct cli_events *events, const char *name, const char *value)
{
    if (strcmp(name, "event") == 0) {
        str_copy(events->name, sizeof events->name, value);
    } else if (strcmp(name, "id") == 0) {
        if (strlen(value) < sizeof events->last_id)
            str_copy(events->last_id, sizeof events->last_id, value);
    } else if (strcmp(name, "data") == 0 && events->data.length + strlen(value) < CLI_EVENT_MAX_BYTES) {
        str_append_text(&events->data, value);
        str_append_char(&events->data, '\n');
    }
}

static void end_line(struct cli_events *events)
{
    char *line = events->line.text;
    char *colon = events->line.length > 0 ? strchr(line, ':') : NULL;

    if (events->too_long) {
        events->too_long = false;
    } else if (events->line.length == 0) {
        dispatch(events);
    } else if (colon == NULL) {
        take_field(events, line, "");
    } else if (colon != line) { /* a line that begins with a colon is a comment */
        *colon = '\0';
        take_field(events, line, colon[1] == ' ' ? colon + 2 : colon + 1);
    }
    str_clear(&events->line);
}

void cli_events_feed(struct cli_events *events, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char byte = bytes[i];
        bool second_half = byte == '\n' && events->after_cr; /* of CR LF */

        events->after_cr = byte == '\r';
        if (second_half)
            continue;
        if (byte == '\n' || byte == '\r')
            end_line(events);
        else if (events->line.length + 1 >= CLI_EVENT_MAX_BYTES)
            events->too_long = true;
        else
            str_append_char(&events->line, byte);
    }
}
