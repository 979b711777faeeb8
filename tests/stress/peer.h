/* SPDX-License-Identifier: MIT */
/*
 * peer.h - an NBD client that connects, asks, checks, and goes, again and again
 *
 * Model:    a peer is a thread with a part of the disk of its own, of which it
 *           knows every sector.  It comes in any way that the protocol knows,
 *           has several requests in flight, and goes in a polite way or in the
 *           middle of anything.  What was in flight then may be done later, at
 *           any time, so it writes only to a part that is never checked.
 * Threads:  made and joined by the main thread; else its own.
 */
#ifndef CT_TEST_PEER_H
#define CT_TEST_PEER_H

#include <stdint.h>

#include <glib.h>

#define PEER_BYTES (256 * 512) /* of the disk */

struct peer;

/**
 * peer_new() - begin
 * @path:   of the server's socket; borrowed
 * @offset: where its part of the disk begins
 * @served: called when a batch of so many requests was answered
 * @ended:  called at the end of the thread, which comes when @stop is set
 */
struct peer *peer_new(const char *path, uint64_t offset, guint32 seed,
                      const unsigned *stop, void (*served)(unsigned requests),
                      void (*ended)(void));

/** peer_join() - wait for its end, and free it */
void peer_join(struct peer *peer);

#endif
