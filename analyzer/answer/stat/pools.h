/* SPDX-License-Identifier: MIT */
/*
 * answer/stat/pools.h - pools: how many items wait, how many workers are busy,
 * over time
 *
 * Model:    a pool's counters hold from one telling to the next; over a gap
 *           they are not known, and count as 0.
 * Threads:  none.
 * Memory:   by pool.
 * Errors:   none.
 * Depends:  ct/stat.h, answer/stat/series.h.
 */
#ifndef CT_ANSWER_STAT_POOLS_H
#define CT_ANSWER_STAT_POOLS_H

#include "answer/stat/series.h"
#include "ct/stat.h"

struct ct_pools;

struct ct_pools *ct_pools_new(void);
void ct_pools_free(struct ct_pools *pools);

/** ct_pools_count() - a pool's counter says something else from now on */
void ct_pools_count(struct ct_pools *pools, const struct ct_counter *counter,
                    int64_t origin_ns);

/** ct_pools_worked() - an item ended, or was left */
void ct_pools_worked(struct ct_pools *pools, const struct ct_slice *slice);

/** ct_pools_gap() - from @from_ns to @to_ns nothing is known */
void ct_pools_gap(struct ct_pools *pools, int64_t from_ns, int64_t to_ns);

/** ct_pools_workers_peak() - most of them at once, over all pools */
uint64_t ct_pools_workers_peak(const struct ct_pools *pools);

/** ct_pools_result() - by process and id; owned by @pools
 * @end_ns: from the origin, as are all times here */
const struct ct_stat_pool *ct_pools_result(struct ct_pools *pools,
                                           int64_t end_ns, unsigned *ret_n);

#endif
