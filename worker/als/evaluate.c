#include "worker/als/evaluate.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "worker/als/pcg64.h"

/* What one user adds; `held_out` > 0. */
struct sums {
    double hits;
    double possible; /* min(k, held out) */
    double map;
    double ndcg;
    double auc;
};

/* The gain of hits at the first `count` ranks. */
static double ideal_gain(size_t count)
{
    double gain = 0;

    for (size_t rank = 1; rank <= count; rank++)
        gain += 1 / log2((double)rank + 1);
    return gain;
}

static void add_user(struct sums *sums, const struct als_lists *lists, const struct csr *test, size_t user, size_t k)
{
    const int32_t *items = lists->items + user * lists->n;
    size_t listed = (size_t)lists->counts[user] < k ? (size_t)lists->counts[user] : k;
    double held_out = (double)(test->offsets[user + 1] - test->offsets[user]);
    size_t most = held_out < (double)k ? (size_t)held_out : k;
    double others = (double)test->cols - held_out; /* products that are no answer */
    double hits = 0;
    double misses = 0;
    double map = 0;
    double gain = 0;
    double auc = 0;

    for (size_t i = 0; i < listed; i++) {
        if (csr_has(test, user, items[i])) {
            hits++;
            map += hits / (double)(i + 1);
            gain += 1 / log2((double)i + 2);
        } else {
            misses++;
            auc += hits;
        }
    }
    auc += (hits + held_out) / 2 * (others - misses);
    sums->hits += hits;
    sums->possible += (double)most;
    sums->map += map / (double)most;
    sums->ndcg += gain / ideal_gain(most);
    if (others > 0)
        sums->auc += auc / (held_out * others);
}

void evaluate_lists(struct evaluate_metrics *out, const struct als_lists *lists, const struct csr *test, size_t k)
{
    struct sums sums = {0};
    double users;

    memset(out, 0, sizeof *out);
    for (size_t user = 0; user < test->rows; user++) {
        if (test->offsets[user + 1] == test->offsets[user])
            continue;
        add_user(&sums, lists, test, user, k);
        out->users++;
    }
    users = (double)out->users;
    if (out->users == 0 || k == 0)
        return;
    out->precision = sums.hits / sums.possible;
    out->map = sums.map / users;
    out->ndcg = sums.ndcg / users;
    out->auc = sums.auc / users;
}

/* Fills one part from the entries whose draw says so. */
static void take_part(struct csr *part, const struct csr *values, double train_fraction, uint64_t seed, bool training)
{
    struct pcg64 generator;
    int64_t taken = 0;

    pcg64_seed(&generator, seed);
    for (size_t row = 0; row < values->rows; row++) {
        for (int64_t k = values->offsets[row]; k < values->offsets[row + 1]; k++) {
            if ((pcg64_next_double(&generator) < train_fraction) != training)
                continue;
            part->columns[taken] = values->columns[k];
            part->values[taken++] = values->values[k];
        }
        part->offsets[row + 1] = taken;
    }
}

enum err_code evaluate_split(struct csr *train, struct csr *test, const struct csr *values, double train_fraction,
                             uint64_t seed, struct err *err)
{
    struct pcg64 generator;
    size_t training = 0;
    enum err_code rc;

    memset(test, 0, sizeof *test);
    pcg64_seed(&generator, seed);
    for (size_t k = 0; k < csr_nonzeros(values); k++)
        training += pcg64_next_double(&generator) < train_fraction;
    rc = csr_init(train, values->rows, values->cols, training, err);
    if (rc != ERR_OK)
        return rc;
    rc = csr_init(test, values->rows, values->cols, csr_nonzeros(values) - training, err);
    if (rc != ERR_OK) {
        csr_fini(train);
        return rc;
    }
    take_part(train, values, train_fraction, seed, true);
    take_part(test, values, train_fraction, seed, false);
    return ERR_OK;
}
