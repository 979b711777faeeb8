/* SPDX-License-Identifier: MIT */
/*
 * preload/ring.h - operations that the kernel gets, and their completion
 *
 * Model:    linux-aio and io_uring keep completions in rings that the program
 *           shares with the kernel and mostly reads without any call.  So each
 *           ring is remembered when something is submitted to it, by the thread
 *           that did, and looked at where that thread comes by.
 * Threads:  the calling thread's rings only.
 * Memory:   a fixed table.
 * Errors:   what finds no room is not told.
 * Depends:  guard.h.
 */
#ifndef CT_PRELOAD_RING_H
#define CT_PRELOAD_RING_H

#pragma GCC visibility push(hidden)

/** ct_rings_look() - tells what has completed in the calling thread's rings */
void ct_rings_look(void);

#pragma GCC visibility pop

#endif
