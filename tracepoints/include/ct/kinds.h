/* SPDX-License-Identifier: MIT */
/*
 * ct/kinds.h - what many requests have in common, as a number
 *
 * Model:    a program has few kinds of requests and many requests; what a kind
 *           is is told once, before the first request that names its number,
 *           and again after each telling.
 * Threads:  any.
 * Memory:   a fixed table; a number means the same until the process ends.
 * Errors:   none; 0: the caller tells of each request what it is.
 * Depends:  nothing; in a build without tracing there are no numbers.
 */
#ifndef CT_KINDS_H
#define CT_KINDS_H

#include <stdint.h>

#ifdef CT_TRACING

/**
 * ct_kind_told() - the kind's number, told by now to all who record it, but
 * for one that takes a stopped one's place before any loop has looked
 * @layer, @op: literals, known by their addresses
 * @node:       known by its content; borrowed for the call
 *
 * Records an event if need be.
 * Return: 1 and up; 0: nobody records what a number means, a recording that has
 * just begun may drop it, or the table is full.
 */
uint32_t ct_kind_told(const char *layer, const char *op, const char *node,
                      unsigned flags);

#else

static inline uint32_t ct_kind_told(const char *layer, const char *op,
                                    const char *node, unsigned flags)
{
    return 0;
}

#endif

#endif
