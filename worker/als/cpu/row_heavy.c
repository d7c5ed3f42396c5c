#include "worker/als/cpu/row_heavy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/als/cpu/row_kernels.h"
#include "worker/als/cpu/row_primal.h"

enum {
    MOST_STEPS = 60,
    USUAL_STEPS = 8, /* what the choice of a way counts with */
    CHUNK = 4,       /* rows that are read once for both halves of a product */
};

/* Of d_j |v_j|^2: about what the weak entries may add to the eigenvalues of the preconditioned matrix. */
static const float STRONG = 1;

/* The energy norm of the error, beside that of the solution. */
static const float TOLERANCE = 3e-6F;

struct row_heavy {
    size_t factors;
    const struct row_kernels *kernels;
    struct row_dual *dual; /* borrowed */
    struct row_primal *primal;
    bool is_primal; /* which of them has the strong entries */
    size_t count;
    size_t strong;
    const float **rows; /* v_j of the strong, then of the weak */
    float *d;
    float *b;
    float *products; /* entries */
    float *residual; /* f */
    float *step;     /* f: the residual, preconditioned */
    float *direction;
    float *image; /* f: the matrix times the direction */
};

enum err_code row_heavy_create(struct row_heavy **out, struct row_dual *dual, size_t most_entries, size_t factors,
                               struct err *err)
{
    struct row_heavy *heavy = mem_zeroed(1, sizeof *heavy);

    *out = NULL;
    if (heavy != NULL) {
        heavy->factors = factors;
        heavy->kernels = row_kernels_choose();
        heavy->dual = dual;
        heavy->rows = mem_zeroed(most_entries, sizeof *heavy->rows);
        heavy->d = mem_aligned(most_entries, sizeof(float));
        heavy->b = mem_aligned(most_entries, sizeof(float));
        heavy->products = mem_aligned(most_entries, sizeof(float));
        heavy->residual = mem_aligned(factors, sizeof(float));
        heavy->step = mem_aligned(factors, sizeof(float));
        heavy->direction = mem_aligned(factors, sizeof(float));
        heavy->image = mem_aligned(factors, sizeof(float));
    }
    if (heavy == NULL || heavy->rows == NULL || heavy->d == NULL || heavy->b == NULL || heavy->products == NULL ||
        heavy->residual == NULL || heavy->step == NULL || heavy->direction == NULL || heavy->image == NULL ||
        row_primal_create(&heavy->primal, factors, err) != ERR_OK) {
        row_heavy_destroy(heavy);
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a row of %zu entries x %zu factors", most_entries, factors);
    }
    *out = heavy;
    return ERR_OK;
}

double row_heavy_bytes(size_t most_entries, size_t factors)
{
    double n = (double)most_entries;

    return n * (double)sizeof(float *) + (3 * n + 4 * (double)factors) * (double)sizeof(float) +
           row_primal_bytes(factors);
}

void row_heavy_destroy(struct row_heavy *heavy)
{
    if (heavy == NULL)
        return;
    row_primal_destroy(heavy->primal);
    free(heavy->rows);
    free(heavy->d);
    free(heavy->b);
    free(heavy->products);
    free(heavy->residual);
    free(heavy->step);
    free(heavy->direction);
    free(heavy->image);
    free(heavy);
}

/* Of all in the preconditioner, in multiply-adds. */
static double direct_cost(double entries, double factors)
{
    double n = entries;
    double f = factors;

    return n < f ? n * n * f + n * n * n / 3 : n * f * f + f * f * f / 3;
}

static double dot(const struct row_heavy *heavy, const float *a, const float *b)
{
    float product;

    heavy->kernels->multiply(&product, a, &b, 1, heavy->factors);
    return (double)product;
}

/* to += weight * from */
static void add(const struct row_heavy *heavy, float *to, const float *from, double weight)
{
    float one = (float)weight;

    heavy->kernels->combine(to, &from, &one, 1, heavy->factors);
}

static void set_entry(struct row_heavy *heavy, size_t place, const struct confidence_row *row, size_t j, const float *v)
{
    heavy->rows[place] = v + (size_t)row->columns[j] * heavy->factors;
    heavy->d[place] = row->d[j];
    heavy->b[place] = row->b[j];
}

/* The strong entries first. */
static void gather(struct row_heavy *heavy, const struct confidence_row *row, const float *v)
{
    size_t front = 0;
    size_t back = row->count;

    for (size_t j = 0; j < row->count; j++) {
        const float *one = v + (size_t)row->columns[j] * heavy->factors;

        if (row->d[j] > STRONG && (double)row->d[j] * dot(heavy, one, one) > (double)STRONG)
            set_entry(heavy, front++, row, j, v);
        else
            set_entry(heavy, --back, row, j, v);
    }
    heavy->count = row->count;
    heavy->strong = front;
}

