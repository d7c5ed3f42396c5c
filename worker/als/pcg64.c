#include "worker/als/pcg64.h"

#include <stddef.h>

enum { POOL_WORDS = 4, SEED_WORDS = 8 };

/* Constants of numpy.random.SeedSequence (after O'Neill's seed_seq). */
static const uint32_t INIT_A = 0x43b0d7e5;
static const uint32_t MULTIPLIER_A = 0x931e8875;
static const uint32_t INIT_B = 0x8b51f9dd;
static const uint32_t MULTIPLIER_B = 0x58f38ded;
static const uint32_t MIX_LEFT = 0xca01f9dd;
static const uint32_t MIX_RIGHT = 0x4973f715;

/* The 128-bit multiplier of PCG64. */
static const uint64_t MULTIPLIER_HIGH = 2549297995355413924;
static const uint64_t MULTIPLIER_LOW = 4865540595714422341;

static uint32_t hash_word(uint32_t value, uint32_t *constant)
{
    value ^= *constant;
    *constant *= MULTIPLIER_A;
    value *= *constant;
    return value ^ (value >> 16);
}

static uint32_t mix_words(uint32_t left, uint32_t right)
{
    uint32_t mixed = MIX_LEFT * left - MIX_RIGHT * right;

    return mixed ^ (mixed >> 16);
}

/* words[SEED_WORDS]: SeedSequence(seed).generate_state(8, uint32) */
static void spread_seed(uint32_t *words, uint64_t seed)
{
    const uint32_t entropy[POOL_WORDS] = {(uint32_t)seed, (uint32_t)(seed >> 32), 0, 0};
    uint32_t pool[POOL_WORDS];
    uint32_t constant = INIT_A;

    for (size_t i = 0; i < POOL_WORDS; i++)
        pool[i] = hash_word(entropy[i], &constant);
    for (size_t from = 0; from < POOL_WORDS; from++) {
        for (size_t to = 0; to < POOL_WORDS; to++) {
            if (from != to)
                pool[to] = mix_words(pool[to], hash_word(pool[from], &constant));
        }
    }
    constant = INIT_B;
    for (size_t i = 0; i < SEED_WORDS; i++) {
        uint32_t word = pool[i % POOL_WORDS] ^ constant;

        constant *= MULTIPLIER_B;
        word *= constant;
        words[i] = word ^ (word >> 16);
    }
}

/* The high half of a * b. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    uint64_t a_low = a & UINT32_MAX;
    uint64_t a_high = a >> 32;
    uint64_t b_low = b & UINT32_MAX;
    uint64_t b_high = b >> 32;
    uint64_t middle = a_high * b_low + ((a_low * b_low) >> 32); /* no overflow: (2^32-1)^2 + 2^32-1 < 2^64 */
    uint64_t other = a_low * b_high + (middle & UINT32_MAX);

    return a_high * b_high + (middle >> 32) + (other >> 32);
}

static void add(struct pcg64 *generator, uint64_t high, uint64_t low)
{
    generator->state_low += low;
    generator->state_high += high + (generator->state_low < low ? 1 : 0);
}

/* state = state * multiplier + increment, modulo 2^128 */
static void step(struct pcg64 *generator)
{
    uint64_t high = multiply_high(generator->state_low, MULTIPLIER_LOW) + generator->state_high * MULTIPLIER_LOW +
                    generator->state_low * MULTIPLIER_HIGH;

    generator->state_low *= MULTIPLIER_LOW;
    generator->state_high = high;
    add(generator, generator->increment_high, generator->increment_low);
}

void pcg64_seed(struct pcg64 *generator, uint64_t seed)
{
    uint32_t words[SEED_WORDS];
    uint64_t halves[SEED_WORDS / 2]; /* state high, low; stream high, low */

    spread_seed(words, seed);
    for (size_t i = 0; i < SEED_WORDS / 2; i++)
        halves[i] = words[2 * i] | ((uint64_t)words[2 * i + 1] << 32);
    *generator = (struct pcg64){
        .increment_high = (halves[2] << 1) | (halves[3] >> 63),
        .increment_low = (halves[3] << 1) | 1,
    };
    step(generator);
    add(generator, halves[0], halves[1]);
    step(generator);
}

uint64_t pcg64_next(struct pcg64 *generator)
{
    uint64_t folded;
    unsigned turn;

    step(generator);
    folded = generator->state_high ^ generator->state_low;
    turn = (unsigned)(generator->state_high >> 58);
    return (folded >> turn) | (folded << ((64 - turn) & 63));
}

double pcg64_next_double(struct pcg64 *generator)
{
    return (double)(pcg64_next(generator) >> 11) * 0x1p-53;
}

float pcg64_next_float(struct pcg64 *generator)
{
    uint32_t half;

    if (generator->has_spare) {
        half = generator->spare;
        generator->has_spare = false;
    } else {
        uint64_t both = pcg64_next(generator);

        half = (uint32_t)both;
        generator->spare = (uint32_t)(both >> 32);
        generator->has_spare = true;
    }
    return (float)(half >> 8) * 0x1p-24f;
}
