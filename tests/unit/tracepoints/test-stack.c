/* SPDX-License-Identifier: MIT */
/*
 * test-stack.c - a stack is what the unwinder of the system sees, whoever
 * called, and what is wrong with a frame pointer does no harm
 *
 * The truth is glibc's backtrace().  Here the provider's stack code runs with a
 * recorder of the test's own, on every machine (ct/emit.h is a stand-in).
 */
#include <alloca.h>
#include <execinfo.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <ucontext.h>

#include "ct/emit.h"

#include "intern.h"
#include "known.h"
#include "no-frame.h"
#include "stack_int.h"
#include "told.h"

#include "lib/child.h"
#include "lib/tap.h"

enum { FRAMES_MAX = 512 };

#define NO_INLINE __attribute__((noinline))
#define HERE()    __asm__ volatile("" ::: "memory")

/* In the place of an emitter. */
NO_INLINE static uint64_t emit(void)
{
    return ct_stack_capture(__builtin_frame_address(0));
}

/* The stack from here, told, must be what backtrace() sees. */
NO_INLINE static bool compare_with_truth(void)
{
    void *truth[FRAMES_MAX];
    uint64_t frames[FRAMES_MAX];
    bool limit;
    uint64_t id = emit();
    int n_truth = backtrace(truth, FRAMES_MAX);
    unsigned n = told_whole(id, frames, FRAMES_MAX, &limit);

    tap_check(id != 0 && !told_too_early());
    tap_check(told_is_truth(frames, n, truth, n_truth));
    return limit;
}

static void check_truth(void)
{
    tap_check(!compare_with_truth());
}

/* Where it may be unknown whether the stack goes on. */
static void check_truth_or_less(void)
{
    compare_with_truth();
}

NO_INLINE static void nested(unsigned depth, void (*leaf)(void))
{
    if (depth > 0) {
        nested(depth - 1, leaf);
    } else {
        leaf();
    }
    HERE();
}

/* Unwound and told once, then known. */
static void check_again(void)
{
    unsigned counts[3];

    for (volatile int i = 0; i < 3; i++) { /* from one place */
        nested(5, check_truth);
        counts[i] = told_count();
    }
    tap_equal(counts[1], counts[0]);
    tap_equal(counts[2], counts[0]);
}

static void *thread_main(void *opaque)
{
    void (*body)(void) = *(void (**)(void))opaque;

    body();
    HERE();
    return NULL;
}

static void in_thread(void (*body)(void))
{
    pthread_t thread;

    tap_check(pthread_create(&thread, NULL, thread_main, &body) == 0);
    pthread_join(thread, NULL);
}

static void test_thread(void)
{
    in_thread(check_again);
}

/* --- called by foreign code ------------------------------------------------*/

static int compare_undeclared(const void *a, const void *b)
{
    nested(2, check_truth);
    return *(const int *)a - *(const int *)b;
}

static int compare_declared(const void *a, const void *b)
{
    struct ct_stack_entry entry;

    ct_stack_enter(&entry);
    nested(2, check_truth);
    tap_check(entry.outer_known && entry.outer != 0);
    nested(2, check_truth);
    ct_stack_leave(&entry);
    return *(const int *)a - *(const int *)b;
}

NO_INLINE static void sort(int (*compare)(const void *, const void *))
{
    int numbers[] = {3, 1, 2};

    qsort(numbers, 3, sizeof(numbers[0]), compare);
    HERE();
}

static void test_undeclared(void)
{
    sort(compare_undeclared);
    sort(compare_undeclared);
}

static void test_declared(void)
{
    struct ct_stack_entry *before = ct_stack_current;

    sort(compare_declared);
    sort(compare_declared);
    tap_check(ct_stack_current == before);
}

static void both_kinds(void)
{
    test_undeclared();
    test_declared();
}

static void test_called_in_thread(void)
{
    in_thread(both_kinds);
}

static void leave_wrong(void)
{
    struct ct_stack_entry outer, inner;

    ct_stack_enter(&outer);
    ct_stack_enter(&inner);
    ct_stack_leave(&outer);
}

static void test_leave_wrong(void)
{
    char text[512];

    tap_equal(in_child(leave_wrong, text, sizeof(text)), 128 + SIGABRT);
    tap_check(strstr(text, "[stack-leave/current]"));
}

/* --- coroutines ------------------------------------------------------------*/

static uint64_t coroutine_stack;

/* As a coroutine's first function does it. */
NO_INLINE static void as_coroutine(void)
{
    struct ct_stack_entry entry, *caller;

    ct_stack_coroutine_entry(&entry);
    caller = ct_stack_switch(&entry);
    coroutine_stack = emit();
    tap_check(ct_stack_switch(caller) == &entry);
}

static void test_coroutine(void)
{
    const struct told_piece *told;

    nested(3, as_coroutine);
    told = told_find(coroutine_stack);
    tap_check(told && told->piece.n == 1 && told->piece.outer == 0 &&
              !told->piece.limit);
}

NO_INLINE static void further_down(size_t bytes)
{
    volatile char *room = alloca(bytes);

    room[0] = 1;
    as_coroutine();
    room[bytes - 1] = 1;
}

