/* What the job store itself takes: durable inserts of new jobs' documents, so many at once, for some seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/job/job_new.h"
#include "common/job/job_store.h"

enum { MAX_BATCH = 1024 };

struct document {
    char id[JOB_ID_BYTES];
    char created_at[CLOCK_ISO8601_BYTES];
    struct str text;
};

struct load {
    struct job_store *store;
    struct clock_source clock;
    struct job_id_source ids;
    size_t batch;
    struct document documents[MAX_BATCH];
    struct job_store_text texts[MAX_BATCH];
    long inserted;
    long batches;
    double seconds; /* in the store */
};

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static _Noreturn void fail(const struct err *err)
{
    (void)fprintf(stderr, "store_load: %s\n", err->message);
    exit(1);
}

/* As the gateway makes them of {"type":"cross_sell","params":{"namespace":"shop-…"}}. */
static void make_document(struct load *load, size_t index, long number)
{
    struct document *document = &load->documents[index];
    char shop[32];
    struct json *params = json_value_new_object();
    struct job_request request = {.id = document->id,
                                  .type = JOB_CROSS_SELL,
                                  .shop = shop,
                                  .queue = "train",
                                  .params = params,
                                  .requested_by = "default",
                                  .max_errors = 2,
                                  .max_lost = 3,
                                  .fingerprint = ""};
    struct job_new job;
    struct err err = {.message = "no memory"};

    (void)snprintf(shop, sizeof shop, "shop-%ld", number);
    if (job_id_next(document->id, &load->ids, &load->clock, &err) != ERR_OK ||
        !json_value_set_text(params, "namespace", shop) || !job_new_init(&job, &request, clock_unix_ms(&load->clock)))
        fail(&err);
    json_value_destroy(params);
    (void)snprintf(document->created_at, sizeof document->created_at, "%s", job.created_at);
    str_clear(&document->text);
    job_new_print_document(&document->text, &job);
    job_new_fini(&job);
    if (document->text.failed)
        fail(&err);
    load->texts[index] = (struct job_store_text){.id = document->id,
                                                 .state = job_state_name(JOB_ACCEPTED),
                                                 .type = job_type_name(JOB_CROSS_SELL),
                                                 .created_at = document->created_at,
                                                 .text = document->text.text};
}

static void insert_batch(struct load *load)
{
    enum err_code results[MAX_BATCH];
    struct err err = {.message = "a document was refused"};
    enum err_code rc;
    double begin;

    for (size_t i = 0; i < load->batch; i++)
        make_document(load, i, load->inserted + (long)i);
    begin = now_s();
    rc = job_store_insert_many(load->store, load->texts, load->batch, results, &err);
    load->seconds += now_s() - begin;
    for (size_t i = 0; i < load->batch; i++) {
        if (rc != ERR_OK || results[i] != ERR_OK)
            fail(&err);
    }
    load->inserted += (long)load->batch;
    load->batches++;
}

int main(int argc, char **argv)
{
    static struct load load; /* much for a stack */
    double seconds = argc == 4 ? atof(argv[3]) : 0;
    struct err err;
    double end;

    load.clock = clock_system();
    load.batch = argc == 4 ? (size_t)atoi(argv[2]) : 0;
    if (load.batch < 1 || load.batch > MAX_BATCH || seconds <= 0) {
        (void)fprintf(stderr, "usage: store_load URL BATCH SECONDS (BATCH: 1 to %d)\n", MAX_BATCH);
        return 64;
    }
    if (job_store_open(&load.store, argv[1], 90, &err) != ERR_OK)
        fail(&err);
    insert_batch(&load); /* connects, makes the indexes */
    load.inserted = 0;
    load.batches = 0;
    load.seconds = 0;
    end = now_s() + seconds;
    while (now_s() < end)
        insert_batch(&load);
    job_store_close(load.store);
    for (size_t i = 0; i < load.batch; i++)
        str_fini(&load.documents[i].text);
    printf("{\"inserted\":%ld,\"batch\":%zu,\"seconds\":%.3f,\"per_second\":%.1f,\"commit_ms\":%.2f}\n", load.inserted,
           load.batch, load.seconds, (double)load.inserted / load.seconds, load.seconds / (double)load.batches * 1e3);
    return 0;
}
