/* SPDX-License-Identifier: MIT */
/*
 * preload/stacks.h - which stack an address lies on
 *
 * Model:    stacks that were given to makecontext() are known by their bounds,
 *           until another one overlaps them; a thread's own is known to the
 *           provider.
 * Threads:  any; finding takes no lock and may be done in a signal handler.
 * Memory:   a fixed table.
 * Errors:   a stack that finds no room is not known.
 * Depends:  libc only.
 */
#ifndef CT_PRELOAD_STACKS_H
#define CT_PRELOAD_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define CT_STACKS_OWN     UINT64_C(0) /* the thread's own */
#define CT_STACKS_UNKNOWN UINT64_C(1)

struct ct_stack_place {
    uintptr_t base;  /* lowest address, or one of the above */
    const void *end; /* NULL: not known */
    int number;      /* of a coroutine's, as long as that lives; else -1 */
};

/** ct_stacks_place() - where @address lies, for the calling thread */
struct ct_stack_place ct_stacks_place(const void *address);

/** ct_stacks_add() - from now on this is a stack; false: no room */
bool ct_stacks_add(uintptr_t base, size_t bytes);

/**
 * ct_stacks_first() - the coroutine's stack with that number, if that is asked
 * for the first time since it was added
 *
 * Return: its base; 0: it was asked for, or @number is -1.
 */
uintptr_t ct_stacks_first(int number);

/** ct_stacks_find() - the stack that @address lies on, threads' aside */
struct ct_stack_place ct_stacks_find(uintptr_t address);

#pragma GCC visibility pop

#endif
