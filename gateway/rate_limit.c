#include "gateway/rate_limit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/jitter.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/job/job_scripts.h"
#include "gateway/client_address.h"
#include "gateway/gateway_metrics.h"
#include "gateway/problem.h"
#include "gateway/queue_client.h"
#include "gateway/settings.h"

enum {
    SLOTS = 1024,
    MAX_ENTRIES = 4096, /* clients that are remembered; more only while all are being asked for */
    FRESH_MS = 1000,    /* what Redis said holds for so long */
    OVERDUE_MS = 1000,  /* an answer that takes longer is not waited for */
    TICK_MS = 250,
    COMPLAIN_MS = 60000
};

/* A request that waits for its answer; in its exchange's arena. */
struct charge {
    struct charge *next;
    struct exchange *exchange;
    rate_limit_fn fn;
    const void *context;
};

struct charges {
    struct charge *first;
    struct charge *last;
    int64_t count;
};

/* A client under a policy, as Redis told last. Times are of uv_now. */
struct entry {
    struct rate_limit *limit;
    struct entry *slot_next;
    struct entry *older; /* by last use */
    struct entry *newer;
    char client[EXCHANGE_CLIENT_BYTES];
    enum rate_limit_policy policy;
    bool known;
    uint64_t known_ms;
    uint64_t reset_ms;
    int64_t left;
    int64_t spent;          /* granted since, and not told yet; below 0: given back */
    struct charges waiting; /* for the next call */
    struct charges asked;   /* in the call under way */
    int64_t told;           /* spent ones in the call under way */
    bool in_flight;
    bool overdue;
    uint64_t sent_ms;
};

struct rate_limit {
    const struct services *services;
    struct entry *slots[SLOTS];
    struct entry *oldest;
    struct entry *newest;
    size_t count;
    size_t in_flight;
    uint32_t seed; /* so that nobody can choose names that share a slot */
    uint64_t complained_ms;
    uv_timer_t tick; /* while calls are under way */
    bool tick_open;
    bool closing;
};

const char *rate_limit_policy_name(enum rate_limit_policy policy)
{
    static const char *const names[RATE_LIMIT_POLICY_COUNT] = {"none", "submit", "read"};

    return names[policy];
}

static int64_t quota_of(const struct services *services, enum rate_limit_policy policy)
{
    switch (policy) {
    case RATE_LIMIT_SUBMIT:
        return services->settings->rate_limit_submit;
    case RATE_LIMIT_READ:
        return services->settings->rate_limit_read;
    default:
        return 0;
    }
}

static uint64_t now_ms(const struct rate_limit *limit)
{
    return uv_now(limit->services->loop);
}

/* Entries */

static struct entry **find_slot(struct rate_limit *limit, const char *client, enum rate_limit_policy policy)
{
    uint32_t hash = limit->seed ^ (uint32_t)policy;

    for (const char *at = client; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619u;
        hash ^= hash >> 13;
    }
    return &limit->slots[hash % SLOTS];
}

static void unlink_use(struct entry *entry)
{
    struct rate_limit *limit = entry->limit;

    *(entry->older != NULL ? &entry->older->newer : &limit->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &limit->newest) = entry->older;
}

static void link_newest(struct entry *entry)
{
    struct rate_limit *limit = entry->limit;

    entry->newer = NULL;
    entry->older = limit->newest;
    *(limit->newest != NULL ? &limit->newest->newer : &limit->oldest) = entry;
    limit->newest = entry;
}

static void drop(struct entry *entry)
{
    struct entry **link = find_slot(entry->limit, entry->client, entry->policy);

    while (*link != entry)
        link = &(*link)->slot_next;
    *link = entry->slot_next;
    unlink_use(entry);
    entry->limit->count--;
    free(entry);
}

static void free_when_done(struct rate_limit *limit)
{
    if (!limit->closing || limit->tick_open || limit->in_flight > 0)
        return;
    for (struct entry *entry = limit->oldest, *next; entry != NULL; entry = next) {
        next = entry->newer;
        free(entry);
    }
    free(limit);
}

static void drop_oldest_idle(struct rate_limit *limit)
{
    struct entry *entry = limit->oldest;

    while (entry != NULL && entry->in_flight)
        entry = entry->newer;
    if (entry != NULL)
        drop(entry);
}

/* NULL when out of memory. */
static struct entry *get_entry(struct rate_limit *limit, const char *client, enum rate_limit_policy policy)
{
    struct entry **slot = find_slot(limit, client, policy);
    struct entry *entry = *slot;

