/* SPDX-License-Identifier: MIT */
/*
 * stack_int.h - what the rooms of the provider say to one another about stacks
 *
 *     emit.c -> stack.c (walk our own code) -> outer.c (what lies outside,
 *     cached) -> unwind.c (.eh_frame)
 *                  \-> intern.c (id, told once)
 */
#ifndef CT_STACK_INT_H
#define CT_STACK_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ct/stack.h"

#pragma GCC visibility push(hidden)

/*
 * 1 in the library that is preloaded: its own frames lie between the program
 * and the capture code.  A stack then begins in the function that the program
 * called, and that is all of our own code that it shows.
 */
#ifndef CT_STACK_HOOKS
#define CT_STACK_HOOKS 0
#endif

/* One piece of a stack, as `stack_frames` tells it. */
struct ct_piece {
    uint64_t outer; /* id of the piece outside */
    uint32_t n;
    bool limit; /* frames are missing at the outer end */
    uint64_t frames[CT_STACK_MAX];
};

/*
 * A walk by frame pointer and where it ended.  A frame is {saved frame pointer,
 * return address} on both of our machines, so a function's frame address is
 * also where the next frame is found.
 */
enum ct_walk_end {
    CT_WALK_ENTRY,   /* at the frame of the entry */
    CT_WALK_FOREIGN, /* at a frame whose return address is not our code */
    CT_WALK_BROKEN,  /* a saved frame pointer that can't be one */
    CT_WALK_LONG,    /* more than CT_STACK_MAX frames */
};

struct ct_walk {
    const uintptr_t *start; /* frame of the capture code */
    const uintptr_t *at;    /* frame where it ended */
    const uintptr_t *limit; /* no frame of this stack lies at or beyond it */
};

/* The code that we trust to keep frame pointers: this program's or library's
 * own.  Immutable after the start. */
extern uintptr_t ct_own_code, ct_own_size;

static inline bool ct_is_own_code(uintptr_t address)
{
    return address - ct_own_code < ct_own_size;
}

#if defined(__aarch64__)
/* A return address may carry a signature in its upper bits. */
static inline uintptr_t ct_plain_address(uintptr_t address)
{
    register uintptr_t x30 __asm__("x30") = address;

    __asm__("hint #7" : "+r"(x30)); /* xpaclri */
    return x30;
}
#else
static inline uintptr_t ct_plain_address(uintptr_t address)
{
    return address;
}
#endif

/** ct_stack_captured() - called with each id while its frames are live */
void ct_stack_captured(uint64_t id);

/* --- unwind.c --------------------------------------------------------------*/

/* One frame by .eh_frame: its return address and where that was read. */
struct ct_unwound {
    const uintptr_t *slot; /* NULL: not in memory */
    uintptr_t address;
};

/**
 * ct_unwind() - the caller's stack through .eh_frame
 * @frames:    frames from the caller outward, innermost first
 * @max:       room in @frames
 * @limit:     ends at the first slot that lies at or beyond it
 * @ret_whole: it ended at the base of the stack or at @limit, not for lack of
 *             room or of unwind information
 *
 * Return: number of frames.
 */
size_t ct_unwind(struct ct_unwound *frames, size_t max, const void *limit,
                 bool *ret_whole);

/** ct_code_of() - where the loaded code begins that @address lies in, or 0 */
uintptr_t ct_code_of(uintptr_t address);

/* --- outer.c ---------------------------------------------------------------*/

/**
 * ct_outer_prepare() - whatever this thread needs to have its stack taken
 *
 * After that a stack may be taken in a signal handler.
 */
void ct_outer_prepare(void);

/* Threads that end leave their memory behind: it can't be unmapped any more.
 * Atomic. */
extern bool ct_outer_keeps;

/**
 * ct_outer_limit() - end of the stack that this thread was born with
 * @frame: an address on the stack that it runs on now
 * Return: NULL if that is another stack, or nothing is known.
 */
const uintptr_t *ct_outer_limit(const void *frame);

/**
 * ct_outer_piece() - id of what lies outside walk->at, told
 * @piece:    the frames walked so far, to be confirmed by .eh_frame
 * @ret_base: set if walk->at belongs to the function that libc called first on
 *            this thread
 *
 * Sets piece->outer and piece->limit.
 * Return: false if .eh_frame disagrees: the frames are not to be trusted.
 */
bool ct_outer_piece(const struct ct_walk *walk, struct ct_piece *piece,
                    bool *ret_base);

/**
 * ct_outer_whole() - the stack from walk->start outward by .eh_frame alone
 * @piece: replaced
 */
void ct_outer_whole(const struct ct_walk *walk, struct ct_piece *piece);

/**
 * ct_outer_set_base() - the entry of a thread that never declared one
 * Return: with frame walk->at and that outer piece; the thread's.
 */
struct ct_stack_entry *ct_outer_set_base(const struct ct_walk *walk,
                                         uint64_t outer);

#pragma GCC visibility pop

#endif
