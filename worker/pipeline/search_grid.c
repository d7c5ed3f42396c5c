#include "worker/pipeline/search_grid.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/als/pcg64.h"

struct search_point search_point_of(const struct als_params *params)
{
    return (struct search_point){.solver = params->solver,
                                 .factors = params->factors,
                                 .regularization = params->regularization,
                                 .alpha = params->alpha,
                                 .iterations = params->iterations};
}

void search_point_apply(struct als_params *params, const struct search_point *point)
{
    params->solver = point->solver;
    params->factors = point->factors;
    params->regularization = point->regularization;
    params->alpha = point->alpha;
    params->iterations = point->iterations;
}

/* But for iterations. */
static bool is_same_model(const struct search_point *a, const struct search_point *b)
{
    return a->solver == b->solver && a->factors == b->factors && a->regularization == b->regularization &&
           a->alpha == b->alpha;
}

bool search_point_equal(const struct search_point *a, const struct search_point *b)
{
    return is_same_model(a, b) && a->iterations == b->iterations;
}

bool search_point_continues(const struct search_point *longer, const struct search_point *shorter)
{
    return is_same_model(longer, shorter) && longer->iterations > shorter->iterations;
}

size_t search_grid_size(const struct search_grid *grid)
{
    return grid->solver_count * grid->factors_count * grid->regularization_count * grid->alpha_count *
           grid->iterations_count; /* 3 * 64^4 at most */
}

/* Points are numbered with iterations running fastest. */
static struct search_point point_at(const struct search_grid *grid, size_t place)
{
    struct search_point point;

    point.iterations = grid->iterations[place % grid->iterations_count];
    place /= grid->iterations_count;
    point.regularization = grid->regularization[place % grid->regularization_count];
    place /= grid->regularization_count;
    point.alpha = grid->alpha[place % grid->alpha_count];
    place /= grid->alpha_count;
    point.factors = grid->factors[place % grid->factors_count];
    place /= grid->factors_count;
    point.solver = grid->solvers[place];
    return point;
}

static size_t find_real(const double *values, size_t count, double value)
{
    size_t i = 0;

    while (i < count && values[i] != value)
        i++;
    return i;
}

static size_t find_int(const int *values, size_t count, int value)
{
    size_t i = 0;

    while (i < count && values[i] != value)
        i++;
    return i;
}

/* The number of a point; the grid's size where it is none of it. */
static size_t find_point(const struct search_grid *grid, const struct search_point *point)
{
    size_t factors = find_int(grid->factors, grid->factors_count, point->factors);
    size_t alpha = find_real(grid->alpha, grid->alpha_count, point->alpha);
    size_t regularization = find_real(grid->regularization, grid->regularization_count, point->regularization);
    size_t iterations = find_int(grid->iterations, grid->iterations_count, point->iterations);
    size_t solver = 0;

    while (solver < grid->solver_count && grid->solvers[solver] != point->solver)
        solver++;
    if (solver == grid->solver_count || factors == grid->factors_count || alpha == grid->alpha_count ||
        regularization == grid->regularization_count || iterations == grid->iterations_count)
        return search_grid_size(grid);
    return (((solver * grid->factors_count + factors) * grid->alpha_count + alpha) * grid->regularization_count +
            regularization) *
               grid->iterations_count +
           iterations;
}

static bool has_place(const size_t *places, size_t count, size_t place)
{
    for (size_t i = 0; i < count; i++) {
        if (places[i] == place)
            return true;
    }
    return false;
}

/* `most` of 0..size-1 (R. Floyd's draw; Bentley, "Programming Pearls", CACM 1987), `usual` among them where it is one.
 */
static void draw_places(size_t *places, size_t most, size_t size, size_t usual, uint64_t seed)
{
    struct pcg64 generator;
    size_t count = 0;

    pcg64_seed(&generator, seed);
    for (size_t j = size - most; j < size; j++) {
        size_t drawn = (size_t)(pcg64_next_double(&generator) * (double)(j + 1));

        places[count] = has_place(places, count, drawn) ? j : drawn;
        count++;
    }
    if (usual < size && !has_place(places, count, usual))
        places[0] = usual;
}

static int compare_places(const void *left, const void *right)
{
    size_t a = *(const size_t *)left;
    size_t b = *(const size_t *)right;

    return (a > b) - (a < b);
}

static size_t take_points(struct search_point *out, const struct search_grid *grid, const size_t *places, size_t count,
                          const struct search_point *usual, bool like_usual)
{
    size_t taken = 0;

    for (size_t i = 0; i < count; i++) {
        struct search_point point = point_at(grid, places[i]);

        if (is_same_model(&point, usual) == like_usual)
            out[taken++] = point;
    }
    return taken;
}

static int compare_ints(const void *left, const void *right)
{
    int a = *(const int *)left;
    int b = *(const int *)right;

    return (a > b) - (a < b);
}

enum err_code search_grid_draw(struct search_point **out, size_t *count, const struct search_grid *grid,
                               const struct search_point *usual, size_t most, uint64_t seed, struct err *err)
{
    struct search_grid ascending = *grid;
    size_t size = search_grid_size(grid);
    size_t drawn = size < most ? size : most;
    size_t *places = mem_zeroed(drawn, sizeof *places);
    size_t first;

    *count = drawn;
    *out = mem_zeroed(drawn, sizeof **out);
    if (*out == NULL || places == NULL) {
        free(*out);
        free(places);
        *out = NULL;
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu combinations", drawn);
    }
    qsort(ascending.iterations, ascending.iterations_count, sizeof *ascending.iterations, compare_ints);
    if (drawn == size) {
        for (size_t i = 0; i < size; i++)
            places[i] = i;
    } else {
        draw_places(places, drawn, size, find_point(&ascending, usual), seed);
        qsort(places, drawn, sizeof *places, compare_places);
    }
    first = take_points(*out, &ascending, places, drawn, usual, true);
    (void)take_points(*out + first, &ascending, places, drawn, usual, false);
    free(places);
    return ERR_OK;
}
