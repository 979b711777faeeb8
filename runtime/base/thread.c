/* SPDX-License-Identifier: MIT */
/*
 * thread.c - see thread.h
 *
 * A thread inherits its creator's mask, so that is changed for the duration of
 * the call.
 */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The first version of the kernel's struct sched_attr, which it will always
 * take.  Its header can't be included beside libc's, and only newer libcs have
 * one of their own.
 */
struct thread_attr {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime; /* SCHED_OTHER: the slice; 0: a kernel without */
    uint64_t deadline;
    uint64_t period;
};

void ct_thread_set_slice(uint64_t slice_ns)
{
    struct thread_attr attr = {.size = sizeof(attr)};

    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) == 0 &&
        attr.policy == SCHED_OTHER && attr.runtime > slice_ns) {
        attr.runtime = slice_ns;
        (void)syscall(SYS_sched_setattr, 0, &attr, 0);
    }
}

int ct_thread_create(pthread_t *ret_thread, void *(*run)(void *), void *arg)
{
    sigset_t blocked, before;
    int code;

    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGILL);
    sigdelset(&blocked, SIGTRAP);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    code = pthread_create(ret_thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}
