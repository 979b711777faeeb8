/* SPDX-License-Identifier: MIT */
/*
 * busy.c - a program to be recorded: says exactly what it emitted
 *
 *   busy count N MARK        N events, then "emitted N"
 *   busy forever THREADS     events from each thread until a signal ends it;
 *                            "ready" once all threads emit; SIGINT and SIGTERM
 *                            make it stop, say "emitted N" and exit 3
 *   busy wait MARK [N]       N events (1), "ready", sleeps until a signal;
 *                            SIGINT and the like: "got SIGNAL", exit 4
 *   busy fork N MARK         N events here with MARK, N in a forked child with
 *                            MARK + 1, then "emitted N"
 *   busy forks N             forks N children, one after the other, while two
 *                            threads emit (marks 1 and 2); child i emits ten
 *                            events with MARK 100 + i
 *   busy late LIBRARY        opens a library, then one event
 *
 * Event i of a process has ctx = MARK << 32 | i, i from 1.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ct/emit.h"

#define MAX_THREADS 16

static atomic_bool stopping;
static volatile sig_atomic_t caught;
static atomic_uint emitting;

static void catch_signal(int number)
{
    caught = number;
    atomic_store(&stopping, true);
}

static void catch_signals(void)
{
    const struct sigaction action = {.sa_handler = catch_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
}

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static void emit(uint64_t mark, uint64_t count)
{
    for (uint64_t i = 1; i <= count; i++) {
        ct_emit_aio_notify(mark << 32 | i);
    }
}

static void *emit_for_ever(void *data)
{
    uint64_t mark = (uint64_t)(uintptr_t)data;
    uint64_t i = 0;

    atomic_fetch_add(&emitting, 1);
    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
        ct_emit_aio_notify(mark << 32 | ++i);
    }
    return (void *)(uintptr_t)i;
}

static int forever(unsigned n_threads)
{
    pthread_t threads[MAX_THREADS];
    uint64_t total = 0;

    catch_signals();
    for (unsigned i = 0; i < n_threads; i++) {
        pthread_create(&threads[i], NULL, emit_for_ever,
                       (void *)(uintptr_t)(i + 1));
    }
    while (atomic_load(&emitting) < n_threads) {
    }
    say("ready");
    for (unsigned i = 0; i < n_threads; i++) {
        void *count;
        pthread_join(threads[i], &count);
        total += (uint64_t)(uintptr_t)count;
    }
    printf("emitted %" PRIu64 "\n", total);
    return 3;
}

static int wait_for_signal(uint64_t mark, uint64_t count)
{
    sigset_t set, old;

    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, &old);
    catch_signals();
    emit(mark, count ? count : 1);
    say("ready");
    while (!caught) {
        sigsuspend(&old);
    }
    printf("got %d\n", (int)caught);
    return 4;
}

static int fork_and_emit(uint64_t count, uint64_t mark)
{
    pid_t pid = fork();

    if (pid == 0) {
        emit(mark + 1, count);
        _exit(0);
    }
    emit(mark, count);
    waitpid(pid, NULL, 0);
    printf("emitted %" PRIu64 "\n", count);
    return 0;
}

/* Slow enough for the trace to stay small. */
static void *emit_now_and_then(void *data)
{
    const struct timespec pause = {.tv_nsec = 20000};
    uint64_t mark = (uint64_t)(uintptr_t)data;
    uint64_t i = 0;

    atomic_fetch_add(&emitting, 1);
    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
        ct_emit_aio_notify(mark << 32 | ++i);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static int fork_among_threads(uint64_t n)
{
    pthread_t threads[2];
    int failed = 0;

    for (uintptr_t i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, emit_now_and_then, (void *)(i + 1));
    }
    while (atomic_load(&emitting) < 2) {
    }
    for (uint64_t i = 0; i < n; i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            emit(100 + i, 10);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        failed |= status;
    }
    atomic_store(&stopping, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    return failed != 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t second = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;

    if (!strcmp(what, "count")) {
        emit(second, first);
        printf("emitted %" PRIu64 "\n", first);
        return 0;
    }
    if (!strcmp(what, "forever") && first && first <= MAX_THREADS) {
        return forever((unsigned)first);
    }
    if (!strcmp(what, "wait")) {
        return wait_for_signal(first, second);
    }
    if (!strcmp(what, "fork")) {
        return fork_and_emit(first, second);
    }
    if (!strcmp(what, "forks")) {
        return fork_among_threads(first);
    }
    if (!strcmp(what, "late") && argc > 2) {
        void *library = dlopen(argv[2], RTLD_NOW);
        emit(1, 1);
        return library ? 0 : 5;
    }
    fprintf(stderr, "usage: see busy.c\n");
    return 2;
}
