/* SPDX-License-Identifier: MIT */
/*
 * ucontext.c - the switch by swapcontext(), for machines without assembly
 *
 * It asks the kernel for the signal mask at each switch, so it costs ten times
 * the other; what it is good for is every machine that glibc knows, shadow
 * stacks, and a second opinion in the tests.
 *
 * Where a side goes on is glibc's secret, so for the teller (tell.c) each side
 * notes its caller's place itself: all that the teller reads lies further out,
 * and stays as it is until the switch back has returned.
 */
#include "coroutine/coroutine_int.h"
#include "coroutine/start.h"
#include "ct/pre.h"

void coroutine_start_prepare(Coroutine *co, size_t below)
{
    ct_pre("coroutine-start/getcontext", getcontext(&co->ucontext) == 0);
    co->ucontext.uc_stack.ss_sp = co->stack.base;
    co->ucontext.uc_stack.ss_size = co->stack.bytes - below;
    co->ucontext.uc_link = NULL; /* the trampoline never returns */
    makecontext(&co->ucontext, coroutine_trampoline, 0);
}

uintptr_t coroutine_jump(struct coroutine_switch s)
{
    Coroutine *from = list_entry(s.from, Coroutine, jump);
    Coroutine *to = list_entry(s.to, Coroutine, jump);
    void *const *frame = __builtin_frame_address(0);

    ct_store(&from->jump.fp, frame[0]);
    ct_store_release(&from->jump.pc, __builtin_return_address(0));
    ct_pre("coroutine-jump/swapcontext",
           swapcontext(&from->ucontext, &to->ucontext) == 0);
    return from->jump.news;
}
