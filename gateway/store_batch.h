/*
 * Writes that gather while a commit is under way and go into the next one together, in a thread of its own, one batch
 * at a time. Inserts, which somebody waits for, go when none is, half as many together as the last time or after an
 * eighth of a commit's time. Updates that nobody waits for, notes among them, follow when no insert came or was written
 * for a moment. While inserts keep coming they have a fortieth of the store's time, no more at once than take as long
 * as inserts; notes that get no turn in ten seconds are left out. All on the loop's thread.
 */
#ifndef GATEWAY_STORE_BATCH_H
#define GATEWAY_STORE_BATCH_H

#include <uv.h>

#include "gateway/store_work.h"
#include "gateway/store_writer.h"

enum { STORE_BATCH_INSERTS = 256, STORE_BATCH_UPDATES = 64 };

/* What is done; the list is the callee's. */
typedef void (*store_batch_done_fn)(void *owner, struct store_work_list *done);

/* So many notes are left out. */
typedef void (*store_batch_left_out_fn)(void *owner, size_t count);

/* Embedded in its owner. */
struct store_batch {
    uv_loop_t *loop;
    store_batch_done_fn on_done;
    store_batch_left_out_fn on_left_out;
    void *owner;
    struct store_work_list inserts;
    struct store_work_list updates;
    struct store_notes notes;
    struct store_work_list writing;
    uv_timer_t timer; /* for what waits */
    struct store_writer writer;
    uv_close_cb on_closed;
    bool closing;
    uint64_t inserted_ms;     /* when an insert last came or was written */
    uint64_t free_ms;         /* since when the store is free */
    uint64_t gather_ms;       /* for more inserts */
    uint64_t done_ns;         /* what the last batch took */
    uint64_t insert_ns;       /* the last one of inserts */
    size_t inserts_of_late;   /* how many were written together */
    uint64_t updates_turn_ms; /* when updates may go before inserts */
    size_t updates_most;      /* at once */
    struct job_store *store;  /* for the next batch */
    uint64_t inserted;        /* batches of inserts so far */
    /* what the writer's thread works with */
    struct job_store *writing_to;
    uint64_t took_ns;
    struct job_store_text documents[STORE_BATCH_INSERTS];
    enum err_code results[STORE_BATCH_INSERTS];
    struct job_store_change changes[STORE_BATCH_UPDATES];
};

/* Starts the thread that writes. */
enum err_code store_batch_init(struct store_batch *batch, uv_loop_t *loop, store_batch_done_fn on_done,
                               store_batch_left_out_fn on_left_out, void *owner, struct err *err) MUST_CHECK;

/* Takes an insert, or an update that nobody waits for. on_done is not called from within. */
void store_batch_push(struct store_batch *batch, struct job_store *store, struct store_work *work);

/* Takes a note, but for its time. on_left_out may be called from within. */
void store_batch_push_note(struct store_batch *batch, struct job_store *store, const struct store_note *note);

/* Gives back what waits and is not being written; notes are left out. */
void store_batch_take_waiting(struct store_batch *batch, struct store_work_list *out);

/* Updates need wait no more; nothing is pushed from now on. */
void store_batch_hurry(struct store_batch *batch);

/* When nothing is left in it; idempotent. Closes the timer; `fn` is libuv's callback, whose handle->data is the owner.
 */
void store_batch_close(struct store_batch *batch, uv_close_cb fn);

#endif
