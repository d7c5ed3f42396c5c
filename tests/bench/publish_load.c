/*
 * Publishes lists of 18 products by the sink of the worker, as JSON on stdout:
 *   publish_load REDIS_URL KIND KEYS TTL_S FENCE     KIND: homepage, similar, cross_sell
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/str.h"
#include "worker/connect/redis_sink.h"
#include "worker/pipeline/publish_chunk.h"

enum { LIST_SIZE = 18, PRODUCTS = 69000, USAGE = 64, KEY_BYTES = 40 };

static double read_clock(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void check(enum err_code rc, const struct err *err)
{
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "publish_load: %s\n", err->message);
        exit(EXIT_FAILURE);
    }
}

static bool read_kind(const char *text, enum publish_kind *out)
{
    for (unsigned kind = 0; kind < PUBLISH_KIND_COUNT; kind++) {
        *out = (enum publish_kind)kind;
        if (strcmp(publish_kind_name(*out), text) == 0)
            return true;
    }
    return false;
}

/* Keys as a shop's users have them. The keys written. */
static size_t publish(struct publish_chunk *chunk, enum publish_kind kind, int64_t keys, size_t *removed)
{
    char key[KEY_BYTES];
    struct err err;
    size_t written;

    publish_chunk_begin_kind(chunk, kind);
    for (int64_t i = 0; i < keys; i++) {
        (void)snprintf(key, sizeof key, "Y3VzdG9tZXItMTI0%09lld=", (long long)i);
        publish_chunk_begin_list(chunk, key);
        for (int64_t k = 0; k < LIST_SIZE; k++)
            publish_chunk_add(chunk, (i * LIST_SIZE + k * 3907) % PRODUCTS);
        check(publish_chunk_end_list(chunk, &err), &err);
    }
    check(publish_chunk_end_kind(chunk, &written, removed, &err), &err);
    return written;
}

int main(int count, char **arguments)
{
    struct redis_sink_config config = {0};
    struct redis_sink *sink;
    struct sink interface;
    struct publish_chunk *chunk;
    enum publish_kind kind;
    struct err err;
    int64_t keys;
    int64_t ttl_s;
    size_t written;
    size_t removed;
    double start;
    double cpu_start;

    if (count != 6 || !read_kind(arguments[2], &kind) || !str_to_int64(arguments[3], &keys) ||
        !str_to_int64(arguments[4], &ttl_s) || !str_to_int64(arguments[5], &config.fence)) {
        (void)fprintf(stderr, "publish_load: wrong usage; see the head of publish_load.c\n");
        return USAGE;
    }
    check(redis_url_parse(&config.targets[kind].url, arguments[1], &err), &err);
    config.targets[kind].ttl_s = ttl_s;
    check(redis_sink_create(&sink, &config, &err), &err);
    interface = redis_sink_interface(sink);
    check(publish_chunk_create(&chunk, &interface, &err), &err);
    check(interface.raise_fence(interface.self, kind, &err), &err);
    start = read_clock(CLOCK_MONOTONIC);
    cpu_start = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    written = publish(chunk, kind, keys, &removed);
    printf("{\"keys\":%zu,\"removed\":%zu,\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n", written, removed,
           read_clock(CLOCK_MONOTONIC) - start, read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu_start);
    publish_chunk_destroy(chunk);
    redis_sink_destroy(sink);
    return EXIT_SUCCESS;
}
