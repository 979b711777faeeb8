/* SPDX-License-Identifier: MIT */
/*
 * limits.c - a timer's signal ends what a coroutine does, in a program without
 * tracepoints
 *
 *   limits limits     the handler leaves the coroutine, to who has entered it
 *   limits preempts   it switches from the coroutine, and back later
 * Prints what was counted: the same with and without the preloaded library.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK_BYTES = 65536, JUMPS = 200 };

static int file, cancel_state;
static volatile sig_atomic_t armed, wrong;
static sigjmp_buf out;

static void fail(const char *what)
{
    fprintf(stderr, "limits: %s: %s\n", what, strerror(errno));
    exit(3);
}

static void on_jump(int number)
{
    if (armed) {
        armed = 0;
        siglongjmp(out, 1);
    }
}

static struct itimerval often = {{0, 150}, {0, 150}};
static int event;

static void begin_jumps(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    char name[] = "/tmp/limits-XXXXXX";
    uint64_t one = 1;
    char byte;

    file = mkstemp(name);
    event = eventfd(0, EFD_NONBLOCK);
    if (file < 0 || write(file, "abcdef", 6) != 6 ||
        write(event, &one, 8) != 8 || pread(file, &byte, 1, 0) != 1) {
        fail(name);
    }
    unlink(name);
    sigaction(SIGALRM, &action, NULL);
}

static volatile sig_atomic_t stopped;

/* Looks that it reads what is there. */
static void reads(void)
{
    uint64_t one = 1;
    char four[4];

    while (!stopped) {
        wrong |= pread(file, four, 4, 1) != 4 || memcmp(four, "bcde", 4) != 0 ||
                 write(event, &one, 8) != 8;
    }
}

static void *forks_later(void *opaque)
{
    int status = 0;

    if (fork() == 0) {
        _exit(3);
    }
    wait(&status);
    return (void *)(long)WEXITSTATUS(status);
}

/* Whether all is as before: locks, signals, cancellation. */
static void end_jumps(int n)
{
    pthread_t thread;
    void *forked = NULL;
    sigset_t blocked;
    int error = errno;

    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    pthread_create(&thread, NULL, forks_later, NULL);
    pthread_join(thread, &forked);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancel_state);
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    printf("%d %d %ld %d %d %d\n", n, (int)wrong, (long)forked,
           cancel_state == PTHREAD_CANCEL_ENABLE,
           sigismember(&blocked, SIGALRM), error);
    (void)fdatasync(-1);
}

static ucontext_t limited, limiter;
static char limited_stack[STACK_BYTES];

static void limits(void)
{
    volatile int n = 0;

    begin_jumps(on_jump, 0);
    setitimer(ITIMER_REAL, &often, NULL);
    while (n < JUMPS) {
        if (sigsetjmp(out, 1) == 0) {
            getcontext(&limited);
            limited.uc_stack.ss_sp = limited_stack;
            limited.uc_stack.ss_size = sizeof(limited_stack);
            makecontext(&limited, reads, 0);
            armed = 1;
            swapcontext(&limiter, &limited);
        }
        n++;
    }
    end_jumps(n);
}

static sigjmp_buf preempted;

static void on_preempt(int number)
{
    char here;

    if (armed && &here - limited_stack > 0 &&
        &here - limited_stack < STACK_BYTES) {
        armed = 0;
        if (sigsetjmp(preempted, 1) == 0) {
            siglongjmp(out, 1);
        }
    }
}

static void preempts(void)
{
    volatile int n = 0;
    int away;

    begin_jumps(on_preempt, 0);
    getcontext(&limited);
    limited.uc_stack.ss_sp = limited_stack;
    limited.uc_stack.ss_size = sizeof(limited_stack);
    limited.uc_link = &limiter;
    makecontext(&limited, reads, 0);
    setitimer(ITIMER_REAL, &often, NULL);
    while (n < JUMPS) {
        if (sigsetjmp(out, 1) == 0) {
            armed = 1;
            if (n == 0) {
                swapcontext(&limiter, &limited);
            } else {
                siglongjmp(preempted, 1);
            }
        }
        n++;
    }
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &away);
    printf("%d ", away == PTHREAD_CANCEL_ENABLE);
    getcontext(&limiter);
    if (!stopped) {
        stopped = 1;
        siglongjmp(preempted, 1);
    }
    end_jumps(n);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return 2;
    }
    if (strcmp(argv[1], "limits") == 0) {
        limits();
    } else {
        preempts();
    }
    return 0;
}
