/* SPDX-License-Identifier: MIT */
/*
 * stack.c - frame-pointer walk through our own code
 */
#include "ct/stack.h"

#include "ct/emit.h"

__thread struct ct_stack_entry *ct_stack_current
    __attribute__((used, tls_model("initial-exec"), visibility("hidden")));

uint64_t ct_stack_capture(const void *frame)
{
    const struct ct_stack_entry *entry = ct_stack_current;
    const uintptr_t *fp = frame;
    uint64_t frames[CT_STACK_MAX], hash = 0;
    uint32_t n = 0, limit = 1;

    while (entry && n < CT_STACK_MAX) {
        const uintptr_t *next = (const uintptr_t *)fp[0];

        frames[n++] = fp[1];
        hash = (hash ^ fp[1]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
        if (next == entry->frame) {
            limit = 0;
            break;
        }
        if (next <= fp || (const void *)next > entry->frame) {
            break;
        }
        fp = next;
    }
    if (n > 0) {
        ct_emit_stack_frames(hash, 0, limit, frames, n);
    }
    return hash;
}
