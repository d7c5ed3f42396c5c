/* Which writes go when, with a store in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/store_batch.h"

enum { MOMENT_MS = 20, LOAD_MS = 300, NS_PER_MS = 1000000, IDS = 4, CLIENTS = 8, UPDATES = 20000 };

struct bench {
    uv_loop_t loop;
    struct job_store *store;
    struct store_batch batch;
    size_t pushed; /* jobs so far */
    size_t inserted;
    size_t updated;
    size_t left_out;
    char updated_ids[IDS][JOB_ID_BYTES]; /* the first ones */
    size_t most_updates;                 /* of one batch */
    uint64_t updates_ns;
    uint64_t longest_ns; /* of them */
    uint64_t load_until_ms;
    uint64_t inserted_ms; /* the last one, by uv_now */
    uint64_t updated_ms;
};

static void name_job(char *out, size_t number)
{
    (void)snprintf(out, JOB_ID_BYTES, "01BATCH%019zu", number);
}

static void push_insert(struct bench *bench)
{
    char id[JOB_ID_BYTES];
    const struct job_request request = {
        .id = id, .type = JOB_CROSS_SELL, .shop = "shop", .queue = "train", .requested_by = "key", .fingerprint = ""};
    struct store_work *work;
    struct job_new job;

    name_job(id, bench->pushed++);
    assert_true(job_new_init(&job, &request, 1));
    work = store_work_create_insert(&job);
    job_new_fini(&job);
    assert_non_null(work);
    store_batch_push(&bench->batch, bench->store, work);
}

static struct store_work *push_update(struct bench *bench, size_t number)
{
    struct json *changes = json_value_new_object();
    struct store_work *work;
    char id[JOB_ID_BYTES];

    name_job(id, number);
    assert_true(json_value_set_text(changes, "state", "queued"));
    work = store_work_create(STORE_UPDATE, id, changes);
    assert_non_null(work);
    store_batch_push(&bench->batch, bench->store, work);
    return work;
}

static void push_note(struct bench *bench, size_t number)
{
    struct store_note note = {.state = JOB_QUEUED, .queued_ms = 1};

    name_job(note.id, number);
    store_batch_push_note(&bench->batch, bench->store, &note);
}

/* The time of the note that was pushed last. */
static uint64_t *note_since_ms(struct bench *bench)
{
    struct store_notes *notes = &bench->batch.notes;

    return &notes->ring[(notes->first + notes->count - 1) & (notes->capacity - 1)].since_ms;
}

static void count_one(struct bench *bench, const struct store_work *work)
{
    assert_int_equal(work->result.code, ERR_OK);
    if (work->operation == STORE_INSERT) {
        bench->inserted++;
        return;
    }
    if (bench->updated < IDS)
        memcpy(bench->updated_ids[bench->updated], work->id, sizeof work->id);
    bench->updated++;
}

static void on_left_out(void *owner, size_t count)
{
    struct bench *bench = owner;

    bench->left_out += count;
}

static void note_times(struct bench *bench, const struct store_work_list *done)
{
    bool are_inserts = done->first->operation == STORE_INSERT;

    if (are_inserts) {
        bench->inserted_ms = uv_now(&bench->loop);
        return;
    }
    bench->updated_ms = uv_now(&bench->loop);
    bench->updates_ns += bench->batch.done_ns;
    if (bench->batch.done_ns > bench->longest_ns)
        bench->longest_ns = bench->batch.done_ns;
    if (done->count > bench->most_updates)
        bench->most_updates = done->count;
}

/* Each insert that is done makes room for the next, while the load lasts. */
static void on_done(void *owner, struct store_work_list *done)
{
    struct bench *bench = owner;
    struct store_work *work;

    note_times(bench, done);
    while ((work = store_work_pop(done)) != NULL) {
        bool goes_on = work->operation == STORE_INSERT && uv_now(&bench->loop) < bench->load_until_ms;

        count_one(bench, work);
        store_work_destroy(work);
        if (goes_on)
            push_insert(bench);
    }
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    *state = bench;
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    assert_int_equal(job_store_open(&bench->store, "sqlite::memory:", 90, NULL), ERR_OK);
    assert_int_equal(store_batch_init(&bench->batch, &bench->loop, on_done, on_left_out, bench, NULL), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    store_batch_close(&bench->batch, NULL);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    job_store_close(bench->store);
    free(bench);
    return 0;
}

static void an_update_waits_a_moment_for_more_of_them(void **state)
{
    struct bench *bench = *state;
    uint64_t begin_ms = uv_now(&bench->loop);

    push_note(bench, 0);
    push_insert(bench);
    (void)push_update(bench, 0);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->inserted, 1);
    assert_int_equal(bench->updated, 2);
    assert_int_equal(bench->most_updates, 2);
    assert_true(bench->updated_ms >= begin_ms + MOMENT_MS);
    assert_true(bench->inserted_ms < bench->updated_ms);
}

