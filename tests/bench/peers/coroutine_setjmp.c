/* SPDX-License-Identifier: MIT */
/*
 * A switch in QEMU's style: sigsetjmp() without the signal mask and
 * siglongjmp(), swapcontext() only to get onto a fresh stack.
 */
#include <setjmp.h>
#include <ucontext.h>

#define PEER_FIELDS   \
    sigjmp_buf env;   \
    ucontext_t fresh; \
    int started;
#include "peer_coroutine.h"

static void peer_start(struct peer *co)
{
    getcontext(&co->fresh);
    co->fresh.uc_stack.ss_sp = co->stack;
    co->fresh.uc_stack.ss_size = PEER_STACK_BYTES;
    makecontext(&co->fresh, peer_body, 0);
}

static __attribute__((noinline)) void peer_switch(struct peer *from,
                                                  struct peer *to)
{
    if (sigsetjmp(from->env, 0) == 0) {
        if (to->started || to == &peer_leader) {
            siglongjmp(to->env, 1);
        }
        to->started = 1;
        setcontext(&to->fresh);
    }
}
