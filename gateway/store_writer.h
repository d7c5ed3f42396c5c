/*
 * A thread that does one thing at a time: always the same one, so that its caches are warm, where the pool's threads
 * take turns.
 */
#ifndef GATEWAY_STORE_WRITER_H
#define GATEWAY_STORE_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "common/base/err.h"

typedef void (*store_writer_fn)(void *context);

/* Embedded in its owner. */
struct store_writer {
    store_writer_fn work;    /* in the thread */
    store_writer_fn on_done; /* on the loop */
    void *context;
    bool is_busy; /* on the loop: from run until on_done */
    uv_thread_t thread;
    uv_sem_t go;         /* there is work, or it is the end */
    bool is_ending;      /* written before go is */
    atomic_bool is_done; /* and not told */
    uv_async_t tell;     /* its data is the owner's */
};

/* Not copied or moved from then on. */
enum err_code store_writer_start(struct store_writer *writer, uv_loop_t *loop, store_writer_fn work,
                                 store_writer_fn on_done, void *context, struct err *err) MUST_CHECK;

/* While it is not busy. */
void store_writer_run(struct store_writer *writer);

/* While it is not busy: ends the thread and closes the handle, whose callback `fn` is. */
void store_writer_close(struct store_writer *writer, uv_close_cb fn);

#endif
