/*
 * Times stages of the pipeline on the cache's table, as JSON on stdout:
 *   pipeline_stages cross-sell CSV PRODUCTS   rows to lists; PRODUCTS: ids that may be recommended, one a line
 *   pipeline_stages matrix CSV NOW            the table to the matrix as of NOW
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/file_text.h"
#include "common/base/str.h"
#include "worker/pipeline/cache_csv.h"
#include "worker/pipeline/cross_sell_lists.h"
#include "worker/pipeline/matrix.h"
#include "worker/pipeline/outliers.h"

enum { MOST_BYTES = 2000000000, USAGE = 64 };

static const double weights[ACTION_COUNT] = {1, .7, .5, .3, .1};

struct lap {
    double seconds;
    double cpu_seconds;
};

static double read_clock(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct lap begin(void)
{
    return (struct lap){read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_PROCESS_CPUTIME_ID)};
}

static void end(struct lap *lap)
{
    struct lap now = begin();

    lap->seconds = now.seconds - lap->seconds;
    lap->cpu_seconds = now.cpu_seconds - lap->cpu_seconds;
}

/* VmHWM; what getrusage has begins with the peak of the program that started this one. */
static double peak_mib(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    long kib = 0;

    while (file != NULL && kib == 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    }
    if (file != NULL)
        (void)fclose(file);
    return (double)kib / 1024;
}

static void check(enum err_code rc, const struct err *err)
{
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "pipeline_stages: %s\n", err->message);
        exit(EXIT_FAILURE);
    }
}

static void read_rows(struct interactions *rows, const char *path)
{
    struct err err;
    char *text;
    size_t size;

    check(interactions_init(rows, &err), &err);
    check(file_text_read(&text, &size, path, MOST_BYTES, &err), &err);
    check(cache_csv_read(rows, text, size, &err), &err);
    free(text);
}

static void remove_outliers(struct interactions *rows)
{
    static const struct outlier_params params = {.max_per_day = 150};
    struct outlier_result outliers;
    struct err err;

    check(outliers_run(&outliers, rows, &params, &err), &err);
    outlier_result_fini(&outliers);
}

static void read_products(struct catalogue *catalogue, const char *path)
{
    struct err err;
    char *text;
    char *rest;
    char *line;
    size_t size;

    catalogue_init(catalogue);
    check(file_text_read(&text, &size, path, MOST_BYTES, &err), &err);
    rest = text;
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0')
        check(catalogue_add(catalogue, strtoll(line, NULL, 10), 1, true, "", &err), &err);
    check(catalogue_sort(catalogue, &err), &err);
    free(text);
}

struct lists_maker {
    struct cross_sell_lists lists;
    struct catalogue catalogue;
};

static enum err_code on_row(void *context, const struct cross_sell_row *row, struct err *err)
{
    static const struct cross_sell_list_params params = {.list_size = 18, .minimum_weight = .1};
    struct lists_maker *maker = context;

    return cross_sell_lists_add(&maker->lists, row, &params, &maker->catalogue, err);
}

static int run_cross_sell(char **arguments)
{
    struct lists_maker maker;
    const struct cross_sell_visitor visitor = {.fn = on_row, .context = &maker};
    struct cross_sell_params params = {
        .min_user_rows = 3, .min_product_rows = 5, .decay_days = 25, .session_hours = 12};
    struct cross_sell_counts counts;
    struct interactions rows;
    struct lap lap;
    struct err err;
    size_t count;

    memcpy(params.weights, weights, sizeof weights);
    read_products(&maker.catalogue, arguments[1]);
    read_rows(&rows, arguments[0]);
    count = rows.count;
    lap = begin();
    remove_outliers(&rows);
    check(cross_sell_lists_init(&maker.lists, 18, &err), &err);
    check(cross_sell_run(&counts, &rows, &params, NULL, &visitor, &err), &err);
    end(&lap);
    printf("{\"rows\":%zu,\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"peak_mib\":%.1f,\"merge_rows\":%llu,\"pairs\":%llu,"
           "\"weight_sum\":%.12g,\"lists\":%zu,\"items\":%zu}\n",
           count, lap.seconds, lap.cpu_seconds, peak_mib(), (unsigned long long)counts.merge_rows,
           (unsigned long long)counts.product_pairs, counts.weight_sum, maker.lists.count,
           cross_sell_lists_count(&maker.lists).items);
    cross_sell_lists_fini(&maker.lists);
    catalogue_fini(&maker.catalogue);
    interactions_fini(&rows);
    return EXIT_SUCCESS;
}

static double sum_of(const double *values, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

static int run_matrix(char **arguments)
{
    static const struct matrix_params matrix_params = {
        .min_user_rows = 3, .min_product_rows = 5, .bm25_k1 = 1.2, .bm25_b = .3};
    struct weigh_params weigh = {.decay_days = 25, .repeat_factor = .8};
    struct interactions rows;
    struct pairs pairs;
    struct matrix matrix;
    struct lap lap = begin();
    struct err err;
    size_t count;
    size_t removed;

    if (!str_to_int64(arguments[1], &weigh.now_s))
        return USAGE;
    memcpy(weigh.weights, weights, sizeof weights);
    read_rows(&rows, arguments[0]);
    count = rows.count;
    check(interactions_dedup(&rows, &removed, &err), &err);
    remove_outliers(&rows);
    check(weigh_run(&pairs, &rows, &weigh, &err), &err);
    interactions_drop_rows(&rows);
    check(matrix_build(&matrix, &pairs, &matrix_params, &err), &err);
    end(&lap);
    printf("{\"rows\":%zu,\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"peak_mib\":%.1f,\"users\":%zu,\"products\":%zu,"
           "\"pairs\":%zu,\"raw_sum\":%.12g,\"bm25_sum\":%.12g}\n",
           count, lap.seconds, lap.cpu_seconds, peak_mib(), matrix.users, matrix.products, matrix.pairs,
           sum_of(matrix.raw, matrix.pairs), sum_of(matrix.bm25, matrix.pairs));
    pairs_fini(&pairs);
    interactions_fini(&rows);
    matrix_fini(&matrix);
    return EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    int status = USAGE;

    if (count == 4 && strcmp(arguments[1], "cross-sell") == 0)
        status = run_cross_sell(arguments + 2);
    else if (count == 4 && strcmp(arguments[1], "matrix") == 0)
        status = run_matrix(arguments + 2);
    if (status == USAGE)
        (void)fprintf(stderr, "pipeline_stages: wrong usage; see the head of pipeline_stages.c\n");
    return status;
}
