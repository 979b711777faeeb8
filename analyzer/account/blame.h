/* SPDX-License-Identifier: MIT */
/*
 * account/blame.h - who held it up: for each waiting segment, what went on
 *
 * Model:    a request's segments are looked at after each change of them; one
 *           that closed gets its cause's pieces then, while what it waited for
 *           is still there.
 * Threads:  one pass, one thread.
 * Memory:   what open requests and their open waits need; the pieces belong to
 *           the request, and of each of its waits for a lock a limited number
 *           with times.
 * Errors:   none; what is not known has no pieces, or CT_RAN_UNKNOWN ones.
 * Depends:  account/blamed.h, account/meanwhile.h.
 */
#ifndef CT_ACCOUNT_BLAME_H
#define CT_ACCOUNT_BLAME_H

#include "account/blamed.h"

struct ct_blame;

struct ct_blame *ct_blame_new(void);
void ct_blame_free(struct ct_blame *blame);

/** ct_blame_change() - a slice began or ended, or a gap began */
void ct_blame_change(struct ct_blame *blame, const struct ct_change *change);

/** ct_blame_begin() - a request began; its numbers and segments are set */
void ct_blame_begin(struct ct_blame *blame, struct ct_blamed *request);

/** ct_blame_serves() - a coroutine serves it from now on */
void ct_blame_serves(struct ct_blame *blame, struct ct_blamed *request,
                     uint64_t coroutine);

/** ct_blame_look() - its segments changed, @now_ns; @is_over: all are closed */
void ct_blame_look(struct ct_blame *blame, struct ct_blamed *request,
                   int64_t now_ns, bool is_over);

/**
 * ct_blame_end() - it is over; its path is told to those that waited for it
 * @coroutines: that served it
 */
unsigned ct_blame_end(struct ct_blame *blame, struct ct_blamed *request,
                      int64_t now_ns, const uint64_t *coroutines,
                      unsigned n_coroutines,
                      const struct ct_path_segment **ret_path);

/** ct_blamed_fini() - free a request's memory; it has ended, or all do */
void ct_blamed_fini(struct ct_blamed *request);

#endif
