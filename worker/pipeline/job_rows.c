#include "worker/pipeline/job_rows.h"

#include <stdio.h>

#include "worker/pipeline/counts.h"
#include "worker/pipeline/dump.h"

static void report_fetch(struct job_run *run, const struct fetch_result *fetch, int64_t now_s,
                         struct report_stage *stage)
{
    const struct source_counts *source = &fetch->source;

    stage->rows_in = fetch->clean.served + fetch->rows_from_cache + source_bad_total(source);
    stage->rows_out = fetch->rows.count;
    for (size_t i = 0; i < SOURCE_BAD_REASONS && source->bad[i].reason != NULL; i++)
        job_run_add_dropped(stage, source->bad[i].reason, source->bad[i].count);
    for (unsigned reason = 0; reason < CLEAN_REASON_COUNT; reason++)
        job_run_add_dropped(stage, clean_reason_name((enum clean_reason)reason), fetch->clean.dropped[reason]);
    if (fetch->clean.dropped[CLEAN_DUPLICATE] == 0)
        job_run_add_dropped(stage, clean_reason_name(CLEAN_DUPLICATE), fetch->rows_dropped_as_duplicates);
    if (source->lines > 0)
        (void)snprintf(stage->notes, sizeof stage->notes, "%zu lines, %zu of them too old, %zu products", source->lines,
                       source->too_old, fetch->catalogue.count);
    else
        (void)snprintf(stage->notes, sizeof stage->notes, "%zu pages, %zu rows from the cache, %zu products",
                       source->pages, fetch->rows_from_cache, fetch->catalogue.count);
    report_set_dropped(run->report, fetch);
    for (size_t i = 0; i < sizeof fetch->warnings / sizeof fetch->warnings[0] && fetch->warnings[i][0] != '\0'; i++)
        report_add_warning(run->report, "%s", fetch->warnings[i]);
    report_warn_of_age(run->report, fetch->newest_s, now_s);
    if (fetch->products_malformed > 0)
        report_add_warning(run->report, "%zu products of the catalogue are malformed and left out",
                           fetch->products_malformed);
    if (fetch->source.retries > 0)
        report_add_warning(run->report, "%zu requests had to be made again", fetch->source.retries);
}

enum err_code job_rows_fetch(struct job_run *run, struct fetch_result *fetch, const struct job_rows_params *params,
                             struct report_stage *stage, struct err *err)
{
    enum err_code rc =
        fetch_run(fetch, &params->fetch, &run->inputs->source, run->inputs->cache, &run->inputs->progress, err);

    report_fetch(run, fetch, params->fetch.now_s, stage);
    return rc == ERR_OK ? counts_add_fetch(run->counts, fetch, err) : rc;
}

static void report_outliers(struct job_run *run, struct report_stage *stage, const struct outlier_result *outliers,
                            const struct interactions *rows, const struct outlier_params *params)
{
    size_t by_rule[OUTLIER_RULE_COUNT] = {0};

    for (size_t i = 0; i < outliers->removed_count; i++)
        by_rule[outliers->removed[i].rule] += outliers->removed[i].rows;
    for (unsigned rule = 0; rule < OUTLIER_RULE_COUNT; rule++)
        job_run_add_dropped(stage, outlier_rule_name((enum outlier_rule)rule), by_rule[rule]);
    stage->rows_out = rows->count;
    (void)snprintf(stage->notes, sizeof stage->notes, "%zu of %zu users removed", outliers->removed_count,
                   outliers->users_before);
    report_set_outliers(run->report, outliers, rows->users);
    if (outliers->by_rows_only > 0)
        report_add_warning(run->report,
                           "%zu of the %zu users removed were over a limit (of %d a day) with rows, not with "
                           "activities: large baskets may have made good customers look like bots "
                           "(OUTLIER_COUNT=activities keeps them)",
                           outliers->by_rows_only, outliers->removed_count, params->max_per_day);
}

enum err_code job_rows_outliers(struct job_run *run, struct fetch_result *fetch, const struct job_rows_params *params,
                                struct report_stage *stage, struct err *err)
{
    struct outlier_result outliers;
    enum err_code rc;

    stage->rows_in = fetch->rows.count;
    rc = outliers_run(&outliers, &fetch->rows, &params->outliers, err);
    if (rc != ERR_OK)
        return rc;
    report_outliers(run, stage, &outliers, &fetch->rows, &params->outliers);
    rc = counts_add_outliers(run->counts, &outliers, &fetch->rows, err);
    if (rc == ERR_OK && fetch->rows.count == 0)
        rc = ERR_SET(err, ERR_NO_DATA, "No interactions are left: all %zu users were removed as outliers.",
                     outliers.removed_count);
    outlier_result_fini(&outliers);
    return rc;
}

enum err_code job_rows_analytics(struct job_run *run, const struct fetch_result *fetch,
                                 const struct analytics_params *params, struct report_stage *stage, struct err *err)
{
    const char *dump_dir = run->inputs->dump_dir;
    struct json *json;
    enum err_code rc = analytics_run(&json, &fetch->rows, &fetch->catalogue, params, &run->inputs->progress, err);

    stage->rows_in = stage->rows_out = fetch->rows.count;
    if (rc == ERR_CANCELLED)
        return rc;
    if (rc != ERR_OK) {
        report_add_warning(run->report, "there are no analytics: %s", err->message);
        return ERR_OK;
    }
    if (dump_dir != NULL)
        rc = dump_json(dump_dir, "analytics.json", json, err);
    (void)json_value_set(run->report, "analytics", json);
    return rc;
}
