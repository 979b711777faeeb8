/* SPDX-License-Identifier: MIT */
/*
 * stack.h - memory for a coroutine's stack
 */
#ifndef CT_COROUTINE_STACK_H
#define CT_COROUTINE_STACK_H

#include <stddef.h>

/* Enough for the block layer with room for a user's own frames. */
#define COROUTINE_STACK_BYTES ((size_t)1 << 20)

struct coroutine_stack {
    void *base; /* lowest usable address; the guard page lies below */
    size_t bytes;
    unsigned valgrind_id;
};

/**
 * coroutine_stack_map() - map a stack of COROUTINE_STACK_BYTES and its guard
 *
 * No memory is used until it is touched.  Aborts when there is none.
 */
void coroutine_stack_map(struct coroutine_stack *stack);

/** coroutine_stack_unmap() - give it back; base is NULL then */
void coroutine_stack_unmap(struct coroutine_stack *stack);

#endif
