/* SPDX-License-Identifier: MIT */
/*
 * What a switch must keep, what a stack must refuse, and what misuse says.
 */
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "ct/coroutine.h"
#include "ct/emit.h"
#include "coroutine/coroutine_int.h"
#include "lib/child.h"
#include "lib/tap.h"

static void coroutine_fn ends(void *opaque)
{
}

/* --- registers ----------------------------------------------------------- */

static void coroutine_fn checks_alignment(void *opaque)
{
    char aligned16[16] __attribute__((aligned(16)));
    char aligned64[64] __attribute__((aligned(64)));
    volatile uintptr_t at16 = (uintptr_t)aligned16;
    volatile uintptr_t at64 = (uintptr_t)aligned64;

    for (int i = 0; i < 2; i++) {
        tap_equal((uintptr_t)__builtin_frame_address(0) % 16, 0);
        tap_equal(at16 % 16, 0);
        tap_equal(at64 % 64, 0);
        coroutine_yield();
    }
}

static void test_alignment(void)
{
    /* One more than the colours of stacks: see pool.c. */
    for (int i = 0; i < 20; i++) {
        Coroutine *co = coroutine_create(checks_alignment, NULL);

        for (int j = 0; j < 3; j++) {
            coroutine_enter(co);
        }
    }
}

/*
 * More values than a function can keep in registers that calls preserve, so
 * that some of each kind are live over the switch.
 */
static void coroutine_fn computes(void *opaque)
{
    uint64_t seed = *(uint64_t *)opaque;
    uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11,
             f = seed * 13, g = seed * 17, h = seed * 19;
    double p = (double)seed, q = p / 3, r = p / 5, s = p / 7, t = p / 11,
           u = p / 13, v = p / 17, w = p / 19, x = p / 23, y = p / 29;
    long double z = (long double)seed / 31;

    for (int i = 0; i < 10; i++) {
        a += b, b += c, c += d, d += e, e += f, f += g, g += h, h += a;
        p += q, q += r, r += s, s += t, t += u, u += v, v += w, w += x, x += y,
            y += p / 1000, z += p;
        if (opaque != NULL) {
            coroutine_yield();
        }
    }
    *(uint64_t *)opaque = (a ^ b ^ c ^ d ^ e ^ f ^ g ^ h) +
                          (uint64_t)(p + q + r + s + t + u + v + w + x + y) +
                          (uint64_t)z;
}

/* Four of them in turn must give what each gives alone. */
static void test_registers(void)
{
    uint64_t alone[4], together[4];
    Coroutine *cos[4];

    for (uint64_t i = 0; i < 4; i++) {
        Coroutine *co = coroutine_create(computes, &alone[i]);

        alone[i] = together[i] = 1000 + i * 77;
        for (int j = 0; j < 11; j++) {
            coroutine_enter(co);
        }
        tap_check(alone[i] != together[i]);
    }
    for (int i = 0; i < 4; i++) {
        cos[i] = coroutine_create(computes, &together[i]);
    }
    for (int j = 0; j < 11; j++) {
        for (int i = 0; i < 4; i++) {
            coroutine_enter(cos[i]);
        }
    }
    for (int i = 0; i < 4; i++) {
        tap_equal(together[i], alone[i]);
    }
}

static char *guard_page; /* of the coroutine that overflows */

static void on_fault(int signal, siginfo_t *info, void *context)
{
    char *at = info->si_addr;

    _exit(at >= guard_page && at < guard_page + sysconf(_SC_PAGESIZE) ? 42
                                                                      : 43);
}

static volatile int overflow_limit = 1 << 20;

static __attribute__((noinline)) int overflows(int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    if (depth < overflow_limit) {
        return overflows(depth + 1) + frame[0];
    }
    return 0;
}

static void coroutine_fn overflows_entry(void *opaque)
{
    guard_page = (char *)coroutine_self()->stack.base - sysconf(_SC_PAGESIZE);
    overflows(0);
}

static void overflow_body(void)
{
    static char handler_stack[65536];
    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof(handler_stack)};
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    coroutine_enter(coroutine_create(overflows_entry, NULL));
}

static void test_guard_page(void)
{
    char text[4096];

    tap_equal(in_child(overflow_body, text, sizeof(text)), 42);
}

/* --- frames -------------------------------------------------------------- */
/* Frame pointers lead from an event in a coroutine to the trampoline's frame.
 */
static int frames_walked;

