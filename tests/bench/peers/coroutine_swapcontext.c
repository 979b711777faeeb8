/* SPDX-License-Identifier: MIT */
/* A switch by swapcontext(): what the C library offers. */
#include <ucontext.h>

#define PEER_FIELDS ucontext_t context;
#include "peer_coroutine.h"

static void peer_start(struct peer *co)
{
    getcontext(&co->context);
    co->context.uc_stack.ss_sp = co->stack;
    co->context.uc_stack.ss_size = PEER_STACK_BYTES;
    makecontext(&co->context, peer_body, 0);
}

static void peer_switch(struct peer *from, struct peer *to)
{
    swapcontext(&from->context, &to->context);
}
