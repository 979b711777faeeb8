/* SPDX-License-Identifier: MIT */
/*
 * ct/stack.h - the stack of whoever records an event, as a 64-bit id
 *
 * Model:    a stack is cut into pieces at entry frames, where foreign code
 *           (GLib, libc) called ours.  Our own frames inside the innermost
 *           entry are walked by frame pointer; what lies outside it is taken
 *           once, through .eh_frame, and named by the id of a piece of its own
 *           (`outer`).  A piece's id is a hash of its frames and its outer
 *           piece; event `stack_frames` tells an id before its first use and
 *           again from time to time.
 *           A coroutine's stack ends at its own entry frame and has no outer
 *           piece: what brought it there is the analyzer's to join.
 *           An entry that nobody declared is found by its return address,
 *           which lies in foreign code; declared ones cost less.
 * Threads:  everything here concerns the calling thread only.
 * Memory:   a struct ct_stack_entry lies in the frame that it describes.
 * Errors:   none; a stack that can't be taken has id 0.
 * Depends:  ct/pre.h.
 */
#ifndef CT_STACK_H
#define CT_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "ct/pre.h"

/*
 * An entry frame: home thread only.  The thread's current entry is a
 * thread-local that a coroutine switch replaces (ct_stack_switch()).
 */
struct ct_stack_entry {
    struct ct_stack_entry *prev; /* what ct_stack_leave() restores */
    const void *frame; /* frame address of the function that entered */
    const void *limit; /* highest address a frame may have; NULL: the
                          thread's stack */
    uint64_t outer;    /* id of what lies outside */
    uintptr_t address; /* not 0: an entry that nobody declared; holds
                          while this is its return address */
    int outer_known;   /* 0: taken at the first capture */
};

#ifdef CT_TRACING
extern __thread struct ct_stack_entry *ct_stack_current
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/**
 * ct_stack_switch() - make @entry this thread's current entry
 * @entry: a coroutine's own entry (see ct_stack_coroutine_entry()), or what an
 *         earlier call returned
 *
 * Called on both sides of every coroutine switch.  In assembly, because a
 * compiler may keep the address of a thread-local over a call that comes back
 * on another thread; here nothing of it outlives the three instructions.
 * Return: the entry that was current, NULL if the thread had none yet.
 */
static inline struct ct_stack_entry *ct_stack_switch(
    struct ct_stack_entry *entry)
{
    struct ct_stack_entry *old;
    uintptr_t at;

#if defined(__x86_64__)
    __asm__ volatile("movq ct_stack_current@gottpoff(%%rip), %1\n\t"
                     "movq %%fs:(%1), %0\n\t"
                     "movq %2, %%fs:(%1)"
                     : "=&r"(old), "=&r"(at)
                     : "r"(entry)
                     : "memory");
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, tpidr_el0\n\t"
                     "adrp %1, :gottprel:ct_stack_current\n\t"
                     "ldr %1, [%1, #:gottprel_lo12:ct_stack_current]\n\t"
                     "add %1, %1, %0\n\t"
                     "ldr %0, [%1]\n\t"
                     "str %2, [%1]"
                     : "=&r"(old), "=&r"(at)
                     : "r"(entry)
                     : "memory");
#else
#error "ct_stack_switch() has no assembly for this machine"
#endif
    return old;
}
#else
static inline struct ct_stack_entry *ct_stack_switch(
    struct ct_stack_entry *entry)
{
    return entry;
}
#endif

/**
 * ct_stack_enter() - the calling function is where foreign code calls ours
 * @entry: in the frame of the caller; borrowed until ct_stack_leave()
 *
 * A macro, since the frame is the caller's.  For a GSource callback, a thread
 * function, or whatever a library calls back.  Costs a few stores whether a
 * recording is on or not; the outside is unwound only when an event needs it.
 */
#define ct_stack_enter(entry) \
    ct_stack_enter_at(entry, __builtin_frame_address(0))

static inline void ct_stack_enter_at(struct ct_stack_entry *entry,
                                     const void *frame)
{
    entry->frame = frame;
    entry->outer = 0;
    entry->address = 0;
    entry->outer_known = 0;
    entry->prev = ct_stack_switch(entry);
    entry->limit = entry->prev ? entry->prev->limit : NULL;
}

/** ct_stack_leave() - undo ct_stack_enter(); @entry must be the current one */
static inline void ct_stack_leave(struct ct_stack_entry *entry)
{
    struct ct_stack_entry *current = ct_stack_switch(entry->prev);

    ct_pre("stack-leave/current", current == entry);
}

/**
 * ct_stack_coroutine_entry() - the calling function is a coroutine's first
 *
 * A macro: fills @entry with the caller's frame as outermost, with no outer
 * piece.  Does not make it current; ct_stack_switch() does.
 */
#define ct_stack_coroutine_entry(entry) \
    ct_stack_coroutine_entry_at(entry, __builtin_frame_address(0))

static inline void ct_stack_coroutine_entry_at(struct ct_stack_entry *entry,
                                               const void *frame)
{
    *entry = (struct ct_stack_entry){
        .frame = frame, .limit = frame, .outer_known = 1};
}

/**
 * ct_stack_capture() - the caller's stack, told if it is not told yet
 * @frame: frame address of the capture code's outermost function; the frames
 *         above it, from its return address on, are the stack
 *
 * Used by the generated emitters only.  Bounded: at most CT_STACK_MAX frames a
 * piece, inside the limits of the stack that it runs on.
 * Return: the id; 0 if nothing could be taken.
 */
uint64_t ct_stack_capture(const void *frame);

#define CT_STACK_MAX 128

#endif
