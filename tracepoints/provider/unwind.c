/* SPDX-License-Identifier: MIT */
/*
 * unwind.c - a stack through .eh_frame, with the place of every return address
 *
 * By the unwinder of the compiler's own run-time library, because it never
 * guesses: where there is no unwind information it ends, where libunwind would
 * follow a saved frame pointer.
 *
 * In our own code the unwind information itself builds on the frame pointer, so
 * one that lies outside the stack would make the next step read there.  The
 * callback, which the unwinder calls before each step, ends the walk then.
 */
#include <sys/auxv.h>
#include <unwind.h>

#include "stack_int.h"

struct unwinding {
    struct ct_unwound *frames;
    size_t n, max;
    uintptr_t limit;
    bool whole;
    uintptr_t inner_fp; /* frame pointer of the frame before, 0: none */
};

#if defined(__x86_64__)
enum { FRAME_POINTER = 6 };

/* A call pushes its return address last, just below the caller's frame. */
static uintptr_t return_slot(uintptr_t sp, uintptr_t inner_fp)
{
    return sp - sizeof(uintptr_t);
}
#elif defined(__aarch64__)
enum { FRAME_POINTER = 29 };

/* The callee keeps it in its frame record. */
static uintptr_t return_slot(uintptr_t sp, uintptr_t inner_fp)
{
    return inner_fp && inner_fp % 8 == 0 && inner_fp < sp
               ? inner_fp + sizeof(uintptr_t)
               : 0;
}
#endif

/* Our own code, too, but the base: it has no frame pointer and no caller. */
static bool is_program_start(uintptr_t address)
{
    enum { START_BYTES = 64 };

    return address - getauxval(AT_ENTRY) < START_BYTES;
}

__attribute__((no_sanitize("address", "thread"))) static _Unwind_Reason_Code
visit(struct _Unwind_Context *context, void *opaque)
{
    struct unwinding *unwinding = opaque;
    uintptr_t address = _Unwind_GetIP(context);
    uintptr_t sp = _Unwind_GetCFA(context);
    uintptr_t fp = _Unwind_GetGR(context, FRAME_POINTER);
    uintptr_t slot = return_slot(sp, unwinding->inner_fp);

    if (address == 0 || slot >= unwinding->limit) {
        unwinding->whole = true;
        return _URC_END_OF_STACK;
    }
    if (unwinding->n == unwinding->max) {
        return _URC_END_OF_STACK;
    }
    if (slot && *(const uintptr_t *)slot != address) {
        slot = 0; /* interrupted there by a signal: nobody called */
    }
    unwinding->frames[unwinding->n++] =
        (struct ct_unwound){(const uintptr_t *)slot, address};
    unwinding->inner_fp = fp;
    if (is_program_start(address)) {
        unwinding->whole = true;
        return _URC_END_OF_STACK;
    }
    if (ct_is_own_code(address) && (fp < sp || fp > unwinding->limit)) {
        return _URC_END_OF_STACK;
    }
    return _URC_NO_REASON;
}

__attribute__((noinline)) size_t ct_unwind(struct ct_unwound *frames,
                                           size_t max, const void *limit,
                                           bool *ret_whole)
{
    struct unwinding unwinding = {
        .frames = frames, .max = max, .limit = (uintptr_t)limit};

    _Unwind_Backtrace(visit, &unwinding);
    *ret_whole = unwinding.whole;
    return unwinding.n;
}
