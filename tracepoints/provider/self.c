/* SPDX-License-Identifier: MIT */
/*
 * self.c - process and thread, remembered by each thread
 *
 * A child has them anew: the thread that forked is the only one there, and
 * forgets what its parent was before fork() returns and before any handler of
 * those who asked for theirs later.  (A child of vfork() shares the memory of
 * its parent, and tells as its parent until it runs another program.)
 */
#include <pthread.h>
#include <unistd.h>

#include <sys/syscall.h>

#include "self.h"

__thread struct ct_self ct_self_known
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

void ct_self_ask(void)
{
    ct_self_known = (struct ct_self){
        .pid = (int32_t)getpid(),
        .tid = (int32_t)syscall(SYS_gettid),
    };
}

static void after_fork_child(void)
{
    ct_self_known.tid = 0;
}

void ct_self_load(void)
{
    (void)pthread_atfork(NULL, NULL, after_fork_child);
}
