#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/metrics.h"
#include "common/net/metrics_process.h"
#include "tests/support/failing_memory.h"
#include "tests/support/metrics_text.h"

static const double bounds[] = {.1, 1, 10};

static const struct metrics_description requests = {
    .name = "test_requests_total", .help = "Requests.", .kind = METRICS_COUNTER, .labels = {"route", "code"}};
static const struct metrics_description depth = {.name = "test_depth",
                                                 .help = "Depth.\nOf a \\ queue.",
                                                 .kind = METRICS_GAUGE,
                                                 .labels = {"queue"},
                                                 .max_series = 3};
static const struct metrics_description seconds = {.name = "test_run_duration_seconds",
                                                   .help = "Runs.",
                                                   .kind = METRICS_HISTOGRAM,
                                                   .labels = {"type"},
                                                   .bounds = bounds,
                                                   .bound_count = 3,
                                                   .max_series = 2};
static const struct metrics_description plain = {
    .name = "test_plain_total", .help = "No labels.", .kind = METRICS_COUNTER};

/* The registry's text, checked. */
static char *print(const struct metrics *metrics)
{
    struct str text = {0};
    char problem[256];
    int line;

    assert_true(metrics_print(metrics, &text));
    if (!metrics_text_check(text.text, &line, problem, sizeof problem))
        fail_msg("line %d: %s\n%s", line, problem, text.text);
    return str_take(&text);
}

static double value_of(const struct metrics *metrics, const char *sample)
{
    char *text = print(metrics);
    double value = NAN;

    if (!metrics_text_value(text, sample, &value))
        fail_msg("%s is not in\n%s", sample, text);
    free(text);
    return value;
}

static void a_counter_counts_by_its_labels(void **state)
{
    struct metrics *metrics = metrics_create();
    struct metrics_family *family = metrics_add(metrics, &requests);

    (void)state;
    for (int i = 0; i < 3; i++)
        metrics_increase(family, 1, METRICS_LABELS("/a", "200"));
    metrics_increase(family, 2.5, METRICS_LABELS("/a", "404"));
    metrics_increase(family, 1, METRICS_LABELS("/a4", "04")); /* not the same as "/a", "404" */
    assert_float_equal(value_of(metrics, "test_requests_total{route=\"/a\",code=\"200\"}"), 3, 0);
    assert_float_equal(value_of(metrics, "test_requests_total{route=\"/a\",code=\"404\"}"), 2.5, 0);
    assert_float_equal(value_of(metrics, "test_requests_total{route=\"/a4\",code=\"04\"}"), 1, 0);
    metrics_destroy(metrics);
}

static void a_family_without_labels_shows_from_the_start_and_one_with_them_does_not(void **state)
{
    struct metrics *metrics = metrics_create();
    char *text;

    (void)state;
    (void)metrics_add(metrics, &plain);
    (void)metrics_add(metrics, &requests);
    assert_float_equal(value_of(metrics, "test_plain_total"), 0, 0);
    text = print(metrics);
    assert_null(strstr(text, "test_requests_total"));
    free(text);
    metrics_destroy(metrics);
}

static void values_and_help_are_escaped(void **state)
{
    struct metrics *metrics = metrics_create();
    struct metrics_family *family = metrics_add(metrics, &depth);
    char *text;

    (void)state;
    metrics_set(family, -1.5, METRICS_LABELS("a\"b\\c\nd"));
    text = print(metrics);
    assert_non_null(strstr(text, "# HELP test_depth Depth.\\nOf a \\\\ queue.\n# TYPE test_depth gauge\n"));
    assert_non_null(strstr(text, "test_depth{queue=\"a\\\"b\\\\c\\nd\"} -1.5\n"));
    free(text);
    metrics_destroy(metrics);
}

static void numbers_read_back_as_they_were(void **state)
{
    static const double numbers[] = {0.1, 1.0 / 3, 1e300, 123456789012345678.0, 1767225600.123, 5e-324};
    struct metrics *metrics = metrics_create();
    struct metrics_family *family = metrics_add(metrics, &depth);

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        metrics_set(family, numbers[i], METRICS_LABELS("q"));
        assert_true(value_of(metrics, "test_depth{queue=\"q\"}") == numbers[i]);
    }
    metrics_set(family, HUGE_VAL, METRICS_LABELS("q"));
    assert_true(isinf(value_of(metrics, "test_depth{queue=\"q\"}")));
    metrics_set(family, NAN, METRICS_LABELS("q"));
    assert_true(isnan(value_of(metrics, "test_depth{queue=\"q\"}")));
    metrics_destroy(metrics);
}

static void a_histogram_is_cumulative(void **state)
{
    static const double values[] = {.05, .1, .5, 5, 50};
    struct metrics *metrics = metrics_create();
    struct metrics_family *family = metrics_add(metrics, &seconds);

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        metrics_observe(family, values[i], METRICS_LABELS("x"));
    assert_float_equal(value_of(metrics, "test_run_duration_seconds_bucket{type=\"x\",le=\"0.1\"}"), 2, 0);
    assert_float_equal(value_of(metrics, "test_run_duration_seconds_bucket{type=\"x\",le=\"1\"}"), 3, 0);
    assert_float_equal(value_of(metrics, "test_run_duration_seconds_bucket{type=\"x\",le=\"10\"}"), 4, 0);
    assert_float_equal(value_of(metrics, "test_run_duration_seconds_bucket{type=\"x\",le=\"+Inf\"}"), 5, 0);
    assert_float_equal(value_of(metrics, "test_run_duration_seconds_sum{type=\"x\"}"), 55.65, 1e-9);
    assert_float_equal(value_of(metrics, "test_run_duration_seconds_count{type=\"x\"}"), 5, 0);
    metrics_destroy(metrics);
}

