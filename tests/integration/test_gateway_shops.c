/* Several shops at the gateway: who is known, and the file of them read anew by SIGHUP. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/gateway_fixture.h"

struct scene {
    struct gateway_fixture fixture;
    char setting[64]; /* NAMESPACES_FILE=… */
};

static void write_shops(const struct scene *scene, const char *text)
{
    FILE *file = fopen(strchr(scene->setting, '=') + 1, "w");

    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int start(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    int fd;

    *state = scene;
    if (scene == NULL)
        return -1;
    (void)snprintf(scene->setting, sizeof scene->setting, "NAMESPACES_FILE=/tmp/recfleet-shops-XXXXXX");
    fd = mkstemp(strchr(scene->setting, '=') + 1);
    if (fd < 0)
        return -1;
    (void)close(fd);
    write_shops(scene, "{\"toys\":{\"API_URL\":\"http://toys.example\",\"BEARER_TOKEN\":\"hush\"}}");
    return 0;
}

static int stop(void **state)
{
    struct scene *scene = *state;

    gateway_fixture_stop(&scene->fixture);
    (void)unlink(strchr(scene->setting, '=') + 1);
    free(scene);
    return 0;
}

/* The status of a submission for a shop; NULL: it names none. */
static int submit(struct scene *scene, const char *shop)
{
    char body[160];

    if (shop != NULL)
        (void)snprintf(body, sizeof body,
                       "{\"type\":\"homepage_and_similar_products\",\"params\":{\"namespace\":\"%s\"}}", shop);
    else
        (void)snprintf(body, sizeof body, "{\"type\":\"homepage_and_similar_products\"}");
    return gateway_fixture_status(&scene->fixture, "POST", "/v1/jobs", AS_JSON, body);
}

static void sighup_reads_the_shops_anew_and_keeps_them_where_it_cannot(void **state)
{
    struct scene *scene = *state;
    const char *const settings[] = {scene->setting, NULL};

    gateway_fixture_start(&scene->fixture, settings, false);
    assert_int_equal(submit(scene, "toys"), 202);
    assert_int_equal(submit(scene, NULL), 202); /* that of API_NAMESPACE needs no place in the file */
    assert_int_equal(submit(scene, "books"), 422);
    write_shops(scene, "{\"toys\":{\"API_URLL\":\"x\"},\"books\":{}}");
    assert_int_equal(kill(scene->fixture.gateway.pid, SIGHUP), 0);
    gateway_fixture_wait_for_log(&scene->fixture, "toys: API_URLL is no setting of a shop");
    assert_int_equal(submit(scene, "books"), 422);
    assert_int_equal(submit(scene, "toys"), 409); /* still known: there is a live job of it */
    write_shops(scene, "{\"books\":{}}");
    assert_int_equal(kill(scene->fixture.gateway.pid, SIGHUP), 0);
    gateway_fixture_wait_for_log(&scene->fixture, "shops.reloaded");
    assert_int_equal(submit(scene, "books"), 202);
    assert_int_equal(submit(scene, "toys"), 422);
}

static void without_a_default_a_job_must_name_its_shop(void **state)
{
    struct scene *scene = *state;
    const char *const settings[] = {scene->setting, "API_NAMESPACE=", NULL};

    gateway_fixture_start(&scene->fixture, settings, false);
    assert_int_equal(submit(scene, NULL), 422);
    assert_int_equal(submit(scene, "shop"), 422);
    assert_int_equal(submit(scene, "toys"), 202);
    assert_int_equal(gateway_fixture_status(&scene->fixture, "GET", LEGACY, WITH_KEY, NULL), 400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sighup_reads_the_shops_anew_and_keeps_them_where_it_cannot),
        TEST(without_a_default_a_job_must_name_its_shop),
    };

    return cmocka_run_group_tests_name("gateway shops", tests, NULL, NULL);
}