/* A multiply-add of a step waits for memory more than one of a matrix product. */
static double steps_cost(const struct row_heavy *heavy)
{
    double f = (double)heavy->factors;
    double n = (double)heavy->count;
    double strong = (double)heavy->strong;
    double precondition = strong < f ? 2 * strong * f + strong * strong : f * f;

    return USUAL_STEPS * 4 * (2 * n * f + precondition);
}

/* Whether the strong entries are to be told from the weak. Where not, all are in the preconditioner. */
static bool is_worth_steps(const struct row_heavy *heavy)
{
    double f = (double)heavy->factors;

    return direct_cost((double)heavy->strong, f) + steps_cost(heavy) < direct_cost((double)heavy->count, f);
}

static bool set_preconditioner(struct row_heavy *heavy)
{
    heavy->is_primal = heavy->strong >= heavy->factors;
    if (heavy->is_primal)
        return row_primal_factor(heavy->primal, heavy->rows, heavy->d, heavy->strong);
    return row_dual_factor(heavy->dual, heavy->rows, heavy->d, heavy->strong);
}

static void precondition(struct row_heavy *heavy, float *t)
{
    if (heavy->is_primal)
        row_primal_solve(heavy->primal, t);
    else
        row_dual_precondition(heavy->dual, t);
}

/* out = sign * (I + sum d_j v_j v_j') in, added to what out has. */
static void add_image(struct row_heavy *heavy, const float *in, float sign, float *out)
{
    add(heavy, out, in, (double)sign);
    for (size_t j = 0; j < heavy->count; j += CHUNK) {
        size_t some = heavy->count - j < CHUNK ? heavy->count - j : CHUNK;
        float *products = heavy->products + j;

        heavy->kernels->multiply(products, in, heavy->rows + j, some, heavy->factors);
        for (size_t i = 0; i < some; i++)
            products[i] *= sign * heavy->d[j + i];
        heavy->kernels->combine(out, heavy->rows + j, products, some, heavy->factors);
    }
}

/* t = the preconditioner's solution, residual = what is left; the square of the solution's energy norm. */
static double begin(struct row_heavy *heavy, float *t)
{
    size_t size = heavy->factors * sizeof *t;
    double energy;

    memset(heavy->residual, 0, size);
    heavy->kernels->combine(heavy->residual, heavy->rows, heavy->b, heavy->count, heavy->factors);
    memcpy(t, heavy->residual, size);
    precondition(heavy, t);
    energy = dot(heavy, heavy->residual, t);
    add_image(heavy, t, -1, heavy->residual);
    memset(heavy->direction, 0, size);
    return energy;
}

/* t and the residual one step on; `before` and `now` are the squares of the residual's norms. */
static bool step(struct row_heavy *heavy, float *t, double before, double now)
{
    size_t size = heavy->factors * sizeof *t;
    double curvature;

    for (size_t k = 0; k < heavy->factors; k++)
        heavy->direction[k] = heavy->step[k] + (float)(now / before) * heavy->direction[k];
    memset(heavy->image, 0, size);
    add_image(heavy, heavy->direction, 1, heavy->image);
    curvature = dot(heavy, heavy->direction, heavy->image);
    if (!(curvature > 0))
        return false;
    add(heavy, t, heavy->direction, now / curvature);
    add(heavy, heavy->residual, heavy->image, -now / curvature);
    return true;
}

static bool converge(struct row_heavy *heavy, float *t)
{
    double energy = begin(heavy, t);
    double before = INFINITY;

    if (!(energy >= 0 && energy < INFINITY))
        return false;
    for (int steps = 0; steps < MOST_STEPS; steps++) {
        double now;

        memcpy(heavy->step, heavy->residual, heavy->factors * sizeof *t);
        precondition(heavy, heavy->step);
        now = dot(heavy, heavy->residual, heavy->step);
        if (now <= (double)TOLERANCE * (double)TOLERANCE * energy)
            return now > -energy;
        if (!step(heavy, t, before, now))
            return false;
        before = now;
    }
    return false;
}

bool row_heavy_solve(struct row_heavy *heavy, const struct confidence_row *row, const float *v, float *t)
{
    gather(heavy, row, v);
    if (!is_worth_steps(heavy)) {
        if (row->count < heavy->factors)
            return false;
        heavy->strong = heavy->count;
    }
    return set_preconditioner(heavy) && converge(heavy, t);
}
