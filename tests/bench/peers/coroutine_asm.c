/* SPDX-License-Identifier: MIT */
/*
 * A switch as it is usually written: a function in assembly that pushes what
 * calls preserve, changes stacks, pops, and leaves by `ret`, or with PEER_JMP
 * by a jump to the return address.
 */
#define PEER_FIELDS void *sp;
#include "peer_coroutine.h"

void peer_asm_switch(void **from, void **to);

__asm__(
    ".text\n"
    ".globl peer_asm_switch\n"
    ".type peer_asm_switch, @function\n"
    ".p2align 6\n"
    "peer_asm_switch:\n"
    "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, (%rdi)\n"
    "mov (%rsi), %rsp\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
#ifdef PEER_JMP
    "pop %rcx\n"
    "jmp *%rcx\n"
#else
    "ret\n"
#endif
    ".size peer_asm_switch, .-peer_asm_switch\n");

static void peer_start(struct peer *co)
{
    void **sp = (void **)(void *)(co->stack + PEER_STACK_BYTES);

    *--sp = NULL;
    *--sp = NULL; /* no return address */
    *--sp = (void *)(uintptr_t)peer_body;
    sp -= 6;
    memset(sp, 0, 6 * sizeof(*sp));
    co->sp = sp;
}

static void peer_switch(struct peer *from, struct peer *to)
{
    peer_asm_switch(&from->sp, &to->sp);
}