static void while_inserts_keep_coming_updates_have_a_small_share(void **state)
{
    struct bench *bench = *state;
    uint64_t begin_ms;

    for (int i = 0; i < CLIENTS; i++)
        push_insert(bench);
    for (size_t i = 0; i < UPDATES; i++)
        (void)push_update(bench, i % CLIENTS);
    uv_update_time(&bench->loop);
    begin_ms = uv_now(&bench->loop);
    bench->load_until_ms = begin_ms + LOAD_MS;
    while (uv_now(&bench->loop) < bench->load_until_ms)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    print_message("%zu inserts, %zu updates in %.2f ms\n", bench->inserted, bench->updated,
                  (double)bench->updates_ns / NS_PER_MS);
    assert_true(bench->updated > 0);
    assert_true(bench->updates_ns <= (uint64_t)LOAD_MS * NS_PER_MS / 10 + bench->longest_ns);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->updated, UPDATES);
    assert_int_equal(bench->left_out, 0);
    assert_true(bench->most_updates <= STORE_BATCH_UPDATES);
}

static void of_too_many_notes_the_oldest_are_left_out(void **state)
{
    struct bench *bench = *state;
    char id[JOB_ID_BYTES];

    push_insert(bench);
    for (size_t i = 0; i < STORE_NOTES_MAX + IDS; i++)
        push_note(bench, i);
    store_batch_hurry(&bench->batch); /* the rest without a moment's pause */
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->left_out, IDS);
    assert_int_equal(bench->updated, STORE_NOTES_MAX);
    for (size_t i = 0; i < IDS; i++) {
        name_job(id, IDS + i);
        assert_string_equal(bench->updated_ids[i], id);
    }
}

/* What is no note waits on, for a pause of the inserts. */
static void a_note_that_gets_no_turn_loses_patience(void **state)
{
    struct bench *bench = *state;
    char id[JOB_ID_BYTES];

    bench->batch.updates_turn_ms = UINT64_MAX;
    push_insert(bench);
    push_note(bench, 7);
    *note_since_ms(bench) = 0;
    push_update(bench, 8)->since_ms = 0;
    push_note(bench, 9);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->left_out, 1);
    assert_int_equal(bench->updated, 2);
    name_job(id, 8);
    assert_string_equal(bench->updated_ids[0], id);
    name_job(id, 9);
    assert_string_equal(bench->updated_ids[1], id);
}

/* Each as old as it is; of the same millisecond the note first. */
static void notes_and_updates_go_in_their_order(void **state)
{
    struct bench *bench = *state;
    char id[JOB_ID_BYTES];

    push_update(bench, 2)->since_ms = 5;
    push_note(bench, 0);
    *note_since_ms(bench) = 4;
    push_note(bench, 1);
    *note_since_ms(bench) = 5;
    push_note(bench, 3);
    *note_since_ms(bench) = 6;
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->updated, IDS);
    for (size_t i = 0; i < IDS; i++) {
        name_job(id, i);
        assert_string_equal(bench->updated_ids[i], id);
    }
}

static void what_waits_is_given_back_without_the_notes(void **state)
{
    struct bench *bench = *state;
    struct store_work_list waiting = {0};

    for (size_t i = 0; i < IDS; i++)
        push_note(bench, i);
    (void)push_update(bench, 0);
    store_batch_take_waiting(&bench->batch, &waiting);
    assert_int_equal(waiting.count, 1);
    assert_int_equal(bench->left_out, IDS);
    store_work_destroy(store_work_pop(&waiting));
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->updated, 0);
}

/* Eight clients whose answers come one at a time: without a pause the first would go alone each time. */
static void inserts_that_come_back_together_go_together(void **state)
{
    struct bench *bench = *state;

    for (int i = 0; i < CLIENTS; i++)
        push_insert(bench);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->inserted, CLIENTS);
    assert_int_equal(bench->batch.inserted, 1);
    bench->batch.gather_ms = LOAD_MS; /* as after a slow commit */
    push_insert(bench);
    for (int i = 0; i < 3; i++)
        (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
    assert_int_equal(bench->batch.inserted, 1);
    for (int i = 0; i < CLIENTS / 2 - 1; i++)
        push_insert(bench);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->inserted, CLIENTS + CLIENTS / 2);
    assert_int_equal(bench->batch.inserted, 2);
}

static void an_insert_that_stays_alone_goes_after_a_part_of_a_commits_time(void **state)
{
    struct bench *bench = *state;
    uint64_t begin_ms;

    for (int i = 0; i < CLIENTS; i++)
        push_insert(bench);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    bench->batch.gather_ms = MOMENT_MS;
    begin_ms = uv_now(&bench->loop);
    push_insert(bench);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->batch.inserted, 2);
    assert_true(bench->inserted_ms >= begin_ms + MOMENT_MS);
    push_insert(bench); /* as many as the last time: at once */
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->batch.inserted, 3);
}

static void without_inserts_a_note_is_written_however_late(void **state)
{
    struct bench *bench = *state;

    for (size_t i = 0; i < STORE_BATCH_UPDATES; i++) { /* more than go at once */
        push_note(bench, i);
        *note_since_ms(bench) = 0;
    }
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(bench->left_out, 0);
    assert_int_equal(bench->updated, STORE_BATCH_UPDATES);
    assert_true(bench->most_updates < STORE_BATCH_UPDATES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_update_waits_a_moment_for_more_of_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_inserts_keep_coming_updates_have_a_small_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_too_many_notes_the_oldest_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_note_that_gets_no_turn_loses_patience, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notes_and_updates_go_in_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_is_given_back_without_the_notes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(inserts_that_come_back_together_go_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_insert_that_stays_alone_goes_after_a_part_of_a_commits_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_inserts_a_note_is_written_however_late, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
