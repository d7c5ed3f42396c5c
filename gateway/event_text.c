#include "gateway/event_text.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/str.h"
#include "gateway/events.h"
#include "gateway/http_query.h"

void event_text_append(struct str *out, const char *name, const struct job_queue_event *event)
{
    if (event->stream_id[0] != '\0')
        str_append_format(out, "id: %s\n", event->stream_id);
    str_append_format(out, "event: %s\ndata: {\"id\":\"%s\",\"state\":\"%s\",\"stage\":", name, event->job_id,
                      job_state_name(event->state));
    str_append_json(out, event->stage, strlen(event->stage));
    str_append_format(out, ",\"progress\":%.4g}\n\n", event->progress);
}

void event_text_append_retry(struct str *out, int64_t retry_ms)
{
    str_append_format(out, "retry: %" PRId64 "\n\n", retry_ms);
}

void event_text_append_comment(struct str *out, const char *comment)
{
    str_append_format(out, ": %s\n\n", comment);
}

void event_text_read_last_id(const struct http_request *request, struct arena *arena, char *id)
{
    const char *given = http_request_header(request, "last-event-id");
    struct http_query query;

    if (given == NULL && http_query_parse(&query, arena, request->query, NULL) == ERR_OK)
        given = http_query_get(&query, "last_event_id");
    id[0] = '\0';
    if (given != NULL && events_id_is_valid(given))
        str_copy(id, JOB_QUEUE_STREAM_ID_BYTES, given);
}
