#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "cuda_runtime.h"

/* Built without sanitizers, whose part in each switch of stacks would be most of the time; they are told of it. */
#ifdef FIBERS_ARE_ANNOTATED
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size)             ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size)           ((void)(memory), (void)(size))
#define __sanitizer_start_switch_fiber(save, bottom, size)  ((void)(save), (void)(bottom), (void)(size))
#define __sanitizer_finish_switch_fiber(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#endif

enum { MOST_THREADS = 256, WARP = 32, STACK_BYTES = 65536, SHARED_DOUBLES = 6144 }; /* 48 kB */

enum state { RUNS, WAITS_FOR_WARP, WAITS_FOR_BLOCK, IS_DONE };

struct fiber {
    ucontext_t first;
    jmp_buf here;
    bool has_begun;
    void *fake_stack;
    alignas(16) unsigned char stack[STACK_BYTES];
};

struct machine {
    struct fiber *fibers; /* from the first launch on: they go from kernel to kernel */
    enum state states[MOST_THREADS];
    unsigned exchanges[MOST_THREADS]; /* by its parity the slot: no lane can be two exchanges ahead of another */
    uint64_t slots[MOST_THREADS][2];
    unsigned threads;
    unsigned phase; /* barriers so far: the order of threads depends on it */
    unsigned current;
    jmp_buf here;
    void *fake_stack;
    const void *bottom;
    size_t size;
    void (*run)(void *);
    void *context;
};

double shared_memory[SHARED_DOUBLES];
dim3 threadIdx;
dim3 blockIdx;
dim3 blockDim;
dim3 gridDim;

static struct machine machine;

static void leave_fiber(struct fiber *fiber)
{
    __sanitizer_start_switch_fiber(&fiber->fake_stack, machine.bottom, machine.size);
    if (_setjmp(fiber->here) == 0)
        _longjmp(machine.here, 1);
    fiber = &machine.fibers[machine.current];
    __sanitizer_finish_switch_fiber(fiber->fake_stack, nullptr, nullptr);
    threadIdx.x = machine.current;
}

static void wait_as(enum state state)
{
    machine.states[machine.current] = state;
    leave_fiber(&machine.fibers[machine.current]);
}

/* One kernel after the other. */
static void run_fiber()
{
    __sanitizer_finish_switch_fiber(nullptr, &machine.bottom, &machine.size);
    for (;;) {
        threadIdx.x = machine.current;
        machine.run(machine.context);
        wait_as(IS_DONE);
    }
}

static void enter_fiber(unsigned index)
{
    struct fiber *fiber = &machine.fibers[index];

    machine.current = index;
    threadIdx.x = index;
    __sanitizer_start_switch_fiber(&machine.fake_stack, fiber->stack, STACK_BYTES);
    if (_setjmp(machine.here) == 0) {
        if (fiber->has_begun)
            _longjmp(fiber->here, 1);
        fiber->has_begun = true;
        (void)getcontext(&fiber->first);
        fiber->first.uc_stack.ss_sp = fiber->stack;
        fiber->first.uc_stack.ss_size = STACK_BYTES;
        fiber->first.uc_link = nullptr;
        makecontext(&fiber->first, run_fiber, 0);
        (void)setcontext(&fiber->first);
    }
    __sanitizer_finish_switch_fiber(machine.fake_stack, nullptr, nullptr);
}

static unsigned count_in(unsigned first, unsigned count, enum state state)
{
    unsigned found = 0;

    for (unsigned i = first; i < first + count; i++)
        found += machine.states[i] == state;
    return found;
}

static void release(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        machine.states[i] = RUNS;
}

/* Lets go on who waits and may. False where nobody can. */
static bool release_waiting()
{
    bool moved = false;

    for (unsigned first = 0; first < machine.threads; first += WARP) {
        if (count_in(first, WARP, WAITS_FOR_WARP) == WARP) {
            release(first, WARP);
            moved = true;
        }
    }
    if (count_in(0, machine.threads, WAITS_FOR_BLOCK) == machine.threads) {
        release(0, machine.threads);
        machine.phase++;
        moved = true;
    }
    return moved;
}

static void run_block()
{
    release(0, machine.threads);
    while (count_in(0, machine.threads, IS_DONE) < machine.threads) {
        unsigned start = machine.phase * 37 % machine.threads; /* another order after each barrier */
        bool forward = machine.phase % 2 == 0;

        for (unsigned i = 0; i < machine.threads; i++) {
            unsigned index = (start + (forward ? i : machine.threads - i)) % machine.threads;

            if (machine.states[index] == RUNS)
                enter_fiber(index);
        }
        if (!release_waiting() && count_in(0, machine.threads, IS_DONE) < machine.threads) {
            (void)fprintf(stderr, "block %u, %u: of %u threads %u wait at a barrier, %u for their warp, %u are done\n",
                          blockIdx.x, blockIdx.y, machine.threads, count_in(0, machine.threads, WAITS_FOR_BLOCK),
                          count_in(0, machine.threads, WAITS_FOR_WARP), count_in(0, machine.threads, IS_DONE));
            abort();
        }
    }
}

void __syncthreads()
{
    wait_as(WAITS_FOR_BLOCK);
}

void __syncwarp()
{
    wait_as(WAITS_FOR_WARP);
}

uint64_t cuda_emulation_exchange(uint64_t value, int source)
{
    unsigned thread = machine.current;
    unsigned slot = machine.exchanges[thread]++ % 2;

    machine.slots[thread][slot] = value;
    wait_as(WAITS_FOR_WARP);
    return machine.slots[thread - thread % WARP + (unsigned)source][slot];
}

unsigned __ballot_sync(unsigned, bool value)
{
    unsigned thread = machine.current;
    unsigned slot = machine.exchanges[thread]++ % 2;
    unsigned ballot = 0;

    machine.slots[thread][slot] = value;
    wait_as(WAITS_FOR_WARP);
    for (unsigned lane = 0; lane < WARP; lane++)
        ballot |= (unsigned)machine.slots[thread - thread % WARP + lane][slot] << lane;
    return ballot;
}

cudaError_t cuda_emulation_launch(const cudaLaunchConfig_t *config, void (*run)(void *), void *context)
{
    cuda_emulation_get()->launches++;
    if (!cuda_emulation_is_there())
        return cudaErrorIllegalAddress;
    if (config->blockDim.x % WARP != 0 || config->blockDim.x > MOST_THREADS || config->gridDim.x == 0 ||
        config->gridDim.x > INT32_MAX || config->gridDim.y == 0 || config->gridDim.y > 65535 ||
        config->dynamicSmemBytes > sizeof shared_memory)
        return cudaErrorInvalidConfiguration;
    if (machine.fibers == nullptr)
        machine.fibers = static_cast<struct fiber *>(calloc(MOST_THREADS, sizeof(struct fiber)));
    if (machine.fibers == nullptr)
        return cudaErrorMemoryAllocation;
    machine.threads = config->blockDim.x;
    machine.phase = 0;
    machine.run = run;
    machine.context = context;
    blockDim = config->blockDim;
    gridDim = config->gridDim;
    ASAN_POISON_MEMORY_REGION((char *)shared_memory + config->dynamicSmemBytes,
                              sizeof shared_memory - config->dynamicSmemBytes);
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++) {
        for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++) {
            memset(shared_memory, 0xff, config->dynamicSmemBytes);
            run_block();
        }
    }
    ASAN_UNPOISON_MEMORY_REGION(shared_memory, sizeof shared_memory);
    return cudaSuccess;
}