static void label_sets_are_bounded(void **state)
{
    struct metrics *metrics = metrics_create();
    struct metrics_family *gauge = metrics_add(metrics, &depth);
    struct metrics_family *histogram = metrics_add(metrics, &seconds);
    char *text;

    (void)state;
    for (int i = 0; i < 10; i++) {
        char name[8];

        (void)snprintf(name, sizeof name, "%d", i);
        metrics_set(gauge, i, METRICS_LABELS(name));
        metrics_observe(histogram, 1, METRICS_LABELS(name));
    }
    metrics_set(gauge, 9, METRICS_LABELS("2")); /* those that are there stay in use */
    text = print(metrics);
    assert_null(strstr(text, "queue=\"3\""));
    assert_null(strstr(text, "queue=\"other\""));
    free(text);
    assert_float_equal(value_of(metrics, "test_depth{queue=\"2\"}"), 9, 0);
    assert_float_equal(value_of(metrics, "test_run_duration_seconds_count{type=\"1\"}"), 1, 0);
    assert_float_equal(value_of(metrics, "test_run_duration_seconds_count{type=\"other\"}"), 8, 0);
    assert_float_equal(value_of(metrics, "recfleet_metrics_overflows_total"), 15, 0);
    metrics_destroy(metrics);
}

static void a_cleared_family_forgets_and_begins_anew(void **state)
{
    struct metrics *metrics = metrics_create();
    struct metrics_family *family = metrics_add(metrics, &requests);
    char route[16];
    char *text;

    (void)state;
    for (int round = 0; round < 3; round++) {
        metrics_clear(family);
        for (int i = 0; i < 500; i++) { /* grows its table several times */
            (void)snprintf(route, sizeof route, "/%d/%d", round, i);
            metrics_increase(family, i, METRICS_LABELS(route, "200"));
        }
    }
    text = print(metrics);
    assert_null(strstr(text, "\"/1/7\""));
    free(text);
    assert_float_equal(value_of(metrics, "test_requests_total{route=\"/2/499\",code=\"200\"}"), 499, 0);
    assert_float_equal(value_of(metrics, "recfleet_metrics_overflows_total"), 0, 0);
    metrics_destroy(metrics);
}

static void a_process_tells_of_itself(void **state)
{
    struct metrics *metrics = metrics_create();
    struct metrics_process process;

    (void)state;
    metrics_process_add(&process, metrics, "gateway");
    assert_true(metrics_is_whole(metrics));
    assert_float_equal(value_of(metrics, "recfleet_build_info{program=\"gateway\",version=\"" RECFLEET_VERSION "\"}"),
                       1, 0);
    assert_true(value_of(metrics, "process_resident_memory_bytes") > 1e5);
    assert_true(value_of(metrics, "process_open_fds") >= 3);
    assert_true(value_of(metrics, "process_start_time_seconds") > 1.7e9);
    metrics_destroy(metrics);
}

/* What is left out for want of memory is left out whole; nothing leaks. */
static void it_lives_with_any_failed_allocation(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct metrics *metrics;
        struct metrics_family *family;
        struct str text = {0};

        failing_memory_set(n);
        metrics = metrics_create();
        if (metrics != NULL) {
            family = metrics_add(metrics, &seconds);
            (void)metrics_add(metrics, &plain);
            for (int i = 0; i < 3; i++)
                metrics_observe(family, i, METRICS_LABELS(i > 0 ? "b" : "a"));
            metrics_increase(metrics_add(metrics, &requests), 1, METRICS_LABELS("a", "b"));
            if (!metrics_print(metrics, &text))
                assert_true(failing_memory_has_failed());
        }
        failing_memory_set(0);
        str_fini(&text);
        metrics_destroy(metrics);
        if (!failing_memory_has_failed()) {
            assert_true(n > 10);
            return;
        }
    }
}

/* The reader of the tests finds what it is there for. */
static void the_strict_reader_refuses_what_a_scraper_would(void **state)
{
    static const char *const wrong[] = {
        "",
        "a_total 1\n",
        "# HELP a x\n# TYPE a counter\na 1\n",
        "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total -1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total 1",
        "# HELP a_total x\n# TYPE a_total counter\nb_total 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=c} 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"c} 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"\\x\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na one\n",
        "# HELP a x\n# TYPE a gauge\na 1\n# HELP a x\n# TYPE a gauge\na 2\n",
        "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
        "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
    };
    char problem[256];
    int line;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (metrics_text_check(wrong[i], &line, problem, sizeof problem))
            fail_msg("taken: %s", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_counts_by_its_labels),
        cmocka_unit_test(a_family_without_labels_shows_from_the_start_and_one_with_them_does_not),
        cmocka_unit_test(values_and_help_are_escaped),
        cmocka_unit_test(numbers_read_back_as_they_were),
        cmocka_unit_test(a_histogram_is_cumulative),
        cmocka_unit_test(label_sets_are_bounded),
        cmocka_unit_test(a_cleared_family_forgets_and_begins_anew),
        cmocka_unit_test(a_process_tells_of_itself),
        cmocka_unit_test(it_lives_with_any_failed_allocation),
        cmocka_unit_test(the_strict_reader_refuses_what_a_scraper_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
