/* SPDX-License-Identifier: MIT */
/*
 * unwind.c - a stack through .eh_frame, with the place of every return address
 *
 * By the unwinder of the compiler's own run-time library, because it never
 * guesses: where there is no unwind information it ends, where libunwind would
 * follow a saved frame pointer.
 *
 * In our own code the unwind information itself builds on the frame pointer, so
 * one that lies outside the stack would make the next step read there, and a
 * wrong one inside it would give a return address that is none.  The callback,
 * which the unwinder calls before each step, ends the walk then.
 */
#include <link.h>
#include <sys/auxv.h>
#include <unwind.h>

#include "stack_int.h"

/* --- loaded objects ------------------------------------------------------- */

struct lookup {
    uintptr_t address, base;
};

static int look_into(struct dl_phdr_info *info, size_t size, void *opaque)
{
    struct lookup *lookup = opaque;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;

        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) &&
            lookup->address - start < header->p_memsz) {
            lookup->base = start;
            return 1;
        }
    }
    return 0;
}

uintptr_t ct_code_of(uintptr_t address)
{
    struct lookup lookup = {.address = address};

    dl_iterate_phdr(look_into, &lookup);
    return lookup.base;
}

/* --- unwinding ------------------------------------------------------------ */

struct unwinding {
    struct ct_unwound *frames;
    size_t n, max;
    uintptr_t limit;
    bool whole;
    bool inner_own;     /* the frame before is our own code */
    uintptr_t inner_fp; /* its frame pointer, 0: none */
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

    if (slot >= unwinding->limit ||
        (address == 0 && (CT_STACK_HOOKS || !unwinding->inner_own))) {
        unwinding->whole = true;
        return _URC_END_OF_STACK;
    }
    if (unwinding->inner_own && !ct_is_own_code(address) &&
        ct_code_of(address) == 0) {
        return _URC_END_OF_STACK; /* no return address at all */
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
    unwinding->inner_own = ct_is_own_code(address);
    if (is_program_start(address)) {
        unwinding->whole = true;
        return _URC_END_OF_STACK;
    }
    if (unwinding->inner_own && (fp < sp || fp > unwinding->limit)) {
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
