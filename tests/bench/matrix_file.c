#include "matrix_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/pcg64.h"

static const double USER_SPREAD = 1.1; /* standard deviations of the logarithms of the weights */
static const double ITEM_SPREAD = 1.3;
static const double YEAR_IN_DECAYS = 14.6; /* of 25 days */
static const double TWO_PI = 6.283185307179586;

_Noreturn void matrix_file_fail(const struct err *err)
{
    (void)fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static FILE *open_file(const char *path, const char *mode)
{
    struct err err;
    FILE *file = fopen(path, mode);

    if (file == NULL) {
        (void)ERR_SET(&err, ERR_IO, "open %s: %s", path, strerror(errno));
        matrix_file_fail(&err);
    }
    return file;
}

static bool read_arrays(FILE *file, const struct csr *csr, size_t nonzeros)
{
    return fread(csr->offsets, sizeof *csr->offsets, csr->rows + 1, file) == csr->rows + 1 &&
           csr_nonzeros(csr) == nonzeros && fread(csr->columns, sizeof *csr->columns, nonzeros, file) == nonzeros &&
           fread(csr->values, sizeof *csr->values, nonzeros, file) == nonzeros;
}

void matrix_file_read(struct csr *csr, const char *path)
{
    uint64_t shape[3];
    struct err err;
    FILE *file = open_file(path, "rbe");
    enum err_code rc = ERR_OK;

    if (fread(shape, sizeof *shape, 3, file) != 3)
        rc = ERR_SET(&err, ERR_FORMAT, "%s is cut short", path);
    if (rc == ERR_OK)
        rc = csr_init(csr, shape[0], shape[1], shape[2], &err);
    if (rc == ERR_OK && !read_arrays(file, csr, shape[2]))
        rc = ERR_SET(&err, ERR_FORMAT, "%s is not a matrix of %llu entries", path, (unsigned long long)shape[2]);
    (void)fclose(file);
    if (rc != ERR_OK)
        matrix_file_fail(&err);
}

void matrix_file_write(const struct csr *csr, const char *path)
{
    size_t nonzeros = csr_nonzeros(csr);
    const uint64_t shape[3] = {csr->rows, csr->cols, nonzeros};
    struct err err;
    FILE *file = open_file(path, "wbe");
    bool written = fwrite(shape, sizeof *shape, 3, file) == 3 &&
                   fwrite(csr->offsets, sizeof *csr->offsets, csr->rows + 1, file) == csr->rows + 1 &&
                   fwrite(csr->columns, sizeof *csr->columns, nonzeros, file) == nonzeros &&
                   fwrite(csr->values, sizeof *csr->values, nonzeros, file) == nonzeros;

    if (fclose(file) != 0 || !written) {
        (void)ERR_SET(&err, ERR_IO, "write %s: %s", path, strerror(errno));
        matrix_file_fail(&err);
    }
}

/* Box and Muller */
static double next_normal(struct pcg64 *generator)
{
    double radius = sqrt(-2 * log(1 - pcg64_next_double(generator)));

    return radius * cos(TWO_PI * pcg64_next_double(generator));
}

/* sums[i] = the weights up to and with that of i */
static double *draw_weights(size_t count, double spread, struct pcg64 *generator)
{
    double *sums = mem_zeroed(count, sizeof *sums);
    double sum = 0;

    for (size_t i = 0; sums != NULL && i < count; i++) {
        sum += exp(spread * next_normal(generator));
        sums[i] = sum;
    }
    return sums;
}

/* The first whose sum is not below a share of the whole. */
static size_t draw_index(const double *sums, size_t count, struct pcg64 *generator)
{
    double at = pcg64_next_double(generator) * sums[count - 1];
    size_t low = 0;
    size_t high = count - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (sums[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int compare_cells(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

struct draw {
    struct pcg64 generator;
    const double *users;
    const double *items;
    uint64_t *cells; /* capacity; user * columns + item */
    size_t capacity;
};

/* Different cells, ascending: drawn, sorted and made unique until there are enough. How many. */
static size_t draw_cells(struct draw *draw, const struct csr *csr, size_t wanted)
{
    size_t count = 0;

    while (count < wanted) {
        size_t unique = 0;

        for (; count < draw->capacity; count++) {
            size_t user = draw_index(draw->users, csr->rows, &draw->generator);

            draw->cells[count] = user * csr->cols + draw_index(draw->items, csr->cols, &draw->generator);
        }
        qsort(draw->cells, count, sizeof *draw->cells, compare_cells);
        for (size_t i = 0; i < count; i++) {
            if (i == 0 || draw->cells[i - 1] != draw->cells[i])
                draw->cells[unique++] = draw->cells[i];
        }
        count = unique;
    }
    return count;
}

/* Keeps a random `wanted` of the drawn cells (Knuth 1969, algorithm S). */
static void fill_entries(struct csr *csr, struct draw *draw, size_t count, size_t wanted, double age_power)
{
    size_t entry = 0;

    for (size_t i = 0; i < count; i++) {
        size_t user = draw->cells[i] / csr->cols;

        if (pcg64_next_double(&draw->generator) * (double)(count - i) >= (double)(wanted - entry))
            continue;
        csr->columns[entry] = (int32_t)(draw->cells[i] % csr->cols);
        csr->values[entry] = (float)((0.15 + 1.35 * pcg64_next_double(&draw->generator)) *
                                     exp(-YEAR_IN_DECAYS * pow(pcg64_next_double(&draw->generator), age_power)));
        csr->offsets[user + 1] = (int64_t)++entry;
    }
    for (size_t user = 0; user < csr->rows; user++) {
        if (csr->offsets[user + 1] == 0)
            csr->offsets[user + 1] = csr->offsets[user];
    }
}

void matrix_file_generate(struct csr *csr, size_t users, size_t items, size_t nonzeros, uint64_t seed, double age_power)
{
    struct err err;
    struct draw draw = {.capacity = nonzeros + nonzeros / 2};
    double *user_sums = NULL;
    double *item_sums = NULL;
    enum err_code rc = ERR_OK;

    if (users == 0 || items == 0 || nonzeros > users * items / 4)
        rc = ERR_SET(&err, ERR_ARGUMENT, "%zu entries are too many for %zu x %zu", nonzeros, users, items);
    if (rc == ERR_OK)
        rc = csr_init(csr, users, items, nonzeros, &err);
    if (rc != ERR_OK)
        matrix_file_fail(&err);
    pcg64_seed(&draw.generator, seed);
    draw.users = user_sums = draw_weights(users, USER_SPREAD, &draw.generator);
    draw.items = item_sums = draw_weights(items, ITEM_SPREAD, &draw.generator);
    draw.cells = mem_zeroed(draw.capacity, sizeof *draw.cells);
    if (draw.users == NULL || draw.items == NULL || draw.cells == NULL) {
        (void)ERR_SET(&err, ERR_NO_MEMORY, "no memory to draw %zu entries", nonzeros);
        matrix_file_fail(&err);
    }
    fill_entries(csr, &draw, draw_cells(&draw, csr, nonzeros), nonzeros, age_power);
    free(user_sums);
    free(item_sums);
    free(draw.cells);
}
