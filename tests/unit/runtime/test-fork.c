/* SPDX-License-Identifier: MIT */
/*
 * test-fork.c - coroutines in the child of a process whose other threads make
 * and end coroutines at that moment
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

#include "base/atomics.h"
#include "coroutine/fiber.h"
#include "coroutine/pool.h"
#include "ct/coroutine.h"

/* More than a thread keeps, so each round takes from what all share. */
#define COROUTINES (4 * COROUTINE_POOL_BATCH)
#define FORKS      300

/* ThreadSanitizer counts coroutines as threads, and follows nothing in the
 * child of a process with several. */
#ifdef CT_FIBER_TSAN
enum { IS_FOLLOWED = false };
#else
enum { IS_FOLLOWED = true };
#endif

static void coroutine_fn yields_once(void *opaque)
{
    coroutine_yield();
}

static void make_and_end(void)
{
    Coroutine *coroutines[COROUTINES];

    for (int i = 0; i < COROUTINES; i++) {
        coroutines[i] = coroutine_create(yields_once, NULL);
        coroutine_enter(coroutines[i]);
    }
    for (int i = 0; i < COROUTINES; i++) {
        coroutine_enter(coroutines[i]);
    }
}

static bool is_over; /* atomic; says no more than that */

static void *goes_on(void *opaque)
{
    while (!ct_load(&is_over)) {
        make_and_end();
    }
    return NULL;
}

static void test_coroutines(void)
{
    pthread_t thread;

    if (!IS_FOLLOWED) {
        g_test_skip("under ThreadSanitizer");
        return;
    }
    make_and_end();
    g_assert_cmpint(pthread_create(&thread, NULL, goes_on, NULL), ==, 0);
    for (int i = 0; i < FORKS; i++) {
        int status;
        pid_t child = fork();

        if (child == 0) {
            (void)alarm(20);
            make_and_end();
            _exit(0);
        }
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_cmpint(status, ==, 0);
    }
    ct_store(&is_over, true);
    g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fork/coroutines", test_coroutines);
    return g_test_run();
}
