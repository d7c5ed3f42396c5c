#include "gateway/outlet.h"

void outlet_init(struct outlet *outlet, uv_stream_t *stream, outlet_written_fn on_written, void *owner)
{
    *outlet = (struct outlet){.stream = stream, .on_written = on_written, .owner = owner};
}

void outlet_fini(struct outlet *outlet)
{
    str_fini(&outlet->writing);
    str_fini(&outlet->waiting);
}

static void on_written(uv_write_t *request, int status)
{
    struct outlet *outlet = request->data;

    outlet->busy = false;
    outlet->on_written(outlet->owner, status);
}

/* Most answers fit into the socket's buffer: then they need no callback, and no look at the socket afterwards. */
static size_t write_at_once(struct outlet *outlet)
{
    uv_buf_t buffer = uv_buf_init(outlet->waiting.text, (unsigned)outlet->waiting.length);
    int length = uv_try_write(outlet->stream, &buffer, 1);

    return length > 0 ? (size_t)length : 0; /* what is wrong the write behind it tells */
}

bool outlet_flush(struct outlet *outlet)
{
    struct str written = outlet->writing;
    size_t length;
    uv_buf_t buffer;

    if (outlet->waiting.failed)
        return false;
    if (outlet->busy || outlet->waiting.length == 0)
        return true;
    length = write_at_once(outlet);
    if (length == outlet->waiting.length) {
        str_clear(&outlet->waiting);
        return true;
    }
    outlet->writing = outlet->waiting;
    outlet->waiting = written;
    str_clear(&outlet->waiting);
    buffer = uv_buf_init(outlet->writing.text + length, (unsigned)(outlet->writing.length - length));
    outlet->request.data = outlet;
    outlet->busy = uv_write(&outlet->request, outlet->stream, &buffer, 1, on_written) == 0;
    return outlet->busy;
}

bool outlet_is_empty(const struct outlet *outlet)
{
    return !outlet->busy && outlet->waiting.length == 0;
}

void outlet_shrink(struct outlet *outlet)
{
    if (outlet->busy)
        return;
    if (outlet->writing.capacity > OUTLET_KEPT_BYTES)
        str_fini(&outlet->writing);
    if (outlet->waiting.capacity > OUTLET_KEPT_BYTES && outlet->waiting.length == 0)
        str_fini(&outlet->waiting);
}
