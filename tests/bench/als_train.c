/*
 * Times the solver on one matrix, as JSON on stdout:
 *   als_train generate USERS ITEMS NONZEROS SEED FILE [AGE_POWER]
 *   als_train train FILE FACTORS REGULARIZATION ALPHA ITERATIONS THREADS [LOSS]   until the loss, if one is given
 *   als_train accelerated …                                                       the same with acceleration
 *   als_train kernels                                                             the BLAS kernels in use
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "matrix_file.h"
#include "worker/als/als.h"

enum { LIST_SIZE = 18, BACKEND_BYTES = 64 };

static double read_clock(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
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

static bool read_size(const char *text, size_t *out)
{
    int64_t number;

    if (!str_to_int64(text, &number) || number < 0)
        return false;
    *out = (size_t)number;
    return true;
}

static int generate(char **arguments, const char *power)
{
    size_t number[4]; /* users, items, nonzeros, seed */
    double age_power = 1;
    struct csr csr;

    for (int i = 0; i < 4; i++) {
        if (!read_size(arguments[i], &number[i]))
            return 64;
    }
    if (power != NULL && !str_to_double(power, &age_power))
        return 64;
    matrix_file_generate(&csr, number[0], number[1], number[2], number[3], age_power);
    matrix_file_write(&csr, arguments[4]);
    csr_fini(&csr);
    return 0;
}

struct watch {
    double last_s; /* when the iteration began */
    double last_cpu_s;
    double target; /* the loss to reach; 0: none */
};

static bool on_iteration(void *context, int iteration, double loss)
{
    struct watch *watch = context;
    double now = read_clock(CLOCK_MONOTONIC);
    double cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);

    printf("%s{\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"loss\":%.9g}", iteration > 1 ? "," : "", now - watch->last_s,
           cpu - watch->last_cpu_s, loss);
    watch->last_s = now;
    watch->last_cpu_s = cpu;
    return !(loss <= watch->target);
}

/* Seconds for the lists of all users; every item is a candidate. */
static double time_lists(const struct als_model *model, int threads)
{
    int32_t *candidates = mem_zeroed(model->items, sizeof *candidates);
    struct als_lists lists;
    struct err err;
    double start = read_clock(CLOCK_MONOTONIC);
    double end;

    for (size_t i = 0; candidates != NULL && i < model->items; i++)
        candidates[i] = (int32_t)i;
    if (candidates == NULL ||
        als_top_items(&lists, model, candidates, model->items, LIST_SIZE, threads, &err) != ERR_OK)
        matrix_file_fail(&err);
    end = read_clock(CLOCK_MONOTONIC);
    als_lists_fini(&lists);
    free(candidates);
    return end - start;
}

static bool read_params(struct als_params *out, char **arguments)
{
    size_t factors;
    size_t iterations;
    size_t threads;

    if (!read_size(arguments[0], &factors) || !str_to_double(arguments[1], &out->regularization) ||
        !str_to_double(arguments[2], &out->alpha) || !read_size(arguments[3], &iterations) ||
        !read_size(arguments[4], &threads))
        return false;
    out->factors = (int)factors;
    out->iterations = (int)iterations;
    out->threads = (int)threads;
    return true;
}

static int train(char **arguments, const char *target, bool is_accelerated)
{
    struct als_params params = {.solver = ALS_SOLVER_EXACT, .acceleration = is_accelerated, .seed = 42};
    struct watch watch = {.target = 0};
    const struct als_observer observer = {.on_iteration = on_iteration, .context = &watch};
    struct als_model model;
    struct csr values;
    struct err err;
    enum err_code rc;
    double start;

    if (!read_params(&params, arguments + 1) || (target != NULL && !str_to_double(target, &watch.target)))
        return 64;
    matrix_file_read(&values, arguments[0]);
    printf("{\"iterations\":[");
    start = watch.last_s = read_clock(CLOCK_MONOTONIC);
    watch.last_cpu_s = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    rc = als_train(&model, &values, &params, &observer, NULL, &err);
    printf("],\"seconds\":%.6f", read_clock(CLOCK_MONOTONIC) - start);
    if (rc == ERR_OK)
        printf(",\"list_seconds\":%.6f", time_lists(&model, params.threads));
    else if (rc != ERR_CANCELLED) /* cancelled: the loss is reached */
        matrix_file_fail(&err);
    printf(",\"peak_mib\":%.1f}\n", peak_mib());
    if (rc == ERR_OK)
        als_model_fini(&model);
    csr_fini(&values);
    return 0;
}

int main(int count, char **arguments)
{
    char backend[BACKEND_BYTES];
    int status = 64;

    als_choose_blas_kernels(arguments);
    als_describe_backend(ALS_BACKEND_AUTO, backend, sizeof backend);
    if (count == 2 && strcmp(arguments[1], "kernels") == 0) {
        printf("%s\n", backend);
        status = 0;
    } else if ((count == 7 || count == 8) && strcmp(arguments[1], "generate") == 0) {
        status = generate(arguments + 2, count == 8 ? arguments[7] : NULL);
    } else if ((count == 8 || count == 9) &&
               (strcmp(arguments[1], "train") == 0 || strcmp(arguments[1], "accelerated") == 0)) {
        status = train(arguments + 2, count == 9 ? arguments[8] : NULL, arguments[1][0] == 'a');
    }
    if (status == 64)
        (void)fprintf(stderr, "als_train: wrong usage; see the head of als_train.c\n");
    return status;
}
