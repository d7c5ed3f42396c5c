#include "worker/als/cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include "common/base/mem.h"

struct round {
    pool_task_fn run;
    void *context;
    const uint32_t *order;
    size_t count;
};

struct helper {
    struct pool *pool;
    pthread_t id;
    size_t thread; /* 1.. ; 0 is the caller */
};

struct pool {
    size_t threads;
    size_t started; /* helpers that run and must be joined */
    struct helper *helpers;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t begin;
    pthread_cond_t end;
    uint64_t generation; /* counts rounds, so that a helper joins each once */
    size_t busy;         /* helpers still in the round */
    bool stopping;
    struct round round;

    atomic_size_t next; /* the next task to take */
};

/* Numbers below 1e-38 count as 0 from here on: they are nothing to a model, and cost a hundred times an addition each.
 * (A shop that has slept for a year has such values.) What was set before. */
static unsigned flush_subnormals(void)
{
#ifdef __SSE__
    enum { FLUSH_TO_ZERO = 0x8000, SUBNORMALS_ARE_ZERO = 0x0040 };
    unsigned before = _mm_getcsr();

    _mm_setcsr(before | FLUSH_TO_ZERO | SUBNORMALS_ARE_ZERO);
    return before;
#else
    return 0;
#endif
}

static void restore_subnormals(unsigned before)
{
#ifdef __SSE__
    _mm_setcsr(before);
#else
    (void)before;
#endif
}

static void work(struct pool *pool, const struct round *round, size_t thread)
{
    unsigned before = flush_subnormals();

    for (;;) {
        size_t turn = atomic_fetch_add(&pool->next, 1);

        if (turn >= round->count)
            break;
        round->run(round->context, thread, round->order != NULL ? round->order[turn] : turn);
    }
    restore_subnormals(before);
}

static void *run_helper(void *argument)
{
    struct helper *helper = argument;
    struct pool *pool = helper->pool;
    uint64_t seen = 0;

    for (;;) {
        struct round round;

        (void)pthread_mutex_lock(&pool->mutex);
        while (pool->generation == seen && !pool->stopping)
            (void)pthread_cond_wait(&pool->begin, &pool->mutex);
        if (pool->stopping) {
            (void)pthread_mutex_unlock(&pool->mutex);
            return NULL;
        }
        seen = pool->generation;
        round = pool->round;
        (void)pthread_mutex_unlock(&pool->mutex);

        work(pool, &round, helper->thread);

        (void)pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0)
            (void)pthread_cond_signal(&pool->end);
        (void)pthread_mutex_unlock(&pool->mutex);
    }
}

static size_t count_usable_cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) < 1)
        return 1;
    return (size_t)CPU_COUNT(&set);
}

size_t pool_count_threads(int threads)
{
    return threads > 0 ? (size_t)threads : count_usable_cores();
}

static enum err_code start_helpers(struct pool *pool, struct err *err)
{
    sigset_t all;
    sigset_t before;
    int rc = 0;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->started + 1 < pool->threads) {
        struct helper *helper = &pool->helpers[pool->started];

        helper->pool = pool;
        helper->thread = pool->started + 1;
        rc = pthread_create(&helper->id, NULL, run_helper, helper);
        if (rc != 0)
            break;
        pool->started++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return ERR_SET(err, ERR_NO_MEMORY, "cannot start solver thread %zu of %zu: %s", pool->started + 2,
                       pool->threads, strerror(rc));
    return ERR_OK;
}

enum err_code pool_create(struct pool **out, int threads, struct err *err)
{
    enum err_code rc;
    struct pool *pool;

    *out = NULL;
    pool = mem_zeroed(1, sizeof *pool);
    if (pool == NULL)
        return ERR_SET(err, ERR_NO_MEMORY, "no memory for a thread pool");
    pool->threads = pool_count_threads(threads);
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_cond_init(&pool->begin, NULL);
    (void)pthread_cond_init(&pool->end, NULL);
    atomic_init(&pool->next, 0);
    pool->helpers = mem_zeroed(pool->threads, sizeof *pool->helpers);
    if (pool->helpers == NULL)
        rc = ERR_SET(err, ERR_NO_MEMORY, "no memory for %zu threads", pool->threads);
    else
        rc = start_helpers(pool, err);
    if (rc != ERR_OK) {
        pool_destroy(pool);
        return rc;
    }
    *out = pool;
    return ERR_OK;
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL)
        return;
    (void)pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    (void)pthread_cond_broadcast(&pool->begin);
    (void)pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->started; i++)
        (void)pthread_join(pool->helpers[i].id, NULL);
    (void)pthread_cond_destroy(&pool->begin);
    (void)pthread_cond_destroy(&pool->end);
    (void)pthread_mutex_destroy(&pool->mutex);
    free(pool->helpers);
    free(pool);
}

size_t pool_threads(const struct pool *pool)
{
    return pool->threads;
}

void pool_run(struct pool *pool, pool_task_fn run, void *context, const uint32_t *order, size_t count)
{
    const struct round round = {.run = run, .context = context, .order = order, .count = count};

    (void)pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->next, 0);
    pool->round = round;
    pool->busy = pool->started;
    pool->generation++;
    (void)pthread_cond_broadcast(&pool->begin);
    (void)pthread_mutex_unlock(&pool->mutex);

    work(pool, &round, 0);

    (void)pthread_mutex_lock(&pool->mutex);
    while (pool->busy > 0)
        (void)pthread_cond_wait(&pool->end, &pool->mutex);
    (void)pthread_mutex_unlock(&pool->mutex);
}
