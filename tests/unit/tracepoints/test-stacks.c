/* SPDX-License-Identifier: MIT */
/*
 * test-stacks.c - which stack an address lies on
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/stacks.h"
#include "provider/stack_int.h"
#include "lib/tap.h"

enum { MIB = 1 << 20, PAGE = 4096 };

static uintptr_t own_end; /* of a thread's own stack, from 64 MiB below it */

const uintptr_t *ct_outer_limit(const void *frame)
{
    return (uintptr_t)frame < own_end && (uintptr_t)frame >= own_end - 64 * MIB
               ? (const uintptr_t *)own_end
               : NULL;
}

static uintptr_t base_of(uintptr_t address)
{
    return ct_stacks_place((const void *)address).base;
}

static void test_bounds(void)
{
    uintptr_t base = UINT64_C(0x7f0000000000);

    tap_equal(base_of(base), CT_STACKS_UNKNOWN);
    tap_check(ct_stacks_add(base, MIB));
    tap_equal(base_of(base), base);
    tap_equal(base_of(base + MIB / 2), base);
    tap_equal(base_of(base + MIB - 1), base);
    tap_equal(base_of(base + MIB), CT_STACKS_UNKNOWN);
    tap_equal(base_of(base - 1), CT_STACKS_UNKNOWN);
    tap_equal((uintptr_t)ct_stacks_find(base).end, base + MIB);
    /* the thread's own is told by who knows it */
    own_end = base + 128 * (uintptr_t)MIB;
    tap_equal(base_of(own_end - PAGE), CT_STACKS_OWN);
}

static void test_small(void)
{
    uintptr_t base = UINT64_C(0x560000000010);

    for (unsigned i = 0; i < 40; i++) {
        tap_check(ct_stacks_add(base + i * 8192, 8000));
    }
    for (unsigned i = 0; i < 40; i++) {
        tap_equal(base_of(base + i * 8192 + 100), base + i * 8192);
        tap_equal(base_of(base + i * 8192 + 8001), CT_STACKS_UNKNOWN);
    }
}

static void test_overlap(void)
{
    uintptr_t base = UINT64_C(0x7e0000000000);

    tap_check(ct_stacks_add(base, 4 * PAGE));
    tap_check(ct_stacks_add(base + 4 * PAGE, 4 * PAGE));
    tap_check(ct_stacks_add(base + 8 * PAGE, 4 * PAGE));
    tap_check(ct_stacks_add(base, 4 * PAGE)); /* again */
    tap_equal(base_of(base + PAGE), base);
    /* over the end of the first, all of the second */
    tap_check(ct_stacks_add(base + 3 * PAGE, 5 * PAGE));
    tap_equal(base_of(base + PAGE), CT_STACKS_UNKNOWN);
    tap_equal(base_of(base + 5 * PAGE), base + 3 * PAGE);
    tap_equal(base_of(base + 9 * PAGE), base + 8 * PAGE);
}

static void test_refused(void)
{
    tap_check(!ct_stacks_add(0, PAGE));
    tap_check(!ct_stacks_add(PAGE, 0));
    tap_check(!ct_stacks_add(UINTPTR_MAX - PAGE, 2 * PAGE));
    tap_check(!ct_stacks_add(PAGE, (size_t)1 << 40));
}

/* Stacks come and go at ever other places: room does not run out. */
static void test_churn(void)
{
    uintptr_t base = UINT64_C(0x7d0000000000);
    unsigned refused = 0;

    for (unsigned i = 0; i < 200000; i++) {
        uintptr_t at = base + (i % 500) * 65536 + i % 7 * 16;

        refused += !ct_stacks_add(at, 60000);
        refused += base_of(at + 1000) != at;
    }
    tap_equal(refused, 0);
}

static void *reads(void *opaque)
{
    uintptr_t base = UINT64_C(0x7c0000000000);
    unsigned long wrong = 0;

    for (unsigned i = 0; i < 200000; i++) {
        uintptr_t at = base + (i % 64) * MIB;
        uintptr_t found = base_of(at + MIB / 2);

        wrong += found != at && found != CT_STACKS_UNKNOWN;
    }
    return (void *)wrong;
}

/* Whoever looks while stacks are added finds the right one or none. */
static void test_threads(void)
{
    uintptr_t base = UINT64_C(0x7c0000000000);
    pthread_t thread;
    void *wrong;

    tap_equal(pthread_create(&thread, NULL, reads, NULL), 0);
    for (unsigned i = 0; i < 64; i++) {
        tap_check(ct_stacks_add(base + i * (uintptr_t)MIB, MIB));
    }
    pthread_join(thread, &wrong);
    tap_equal((uintptr_t)wrong, 0);
    for (unsigned i = 0; i < 64; i++) {
        tap_equal(base_of(base + i * (uintptr_t)MIB),
                  base + i * (uintptr_t)MIB);
    }
}

static bool is_over; /* atomic */

static void *adds(void *opaque)
{
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        (void)ct_stacks_add(UINT64_C(0x7b0000000000), 60 * MIB);
        (void)ct_stacks_add(UINT64_C(0x7b0000001000), 60 * MIB);
    }
    return NULL;
}

/* Which most often happens in the middle of an add() of another thread. */
static void test_fork(void)
{
    unsigned refused = 0;
    pthread_t thread;

    tap_equal(pthread_create(&thread, NULL, adds, NULL), 0);
    for (unsigned i = 0; i < 40; i++) {
        pid_t child = fork();
        int status;

        if (!child) {
            _exit(!ct_stacks_add(UINT64_C(0x7a0000000000), PAGE));
        }
        tap_equal(waitpid(child, &status, 0), child);
        refused += status != 0;
    }
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    tap_equal(refused, 0);
}

int main(void)
{
    tap_run("an address lies on the stack that has it", test_bounds);
    tap_run("several in one granule", test_small);
    tap_run("what is overlapped is gone", test_overlap);
    tap_run("what can't be a stack", test_refused);
    tap_run("stacks that come and go", test_churn);
    tap_run("looking while others add", test_threads);
    tap_run("a child that is forked while another thread adds", test_fork);
    return tap_end();
}
