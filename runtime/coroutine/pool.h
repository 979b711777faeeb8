/* SPDX-License-Identifier: MIT */
/*
 * pool.h - where coroutine objects come from and go to
 */
#ifndef CT_COROUTINE_POOL_H
#define CT_COROUTINE_POOL_H

#include "ct/coroutine.h"

/*
 * Objects with their stacks move between threads in batches of this size; a
 * thread keeps up to two, the process COROUTINE_POOL_BATCHES more.
 */
#define COROUTINE_POOL_BATCH   64
#define COROUTINE_POOL_BATCHES 16

/**
 * coroutine_pool_get() - an object with a stack, ready to be entered
 *
 * Fields of an earlier life are as that left them.  Context: any thread.
 */
Coroutine *coroutine_pool_get(void);

/** coroutine_pool_put() - take back one that has terminated */
void coroutine_pool_put(Coroutine *co);

/**
 * coroutine_pool_for_each() - call @visit for every object that ever was
 *
 * Those in a pool, without a stack, and never used included; what they are is
 * for @visit to find out; stacks stay mapped while it runs.
 * Context: any thread, at any time, but from @visit.
 */
void coroutine_pool_for_each(void (*visit)(Coroutine *co, void *opaque),
                             void *opaque);

#endif
