/* SPDX-License-Identifier: MIT */
/*
 * out/held.h - rows that leave in the order in which they were announced
 *
 * Model:    announce() gives a place in the order; put() brings its row, at any
 *           time later.  A row leaves as soon as every earlier one has left.
 *           For requests: announced when they begin, put when they end, so
 *           they leave by their begin although they are known at their end.
 * Threads:  one at a time.
 * Memory:   16 bytes for every place from the oldest that waits for its row to
 *           the newest; waiting rows beyond a few MiB lie in a file.  So what
 *           is kept grows with how long the oldest open request is open, and
 *           by little.
 * Errors:   those of the spool, told by ct_held_error(); rows that it lost
 *           do not leave.
 * Depends:  out/spool.h.
 */
#ifndef CT_OUT_HELD_H
#define CT_OUT_HELD_H

#include "out/spool.h"

struct ct_held;

typedef void ct_held_leave(void *data, const char *row, size_t length);

struct ct_held *ct_held_new(ct_held_leave *leave, void *data);
void ct_held_free(struct ct_held *held);

uint64_t ct_held_announce(struct ct_held *held);

/** ct_held_put() - @length 0: nothing leaves in this place */
void ct_held_put(struct ct_held *held, uint64_t place, const char *row,
                 size_t length);

/** ct_held_error() - false: no error; true: @error tells it */
bool ct_held_error(const struct ct_held *held, GError **error);

#endif
