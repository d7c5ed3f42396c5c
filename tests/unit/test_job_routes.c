#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/job/job_routes.h"

static void without_routes_all_types_go_to_the_default(void **state)
{
    static const char *const texts[] = {NULL, ""};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct job_routes routes;

        assert_int_equal(job_routes_parse(&routes, texts[i], "train", &err), ERR_OK);
        for (size_t type = 0; type < JOB_TYPE_COUNT; type++)
            assert_string_equal(routes.queue[type], "train");
        assert_int_equal(routes.all.count, 1);
        assert_string_equal(routes.all.names[0], "train");
    }
}

static void each_type_goes_where_it_is_sent_and_the_rest_to_the_star(void **state)
{
    struct job_routes routes;
    struct err err;

    (void)state;
    assert_int_equal(job_routes_parse(&routes, "cross_sell=cpu, warehouse = cpu,*=gpu", "train", &err), ERR_OK);
    assert_string_equal(routes.queue[JOB_CROSS_SELL], "cpu");
    assert_string_equal(routes.queue[JOB_WAREHOUSE], "cpu");
    assert_string_equal(routes.queue[JOB_HOMEPAGE_AND_SIMILAR_PRODUCTS], "gpu");
    assert_string_equal(routes.queue[JOB_HYPERPARAMETER_SEARCH], "gpu");
    assert_int_equal(routes.all.count, 3);
    assert_string_equal(routes.all.names[0], "gpu");
    assert_string_equal(routes.all.names[1], "cpu");
    assert_string_equal(routes.all.names[2], "train"); /* jobs of older routes may still be there */
}

static void a_type_that_is_not_named_goes_to_the_default_where_there_is_no_star(void **state)
{
    struct job_routes routes;
    struct err err;

    (void)state;
    assert_int_equal(job_routes_parse(&routes, "hyperparameter_search=search", "train", &err), ERR_OK);
    assert_string_equal(routes.queue[JOB_HYPERPARAMETER_SEARCH], "search");
    assert_string_equal(routes.queue[JOB_CROSS_SELL], "train");
    assert_int_equal(routes.all.count, 2);
}

static void wrong_routes_are_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"crosssell=cpu", "\"crosssell\" is no type of job"},
        {"cross_sell", "\"cross_sell\" is not TYPE=QUEUE"},
        {"cross_sell=", "\"\" cannot name a queue"},
        {"cross_sell=a b", "\"a b\" cannot name a queue"},
        {"*=a{b}", "\"a{b}\" cannot name a queue"},
        {"cross_sell=a,cross_sell=b", "cross_sell is routed twice"},
        {"*=a,*=a", "* is routed twice"},
        {"cross_sell=cpu,", "\"\" is not TYPE=QUEUE"},
        {"=cpu", "\"\" is no type of job"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct job_routes routes;
        struct err err = {0};

        assert_int_equal(job_routes_parse(&routes, cases[i].text, "train", &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, cases[i].message));
    }
}

static void a_worker_reads_its_queues_in_the_order_given(void **state)
{
    struct job_queue_names names;
    struct err err;

    (void)state;
    assert_int_equal(job_routes_parse_names(&names, "urgent, train,cpu", "train", &err), ERR_OK);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.names[0], "urgent");
    assert_string_equal(names.names[1], "train");
    assert_string_equal(names.names[2], "cpu");
    assert_int_equal(job_routes_parse_names(&names, "", "train", &err), ERR_OK);
    assert_int_equal(names.count, 1);
    assert_string_equal(names.names[0], "train");
    assert_int_equal(job_routes_parse_names(&names, NULL, "cpu", &err), ERR_OK);
    assert_string_equal(names.names[0], "cpu");
}

static void wrong_queues_are_refused_by_name(void **state)
{
    char many[128] = "q0";
    struct job_queue_names names;
    struct err err = {0};

    (void)state;
    assert_int_equal(job_routes_parse_names(&names, "a,b,a", "train", &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "the queue a is named twice"));
    assert_int_equal(job_routes_parse_names(&names, "a,,b", "train", &err), ERR_CONFIG);
    assert_int_equal(job_routes_parse_names(&names, ",", "train", &err), ERR_CONFIG);
    assert_int_equal(job_routes_parse_names(&names, "a:b", "train", &err), ERR_CONFIG);
    for (int i = 1; i < JOB_ROUTES_MAX; i++)
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",q%d", i);
    assert_int_equal(job_routes_parse_names(&names, many, "train", &err), ERR_OK);
    (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",more");
    assert_int_equal(job_routes_parse_names(&names, many, "train", &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "more than 16 queues"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_routes_all_types_go_to_the_default),
        cmocka_unit_test(each_type_goes_where_it_is_sent_and_the_rest_to_the_star),
        cmocka_unit_test(a_type_that_is_not_named_goes_to_the_default_where_there_is_no_star),
        cmocka_unit_test(wrong_routes_are_refused_by_name),
        cmocka_unit_test(a_worker_reads_its_queues_in_the_order_given),
        cmocka_unit_test(wrong_queues_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
