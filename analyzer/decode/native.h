/* SPDX-License-Identifier: MIT */
/*
 * decode/native.h - what a preloaded library saw of a program without
 * tracepoints: jumps between stacks, threads, calls
 *
 * Model:    a coroutine is a stack from the makecontext() that prepared it to
 *           the return of its function, or to the next makecontext() there.
 * Threads:  one pass, one thread.
 * Memory:   what is alive.
 * Errors:   none; what a trace does not tell is 0 or CT_UNKNOWN.
 * Depends:  decode/decode.h, decode/lives.h.
 */
#ifndef CT_DECODE_NATIVE_H
#define CT_DECODE_NATIVE_H

#include "decode/decode.h"

struct ct_native;

struct ct_native *ct_native_new(void);
void ct_native_free(struct ct_native *native);

/**
 * ct_native_decode() - the steps that a record of a preloaded library makes
 * @ret_steps: room for CT_DECODE_MAX
 * Return: how many were set.
 */
unsigned ct_native_decode(struct ct_native *native,
                          const struct ct_record *record,
                          struct ct_step *ret_steps);

#endif
