/* SPDX-License-Identifier: MIT */
/*
 * stopped.c - the frames of a coroutine that does not run
 *
 * A recording that starts late wants to know where everybody waits, and they
 * stopped when nobody was looking.  Their frames are still there: the same walk
 * as in stack.c, from where the coroutine goes on out to its first function.
 *
 * It may go on at any time.  Then the frames that are read belong to nothing,
 * but reading them stays safe: between the two ends, upwards, aligned, bounded.
 * So reading and naming are two steps, and in between the caller finds out
 * whether the coroutine has moved.
 */
#include "ct/stopped.h"

#ifdef HAVE_VALGRIND_H
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(address, bytes) ((void)0)
#endif

#include "stack_int.h"

/* A word of a stack that may be in use again: whatever it is, it is one. */
__attribute__((always_inline,
               no_sanitize("address", "thread"))) static inline uintptr_t
word_of(const uintptr_t *at)
{
    uintptr_t word = *at;

    (void)VALGRIND_MAKE_MEM_DEFINED(&word, sizeof(word));
    return word;
}

__attribute__((no_sanitize("address", "thread"))) uint32_t
ct_stack_read_stopped(const void *pc, const void *frame, const void *outermost,
                      uint64_t *ret_frames)
{
    const uintptr_t *at = frame;
    const uintptr_t *end = outermost;
    uint32_t n = 0;

    ret_frames[n++] = (uintptr_t)pc;
    while (at != end) {
        const uintptr_t *next;

        if (at > end || (uintptr_t)at % 8 != 0 || n == CT_STACK_MAX) {
            return 0;
        }
        next = (const uintptr_t *)word_of(&at[0]);
        ret_frames[n++] = ct_plain_address(word_of(&at[1]));
        if (next <= at) {
            return 0;
        }
        at = next;
    }
    return n;
}
