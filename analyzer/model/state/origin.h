/* SPDX-License-Identifier: MIT */
/*
 * model/state/origin.h - how chains of origins are made
 *
 * Model:    see ct/entity.h; a chain is kept bounded by origin.c.
 * Threads:  one pass, one thread.
 * Memory:   counted.
 * Errors:   none.
 * Depends:  ct/entity.h.
 */
#ifndef CT_MODEL_ORIGIN_H
#define CT_MODEL_ORIGIN_H

#include "ct/entity.h"

/* A chain is never longer than this, skipped ones not counted. */
#define CT_ORIGIN_LENGTH_MAX 128

/**
 * ct_origin_new() - a new innermost origin
 * @like: boundary, cut, pid, tid, id, stack and when_ns are taken from it
 * @next: what its stack ran in; borrowed; NULL: none
 * Return: with one reference.
 */
struct ct_origin *ct_origin_new(const struct ct_origin *like,
                                struct ct_origin *next);

/** ct_origin_also() - one more cause, coalesced; only before it is shared */
void ct_origin_also(struct ct_origin *origin, uint64_t stack);

#endif
