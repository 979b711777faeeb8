/* SPDX-License-Identifier: MIT */
/*
 * jump.c - a signal handler jumps out of the recording of an event
 *
 *     program                                        <- the jump goes here
 *     hook, guard, LTTng ... interrupted
 *     --- the kernel's frame: what was interrupted ---
 *     handler -> siglongjmp() -> we
 *
 * Had it returned, the kernel's frame would have been restored, and the event
 * would have gone on.  That is what is done: the jump is kept, the thread goes
 * on where it was interrupted, as after a return from the handler, and when the
 * guard is left, the jump is made.  Of several handlers that interrupted one
 * another, the one that interrupted the event is returned from.
 *
 * A jump to another stack may leave this one for good, as a limit of a
 * coroutine's time does, or to come back to the handler, as a scheduler's does
 * that a timer's signal calls.  The latter saves where it is: then the handler
 * must stay, so the jump is made at once, and what the thread does until it
 * comes back is not recorded.  If it has saved nothing, the event is finished
 * likewise.
 *
 * The signals that were blocked in the handler stay blocked after a jump that
 * does not restore them (siglongjmp() restores what sigsetjmp(..., 1) saved);
 * so what was blocked in the handler is blocked again before the jump.
 *
 * Where the kernel's frame lies, the unwinder knows: it is the frame address of
 * the function that the kernel called, behind its return address.
 */
#include "jump.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "guard.h"
#include "stacks.h"

#if defined(__x86_64__)

/* Home thread only; meaningful while ct_self.jumps. */
struct later {
    const struct __jmp_buf_tag *buffer;
    int value;
    uintptr_t sp;
    void (*jump)(struct __jmp_buf_tag *, int);
    sigset_t blocked;
};

static __thread struct later later __attribute__((tls_model("initial-exec")));

/* What is looked for on the way out. */
struct way {
    uintptr_t before;              /* frame address of the frame inside */
    const ucontext_t *interrupted; /* the outermost one within the recording */
    uintptr_t guard;
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *opaque)
{
    struct way *way = opaque;
    uintptr_t frame = _Unwind_GetCFA(context);
    int is_interrupted = 0;

    (void)_Unwind_GetIPInfo(context, &is_interrupted);
    if (is_interrupted) {
        const ucontext_t *found = (const ucontext_t *)way->before;
        uintptr_t sp = (uintptr_t)found->uc_mcontext.gregs[REG_RSP];

        /* Of the recording's own, which lies below its guard. */
        if (sp <= way->guard && way->guard - sp < UINT64_C(1) << 20) {
            way->interrupted = found;
        }
    }
    way->before = frame;
    return _URC_NO_REASON;
}

static bool leaves(uintptr_t sp, const struct ct_guard *guard)
{
    struct ct_stack_place here = ct_stacks_place(guard);
    struct ct_stack_place there = ct_stacks_place((const void *)sp);

    if (there.base == CT_STACKS_UNKNOWN) {
        return false;
    }
    return there.base == here.base ? sp > (uintptr_t)guard : !ct_guard_saved;
}

/* Never returns: as the handler's return would. */
static _Noreturn void go_back(const ucontext_t *context)
{
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "movl %1, %%eax\n\t"
                     "syscall\n\t"
                     "ud2"
                     :
                     : "r"(context), "i"(SYS_rt_sigreturn)
                     : "memory");
    __builtin_unreachable();
}

/* The innermost guard that is not left. */
static struct ct_guard *rest_of(uintptr_t sp)
{
    struct ct_guard *guard = ct_self.guard;

    while (guard && leaves(sp, guard)) {
        guard = guard->outer;
    }
    return guard;
}

/* Away from what is recorded the program is cancelled as ever. */
static void follow(uintptr_t sp, struct ct_guard *guard)
{
    struct ct_stack_place here = ct_stacks_place(guard);
    struct ct_stack_place there = ct_stacks_place((const void *)sp);
    bool is_away = there.base != here.base;

    if (there.base == CT_STACKS_UNKNOWN || is_away == guard->is_away ||
        guard->cancel == CT_GUARD_UNREAD) {
        return;
    }
    guard->is_away = is_away;
    if (is_away) {
        (void)pthread_setcancelstate(guard->cancel, &guard->cancel_here);
    } else {
        (void)pthread_setcancelstate(guard->cancel_here, NULL);
    }
}

void ct_jump_later(const struct __jmp_buf_tag *buffer, int value, uintptr_t sp,
                   void (*jump)(struct __jmp_buf_tag *, int))
{
    struct way way = {.guard = (uintptr_t)ct_self.guard};

    if (!leaves(sp, ct_self.guard)) {
        follow(sp, ct_self.guard);
        return;
    }
    (void)_Unwind_Backtrace(step, &way);
    if (!way.interrupted) {
        ct_guard_drop(rest_of(sp)); /* it stays unfinished */
        return;
    }
    later = (struct later){
        .buffer = buffer, .value = value, .sp = sp, .jump = jump};
    (void)sigprocmask(SIG_SETMASK, NULL, &later.blocked);
    ct_self.jumps = true;
    go_back(way.interrupted);
}

void ct_jump_now(void)
{
    struct later now = later;

    ct_self.jumps = false;
    (void)sigprocmask(SIG_SETMASK, &now.blocked, NULL);
    ct_switch_jumps(now.sp);
    now.jump((struct __jmp_buf_tag *)(uintptr_t)now.buffer, now.value);
}

#else

void ct_jump_later(const struct __jmp_buf_tag *buffer, int value, uintptr_t sp,
                   void (*jump)(struct __jmp_buf_tag *, int))
{
}

void ct_jump_now(void)
{
}

#endif
