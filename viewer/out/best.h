/* SPDX-License-Identifier: MIT */
/*
 * out/best.h - the rows with the greatest keys, greatest first
 *
 * Model:    put() any number of rows; leave() hands them on by key, rows with
 *           equal keys in the order in which they came.  With a limit only so
 *           many are ever kept.
 * Threads:  one at a time.
 * Memory:   with a limit: that many rows.  Without: 32 bytes a row, the rows
 *           themselves beyond a few MiB in a file.
 * Errors:   those of the spool.
 * Depends:  out/held.h (the shape of what takes a row).
 */
#ifndef CT_OUT_BEST_H
#define CT_OUT_BEST_H

#include "out/held.h"

struct ct_best;

struct ct_best *ct_best_new(bool has_limit, uint64_t limit);
void ct_best_free(struct ct_best *best);

/** ct_best_wants() - would a row with this key be kept? */
bool ct_best_wants(const struct ct_best *best, int64_t key);

void ct_best_put(struct ct_best *best, int64_t key, const char *row,
                 size_t length);

/** ct_best_leave() - hand all on; once */
bool ct_best_leave(struct ct_best *best, ct_held_leave *leave, void *data,
                   GError **error);

#endif
