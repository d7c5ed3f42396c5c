/* Server-sent events as the command line reads them, at once and byte by byte: it is the same. */
#include <string.h>

#include "gateway/cli/cli_events.h"
#include "tests/fuzz/fuzz_support.h"

static void add(uint64_t *digest, const char *text)
{
    for (size_t i = 0; i <= strlen(text); i++)
        *digest = (*digest ^ (unsigned char)text[i]) * 0x100000001b3u;
}

static void on_event(void *context, const struct cli_event *event)
{
    add(context, event->name);
    add(context, event->data);
}

static uint64_t read_events(const uint8_t *data, size_t size, size_t step)
{
    struct cli_events events;
    uint64_t digest = 0xcbf29ce484222325u;

    cli_events_init(&events, on_event, &digest);
    for (size_t at = 0; at < size; at += step)
        cli_events_feed(&events, (const char *)data + at, size - at < step ? size - at : step);
    add(&digest, events.last_id);
    cli_events_fini(&events);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FUZZ_CHECK(read_events(data, size, size > 0 ? size : 1) == read_events(data, size, 1));
    return 0;
}
