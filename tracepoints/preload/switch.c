/* SPDX-License-Identifier: MIT */
/*
 * switch.c - jumps from one stack to another: swapcontext(), setcontext(),
 * siglongjmp() and its kin
 *
 * A coroutine is known by its stack.  makecontext() says where that lies; every
 * jump says where the stack pointer will be, in its context or, disguised, in
 * its jump buffer.  Jumps on one stack are none of our business.
 *
 * What passes us by: a function that returns goes on at its context's uc_link
 * inside libc.  So contexts begin in a few instructions of ours, which call the
 * function and then tell that it has returned; and each recorded jump looks
 * whether the thread is where it was last.
 *
 * Both of these calls are in assembly: makecontext() because nobody but libc
 * knows how its arguments are passed on, the beginning because they are to
 * arrive as they were.
 */
#include <setjmp.h>
#include <ucontext.h>

#include "guard.h"
#include "jump.h"
#include "stacks.h"

extern void __longjmp_chk(struct __jmp_buf_tag[1], int)
    __attribute__((noreturn));

CT_REAL_OF(swapcontext);
CT_REAL_OF(setcontext);
CT_REAL_OF(longjmp);
CT_REAL_OF(_longjmp);
CT_REAL_OF(siglongjmp);
CT_REAL_OF(__longjmp_chk);

/* --- stack pointers ------------------------------------------------------ */

static bool jumps_are_read; /* immutable after the start */

