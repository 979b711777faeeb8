/* SPDX-License-Identifier: MIT */
/*
 * preload/guard.h - may this thread record something now?
 *
 * Model:    the library stands between a program that is not ours and libc.
 *           Every call that it takes over does what the real one does; before
 *           or after that it asks the guard, and if it may, records.
 *           It may not: in threads that nobody told us of (LTTng's own), and
 *           while this thread records already (what LTTng and the unwinder
 *           call, and signal handlers that interrupt them).
 * Threads:  everything here concerns the calling thread only.
 * Memory:   a struct ct_guard lies in the frame of who asks.
 * Errors:   none: what can't be recorded is not.
 * Depends:  provider/stack_int.h, real.h; libc only.
 */
#ifndef CT_PRELOAD_GUARD_H
#define CT_PRELOAD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "ct/emit.h"
#include "ct/stack.h"

#include "real.h"

#pragma GCC visibility push(hidden)

/* What a hook calls to record: never part of it, so that the hook's frame is
 * where the stack begins. */
#define CT_TOLD __attribute__((noinline))

/* --- the thread ----------------------------------------------------------- */

struct ct_guard;

struct ct_self {
    bool is_ours;  /* its beginning was seen, its end was not */
    bool is_first; /* the process's first thread */
    unsigned busy; /* it records: nothing of what it calls is the program's */
    uint64_t id;   /* 0: the first thread */
    uintptr_t now; /* base of the stack that it is known to be on, 0: its own */
    const void *mutex;   /* of the condition that it waited for; NULL: none */
    const void *section; /* mutex without which it does something; NULL: none */
    unsigned guesses; /* unlocks left that may begin a section all the same */
    struct ct_guard *guard; /* of what it records; NULL: nothing */
    bool jumps;             /* ... and what is to be done when it is done */
};

extern __thread struct ct_self ct_self
    __attribute__((tls_model("initial-exec")));

/* The program's own lines tell which coroutine runs: jumps don't.  Immutable
 * after the start. */
extern bool ct_guard_has_lines;

/* A context was saved since the thread began to record, so by a signal handler
 * that interrupted it and may be gone back to.  Home thread only. */
extern __thread bool ct_guard_saved __attribute__((tls_model("initial-exec")));

/** ct_guard_begin_thread() - this thread is one of the program's */
void ct_guard_begin_thread(uint64_t id);

/** ct_guard_end_thread() - nothing of this thread is recorded any more */
void ct_guard_end_thread(void);

/* --- may I? --------------------------------------------------------------- */

#define CT_GUARD_UNREAD (-1)

struct ct_guard {
    int error;    /* errno of the program */
    int cancel;   /* its cancellation state; CT_GUARD_UNREAD: it is as it was */
    bool is_away; /* the program has left, and may come back, to ... */
    int cancel_here; /* ... this cancellation state */
    int stack;       /* number of the coroutine's stack that it is on, or -1 */
    bool has_entry;
    struct ct_stack_entry entry; /* of a coroutine's stack */
    struct ct_stack_entry *before;
    struct ct_guard *outer; /* that was about to be entered or left when a
                               signal came; NULL: none */
};

/** ct_guard_may() - worth asking: the answer of ct_guard_enter(), cheaply */
static inline bool ct_guard_may(void)
{
    return ct_self.is_ours && !ct_self.busy;
}

/**
 * ct_guard_enter() - may I?
 *
 * If so, what this thread calls until ct_guard_leave() is ours, and nothing of
 * it can be cancelled; stacks that are taken end where the one that it runs on
 * ends.
 */
bool ct_guard_enter(struct ct_guard *guard);
void ct_guard_leave(struct ct_guard *guard);

/**
 * ct_guard_drop() - the program leaves what the thread records unfinished
 * @rest: the innermost guard that it does not leave; NULL: it leaves all
 *
 * What is the program's is as it was: nothing here is used any more.
 */
void ct_guard_drop(struct ct_guard *rest);

/* What a call records, if it may. */
#define CT_GUARDED(...)                                  \
    do {                                                 \
        struct ct_guard guard_;                          \
                                                         \
        if (ct_guard_may() && ct_guard_enter(&guard_)) { \
            __VA_ARGS__;                                 \
            ct_guard_leave(&guard_);                     \
        }                                                \
    } while (0)

/* --- what a thread holds -------------------------------------------------- */

#define CT_HELD_MAX 32

/**
 * ct_held() - words in registers and innermost frames that may be addresses of
 * objects: of which work item a thread calls the system, for whom a thread is
 * made, stands nowhere else
 * @ret_words: room for CT_HELD_MAX
 *
 * Reads this thread's stack from the caller outward, up to its end.
 * Return: how many, each once.
 */
uint32_t ct_held(uint64_t *ret_words);

#pragma GCC visibility pop

#endif
