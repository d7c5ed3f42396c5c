/*
 * Server-sent events (text/event-stream) from parts of any size, as the HTML standard reads them; lines and events
 * that are too long are left out.
 */
#ifndef GATEWAY_CLI_CLI_EVENTS_H
#define GATEWAY_CLI_CLI_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/str.h"

enum { CLI_EVENT_NAME_BYTES = 32, CLI_EVENT_ID_BYTES = 64, CLI_EVENT_MAX_BYTES = 65536 };

struct cli_event {
    const char *name; /* "message" where it has none */
    const char *data;
};
typedef void (*cli_event_fn)(void *context, const struct cli_event *event);

/* Init by cli_events_init. */
struct cli_events {
    cli_event_fn fn;
    void *context;
    struct str line;
    struct str data;
    char name[CLI_EVENT_NAME_BYTES];
    char last_id[CLI_EVENT_ID_BYTES]; /* for Last-Event-ID; kept when a stream ends */
    bool after_cr;
    bool too_long; /* the rest of this line is left out */
};

void cli_events_init(struct cli_events *events, cli_event_fn fn, void *context);
void cli_events_fini(struct cli_events *events);

/* A new stream begins: what was half read is forgotten, the last id is not. */
void cli_events_restart(struct cli_events *events);

void cli_events_feed(struct cli_events *events, const char *bytes, size_t length);

#endif
