/*
 * A job's events as Server-Sent Events (WHATWG HTML, section 9.2), and where a client wants to go on.
 */
#ifndef GATEWAY_EVENT_TEXT_H
#define GATEWAY_EVENT_TEXT_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/str.h"
#include "common/job/job_queue_control.h"
#include "gateway/http_request.h"

/* An event by that name; no id: line where the event has no stream id. */
void event_text_append(struct str *out, const char *name, const struct job_queue_event *event);

/* How long a client waits before it connects again. */
void event_text_append_retry(struct str *out, int64_t retry_ms);

/* What clients pass over. */
void event_text_append_comment(struct str *out, const char *comment);

/* Last-Event-ID, else ?last_event_id=, into id[JOB_QUEUE_STREAM_ID_BYTES]; "" where there is none or it is no id. */
void event_text_read_last_id(const struct http_request *request, struct arena *arena, char *id);

#endif