    while (entry != NULL && (entry->policy != policy || strcmp(entry->client, client) != 0))
        entry = entry->slot_next;
    if (entry != NULL) {
        unlink_use(entry);
        link_newest(entry);
        return entry;
    }
    if (limit->count >= MAX_ENTRIES)
        drop_oldest_idle(limit);
    entry = mem_zeroed(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->limit = limit;
    entry->policy = policy;
    str_copy(entry->client, sizeof entry->client, client);
    entry->slot_next = *slot;
    *slot = entry;
    link_newest(entry);
    limit->count++;
    return entry;
}

static bool is_fresh(const struct entry *entry)
{
    uint64_t now = now_ms(entry->limit);

    return entry->known && now - entry->known_ms < FRESH_MS && now < entry->reset_ms;
}

static int64_t left_now(const struct entry *entry)
{
    return entry->left - entry->told - entry->spent;
}

/* Answers */

static void add_headers(const struct entry *entry, struct exchange *exchange, bool allowed)
{
    const char *name = rate_limit_policy_name(entry->policy);
    uint64_t now = now_ms(entry->limit);
    uint64_t reset_s = entry->reset_ms > now ? (entry->reset_ms - now + 999) / 1000 : 1;
    int64_t left = left_now(entry);

    http_reply_add(&exchange->reply, "RateLimit-Policy", "\"%s\";q=%lld;w=%d", name,
                   (long long)quota_of(exchange->services, entry->policy), RATE_LIMIT_WINDOW_S);
    http_reply_add(&exchange->reply, "RateLimit", "\"%s\";r=%lld;t=%llu", name, (long long)(left > 0 ? left : 0),
                   (unsigned long long)reset_s);
    if (!allowed)
        http_reply_add(&exchange->reply, "Retry-After", "%llu", (unsigned long long)reset_s);
}

static void push(struct charges *charges, struct charge *charge)
{
    *(charges->last != NULL ? &charges->last->next : &charges->first) = charge;
    charges->last = charge;
    charges->count++;
}

static void answer_all(struct charges *charges, int64_t granted)
{
    struct charge *charge = charges->first;

    for (int64_t i = 0; charge != NULL; i++) {
        struct charge *next = charge->next; /* goes with its exchange */

        charge->fn(charge->exchange, charge->context, i < granted);
        charge = next;
    }
}

/* Nobody can tell: all go on. */
static void open_all(struct entry *entry)
{
    struct charges asked = entry->asked;
    struct charges waiting = entry->waiting;

    entry->known = false;
    entry->asked = (struct charges){0};
    entry->waiting = (struct charges){0};
    answer_all(&asked, asked.count);
    answer_all(&waiting, waiting.count);
}

/* Calls */

static void send_call(struct entry *entry);

static void complain(struct rate_limit *limit, const char *message)
{
    uint64_t now = now_ms(limit);

    if (limit->complained_ms != 0 && now - limit->complained_ms < COMPLAIN_MS)
        return;
    limit->complained_ms = now;
    log_warn("rate_limit.open", log_text("message", message));
}

static bool read_reply(struct entry *entry, const struct redis_reply *reply, int64_t *granted)
{
    int64_t left;
    int64_t reset_ms;

    if (!redis_reply_to_int64(redis_reply_at(reply, 0), granted) ||
        !redis_reply_to_int64(redis_reply_at(reply, 1), &left) ||
        !redis_reply_to_int64(redis_reply_at(reply, 2), &reset_ms) || reset_ms < 0)
        return false;
    entry->known = true;
    entry->known_ms = now_ms(entry->limit);
    entry->reset_ms = entry->known_ms + (uint64_t)reset_ms;
    entry->left = left;
    return true;
}

static void end_call(struct rate_limit *limit, struct entry *entry)
{
    entry->in_flight = false;
    entry->overdue = false;
    entry->told = 0;
    limit->in_flight--;
    if (limit->in_flight == 0 && !limit->closing)
        (void)uv_timer_stop(&limit->tick);
}

static void on_reply(void *context, const struct redis_reply *reply, const struct err *err)
{
    struct entry *entry = context;
    struct rate_limit *limit = entry->limit;
    struct charges asked = entry->asked;
    int64_t granted = 0;
    int64_t number = 0;

    end_call(limit, entry);
    if (limit->closing) {
        free_when_done(limit);
        return;
    }
    if (err != NULL || !read_reply(entry, reply, &granted)) {
        complain(limit, err != NULL ? err->message : "Redis answered what the script does not");
        open_all(entry);
        return;
    }
    entry->asked = (struct charges){0};
    for (const struct charge *charge = asked.first; charge != NULL; charge = charge->next)
        add_headers(entry, charge->exchange, number++ < granted);
    if (entry->spent != 0 || entry->waiting.count > 0)
        send_call(entry);
    answer_all(&asked, granted); /* the entry may be gone behind this */
}

static void on_tick(uv_timer_t *timer)
{
    struct rate_limit *limit = timer->data;
    struct entry *entry = limit->oldest;
    size_t left = limit->count;

    while (entry != NULL && left-- > 0) {
        bool late = entry->in_flight && !entry->overdue && now_ms(limit) - entry->sent_ms > OVERDUE_MS;

        if (late) {
            entry->overdue = true;
            complain(limit, "Redis does not answer in time");
            open_all(entry);
            entry = limit->oldest; /* what ran meanwhile may have changed the list; in flight ones stay */
            continue;
        }
        entry = entry->newer;
    }
}

static void send_call(struct entry *entry)
{
    struct rate_limit *limit = entry->limit;
    struct redis_command command;

    entry->in_flight = true;
    entry->sent_ms = now_ms(limit);
    entry->asked = entry->waiting;
    entry->waiting = (struct charges){0};
    entry->told = entry->spent;
    entry->spent = 0;
    if (limit->in_flight++ == 0)
        (void)uv_timer_start(&limit->tick, on_tick, TICK_MS, TICK_MS);
    redis_command_init_script(&command, &job_script_rate_limit, 1);
    redis_command_add_format(&command, "rl:{%s}:%s", entry->client, rate_limit_policy_name(entry->policy));
    redis_command_add_int(&command, quota_of(limit->services, entry->policy));
    redis_command_add_int(&command, (int64_t)RATE_LIMIT_WINDOW_S * 1000);
    redis_command_add_int(&command, entry->told);
    redis_command_add_int(&command, entry->asked.count);
    queue_client_send(limit->services->queue, &command, on_reply, entry);
    redis_command_fini(&command);
}

/* What is known decides at once: true. */
static bool decide(struct entry *entry, struct charge *charge)
{
    int64_t left = left_now(entry) - entry->asked.count - entry->waiting.count;
    bool plenty = left > quota_of(entry->limit->services, entry->policy) / 2;
    bool allowed = entry->overdue || plenty;

    if (!entry->overdue && !(is_fresh(entry) && (plenty || entry->left <= 0)))
        return false;
    if (!entry->overdue) {
        if (allowed)
            entry->spent++;
        add_headers(entry, charge->exchange, allowed);
        if (allowed && !entry->in_flight)
            send_call(entry);
    }
    charge->fn(charge->exchange, charge->context, allowed);
    return true;
}

/* NULL where nothing is limited, or nobody can tell. */
static struct entry *entry_of(const struct exchange *exchange, enum rate_limit_policy policy)
{
    struct rate_limit *limit = exchange->services->limit;
    char group[CLIENT_ADDRESS_BYTES];

