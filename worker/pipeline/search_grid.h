/*
 * The points of a search: a grid of ALS parameters, all of it or a draw.
 */
#ifndef WORKER_PIPELINE_SEARCH_GRID_H
#define WORKER_PIPELINE_SEARCH_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/als/als.h"

enum { SEARCH_GRID_MOST_VALUES = 64, SEARCH_GRID_SOLVERS = 3 };

/* The values of each parameter, different ones. */
struct search_grid {
    size_t solver_count;
    enum als_solver solvers[SEARCH_GRID_SOLVERS];
    size_t factors_count;
    int factors[SEARCH_GRID_MOST_VALUES];
    size_t regularization_count;
    double regularization[SEARCH_GRID_MOST_VALUES];
    size_t alpha_count;
    double alpha[SEARCH_GRID_MOST_VALUES];
    size_t iterations_count;
    int iterations[SEARCH_GRID_MOST_VALUES];
};

struct search_point {
    enum als_solver solver;
    int factors;
    double regularization;
    double alpha;
    int iterations;
};

struct search_point search_point_of(const struct als_params *params);
void search_point_apply(struct als_params *params, const struct search_point *point);
bool search_point_equal(const struct search_point *a, const struct search_point *b);

/* Whether `longer` is `shorter` with more iterations. */
bool search_point_continues(const struct search_point *longer, const struct search_point *shorter);

size_t search_grid_size(const struct search_grid *grid);

/*
 * *out: the *count points that are to be tried, for free(): all, or `most` of them drawn without replacement by `seed`
 * (pcg64) and ordered. One that only adds iterations follows the shorter one; `usual`, the point of the settings, is
 * always drawn where the grid has it, and the points that differ from it by iterations alone come first.
 */
enum err_code search_grid_draw(struct search_point **out, size_t *count, const struct search_grid *grid,
                               const struct search_point *usual, size_t most, uint64_t seed,
                               struct err *err) MUST_CHECK;

#endif
