#include "gateway/store_writer.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

static void run(void *argument)
{
    struct store_writer *writer = argument;

    /* The same share of a processor, but it does not interrupt the loop midway. */
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &(const struct sched_param){0});
    for (;;) {
        uv_sem_wait(&writer->go);
        if (writer->is_ending)
            return;
        writer->work(writer->context);
        atomic_store(&writer->is_done, true);
        (void)uv_async_send(&writer->tell); /* fails only for a handle that closes */
    }
}

/* Also without need: several sends may be told as one, and one as several. */
static void on_tell(uv_async_t *tell)
{
    struct store_writer *writer = (struct store_writer *)((char *)tell - offsetof(struct store_writer, tell));

    if (!atomic_exchange(&writer->is_done, false))
        return;
    writer->is_busy = false;
    uv_unref((uv_handle_t *)&writer->tell);
    writer->on_done(writer->context);
}

static enum err_code start_thread(struct store_writer *writer)
{
    if (uv_sem_init(&writer->go, 0) != 0)
        return ERR_NO_MEMORY;
    if (uv_thread_create(&writer->thread, run, writer) == 0)
        return ERR_OK;
    uv_sem_destroy(&writer->go);
    return ERR_NO_MEMORY;
}

static void end_thread(struct store_writer *writer)
{
    writer->is_ending = true;
    uv_sem_post(&writer->go);
    (void)uv_thread_join(&writer->thread);
    uv_sem_destroy(&writer->go);
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
    uv_sem_post(&writer->go);
}

void store_writer_close(struct store_writer *writer, uv_close_cb fn)
{
    end_thread(writer);
    uv_close((uv_handle_t *)&writer->tell, fn);
}
