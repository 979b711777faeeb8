/* SPDX-License-Identifier: MIT */
/*
 * preload/rings.h - the rings in which the kernel puts completions
 *
 * Model:    linux-aio and io_uring keep completions in rings that the program
 *           shares with the kernel and mostly reads without any call.  So each
 *           ring is remembered when something is submitted to it, by the thread
 *           that did, and looked at where that thread comes by.  A ring is
 *           known by where its memory lies, and forgotten before that goes.
 * Threads:  any; a thread looks at its own rings only.
 * Memory:   a fixed table.
 * Errors:   what finds no room is not told.
 * Depends:  guard.h; linux/aio_abi.h, linux/io_uring.h.
 */
#ifndef CT_PRELOAD_RINGS_H
#define CT_PRELOAD_RINGS_H

#include <stdint.h>

struct io_event;
struct io_uring_cqe;

#pragma GCC visibility push(hidden)

/* Where an io_uring's completions are: known by its head. */
struct ct_completions {
    const unsigned *head, *tail;
    const struct io_uring_cqe *entries;
    unsigned mask;
};

/** ct_rings_look() - tells what has completed in the calling thread's rings */
void ct_rings_look(void);

/** ct_rings_submit() - the calling thread gives @context something: its now */
void ct_rings_submit(void *context);

/**
 * ct_rings_submit_uring() - likewise, an operation that is told
 * @request: its user_data; completions of others are not told
 */
void ct_rings_submit_uring(const struct ct_completions *completions,
                           uint64_t request);

/** ct_rings_head() - what will be taken from @context next; -1: not known */
int ct_rings_head(void *context);

/**
 * ct_rings_taken() - the calling thread, whose ring it is, took events
 * @head: what ct_rings_head() said before
 *
 * Tells those that were not told yet.
 */
void ct_rings_taken(void *context, int head, const struct io_event *events,
                    unsigned n);

/**
 * ct_rings_forget() - its memory is about to go away
 * @place: the context, of an io_uring its completions' head
 */
void ct_rings_forget(const void *place);

/**
 * ct_rings_leave() - what the thread was recording is left for good, maybe in
 * the middle of a look
 */
void ct_rings_leave(void);

/** ct_rings_end_thread() - the calling thread looks no more */
void ct_rings_end_thread(void);

#pragma GCC visibility pop

#endif
