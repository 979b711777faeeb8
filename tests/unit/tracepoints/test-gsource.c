/* SPDX-License-Identifier: MIT */
/*
 * test-gsource.c - out of a callback of g_main_loop_run() the stack goes on
 * to main, although GLib keeps no frame pointers
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <glib.h>
#include <string.h>

#include "stack_int.h"
#include "told.h"

#include "lib/tap.h"

enum { FRAMES_MAX = 256 };

#define NO_INLINE __attribute__((noinline))
#define HERE()    __asm__ volatile("" ::: "memory")

static uintptr_t in_main; /* the address in main where it called */

NO_INLINE static uint64_t emit(void)
{
    return ct_stack_capture(__builtin_frame_address(0));
}

NO_INLINE static void check(void)
{
    void *truth[FRAMES_MAX];
    uint64_t frames[FRAMES_MAX];
    bool limit, has_loop = false, has_main = false;
    uint64_t id = emit();
    int n_truth = backtrace(truth, FRAMES_MAX);
    unsigned n = told_whole(id, frames, FRAMES_MAX, &limit);
    Dl_info info;

    tap_check(id != 0 && !limit && !told_too_early());
    tap_check(told_is_truth(frames, n, truth, n_truth));
    for (unsigned i = 1; i < n; i++) {
        has_main |= frames[i] == in_main;
        has_loop |= dladdr((void *)(uintptr_t)frames[i], &info) &&
                    info.dli_sname &&
                    strcmp(info.dli_sname, "g_main_loop_run") == 0;
    }
    tap_check(has_loop && has_main);
}

static gboolean undeclared(void *opaque)
{
    check();
    check();
    return G_SOURCE_REMOVE;
}

static gboolean declared(void *opaque)
{
    struct ct_stack_entry entry;

    ct_stack_enter(&entry);
    check();
    check();
    ct_stack_leave(&entry);
    return G_SOURCE_REMOVE;
}

static gboolean quit(void *loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static gboolean nested(void *opaque);

/* In the frame of its caller, so that main is just outside g_main_loop_run. */
static inline __attribute__((always_inline)) void run_loop(GSourceFunc callback)
{
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);

    for (int i = 0; i < 3; i++) {
        g_idle_add(callback, NULL);
    }
    g_idle_add_full(G_PRIORITY_LOW, quit, loop, NULL);
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
}

static gboolean nested(void *opaque)
{
    struct ct_stack_entry entry;

    ct_stack_enter(&entry);
    run_loop(declared);
    run_loop(undeclared);
    check();
    ct_stack_leave(&entry);
    return G_SOURCE_REMOVE;
}

NO_INLINE static void test_undeclared(void)
{
    run_loop(undeclared);
    HERE();
}

NO_INLINE static void test_declared(void)
{
    run_loop(declared);
    HERE();
}

NO_INLINE static void test_nested(void)
{
    run_loop(nested);
    HERE();
}

/* tap_run() of its own: it has to be called by main itself. */
NO_INLINE static void run(const char *name, void (*test)(void))
{
    in_main =
        (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0));
    tap_run(name, test);
}

int main(void)
{
    run("gsource/undeclared", test_undeclared);
    run("gsource/declared", test_declared);
    run("gsource/nested-loops", test_nested);
    return tap_end();
}
