#include "worker/pipeline/measure.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static const double EASE_LAMBDA = 200;

enum { MOST_EASE_BYTES = 256 * 1024 * 1024 };

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

enum err_code measure_init(struct measure *measure, const struct holdout *holdout, int threads, struct err *err)
{
    size_t products = holdout->train.values.cols;
    enum err_code rc = ERR_OK;

    *measure = (struct measure){
        .holdout = holdout, .threads = threads, .everybody = holdout->users == holdout->train.values.rows};
    measure->candidates = mem_zeroed(products, sizeof *measure->candidates);
    if (measure->candidates == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu candidates", products);
    for (size_t i = 0; i < products; i++)
        measure->candidates[i] = (int32_t)i;
    if (!measure->everybody)
        rc = select_known(&measure->known, &holdout->train.values, holdout, err);
    if (rc != ERR_OK)
        measure_fini(measure);
    return rc;
}

void measure_fini(struct measure *measure)
{
    csr_fini(&measure->known);
    free(measure->candidates);
    *measure = (struct measure){0};
}

/* The model of those who are measured: y and, where all are, x is borrowed. */
static enum err_code select_users(struct als_model *out, const struct als_model *model, const struct holdout *holdout,
                                  struct err *err)
{
    size_t cells;

    *out = (struct als_model){.backend = model->backend,
                              .users = holdout->users,
                              .items = model->items,
                              .factors = model->factors,
                              .y = model->y};
    if (mem_multiply(&cells, holdout->users, model->factors))
        out->x = mem_aligned(cells, sizeof *out->x);
    if (out->x == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory to measure %zu users", holdout->users);
    for (size_t i = 0; i < holdout->users; i++)
        memcpy(out->x + i * model->factors, model->x + (size_t)holdout->user[i] * model->factors,
               model->factors * sizeof *out->x);
    return ERR_OK;
}

enum err_code measure_model(struct evaluate_metrics *out, const size_t *k, size_t count, const struct measure *measure,
                            const struct als_model *model, struct err *err)
{
    const struct holdout *holdout = measure->holdout;
    const struct csr *known = measure->everybody ? &holdout->train.values : &measure->known;
    struct als_model selected = {0};
    enum err_code rc = ERR_OK;

    if (!measure->everybody)
        rc = select_users(&selected, model, holdout, err);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        struct als_lists lists;

        rc = als_top_new_items(&lists, measure->everybody ? model : &selected, known, measure->candidates, model->items,
                               k[i], measure->threads, err);
        if (rc != ERR_OK)
            break;
        evaluate_lists(&out[i], &lists, &holdout->test, k[i]);
        als_lists_fini(&lists);
    }
    free(selected.x);
    return rc;
}

enum err_code measure_baseline(struct evaluate_metrics *out, const size_t *k, size_t count,
                               const struct measure *measure, enum baseline baseline, struct err *err)
{
    const struct holdout *holdout = measure->holdout;
    const struct baseline_params params = {.train = &holdout->train.values,
                                           .users = holdout->user,
                                           .user_count = holdout->users,
                                           .candidates = measure->candidates,
                                           .candidate_count = holdout->train.values.cols,
                                           .n = k[0],
                                           .threads = measure->threads,
                                           .ease_lambda = EASE_LAMBDA,
                                           .most_ease_bytes = MOST_EASE_BYTES};
    struct als_lists lists;
    enum err_code rc = baseline_lists(&lists, baseline, &params, err);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < count; i++)
        evaluate_lists(&out[i], &lists, &holdout->test, k[i]);
    als_lists_fini(&lists);
    return ERR_OK;
}
