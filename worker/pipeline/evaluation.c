#include "worker/pipeline/evaluation.h"

#include <stdio.h>

#include "worker/pipeline/measure.h"

static const size_t list_length[] = {EVALUATION_K};

static void enter(struct evaluation_entry *entry, const char *name, enum err_code rc, const struct err *err)
{
    entry->name = name;
    entry->measured = rc == ERR_OK;
    if (rc != ERR_OK)
        (void)snprintf(entry->why_not, sizeof entry->why_not, "%.*s", EVALUATION_NOTE_BYTES - 1, err->message);
}

static void measure_all(struct evaluation *out, const struct measure *measure, const struct als_model *model)
{
    struct evaluation_entry *entry = &out->entries[0];
    struct err err = {0};

    enter(entry, "als", measure_model(&entry->metrics, list_length, 1, measure, model, &err), &err);
    for (unsigned baseline = 0; baseline < BASELINE_COUNT; baseline++) {
        entry = &out->entries[1 + baseline];
        enter(entry, baseline_name((enum baseline)baseline),
              measure_baseline(&entry->metrics, list_length, 1, measure, (enum baseline)baseline, &err), &err);
    }
}

enum err_code evaluation_run(struct evaluation *out, const struct holdout *holdout, const struct als_params *params,
                             const struct als_observer *observer, struct err *err)
{
    struct als_model model = {0};
    struct measure measure = {0};
    enum err_code rc;

    *out = (struct evaluation){
        .days = holdout->days, .cut_s = holdout->cut_s, .users = holdout->users, .pairs = csr_nonzeros(&holdout->test)};
    rc = als_train(&model, &holdout->train.values, params, observer, NULL, err);
    if (rc == ERR_OK)
        rc = measure_init(&measure, holdout, params->threads, err);
    if (rc == ERR_OK)
        measure_all(out, &measure, &model);
    measure_fini(&measure);
    als_model_fini(&model);
    return rc;
}
