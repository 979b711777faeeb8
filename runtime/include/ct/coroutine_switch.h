/* SPDX-License-Identifier: MIT */
/*
 * ct/coroutine_switch.h - the switch from one stack to another
 *
 * Included by ct/coroutine.h; nobody else needs it.
 *
 * Model:    a coroutine that does not run is three registers: its stack
 *           pointer, its frame pointer and where it goes on.  A switch stores
 *           those of the side that stops, loads those of the other one, and
 *           jumps; every other register is declared overwritten, so that the
 *           compiler saves what it needs of them, and no more.
 *           The switch is inlined into whoever yields or enters, because a
 *           processor predicts a `ret` by the `call` that it saw last: a switch
 *           that is itself called leaves calls without their returns behind,
 *           and then each return of the side that goes on is predicted wrongly.
 *           Inlined, a switch is a jump between two places of the same depth.
 *           See docs/COROUTINES.md, also for what is not saved: the rounding
 *           and exception bits of the floating-point units belong to the
 *           thread, not to the coroutine.
 *           CT_COROUTINE_INLINE says that the calls in ct/coroutine.h use it.
 *           It is not defined with the ucontext backend and under a sanitizer,
 *           where they are ordinary functions.
 * Threads:  the two sides belong to the calling thread.
 * Memory:   the callers': both jumps, and the stacks that they are on, live
 *           until the side that stopped has been switched to for the last time.
 * Errors:   none.
 * Depends:  libc only.
 */
#ifndef CT_COROUTINE_SWITCH_H
#define CT_COROUTINE_SWITCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CT_COROUTINE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CT_COROUTINE_SANITIZED 1
#endif
#endif

#if !defined(CT_COROUTINE_UCONTEXT) && \
    (defined(__x86_64__) || defined(__aarch64__))
#define CT_COROUTINE_ASM 1
#ifndef CT_COROUTINE_SANITIZED
#define CT_COROUTINE_INLINE 1
#endif
#endif

/* Where a side goes on.  Written by the switch away from it. */
struct coroutine_jump {
    void *sp;
    void *fp;
    void *pc;
    uintptr_t
        news; /* set by the side that switches here: what it has to tell */
};

/* A switch that is prepared: the two sides of it. */
struct coroutine_switch {
    struct coroutine_jump *from;
    struct coroutine_jump *to;
};

#ifdef CT_COROUTINE_ASM

#if defined(__CET__) && (__CET__ & 2)
#error \
    "a shadow stack does not follow this switch: use coroutine_backend=ucontext, or -fcf-protection=branch"
#endif
#if defined(__CET__) && (__CET__ & 1)
#define CT_COROUTINE_LANDING "endbr64\n\t"
#elif defined(__ARM_FEATURE_BTI_DEFAULT)
#define CT_COROUTINE_LANDING "bti j\n\t"
#else
#define CT_COROUTINE_LANDING
#endif

/*
 * The stack pointer is loaded last, so that up to the jump itself an unwinder
 * that goes by frame pointers or by .eh_frame sees one of the two stacks whole.
 * `news` says what whoever switched here has left in the jump.
 */
static inline __attribute__((always_inline)) uintptr_t coroutine_jump(
    struct coroutine_switch s)
{
    struct coroutine_jump *from = s.from;
    struct coroutine_jump *to = s.to;

#if defined(__x86_64__)
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, 0(%%rdi)\n\t"
                     "movq %%rbp, 8(%%rdi)\n\t"
                     "movq %%rax, 16(%%rdi)\n\t"
                     "movq 16(%%rsi), %%rax\n\t"
                     "movq 8(%%rsi), %%rbp\n\t"
                     "movq 0(%%rsi), %%rsp\n\t"
                     "jmpq *%%rax\n"
                     "1:\n\t" CT_COROUTINE_LANDING
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11",
                       "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2",
                       "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
#ifdef __AVX512F__
                       "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21",
                       "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27",
                       "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2",
                       "k3", "k4", "k5", "k6", "k7",
#endif
                       "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
                       "st(6)", "st(7)", "cc", "memory");
#else
    register struct coroutine_jump *x0 __asm__("x0") = from;
    register struct coroutine_jump *x1 __asm__("x1") = to;

    __asm__ volatile(
        "adr x9, 1f\n\t"
        "mov x10, sp\n\t"
        "stp x10, x29, [x0]\n\t"
        "add x11, x0, #16\n\t"
        "stlr x9, [x11]\n\t" /* last, and told so: see tell.c */
        "ldr x9, [x1, #16]\n\t"
        "ldp x10, x29, [x1]\n\t"
        "mov sp, x10\n\t"
        "br x9\n"
        "1:\n\t" CT_COROUTINE_LANDING
        : "+r"(x0), "+r"(x1)
        :
        : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
          "x13", "x14", "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23",
          "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3",
          "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
          "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
          "v25", "v26", "v27", "v28", "v29", "v30", "v31",
#ifdef __ARM_FEATURE_SVE
          "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10",
          "p11", "p12", "p13", "p14", "p15", "ffr",
#endif
          "cc", "memory");
    to = x1;
#endif
    /* Whoever came here had this side's jump as its `to`. */
    return to->news;
}

#else

/* switch/ucontext.c; the jumps are the first members of larger structs */
uintptr_t coroutine_jump(struct coroutine_switch s);

#endif

#ifdef __cplusplus
}
#endif

#endif
