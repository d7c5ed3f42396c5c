/*
 * What the lists of a recommender are worth on held-out pairs, as JSON on stdout:
 *   als_lists split time|random EVENTS TRAIN TEST      makes two matrix files
 *   als_lists baselines TRAIN TEST THREADS             popularity, item cosine and EASE
 *   als_lists model TRAIN TEST SOLVER FACTORS REGULARIZATION ALPHA ITERATIONS SEED THREADS     after each iteration
 *   als_lists ranks TRAIN CANDIDATES SOLVER …          the same of one held-out product a user, value 2 of CANDIDATES,
 * among others, value 1: hit rate and NDCG at 10 SOLVER is exact, cg, frequency: exact with a lambda of each row by its
 * entries, or accelerated: exact with acceleration.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "matrix_file.h"
#include "shop_split.h"
#include "worker/als/als.h"
#include "worker/als/baselines.h"
#include "worker/als/evaluate.h"

enum { K = 10, USAGE = 64 };

struct bench {
    struct csr train;
    struct csr test;
    int32_t *candidates; /* all products */
    int threads;
};

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool read_int(const char *text, int *out)
{
    int64_t number;

    if (!str_to_int64(text, &number) || number < 0 || number > INT32_MAX)
        return false;
    *out = (int)number;
    return true;
}

static int split(char **arguments)
{
    struct shop_split parts;

    if (strcmp(arguments[0], "time") == 0)
        shop_split_by_time(&parts, arguments[1]);
    else
        shop_split_at_random(&parts, arguments[1]);
    matrix_file_write(&parts.train, arguments[2]);
    matrix_file_write(&parts.test, arguments[3]);
    printf("{\"users\":%zu,\"products\":%zu,\"train\":%zu,\"test\":%zu}\n", parts.train.rows, parts.train.cols,
           csr_nonzeros(&parts.train), csr_nonzeros(&parts.test));
    shop_split_fini(&parts);
    return 0;
}

static void bench_init(struct bench *bench, char **files)
{
    struct err err;

    matrix_file_read(&bench->train, files[0]);
    matrix_file_read(&bench->test, files[1]);
    bench->candidates = mem_zeroed(bench->train.cols, sizeof *bench->candidates);
    if (bench->candidates == NULL) {
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory for %zu candidates", bench->train.cols);
        matrix_file_fail(&err);
    }
    for (size_t i = 0; i < bench->train.cols; i++)
        bench->candidates[i] = (int32_t)i;
}

static void bench_fini(struct bench *bench)
{
    csr_fini(&bench->train);
    csr_fini(&bench->test);
    free(bench->candidates);
}

/* Takes the lists. */
static void print_metrics(const struct bench *bench, struct als_lists *lists, double seconds)
{
    struct evaluate_metrics metrics;

    evaluate_lists(&metrics, lists, &bench->test, K);
    printf("{\"seconds\":%.6f,\"users\":%zu,\"precision\":%.9g,\"ndcg\":%.9g}", seconds, metrics.users,
           metrics.precision, metrics.ndcg);
    als_lists_fini(lists);
}

static int measure_baselines(struct bench *bench)
{
    const struct baseline_params params = {.train = &bench->train,
                                           .user_count = bench->train.rows,
                                           .candidates = bench->candidates,
                                           .candidate_count = bench->train.cols,
                                           .n = K,
                                           .threads = bench->threads,
                                           .ease_lambda = 200,
                                           .most_ease_bytes = (size_t)1 << 32};

    for (int baseline = 0; baseline < BASELINE_COUNT; baseline++) {
        struct als_lists lists;
        struct err err;
        double start = now_s();

        if (baseline_lists(&lists, (enum baseline)baseline, &params, &err) != ERR_OK)
            matrix_file_fail(&err);
        printf("%s\"%s\":", baseline > 0 ? "," : "{", baseline_name((enum baseline)baseline));
        print_metrics(bench, &lists, now_s() - start);
    }
    printf("}\n");
    return 0;
}

/* Seconds of the last iteration. */
struct watch {
    double began_s;
    double seconds;
};

static bool on_iteration(void *context, int iteration, double loss)
{
    struct watch *watch = context;
    double now = now_s();

    (void)iteration;
    (void)loss;
    watch->seconds = now - watch->began_s;
    watch->began_s = now;
    return true;
}

/* What a model is worth, after so many seconds of its last iteration. */
typedef void (*report_fn)(const struct bench *bench, const struct als_model *model, double seconds);

static void report_lists(const struct bench *bench, const struct als_model *model, double seconds)
{
    struct als_lists lists;
    struct err err;

    if (als_top_new_items(&lists, model, &bench->train, bench->candidates, model->items, K, bench->threads, &err) !=
        ERR_OK)
        matrix_file_fail(&err);
    print_metrics(bench, &lists, seconds);
}

