/* SPDX-License-Identifier: MIT */
/*
 * disturb.h - what the stress tests share: threads, what disturbs whoever is at
 * work, and the rounds
 *
 * Model:    a round makes contexts, lets its test work in them while the main
 *           thread disturbs it, and takes everything apart again.  So what a
 *           round leaves behind is a leak: memory and file descriptors at the
 *           end are those after the first rounds, when all caches are warm.
 * Threads:  the main thread, but for what is marked atomic.
 */
#ifndef CT_TEST_DISTURB_H
#define CT_TEST_DISTURB_H

#include "ct/block.h"

#define STRESS_IOTHREADS 2
#define STRESS_CONTEXTS  (STRESS_IOTHREADS + 1)

struct stress {
    AioContext *ctxs[STRESS_CONTEXTS]; /* the first is the main thread's */
    IOThread *iothreads[STRESS_IOTHREADS];
    unsigned running; /* atomic: those that have to end before the round does */
    unsigned stop;    /* atomic: they should */
    unsigned requests;    /* atomic: in all */
    unsigned late;        /* atomic: functions that were late and still run */
    int plain_a, plain_b; /* protected by the graph's lock: always equal */
};

extern struct stress stress;

/* One of the running ends; from any thread. */
void stress_ended(void);

/* A coroutine that runs in @ctx, and calls stress_ended(). */
void stress_start(AioContext *ctx, CoroutineEntry *entry, void *opaque);

/* Any of the contexts. */
AioContext *stress_any_context(GRand *rand);

/* Moves, drains, reopens, cancels, writes to the graph: one of them, @blk's. */
void stress_disturb(GRand *rand, BlockBackend *blk);

/* Tells all that run to stop, and waits for them. */
void stress_stop(void);

/* How to do I/O, at random; what the kernel refuses is not taken by
 * stress_open(). */
const char *stress_any_engine(GRand *rand);

/*
 * A new image of its own name: raw for @cluster_bits 0, else qcow2.
 * Return: its name, to be given to image_remove()
 */
char *stress_make_image(unsigned cluster_bits, int64_t bytes);

/*
 * Rounds until it is enough (COTRACE_SOAK=1: ten minutes), with the seed
 * COTRACE_SEED; prints it, and what was left over, which must be nothing.
 */
void stress_rounds(void (*round)(GRand *rand));

#endif
