/* SPDX-License-Identifier: MIT */
/*
 * contexts.c - coroutines of ucontext, in a program without tracepoints
 *
 *   contexts swap [N]    generators that swapcontext(), each N times; they end
 *   contexts jump [N]    the same by sigsetjmp() and siglongjmp(); they wait
 *                        for ever when they are done
 * Prints the sum of what they gave.  A generator stands in leave_here(), which
 * waits_here() called; who enters it stands in enter_here().
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { GENERATORS = 3, STACK_BYTES = 65536, TIMES = 4 };

#ifdef __clang__
#define KEEP __attribute__((noinline))
#else
#define KEEP __attribute__((noinline, noclone))
#endif

struct generator {
    ucontext_t context, caller;
    sigjmp_buf self, enterer;
    int number, times;
    long value;
    bool is_done;
    void *stack;
};

static bool by_jumps;

KEEP void leave_here(struct generator *generator);
KEEP void waits_here(struct generator *generator, long value);
KEEP void generate(unsigned low, unsigned high);
KEEP void enter_here(struct generator *generator);
KEEP void make_here(struct generator *generator);

void leave_here(struct generator *generator)
{
    if (!by_jumps) {
        (void)swapcontext(&generator->context, &generator->caller);
    } else if (sigsetjmp(generator->self, 0) == 0) {
        siglongjmp(generator->enterer, 1);
    }
    __asm__ volatile("");
}

void waits_here(struct generator *generator, long value)
{
    generator->value = value;
    leave_here(generator);
    __asm__ volatile("");
}

void generate(unsigned low, unsigned high)
{
    struct generator *generator =
        (struct generator *)((uintptr_t)low | (uintptr_t)high << 32);

    if (by_jumps) {
        waits_here(generator, 0); /* made, not yet asked for anything */
    }
    for (int i = 0; i < generator->times; i++) {
        waits_here(generator, generator->number * 100 + i);
    }
    generator->is_done = true;
    while (by_jumps) {
        waits_here(generator, 0);
    }
}

void enter_here(struct generator *generator)
{
    if (!by_jumps) {
        (void)swapcontext(&generator->caller, &generator->context);
    } else if (sigsetjmp(generator->enterer, 0) == 0) {
        siglongjmp(generator->self, 1);
    }
    __asm__ volatile("");
}

void make_here(struct generator *generator)
{
    if (getcontext(&generator->context)) {
        abort();
    }
    generator->context.uc_stack.ss_sp = generator->stack;
    generator->context.uc_stack.ss_size = STACK_BYTES;
    generator->context.uc_link = &generator->caller;
    makecontext(&generator->context, (void (*)(void))generate, 2,
                (unsigned)(uintptr_t)generator,
                (unsigned)((uintptr_t)generator >> 32));
    /* The first time by its context: it makes its jump buffer. */
    if (by_jumps && sigsetjmp(generator->enterer, 0) == 0) {
        (void)swapcontext(&generator->caller, &generator->context);
    }
}

static long run(int times)
{
    struct generator *generators = calloc(GENERATORS, sizeof(*generators));
    bool is_busy = true;
    long sum = 0;

    for (int i = 0; generators && i < GENERATORS; i++) {
        generators[i].number = i + 1;
        generators[i].times = times;
        generators[i].stack = malloc(STACK_BYTES);
        make_here(&generators[i]);
    }
    while (generators && is_busy) {
        is_busy = false;
        for (int i = 0; i < GENERATORS; i++) {
            if (!generators[i].is_done) {
                is_busy = true;
                enter_here(&generators[i]);
                sum += generators[i].is_done ? 0 : generators[i].value;
            }
        }
    }
    for (int i = 0; generators && i < GENERATORS; i++) {
        free(generators[i].stack);
    }
    free(generators);
    return sum;
}

int main(int argc, char **argv)
{
    by_jumps = argc > 1 && strcmp(argv[1], "jump") == 0;
    printf("%ld\n", run(argc > 2 ? atoi(argv[2]) : TIMES));
    return 0;
}
