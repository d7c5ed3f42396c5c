#include "gateway/store_writer.h"

#include <stddef.h>

static void run(void *argument)
{
    struct store_writer *writer = argument;

    uv_mutex_lock(&writer->lock);
    for (;;) {
        while (!writer->has_work && !writer->is_ending)
            uv_cond_wait(&writer->changed, &writer->lock);
        if (!writer->has_work)
            break;
        writer->has_work = false;
        uv_mutex_unlock(&writer->lock);
        writer->work(writer->context);
        uv_mutex_lock(&writer->lock);
        writer->is_done = true;
        (void)uv_async_send(&writer->tell); /* fails only for a handle that closes */
    }
    uv_mutex_unlock(&writer->lock);
}

static void on_tell(uv_async_t *tell)
{
    struct store_writer *writer = (struct store_writer *)((char *)tell - offsetof(struct store_writer, tell));
    bool is_done;

    uv_mutex_lock(&writer->lock);
    is_done = writer->is_done;
    writer->is_done = false;
    uv_mutex_unlock(&writer->lock);
    if (!is_done)
        return;
    writer->is_busy = false;
    uv_unref((uv_handle_t *)&writer->tell);
    writer->on_done(writer->context);
}

static enum err_code start_thread(struct store_writer *writer)
{
    if (uv_mutex_init(&writer->lock) != 0)
        return ERR_NO_MEMORY;
    if (uv_cond_init(&writer->changed) != 0) {
        uv_mutex_destroy(&writer->lock);
        return ERR_NO_MEMORY;
    }
    if (uv_thread_create(&writer->thread, run, writer) == 0)
        return ERR_OK;
    uv_cond_destroy(&writer->changed);
    uv_mutex_destroy(&writer->lock);
    return ERR_NO_MEMORY;
}

static void end_thread(struct store_writer *writer)
{
    uv_mutex_lock(&writer->lock);
    writer->is_ending = true;
    uv_cond_signal(&writer->changed);
    uv_mutex_unlock(&writer->lock);
    (void)uv_thread_join(&writer->thread);
    uv_cond_destroy(&writer->changed);
    uv_mutex_destroy(&writer->lock);
}

enum err_code store_writer_start(struct store_writer *writer, uv_loop_t *loop, store_writer_fn work,
                                 store_writer_fn on_done, void *context, struct err *err)
{
    *writer = (struct store_writer){.work = work, .on_done = on_done, .context = context};
    if (start_thread(writer) != ERR_OK)
        return ERR_SET(err, ERR_NO_MEMORY, "there is no thread for the store");
    if (uv_async_init(loop, &writer->tell, on_tell) != 0) {
        end_thread(writer);
        return ERR_SET(err, ERR_INTERNAL, "the event loop takes no more handles");
    }
    uv_unref((uv_handle_t *)&writer->tell); /* the loop lives for what is under way alone */
    return ERR_OK;
}

void store_writer_run(struct store_writer *writer)
{
    writer->is_busy = true;
    uv_ref((uv_handle_t *)&writer->tell);
    uv_mutex_lock(&writer->lock);
    writer->has_work = true;
    uv_cond_signal(&writer->changed);
    uv_mutex_unlock(&writer->lock);
}

void store_writer_close(struct store_writer *writer, uv_close_cb fn)
{
    end_thread(writer);
    uv_close((uv_handle_t *)&writer->tell, fn);
}