enum { WORDS = 64 };

/* Two frames, the second @second words behind the first; the rest may not be
 * looked at by code that a sanitizer watches. */
static void make_stack(uintptr_t *words, unsigned second)
{
    words[0] = (uintptr_t)&words[second];
    words[1] = 0x1234;
    words[second] = (uintptr_t)&words[WORDS];
    words[second + 1] = 0x5678;
    ASAN_POISON_MEMORY_REGION(&words[2], (WORDS - 2) * sizeof(*words));
}

NO_INLINE __attribute__((no_sanitize("address", "thread"))) static uint64_t
find_or_learn(uintptr_t *words, uint64_t learn_as)
{
    const struct ct_piece piece = {.n = 2, .outer = 7};
    uintptr_t distance = WORDS * sizeof(*words);
    const struct ct_known *known = ct_known_find(words, distance, 7);

    if (learn_as) {
        ct_known_learn(words, distance, &piece, learn_as);
    }
    return known ? known->id : 0;
}

/* Alike but for where their second frame lies: each is compared with all, at
 * places where it may have anything. */
static void test_known_alike(void)
{
    static uintptr_t stacks[3][WORDS + 2] __attribute__((aligned(8)));

    (void)emit(); /* the thread has a table */
    tap_check(ct_known_table != NULL);
    for (unsigned i = 0; i < 3; i++) {
        make_stack(stacks[i], 10 + 10 * i);
        tap_equal(find_or_learn(stacks[i], i + 1), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        tap_equal(find_or_learn(stacks[i], 0), i + 1);
        ASAN_UNPOISON_MEMORY_REGION(stacks[i], sizeof(stacks[i]));
    }
}

/* The same stack in another place is known, and has the same id. */
static void test_known_anywhere(void)
{
    unsigned count;
    uint64_t first;

    further_down(64);
    further_down(64);
    first = coroutine_stack;
    count = told_count();
    further_down(4096);
    tap_equal(coroutine_stack, first);
    tap_equal(told_count(), count);
}

static int compare_in_coroutine(const void *a, const void *b)
{
    const struct told_piece *told, *outer;

    told = told_find(emit());
    tap_check(told && told->piece.n == 1 && !told->piece.limit);
    outer = told ? told_find(told->piece.outer) : NULL;
    tap_check(outer && !outer->piece.limit && outer->piece.outer == 0);
    /* from qsort to the coroutine's first function, not to main */
    tap_check(outer && outer->piece.n >= 2 &&
              ct_is_own_code(outer->piece.frames[outer->piece.n - 1]) &&
              !ct_is_own_code(outer->piece.frames[0]));
    return 0;
}

NO_INLINE static void called_in_coroutine(void)
{
    struct ct_stack_entry entry, *caller;

    ct_stack_coroutine_entry(&entry);
    caller = ct_stack_switch(&entry);
    sort(compare_in_coroutine);
    ct_stack_switch(caller);
}

static void test_called_in_coroutine(void)
{
    nested(3, called_in_coroutine);
}

static ucontext_t back;

static void on_other_stack(void)
{
    nested(2, check_truth_or_less);
    HERE();
}

/* A stack that nobody told us of, beside a thread's entry and without one. */
static void other_stack(void)
{
    static _Alignas(16) char stack[512 * 1024];
    ucontext_t context;

    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = sizeof(stack);
    context.uc_link = &back;
    makecontext(&context, on_other_stack, 0);
    swapcontext(&back, &context);
}

static void test_other_stack(void)
{
    other_stack();
    in_thread(other_stack);
}

/* --- limits -------------------------------------------------------------- */

static uint64_t last_id;

static void take_id(void)
{
    last_id = emit();
}

static void test_long(void)
{
    const struct told_piece *told;

    nested(2 * CT_STACK_MAX, take_id);
    told = told_find(last_id);
    tap_check(told && told->piece.n == CT_STACK_MAX && told->piece.limit);
    nested(CT_KNOWN_FRAMES + 5, check_truth);
    nested(CT_STACK_MAX / 2, check_truth);
}

/* A frame pointer that points down the stack, into the callee. */
#define BELOW 2ul

/* Captures while the saved frame pointer of this function is @bad. */
NO_INLINE static uint64_t emit_with_saved_fp(uintptr_t bad)
{
    volatile uintptr_t *frame = __builtin_frame_address(0);
    uintptr_t good = frame[0];
    uint64_t id;

    frame[0] = bad == BELOW ? (uintptr_t)frame - 32 : bad;
    id = emit();
    frame[0] = good;
    return id;
}

/*
 * Cut behind this function's caller; or, where unwind information does not
 * build on the frame pointer and so corrects it, the truth.
 */
NO_INLINE static void check_bad(uintptr_t bad)
{
    void *truth[FRAMES_MAX];
    uint64_t frames[FRAMES_MAX];
    bool limit;
    uint64_t id = emit_with_saved_fp(bad);
    unsigned n = told_whole(id, frames, FRAMES_MAX, &limit);
    const struct told_piece *told = told_find(id);

    if (limit) {
        tap_equal(told ? told->piece.n : 0, 2);
    } else {
        int n_truth = backtrace(truth, FRAMES_MAX);

        tap_check(n > 0 && told_is_truth(frames + 1, n - 1, truth, n_truth));
    }
}

NO_INLINE static void all_bad(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    const uintptr_t values[] = {
        0,        1,          8,          BELOW,           here + 4,
        here + 1, here << 16, 1UL << 63,  UINTPTR_MAX - 7, UINTPTR_MAX,
        0x1000,   here - 8,   here | 7UL,
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        check_bad(values[i]);
    }
    HERE();
}

NO_INLINE static void bad_inside_entry(void)
{
    struct ct_stack_entry entry;
    uintptr_t beyond;

    ct_stack_enter(&entry);
    all_bad(); /* the outside is not known yet */
    check_truth();
    all_bad();
    beyond = (uintptr_t)entry.frame + 64;
    check_bad(beyond);
    ct_stack_leave(&entry);
    nested(1, check_truth);
}

static void test_bad(void)
{
    all_bad();
    bad_inside_entry();
    in_thread(all_bad);
    in_thread(bad_inside_entry);
    check_truth();
}

static int truth_and_zero(void)
{
    check_truth();
    return 0;
}

/* Own code that breaks the rule is noticed when the outside is taken. */
static void without_frame(void)
{
    struct ct_stack_entry entry;

    ct_stack_enter(&entry);
    tap_equal(call_without_frame(truth_and_zero), 1);
    tap_equal(call_without_frame(truth_and_zero), 1);
    ct_stack_leave(&entry);
}

static void test_without_frame(void)
{
    without_frame();
    in_thread(without_frame);
}

/* --- entries that nobody declared ---------------------------------------- */

NO_INLINE static void stale_base(void)
{
    struct ct_stack_entry stale = {
        .frame = __builtin_frame_address(0),
        .outer = 777,
        .outer_known = 1,
        .address = 1, /* not where this function returns to */
    };
    struct ct_stack_entry *before = ct_stack_switch(&stale);

    check_truth();
    tap_check(ct_stack_current != &stale);
    ct_stack_switch(before);
}

static void test_base(void)
{
    check_truth();
    tap_check(ct_stack_current && ct_stack_current->address != 0);
    stale_base();
    check_truth();
}

/* --- telling ------------------------------------------------------------- */

static void test_generation(void)
{
    unsigned counts[3];

    for (volatile int i = 0; i < 3; i++) {
        if (i != 1) {
            ct_intern_new_generation();
            told_forget(); /* so an outer piece told too late is seen */
        }
        both_kinds();
        counts[i] = told_count();
        tap_check(!told_too_early());
    }
    tap_check(counts[0] > 0);
    tap_equal(counts[1], counts[0]);
    tap_equal(counts[2], counts[0]);
}

static void test_not_recording(void)
{
    const void *recording = fake_recording;
    unsigned before;

    ct_intern_new_generation();
    told_forget();
    fake_recording = NULL;
    nested(2, take_id);
    tap_check(last_id != 0);
    tap_equal(told_count(), 0);
    fake_recording = recording;
    nested(2, take_id);
    before = told_count();
    tap_check(before > 0 && told_find(last_id));
}

static int go_on; /* atomic */

static void *use_stacks(void *opaque)
{
    unsigned seed = (unsigned)(uintptr_t)opaque;

    for (unsigned i = 0; i < 300; i++) {
        nested((i * seed) % 23, check_truth);
    }
    return NULL;
}

static void *renew(void *opaque)
{
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
        ct_intern_new_generation();
        sched_yield();
    }
    return NULL;
}

