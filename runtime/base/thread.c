/* SPDX-License-Identifier: MIT */
/*
 * thread.c - see thread.h
 *
 * A thread inherits its creator's mask, so that is changed for the duration of
 * the call.
 */
#include "base/thread.h"

#include <signal.h>

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
