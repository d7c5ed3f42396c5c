#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "worker/pipeline/free_memory.h"

#define MEMINFO "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    2000 kB\n"

enum { ROOT_BYTES = 64 };

static int set_up(void **state)
{
    char *root = malloc(ROOT_BYTES);

    assert_non_null(root);
    (void)snprintf(root, ROOT_BYTES, "/tmp/free-memory-XXXXXX");
    assert_non_null(mkdtemp(root));
    *state = root;
    return 0;
}

static int tear_down(void **state)
{
    char command[ROOT_BYTES + 16];

    (void)snprintf(command, sizeof command, "rm -r '%s'", (const char *)*state);
    assert_int_equal(system(command), 0);
    free(*state);
    return 0;
}

/* Makes the folders above it too. */
static void put(const char *root, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void without_a_group_it_is_what_the_machine_has(void **state)
{
    put(*state, "/proc/meminfo", MEMINFO);
    assert_int_equal(free_memory_read(*state), 2000 * 1024);
}

static void where_nothing_is_told_nothing_is_known(void **state)
{
    assert_int_equal(free_memory_read(*state), 0);
}

static void a_group_s_limit_less_its_use_counts_and_idle_file_pages_are_free(void **state)
{
    put(*state, "/proc/meminfo", MEMINFO);
    put(*state, "/proc/self/cgroup", "0::/\n");
    put(*state, "/sys/fs/cgroup/memory.max", "1000000\n");
    put(*state, "/sys/fs/cgroup/memory.current", "900000\n");
    assert_int_equal(free_memory_read(*state), 100000);
    put(*state, "/sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 300000\n");
    assert_int_equal(free_memory_read(*state), 400000);
    put(*state, "/sys/fs/cgroup/memory.current", "2000000\n");
    assert_int_equal(free_memory_read(*state), 1);
    put(*state, "/sys/fs/cgroup/memory.max", "max\n");
    assert_int_equal(free_memory_read(*state), 2000 * 1024);
}

static void the_tightest_of_nested_groups_counts(void **state)
{
    put(*state, "/proc/meminfo", MEMINFO);
    put(*state, "/proc/self/cgroup", "0::/shop/worker\n");
    put(*state, "/sys/fs/cgroup/shop/worker/memory.max", "max\n");
    put(*state, "/sys/fs/cgroup/shop/worker/memory.current", "5\n");
    put(*state, "/sys/fs/cgroup/shop/memory.max", "700000\n");
    put(*state, "/sys/fs/cgroup/shop/memory.current", "200000\n");
    assert_int_equal(free_memory_read(*state), 500000);
}

static void groups_of_version_1_count_too(void **state)
{
    put(*state, "/proc/meminfo", MEMINFO);
    put(*state, "/proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/1\n");
    put(*state, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "600000\n");
    put(*state, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "100000\n");
    assert_int_equal(free_memory_read(*state), 500000);
}

static void this_machine_has_some(void **state)
{
    (void)state;
    assert_true(free_memory_read("") > 1 << 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_group_it_is_what_the_machine_has),
        TEST(where_nothing_is_told_nothing_is_known),
        TEST(a_group_s_limit_less_its_use_counts_and_idle_file_pages_are_free),
        TEST(the_tightest_of_nested_groups_counts),
        TEST(groups_of_version_1_count_too),
        cmocka_unit_test(this_machine_has_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
