/* SPDX-License-Identifier: MIT */
/*
 * account/meanwhile.h - what loops and pools did while somebody waited
 *
 * Model:    is told of slices as they begin and end, and of the waits that are
 *           open; answers for the time from a wait's begin until now.
 * Threads:  one pass, one thread.
 * Memory:   by thread and pool, what the open waits may ask for (logs.h); of
 *           each context that a thread turned, which thread, until that ends.
 * Errors:   none; what was not seen is told as CT_RAN_UNKNOWN.
 * Depends:  ct/change.h, account/logs.h.
 */
#ifndef CT_ACCOUNT_MEANWHILE_H
#define CT_ACCOUNT_MEANWHILE_H

#include "account/logs.h"
#include "ct/change.h"

struct ct_meanwhile;

struct ct_meanwhile *ct_meanwhile_new(void);
void ct_meanwhile_free(struct ct_meanwhile *meanwhile);

/** ct_meanwhile_change() - a slice began or ended, or a gap began */
void ct_meanwhile_change(struct ct_meanwhile *meanwhile,
                         const struct ct_change *change);

/** ct_wait_open() - from @begin_ns on, not before the newest open wait's */
void ct_wait_open(struct ct_meanwhile *meanwhile, struct ct_wait *wait,
                  int64_t begin_ns);
void ct_wait_close(struct ct_wait *wait);

/**
 * ct_meanwhile_loop() - what a context's thread ran from @from_ns until now
 * @from_ns: an open wait's begin
 * The pieces add up to the time.  Nothing if the trace does not tell which
 * thread the context runs in.
 */
void ct_meanwhile_loop(struct ct_meanwhile *meanwhile, int32_t pid,
                       uint64_t context, int64_t from_ns, int64_t now_ns,
                       struct ct_ran_list *list);

/** ct_meanwhile_pool() - what a pool's workers ran; likewise, in parallel */
void ct_meanwhile_pool(struct ct_meanwhile *meanwhile, int32_t pid,
                       uint64_t pool, int64_t from_ns, int64_t now_ns,
                       struct ct_ran_list *list);

#endif
