/*
 * For tests of the CMS as a source: a small shop served by the stand-in, and what a source handed over.
 */
#ifndef TESTS_INTEGRATION_CMS_FIXTURE_H
#define TESTS_INTEGRATION_CMS_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "common/net/json_value.h"
#include "tests/support/cms_server.h"
#include "worker/connect/cms.h"

enum { FIXTURE_VIEWS = 25000, FIXTURE_PURCHASES = 300, FIXTURE_REPEATED = 50, FIXTURE_PRODUCTS = 10100 };

struct cms_fixture {
    struct test_server server;
    char data[SERVER_TEXT_BYTES]; /* the folder that is served */
};

/* 25,000 views (of which 50 come again behind the 10,000th) and 300 purchases, newest first, the n-th of each action
 * created at n; 10,100 products. extra: an option and its value for the stand-in, or NULL twice. */
bool cms_fixture_start(struct cms_fixture *fixture, const char *option, const char *value);
void cms_fixture_stop(struct cms_fixture *fixture);
bool cms_fixture_control(const struct cms_fixture *fixture, const char *json);

/* NULL on failure. */
struct json *cms_fixture_stats(const struct cms_fixture *fixture);

/* How many of the paths asked hold this text. */
size_t cms_fixture_count_paths(const struct cms_fixture *fixture, const char *text);

/* Quick retries and no gap. */
struct cms_config cms_fixture_config(const struct cms_fixture *fixture);

/* What was handed over; starts as {0}. */
struct cms_harvest {
    int64_t *ids[ACTION_COUNT];
    size_t counts[ACTION_COUNT];
    size_t capacities[ACTION_COUNT];
    size_t products;
    struct source_counts source;
};

/* All activities, by a source of its own. */
enum err_code cms_harvest_activities(struct cms_harvest *harvest, const struct cms_config *config,
                                     const struct progress *progress, struct err *err);
enum err_code cms_harvest_products(struct cms_harvest *harvest, const struct cms_config *config, struct err *err);
void cms_harvest_fini(struct cms_harvest *harvest);

/* Whether each of `wanted` is among the ids of an action at least once. */
bool cms_harvest_has_all(const struct cms_harvest *harvest, const struct cms_harvest *wanted);

/* The same ids in the same order. */
bool cms_harvest_is_same(const struct cms_harvest *harvest, const struct cms_harvest *wanted);

#endif