    if (limit == NULL || quota_of(exchange->services, policy) == 0 || !queue_client_is_ready(exchange->services->queue))
        return NULL;
    client_address_group(group, exchange->address);
    return get_entry(limit, exchange->client[0] != '\0' ? exchange->client : group, policy);
}

void rate_limit_refund(struct exchange *exchange, enum rate_limit_policy policy)
{
    struct entry *entry = entry_of(exchange, policy);

    if (entry == NULL)
        return;
    entry->spent--;
    if (!entry->in_flight)
        send_call(entry);
}

void rate_limit_charge(struct exchange *exchange, enum rate_limit_policy policy, rate_limit_fn fn, const void *context)
{
    struct entry *entry = entry_of(exchange, policy);
    struct charge *charge = entry != NULL ? arena_alloc(exchange->arena, sizeof *charge) : NULL;

    if (charge == NULL) {
        fn(exchange, context, true);
        return;
    }
    *charge = (struct charge){.exchange = exchange, .fn = fn, .context = context};
    if (decide(entry, charge))
        return;
    push(&entry->waiting, charge);
    if (!entry->in_flight)
        send_call(entry);
}

void rate_limit_refuse(struct exchange *exchange)
{
    gateway_metrics_count_limited(exchange->services->metrics, exchange);
    problem_answer(exchange, 429, "rate_limited", "too many requests; try again when the time in Retry-After is over");
}

/* Life */

struct rate_limit *rate_limit_create(const struct services *services)
{
    struct rate_limit *limit = mem_zeroed(1, sizeof *limit);

    if (limit == NULL)
        return NULL;
    limit->services = services;
    limit->seed = jitter_bits();
    (void)uv_timer_init(services->loop, &limit->tick); /* never fails, as start with a callback */
    limit->tick.data = limit;
    limit->tick_open = true;
    return limit;
}

static void on_closed(uv_handle_t *handle)
{
    struct rate_limit *limit = handle->data;

    limit->tick_open = false;
    free_when_done(limit);
}

void rate_limit_close(struct rate_limit *limit)
{
    if (limit == NULL)
        return;
    limit->closing = true;
    uv_close((uv_handle_t *)&limit->tick, on_closed);
}
