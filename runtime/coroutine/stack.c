/* SPDX-License-Identifier: MIT */
/*
 * stack.c - stacks that end in a guard page
 *
 * A stack is a mapping of its own, one page larger than what is usable.  The
 * lowest page can't be accessed: a coroutine that needs more than it has gets a
 * fault at the frame that went too far, instead of another coroutine's data
 * getting its frames.
 *
 * Two mappings a stack (the guard page is one for the kernel) of the 65530 that
 * it gives a process bound the number of live coroutines to about 32000.
 */
#include "coroutine/stack.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0u
#define VALGRIND_STACK_DEREGISTER(id)       ((void)(id))
#endif

#include "ct/pre.h"

static size_t guard_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void coroutine_stack_map(struct coroutine_stack *stack)
{
    size_t guard = guard_bytes();
    size_t bytes = COROUTINE_STACK_BYTES;
    char *mapping =
        mmap(NULL, guard + bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

    ct_pre_msg("coroutine-stack/memory", mapping != MAP_FAILED,
               "no memory for a coroutine's stack of %zu bytes: %s", bytes,
               strerror(errno));
    ct_pre_msg("coroutine-stack/guard",
               mprotect(mapping, guard, PROT_NONE) == 0,
               "no guard page for a coroutine's stack: %s", strerror(errno));

    stack->base = mapping + guard;
    stack->bytes = bytes;
    stack->valgrind_id =
        VALGRIND_STACK_REGISTER(mapping + guard, mapping + guard + bytes);
}

void coroutine_stack_unmap(struct coroutine_stack *stack)
{
    size_t guard = guard_bytes();

    VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
    munmap((char *)stack->base - guard, guard + stack->bytes);
    stack->base = NULL;
}
