#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/als/pcg64.h"

struct vector {
    uint64_t seed;
    uint64_t state_high, state_low;
    uint64_t increment_high, increment_low;
    uint64_t first;
};

/* numpy's PCG64(seed).state and first random_raw(); 42, 7, 2024 and 123 are the golden data's */
static const struct vector vectors[] = {
    {0, 0x1aa1b5345996452d, 0x09585eb7a69561e3, 0x418ddadb3af71a82, 0x588133bc447873a9, 0xa30febcfd9c2825f},
    {42, 0xcea44f6798798f2a, 0xacbc7c9d68860ac8, 0xfa505436c9a8416e, 0x66caf2e28d25abff, 0xc621fbcd16d92688},
    {7, 0x9d0aecc4e7b18891, 0x9ae2415a6b292038, 0xc4751896ce8acebf, 0x66887f5ac070d959, 0xa00641a9f1e54a8b},
    {2024, 0x30854d7e4a72efbf, 0x6956825c3204f31e, 0xc67e5ec6f768fa51, 0xdf440b34fffb7769, 0xad0348563dd4cae8},
    {123, 0x786df8ae32b3fe64, 0x5bee00f1ac1e7b4d, 0x0d4e48fee886333a, 0x26dbcfc7823f9c3b, 0xaeae9c9903f3e9cd},
    {UINT32_MAX, 0x4c233832246aa48c, 0xc57a3ce19c86ba9a, 0xda9580daf0fe872c, 0xad12d969e7b701fb, 0x407f5fa930d8fd9f},
    {1ULL << 32, 0x24d060cf1520dbdd, 0x21bbf7fbff1ac5d4, 0x77ff3ed86c5c5633, 0x7b62eea7340ca9c7, 0xe3c5ebe285ac1625},
    {UINT64_MAX, 0xddc419442aebde79, 0x4d8b0a3b048acdb0, 0x37762aacb3cc854f, 0x4ed623c7d18951ed, 0xae163a7a8c47568f},
};

static void every_seed_gives_numpys_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct pcg64 generator;

        pcg64_seed(&generator, vectors[i].seed);
        assert_int_equal(generator.state_high, vectors[i].state_high);
        assert_int_equal(generator.state_low, vectors[i].state_low);
        assert_int_equal(generator.increment_high, vectors[i].increment_high);
        assert_int_equal(generator.increment_low, vectors[i].increment_low);
        assert_int_equal(pcg64_next(&generator), vectors[i].first);
    }
}

static void floats_are_numpys(void **state)
{
    static const float expected[] = {0.08925092F, 0.773956F, 0.6545715F, 0.43887842F, 0.43301523F, 0.8585979F};
    struct pcg64 generator;

    (void)state;
    pcg64_seed(&generator, 42);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_float_equal(pcg64_next_float(&generator), expected[i], 1e-7F);
}

static void a_double_leaves_the_spare_half_for_the_next_float(void **state)
{
    struct pcg64 generator;

    (void)state;
    pcg64_seed(&generator, 42);
    for (int i = 0; i < 3; i++)
        (void)pcg64_next_float(&generator);
    assert_float_equal(pcg64_next_double(&generator), 0.85859792, 1e-8);
    assert_float_equal(pcg64_next_double(&generator), 0.69736803, 1e-8);
    assert_float_equal(pcg64_next_float(&generator), 0.43887842F, 1e-7F);
    assert_float_equal(pcg64_next_float(&generator), 0.20146948F, 1e-7F);
}

static void doubles_are_numpys(void **state)
{
    struct pcg64 generator;

    (void)state;
    pcg64_seed(&generator, 123);
    assert_true(pcg64_next_double(&generator) == 0.6823518632481435);
    pcg64_seed(&generator, (1ULL << 40) + 5);
    assert_true(pcg64_next_double(&generator) == 0.004739459374490829);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_seed_gives_numpys_state),
        cmocka_unit_test(floats_are_numpys),
        cmocka_unit_test(a_double_leaves_the_spare_half_for_the_next_float),
        cmocka_unit_test(doubles_are_numpys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
