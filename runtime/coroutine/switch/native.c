/* SPDX-License-Identifier: MIT */
/*
 * native.c - a fresh stack for the switch of ct/coroutine_switch.h
 *
 * The switch itself is inlined into its callers and is all the assembly there
 * is; a stack that has not run yet is a jump that looks as if it had stopped
 * just before the first instruction of the trampoline.
 */
#include <stdint.h>

#include "coroutine/coroutine_int.h"
#include "coroutine/start.h"

void coroutine_start_prepare(Coroutine *co, size_t below)
{
    char *top = (char *)co->stack.base + co->stack.bytes - below;

#if defined(__x86_64__)
    /* As after a call: 16 bytes aligned, less the return address (none). */
    top -= 16;
    *(uintptr_t *)(void *)top = 0;
    top -= 8;
    *(uintptr_t *)(void *)top = 0;
#endif
    co->jump = (struct coroutine_jump){
        .sp = top,
        .fp = NULL,
        .pc = (void *)(uintptr_t)coroutine_trampoline,
    };
}