/* An id never leaves ct_stack_capture() before its frames are told. */
static void test_race(void)
{
    pthread_t threads[3], renewer;

    __atomic_store_n(&go_on, 1, __ATOMIC_RELAXED);
    pthread_create(&renewer, NULL, renew, NULL);
    for (uintptr_t i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, use_stacks, (void *)(i + 1));
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
    pthread_join(renewer, NULL);
}

int main(void)
{
    tap_run("base/entry-by-itself", test_base);
    tap_run("stack/main", check_again);
    tap_run("stack/thread", test_thread);
    tap_run("entry/undeclared", test_undeclared);
    tap_run("entry/declared", test_declared);
    tap_run("entry/in-a-thread", test_called_in_thread);
    tap_run("entry/leave-another", test_leave_wrong);
    tap_run("coroutine/ends-at-its-entry", test_coroutine);
    tap_run("coroutine/known-in-any-place", test_known_anywhere);
    tap_run("known/alike", test_known_alike);
    tap_run("coroutine/called-back-inside", test_called_in_coroutine);
    tap_run("stack/of-somebody-else", test_other_stack);
    tap_run("limit/too-long", test_long);
    tap_run("limit/bad-frame-pointers", test_bad);
    tap_run("limit/code-without-frame-pointers", test_without_frame);
    tap_run("tell/new-generation", test_generation);
    tap_run("tell/nobody-records", test_not_recording);
    tap_run("tell/threads", test_race);
    return tap_end();
}
