#include "worker/pipeline/evaluation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static const double EASE_LAMBDA = 200;

enum { MOST_EASE_BYTES = 256 * 1024 * 1024 };

/* The factors and the known products of the users that are measured. */
struct measured {
    struct als_model model; /* y is borrowed */
    struct csr known;
    int32_t *candidates; /* all products */
};

static void measured_fini(struct measured *measured)
{
    free(measured->model.x);
    csr_fini(&measured->known);
    free(measured->candidates);
}

static enum err_code select_known(struct csr *out, const struct csr *train, const struct holdout *holdout,
                                  struct err *err)
{
    size_t entries = 0;
    enum err_code rc;

    for (size_t i = 0; i < holdout->users; i++)
        entries += (size_t)(train->offsets[holdout->user[i] + 1] - train->offsets[holdout->user[i]]);
    rc = csr_init(out, holdout->users, train->cols, entries, err);
    for (size_t i = 0; rc == ERR_OK && i < holdout->users; i++) {
        int64_t first = train->offsets[holdout->user[i]];
        int64_t count = train->offsets[holdout->user[i] + 1] - first;

        memcpy(out->columns + out->offsets[i], train->columns + first, (size_t)count * sizeof *out->columns);
        memcpy(out->values + out->offsets[i], train->values + first, (size_t)count * sizeof *out->values);
        out->offsets[i + 1] = out->offsets[i] + count;
    }
    return rc;
}

static enum err_code measured_init(struct measured *measured, const struct als_model *model,
                                   const struct holdout *holdout, struct err *err)
{
    enum err_code rc = select_known(&measured->known, &holdout->train.values, holdout, err);

    if (rc != ERR_OK)
        return rc;
    measured->model =
        (struct als_model){.users = holdout->users, .items = model->items, .factors = model->factors, .y = model->y};
    measured->model.x = mem_aligned(holdout->users * model->factors, sizeof(float)); /* fewer than the model has */
    measured->candidates = mem_zeroed(model->items, sizeof *measured->candidates);
    if (measured->model.x == NULL || measured->candidates == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to measure %zu users", holdout->users);
    for (size_t i = 0; i < holdout->users; i++)
        memcpy(measured->model.x + i * model->factors, model->x + (size_t)holdout->user[i] * model->factors,
               model->factors * sizeof(float));
    for (size_t i = 0; i < model->items; i++)
        measured->candidates[i] = (int32_t)i;
    return ERR_OK;
}

/* Takes the lists. */
static void enter(struct evaluation_entry *entry, const char *name, enum err_code rc, struct als_lists *lists,
                  const struct csr *test, const struct err *err)
{
    entry->name = name;
    entry->measured = rc == ERR_OK;
    if (rc != ERR_OK) {
        (void)snprintf(entry->why_not, sizeof entry->why_not, "%.*s", EVALUATION_NOTE_BYTES - 1, err->message);
        return;
    }
    evaluate_lists(&entry->metrics, lists, test, EVALUATION_K);
    als_lists_fini(lists);
}

static void measure_all(struct evaluation *out, const struct measured *measured, const struct holdout *holdout,
                        int threads)
{
    const struct baseline_params params = {.train = &holdout->train.values,
                                           .users = holdout->user,
                                           .user_count = holdout->users,
                                           .candidates = measured->candidates,
                                           .candidate_count = measured->model.items,
                                           .n = EVALUATION_K,
                                           .threads = threads,
                                           .ease_lambda = EASE_LAMBDA,
                                           .most_ease_bytes = MOST_EASE_BYTES};
    struct als_lists lists;
    struct err err = {0};
    enum err_code rc = als_top_new_items(&lists, &measured->model, &measured->known, measured->candidates,
                                         measured->model.items, EVALUATION_K, threads, &err);

    enter(&out->entries[0], "als", rc, &lists, &holdout->test, &err);
    for (unsigned baseline = 0; baseline < BASELINE_COUNT; baseline++) {
        rc = baseline_lists(&lists, (enum baseline)baseline, &params, &err);
        enter(&out->entries[1 + baseline], baseline_name((enum baseline)baseline), rc, &lists, &holdout->test, &err);
    }
}

enum err_code evaluation_run(struct evaluation *out, const struct holdout *holdout, const struct als_params *params,
                             const struct als_observer *observer, struct err *err)
{
    struct als_model model = {0};
    struct measured measured = {0};
    enum err_code rc;

    *out = (struct evaluation){
        .days = holdout->days, .cut_s = holdout->cut_s, .users = holdout->users, .pairs = csr_nonzeros(&holdout->test)};
    rc = als_train(&model, &holdout->train.values, params, observer, NULL, err);
    if (rc == ERR_OK)
        rc = measured_init(&measured, &model, holdout, err);
    if (rc == ERR_OK)
        measure_all(out, &measured, holdout, params->threads);
    measured_fini(&measured);
    als_model_fini(&model);
    return rc;
}
