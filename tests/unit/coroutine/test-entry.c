/* SPDX-License-Identifier: MIT */
/*
 * With tracing built in, each side of a switch has its own current entry: where
 * the walk of a recorded stack ends.
 */
#include "ct/coroutine.h"
#include "ct/stack.h"
#include "coroutine/coroutine_int.h"
#include "lib/tap.h"

/* Out of line: the thread-local's address stays inside. */
static __attribute__((noinline)) const struct ct_stack_entry *current(void)
{
    return ct_stack_current;
}

/* The frames from here out to the entry's: they must meet. */
static __attribute__((noinline)) bool reaches_entry(void)
{
    void **frame = __builtin_frame_address(0);
    int n = 0;

    while (frame != current()->frame && n++ < 50) {
        if ((void *)frame[0] <= (void *)frame) {
            return false;
        }
        frame = frame[0];
    }
    return frame == current()->frame;
}

static void coroutine_fn inner(void *opaque)
{
    struct ct_stack_entry nested;

    for (int i = 0; i < 2; i++) {
        tap_check(current() == &coroutine_self()->stack_entry);
        tap_check(current()->limit == current()->frame);
        tap_check(current()->outer_known);
        tap_check(reaches_entry());

        /* Foreign code on this stack calls ours, and we yield inside. */
        ct_stack_enter(&nested);
        coroutine_yield();
        tap_check(current() == &nested);
        ct_stack_leave(&nested);
    }
}

static void coroutine_fn outer(void *opaque)
{
    coroutine_enter(opaque);
    tap_check(current() == &coroutine_self()->stack_entry);
    coroutine_yield();
    tap_check(current() == &coroutine_self()->stack_entry);
}

static void test_entry(void)
{
    struct ct_stack_entry of_main;

    ct_stack_enter(&of_main);
    for (int life = 0; life < 2; life++) {
        Coroutine *in = coroutine_create(inner, NULL);
        Coroutine *out = coroutine_create(outer, in);

        coroutine_enter(out);
        tap_check(current() == &of_main);
        coroutine_enter(in);
        tap_check(current() == &of_main);
        coroutine_enter(out);
        tap_check(current() == &of_main);
        coroutine_enter(in);
        tap_check(current() == &of_main);
    }
    ct_stack_leave(&of_main);
}

int main(void)
{
    tap_run("/coroutine/stack-entry", test_entry);
    return tap_end();
}