#if defined(__x86_64__)
static uintptr_t sp_of_context(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

/* glibc: the seventh word, rotated by 17 and xored with the thread's guard. */
static uintptr_t sp_of_jump(const struct __jmp_buf_tag *buffer)
{
    uintptr_t sp = (uintptr_t)buffer->__jmpbuf[6];
    uintptr_t guard;

    __asm__("movq %%fs:0x30, %0" : "=r"(guard));
    sp = sp >> 17 | sp << 47;
    return sp ^ guard;
}
#else
static uintptr_t sp_of_context(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.sp;
}

static uintptr_t sp_of_jump(const struct __jmp_buf_tag *buffer)
{
    (void)buffer;
    return 0;
}
#endif

/* Whether we read jump buffers as this libc writes them. */
__attribute__((constructor, noinline)) static void try_jumps(void)
{
    enum { FRAME_BYTES = 4096 };
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    jmp_buf buffer;

    if (_setjmp(buffer) == 0) {
        jumps_are_read =
            sp_of_jump(buffer) - (here - FRAME_BYTES) < 2 * FRAME_BYTES;
    }
}

/* --- telling -------------------------------------------------------------- */

static void tell(uintptr_t from, uintptr_t to, enum ct_native_switch how)
{
    if (from != ct_self.now) {
        ct_emit_native_switch(ct_self.now, from, CT_NATIVE_SWITCH_SEEN);
        ct_self.now = from;
    }
    if (to != from) {
        ct_emit_native_switch(from, to, how);
        ct_self.now = to;
    }
}

CT_TOLD static void told_switch(uintptr_t sp, enum ct_native_switch how)
{
    struct ct_stack_place from, to;

    if (ct_guard_has_lines || !ct_emit_on_native_switch() || !ct_guard_may()) {
        return;
    }
    from = ct_stacks_place(__builtin_frame_address(0));
    to = ct_stacks_place((const void *)sp);
    if (from.base == CT_STACKS_UNKNOWN) {
        from.base = ct_self.now; /* a signal's, or nobody told us */
    }
    if (to.base == CT_STACKS_UNKNOWN ||
        (from.base == to.base && from.base == ct_self.now)) {
        return;
    }
    CT_GUARDED(tell(from.base, to.base, how));
}

/* --- the calls ------------------------------------------------------------ */

void ct_switch_jumps(uintptr_t sp)
{
    told_switch(sp, CT_NATIVE_SWITCH_JUMP);
}

CT_HOOK int swapcontext(ucontext_t *from, const ucontext_t *to)
{
    ct_guard_saved = true;
    told_switch(sp_of_context(to), CT_NATIVE_SWITCH_SWAP);
    return CT_REAL(swapcontext)(from, to);
}

CT_HOOK int setcontext(const ucontext_t *to)
{
    told_switch(sp_of_context(to), CT_NATIVE_SWITCH_SET);
    return CT_REAL(setcontext)(to);
}

CT_TOLD static void told_jump(const struct __jmp_buf_tag *buffer, int value,
                              void (*jump)(struct __jmp_buf_tag *, int))
{
    if (jumps_are_read) {
        if (__builtin_expect(ct_self.guard != NULL, 0)) {
            ct_jump_later(buffer, value, sp_of_jump(buffer), jump);
        }
        told_switch(sp_of_jump(buffer), CT_NATIVE_SWITCH_JUMP);
    }
}

CT_HOOK void longjmp(struct __jmp_buf_tag buffer[1], int value)
{
    told_jump(buffer, value, CT_REAL(longjmp));
    CT_REAL(longjmp)(buffer, value);
}

CT_HOOK void _longjmp(struct __jmp_buf_tag buffer[1], int value)
{
    told_jump(buffer, value, CT_REAL(_longjmp));
    CT_REAL(_longjmp)(buffer, value);
}

CT_HOOK void siglongjmp(sigjmp_buf buffer, int value)
{
    told_jump(buffer, value, CT_REAL(siglongjmp));
    CT_REAL(siglongjmp)(buffer, value);
}

CT_HOOK void __longjmp_chk(struct __jmp_buf_tag buffer[1], int value)
{
    /* Where it is made later, there is another stack pointer to check. */
    told_jump(buffer, value, CT_REAL(longjmp));
    CT_REAL(__longjmp_chk)(buffer, value);
}

/* --- where jumps go to ---------------------------------------------------- */

#if defined(__x86_64__)
/*
 * setjmp() and its kin save the frame that they are called from, so nothing may
 * lie between that and the real ones: a jump to them, with all as it came.
 */
#define SAVES(name)                                                       \
    __attribute__((used,                                                  \
                   visibility("hidden"))) struct ct_real ct_switch_##name \
        __attribute__((section("ct_real_functions"))) = {#name, NULL};    \
    __asm__(".text\n"                                                     \
            ".globl " #name "\n"                                          \
            ".type " #name ", @function\n" #name ":\n"                    \
            ".cfi_startproc\n"                                            \
            "    movq ct_guard_saved@gottpoff(%rip), %rax\n"              \
            "    movb $1, %fs:(%rax)\n"                                   \
            "    movq 8+ct_switch_" #name "(%rip), %rax\n"                \
            "    testq %rax, %rax\n"                                      \
            "    jz 1f\n"                                                 \
            "    jmp *%rax\n"                                             \
            "1:  pushq %rdi\n"                                            \
            ".cfi_adjust_cfa_offset 8\n"                                  \
            "    pushq %rsi\n"                                            \
            ".cfi_adjust_cfa_offset 8\n"                                  \
            "    subq $8, %rsp\n"                                         \
            ".cfi_adjust_cfa_offset 8\n"                                  \
            "    leaq ct_switch_" #name "(%rip), %rdi\n"                  \
            "    call ct_switch_find\n"                                   \
            "    addq $8, %rsp\n"                                         \
            ".cfi_adjust_cfa_offset -8\n"                                 \
            "    popq %rsi\n"                                             \
            ".cfi_adjust_cfa_offset -8\n"                                 \
            "    popq %rdi\n"                                             \
            ".cfi_adjust_cfa_offset -8\n"                                 \
            "    jmp *%rax\n"                                             \
            ".cfi_endproc\n"                                              \
            ".size " #name ", . - " #name "\n")

__attribute__((used, visibility("hidden"))) void *ct_switch_find(
    struct ct_real *real);

void *ct_switch_find(struct ct_real *real)
{
    return ct_real_find(real);
}

SAVES(setjmp);
SAVES(_setjmp);
SAVES(__sigsetjmp);
#endif

/* --- where coroutines begin and end --------------------------------------- */

#if defined(__x86_64__)
#define CT_USED __attribute__((used, visibility("hidden")))

extern const char ct_switch_begin[] __attribute__((visibility("hidden")));
CT_USED struct ct_real ct_switch_makecontext
    __attribute__((section("ct_real_functions"))) = {"makecontext", NULL};

CT_USED void *ct_switch_find_makecontext(void);
CT_USED const void *ct_switch_prepare(ucontext_t *context, const void *entry,
                                      int n);
CT_USED void ct_switch_ended(void);

void *ct_switch_find_makecontext(void)
{
    return ct_real(&ct_switch_makecontext);
}

static bool tell_stack(uintptr_t base, size_t bytes, const void *entry)
{
    bool is_known = ct_stacks_add(base, bytes);

    if (is_known && !ct_guard_has_lines) {
        ct_emit_native_stack(base, bytes, entry);
    }
    return is_known;
}

/* Return: where the context is to begin. */
const void *ct_switch_prepare(ucontext_t *context, const void *entry, int n)
{
    enum { ARGUMENTS_IN_REGISTERS = 6 };
    uintptr_t base = (uintptr_t)context->uc_stack.ss_sp;
    size_t bytes = context->uc_stack.ss_size;

    bool is_known = false;

    if (!ct_emit_on_native_stack() || !ct_guard_may()) {
        return entry;
    }
    CT_GUARDED(is_known = tell_stack(base, bytes, entry));
    if (!is_known) {
        return entry;
    }
    if (n > ARGUMENTS_IN_REGISTERS) {
        return entry;
    }
    context->uc_mcontext.gregs[REG_R12] = (greg_t)(uintptr_t)entry;
    return ct_switch_begin;
}

/* On the coroutine's stack; then it goes on where uc_link says. */
void ct_switch_ended(void)
{
    struct ct_stack_place here = ct_stacks_place(__builtin_frame_address(0));

    if (!ct_guard_has_lines) {
        CT_GUARDED(ct_emit_native_stack_end(here.base));
    }
}

/*
 * makecontext(): ct_switch_prepare() says where to begin, and the real one does
 * the rest, with everything else as it came (registers, stack).
 *
 * ct_switch_begin: where contexts begin.  The function is in r12, its arguments
 * are where they belong.
 */
__asm__(".text\n"
        ".globl makecontext\n"
        ".type makecontext, @function\n"
        "makecontext:\n"
        ".cfi_startproc\n"
        "    pushq %rbp\n"
        ".cfi_adjust_cfa_offset 8\n"
        ".cfi_rel_offset %rbp, 0\n"
        "    movq %rsp, %rbp\n"
        ".cfi_def_cfa_register %rbp\n"
        "    pushq %rdi\n"
        "    pushq %rsi\n"
        "    pushq %rdx\n"
        "    pushq %rcx\n"
        "    pushq %r8\n"
        "    pushq %r9\n"
        "    pushq %rax\n"
        "    pushq %r10\n"
        "    call ct_switch_prepare\n"
        "    movq %rax, -16(%rbp)\n" /* what rsi will be */
        "    call ct_switch_find_makecontext\n"
        "    movq %rax, %r11\n"
        "    popq %r10\n"
        "    popq %rax\n"
        "    popq %r9\n"
        "    popq %r8\n"
        "    popq %rcx\n"
        "    popq %rdx\n"
        "    popq %rsi\n"
        "    popq %rdi\n"
        "    popq %rbp\n"
        ".cfi_def_cfa %rsp, 8\n"
        ".cfi_restore %rbp\n"
        "    jmp *%r11\n"
        ".cfi_endproc\n"
        ".size makecontext, . - makecontext\n"
        "\n"
        ".type ct_switch_begin, @function\n"
        ".hidden ct_switch_begin\n"
        ".globl ct_switch_begin\n"
        "ct_switch_begin:\n"
        ".cfi_startproc\n"
        ".cfi_undefined %rip\n" /* nobody called it */
        "    pushq %rbp\n"
        ".cfi_adjust_cfa_offset 8\n"
        ".cfi_rel_offset %rbp, 0\n"
        "    movq %rsp, %rbp\n"
        ".cfi_def_cfa_register %rbp\n"
        "    call *%r12\n"
        "    call ct_switch_ended\n"
        "    popq %rbp\n"
        ".cfi_def_cfa %rsp, 8\n"
        ".cfi_restore %rbp\n"
        "    ret\n"
        ".cfi_endproc\n"
        ".size ct_switch_begin, . - ct_switch_begin\n");
#endif