static void walk(const struct fake_event *event)
{
    Coroutine *self = coroutine_self();
    void **frame = __builtin_frame_address(0);

    if (event->event != CT_EV_COROUTINE_YIELD) {
        return;
    }
    frames_walked = 0;
    while (frame != self->stack_entry.frame && frames_walked < 100) {
        void **next = frame[0];

        tap_check(next > frame);
        frame = next;
        frames_walked++;
    }
}

static __attribute__((noinline)) void coroutine_fn yields_at(int depth)
{
    if (depth > 0) {
        yields_at(depth - 1);
    } else {
        coroutine_yield();
    }
    __asm__ volatile("" ::: "memory"); /* not a tail call */
}

static void coroutine_fn yields_deep(void *opaque)
{
    yields_at(20);
}

static void test_frames_reach_the_trampoline(void)
{
    Coroutine *co = coroutine_create(yields_deep, NULL);

    fake_emit = walk;
    coroutine_enter(co);
    fake_emit = NULL;
    tap_check(frames_walked >= 22 && frames_walked < 30);
    coroutine_enter(co);
}

/* --- misuse -------------------------------------------------------------- */

static void scheduled_body(void)
{
    Coroutine *co = coroutine_create(ends, NULL);

    co->scheduled = "some_function";
    coroutine_enter(co);
}

static void coroutine_fn enters_itself(void *opaque)
{
    coroutine_enter(coroutine_self());
}

static void reenter_body(void)
{
    coroutine_enter(coroutine_create(enters_itself, NULL));
}

static void coroutine_fn enters_its_enterer(void *opaque)
{
    coroutine_enter(opaque);
}

static void coroutine_fn is_entered_by_its_child(void *opaque)
{
    coroutine_enter(coroutine_create(enters_its_enterer, coroutine_self()));
}

static void recursion_body(void)
{
    coroutine_enter(coroutine_create(is_entered_by_its_child, NULL));
}

static void yield_body(void)
{
    coroutine_yield();
}

static void yield_after_body(void)
{
    coroutine_enter(coroutine_create(ends, NULL));
    coroutine_yield();
}

static void coroutine_fn ends_with_lock(void *opaque)
{
    coroutine_self()->locks_held++;
}

static void lock_body(void)
{
    coroutine_enter(coroutine_create(ends_with_lock, NULL));
}

static void wake_body(void)
{
    coroutine_queue_wake(coroutine_create(ends, NULL));
}

static void test_misuse(void)
{
    static const struct {
        void (*body)(void);
        const char *says;
    } cases[] = {
        {scheduled_body, "Co-routine was already scheduled in 'some_function'"},
        {scheduled_body, "[coroutine-enter/not-scheduled]"},
        {reenter_body, "Co-routine re-entered recursively"},
        {recursion_body, "[coroutine-enter/not-entered]"},
        {yield_body, "Co-routine is yielding to no one"},
        {yield_after_body, "[coroutine-yield/in-coroutine]"},
        {lock_body, "[coroutine-terminate/no-locks-held]"},
        {wake_body, "[coroutine-queue-wake/in-coroutine]"},
    };
    char text[4096];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tap_equal(in_child(cases[i].body, text, sizeof(text)), 128 + SIGABRT);
        if (strstr(text, cases[i].says) == NULL) {
            printf("# no \"%s\" in: %s\n", cases[i].says, text);
            tap_faults++;
        }
    }
}

/* What the outermost frame has left behind must not outlive the mapping. */
static void test_marks_of_address_sanitizer(void)
{
#ifdef CT_FIBER_ASAN
    struct coroutine_stack stack;
    struct coroutine_fiber fiber;

    coroutine_stack_map(&stack);
    fiber_init(&fiber, stack.base, stack.bytes);
    __asan_poison_memory_region((char *)stack.base + stack.bytes - 256, 64);
    fiber_fini(&fiber);
    tap_check(__asan_region_is_poisoned(stack.base, stack.bytes) == NULL);
    coroutine_stack_unmap(&stack);
#else
    printf("# without AddressSanitizer there are none\n");
#endif
}

int main(void)
{
    /*
     * What forks goes first: ThreadSanitizer counts fibers as threads, and
     * stops to follow synchronisation in the child of a process with several.
     */
    tap_run("/coroutine/guard-page", test_guard_page);
    tap_run("/coroutine/misuse", test_misuse);
    tap_run("/coroutine/alignment", test_alignment);
    tap_run("/coroutine/registers", test_registers);
    tap_run("/coroutine/frames-reach-the-trampoline",
            test_frames_reach_the_trampoline);
    tap_run("/coroutine/marks-of-address-sanitizer",
            test_marks_of_address_sanitizer);
    return tap_end();
}
