/* SPDX-License-Identifier: MIT */
/*
 * decode/lives.h - from a coroutine's address to an id that is never reused
 *
 * Model:    a process has lanes (what runs on one thread: coroutines that
 *           entered one another, innermost last) and lives (one coroutine from
 *           its first sight to its end; the next one at that address is another
 *           life).  Without thread numbers a lane is known by its leader, what
 *           its thread itself is called where coroutines switch.
 *           A coroutine's stack lies at one place for all its lives, so a
 *           pointer into it tells whose it is.
 * Threads:  one pass, one thread.
 * Memory:   a life that ended stays valid until the next ct_lives_sweep(), and
 *           so does a lane that was forgotten because there are too many.
 * Errors:   none: what does not fit is made to, and counted.
 * Depends:  libc, glib.h.
 */
#ifndef CT_DECODE_LIVES_H
#define CT_DECODE_LIVES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CT_LANE_DEPTH 64
#define CT_LANES_MAX  4096

struct ct_lane;

struct ct_generation {
    uint64_t address;
    uint64_t id;
    uint64_t opaque;      /* its entry's argument */
    bool was_entered;     /* `opaque` is known */
    bool was_there;       /* before anything was heard of it */
    struct ct_lane *lane; /* that it runs on; NULL: none */
};

struct ct_lane {
    int32_t tid;     /* 0, -1, -2 ...: not told */
    uint64_t leader; /* 0: not known */
    struct ct_generation *stack[CT_LANE_DEPTH];
    unsigned n;
    struct ct_lane *next, *prev; /* in the ring of those with a stack */
    void *own; /* what its user knows of it, from g_malloc(); freed with it */
};

struct ct_lives;

/** ct_lives_new() - @size: of a life, of which struct ct_generation is the
 * front; the rest begins as zeros; @ended: called with every one that ends */
struct ct_lives *ct_lives_new(size_t size,
                              void (*ended)(struct ct_generation *, void *data),
                              void *data);
void ct_lives_free(struct ct_lives *lives);

/** ct_lives_new_id() - for whatever else lives in the process */
uint64_t ct_lives_new_id(struct ct_lives *lives);

/** ct_lives_sweep() - what ended is not needed any more */
void ct_lives_sweep(struct ct_lives *lives);

/** ct_lives_find() - who lives at an address; NULL: nobody */
struct ct_generation *ct_lives_find(const struct ct_lives *lives,
                                    uint64_t address);

/** ct_lives_get() - the same; one that is new was there before */
struct ct_generation *ct_lives_get(struct ct_lives *lives, uint64_t address);

/** ct_lives_bear() - a new life at an address where nobody lives */
struct ct_generation *ct_lives_bear(struct ct_lives *lives, uint64_t address);

/** ct_lives_end() - out of its lane, and gone */
void ct_lives_end(struct ct_lives *lives, struct ct_generation *life);

/**
 * ct_lives_enter() - `from` hands the thread to `to`
 * @tid:        0: not told
 * @ret_lost:   who lived there and must have ended unseen; NULL: nobody
 * @ret_from:   the coroutine that does it; NULL: the thread itself
 * Return: who was entered; its lane is set.
 */
struct ct_generation *ct_lives_enter(struct ct_lives *lives, int32_t tid,
                                     uint64_t from, uint64_t to,
                                     uint64_t opaque,
                                     struct ct_generation **ret_lost,
                                     struct ct_generation **ret_from);

/**
 * ct_lives_leave() - a coroutine gave its thread away
 * @to: leader or coroutine; 0: not told
 * Return: the lane that it was thought to run on, or that must have been it.
 */
struct ct_lane *ct_lives_leave(struct ct_lives *lives, int32_t tid,
                               struct ct_generation *life, uint64_t to);

/** ct_lives_lane() - where an event is that names @life (NULL: none) */
struct ct_lane *ct_lives_lane(struct ct_lives *lives, int32_t tid,
                              struct ct_generation *life);

/** ct_lives_top() - the coroutine that runs on a lane; NULL: none, or which
 * one can't be said */
struct ct_generation *ct_lives_top(const struct ct_lives *lives,
                                   const struct ct_lane *lane);

/** ct_lives_doubt() - a switch may be missing: nobody is known to run, and
 * lanes have nothing of their own */
void ct_lives_doubt(struct ct_lives *lives);

/** ct_lives_only() - the one that runs if only one lane has any; NULL: else */
struct ct_generation *ct_lives_only(const struct ct_lives *lives);

/** ct_lives_lanes() - how many are known */
unsigned ct_lives_lanes(const struct ct_lives *lives);

/** ct_lives_of_stack() - whose stack a pointer is into; NULL: not known */
struct ct_generation *ct_lives_of_stack(const struct ct_lives *lives,
                                        uint64_t pointer);

/** ct_lives_learn_stack() - this one's */
void ct_lives_learn_stack(struct ct_lives *lives, uint64_t pointer,
                          const struct ct_generation *life);

/** ct_lives_on_base() - whose stack begins there, as it was told; NULL: not
 * known
 */
struct ct_generation *ct_lives_on_base(const struct ct_lives *lives,
                                       uint64_t base);

/** ct_lives_learn_base() - this address's, whoever lives there */
void ct_lives_learn_base(struct ct_lives *lives, uint64_t base,
                         const struct ct_generation *life);

#endif