static double score(const struct als_model *model, size_t user, int32_t item)
{
    const float *x = model->x + user * model->factors;
    const float *y = model->y + (size_t)item * model->factors;
    double sum = 0;

    for (size_t i = 0; i < model->factors; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

/* How many of the user's candidates come before the held-out one, as equals do. */
static size_t place_of_held_out(const struct bench *bench, const struct als_model *model, size_t user)
{
    const struct csr *candidates = &bench->test;
    double held_out = NAN;
    size_t place = 0;

    for (int64_t i = candidates->offsets[user]; i < candidates->offsets[user + 1]; i++) {
        if (candidates->values[i] > 1)
            held_out = score(model, user, candidates->columns[i]);
    }
    for (int64_t i = candidates->offsets[user]; i < candidates->offsets[user + 1]; i++)
        place += candidates->values[i] <= 1 && !(score(model, user, candidates->columns[i]) < held_out);
    return place;
}

/* As He et al. 2017 ("Neural Collaborative Filtering") rank. */
static void report_ranks(const struct bench *bench, const struct als_model *model, double seconds)
{
    double hits = 0;
    double ndcg = 0;
    size_t users = bench->test.rows;

    for (size_t user = 0; user < users; user++) {
        size_t place = place_of_held_out(bench, model, user);

        hits += place < K;
        ndcg += place < K ? 1 / log2((double)place + 2) : 0;
    }
    printf("{\"seconds\":%.6f,\"users\":%zu,\"hit_rate\":%.9g,\"ndcg\":%.9g}", seconds, users, hits / (double)users,
           ndcg / (double)users);
}

/* An iteration at a time, each from the factors of the one before, but with acceleration, which an end interrupts, all
 * over again; only the last is timed. */
static int measure_model(struct bench *bench, struct als_params params, int iterations, report_fn report)
{
    struct als_model model = {0};

    params.threads = bench->threads;
    for (int iteration = 0; iteration < iterations; iteration++) {
        struct als_model next;
        const struct als_start start = {.x = params.acceleration ? NULL : model.x,
                                        .y = params.acceleration ? NULL : model.y};
        struct watch watch = {.began_s = now_s()};
        const struct als_observer observer = {.on_iteration = on_iteration, .context = &watch};
        struct err err;

        params.iterations = params.acceleration ? iteration + 1 : 1;
        if (als_train_from(&next, &bench->train, &params, &start, &observer, NULL, &err) != ERR_OK)
            matrix_file_fail(&err);
        als_model_fini(&model);
        model = next;
        printf("%s", iteration > 0 ? "," : "[");
        report(bench, &model, watch.seconds);
    }
    printf("]\n");
    als_model_fini(&model);
    return 0;
}

/* SOLVER FACTORS REGULARIZATION ALPHA ITERATIONS SEED */
static bool read_params(struct als_params *out, int *iterations, char **arguments)
{
    int seed;

    *out = (struct als_params){.cg_steps = 3};
    out->solver = strcmp(arguments[0], "cg") == 0 ? ALS_SOLVER_CG : ALS_SOLVER_EXACT;
    if (strcmp(arguments[0], "frequency") == 0)
        out->regularization_scaling = ALS_SCALING_FREQUENCY;
    out->acceleration = strcmp(arguments[0], "accelerated") == 0;
    if (!read_int(arguments[1], &out->factors) || !str_to_double(arguments[2], &out->regularization) ||
        !str_to_double(arguments[3], &out->alpha) || !read_int(arguments[4], iterations) ||
        !read_int(arguments[5], &seed))
        return false;
    out->seed = (uint64_t)seed;
    return true;
}

int main(int count, char **arguments)
{
    struct bench bench = {0};
    struct als_params params;
    int iterations = 0;
    int status = USAGE;

    als_choose_blas_kernels(arguments);
    if (count == 6 && strcmp(arguments[1], "split") == 0) {
        status = split(arguments + 2);
    } else if (count == 5 && strcmp(arguments[1], "baselines") == 0 && read_int(arguments[4], &bench.threads)) {
        bench_init(&bench, arguments + 2);
        status = measure_baselines(&bench);
    } else if (count == 11 && (strcmp(arguments[1], "model") == 0 || strcmp(arguments[1], "ranks") == 0) &&
               read_params(&params, &iterations, arguments + 4) && read_int(arguments[10], &bench.threads)) {
        bench_init(&bench, arguments + 2);
        status = measure_model(&bench, params, iterations, arguments[1][0] == 'm' ? report_lists : report_ranks);
    }
    if (status == USAGE)
        (void)fprintf(stderr, "als_lists: wrong usage; see the head of als_lists.c\n");
    bench_fini(&bench);
    return status;
}
