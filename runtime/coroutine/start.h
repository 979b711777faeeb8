/* SPDX-License-Identifier: MIT */
/*
 * start.h - where a fresh stack begins
 */
#ifndef CT_COROUTINE_START_H
#define CT_COROUTINE_START_H

#include <stddef.h>

#include "ct/coroutine.h"

/**
 * coroutine_start_prepare() - make a switch to @co run coroutine_trampoline()
 * @co:    its stack was just mapped
 * @below: bytes at the stack's top to leave unused, a multiple of 16
 */
void coroutine_start_prepare(Coroutine *co, size_t below);

/**
 * coroutine_trampoline() - the first function on every coroutine's stack
 *
 * Runs the entry function of one life after the other.  Never returns.
 */
void coroutine_trampoline(void);

#endif
