/*
 * What a stored value means to the solver: confidence c = |alpha * value| in 32-bit floats, preference 1 where the
 * value is positive, else 0. A row's equation takes d = c - 1 and b = c * preference.
 */
#ifndef WORKER_ALS_CPU_CONFIDENCE_H
#define WORKER_ALS_CPU_CONFIDENCE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/als/csr.h"

/* One row's entries: columns are rows of the fixed side. */
struct confidence_row {
    size_t count;
    const int32_t *columns;
    float *d;     /* count; room for the longest row */
    float *b;     /* count */
    double ridge; /* a lambda of this row's own, for the diagonal of the system that rows share; 0: it has theirs */
};

static inline float confidence_of(float alpha, float value)
{
    return fabsf(alpha * value);
}

static inline size_t confidence_count(const struct csr *values, size_t row)
{
    return (size_t)(values->offsets[row + 1] - values->offsets[row]);
}

static inline void confidence_fill(struct confidence_row *row, const struct csr *values, size_t index, float alpha)
{
    const float *value = values->values + values->offsets[index];

    row->count = confidence_count(values, index);
    row->columns = values->columns + values->offsets[index];
    for (size_t j = 0; j < row->count; j++) {
        float c = confidence_of(alpha, value[j]);

        row->d[j] = c - 1;
        row->b[j] = value[j] > 0 ? c : 0;
    }
}

#endif
