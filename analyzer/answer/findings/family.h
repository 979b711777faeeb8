/* SPDX-License-Identifier: MIT */
/*
 * findings/family.h - what the pass tells, to each family of findings
 *
 * Model:    a family looks at what the pass tells and points at causes.
 * Threads:  one pass, one thread.
 * Memory:   what is told is borrowed for the call.
 * Errors:   none.
 * Depends:  findings/causes.h.
 */
#ifndef CT_FINDINGS_FAMILY_H
#define CT_FINDINGS_FAMILY_H

#include "answer/findings/causes.h"

/* loop.c */
void ct_findings_loop_slice(struct ct_causes *causes,
                            const struct ct_slice *slice);
void ct_findings_loop_request(struct ct_causes *causes,
                              const struct ct_request *request);
/* idle.c */
void ct_findings_idle_slice(struct ct_causes *causes,
                            const struct ct_slice *slice);
void ct_findings_idle_request(struct ct_causes *causes,
                              const struct ct_request *request);
/* pool.c */
void ct_findings_pool_request(struct ct_causes *causes,
                              const struct ct_request *request);
/* spawn.c */
struct ct_spawns;

struct ct_spawns *ct_spawns_new(void);
void ct_spawns_free(struct ct_spawns *spawns);
void ct_findings_spawn_life(struct ct_causes *causes, struct ct_spawns *spawns,
                            const struct ct_life *life);
void ct_findings_spawn_request(struct ct_causes *causes,
                               struct ct_spawns *spawns,
                               const struct ct_request *request);
/* locks.c */
struct ct_lock_waits;

struct ct_lock_waits *ct_lock_waits_new(void);
void ct_lock_waits_free(struct ct_lock_waits *waits);
void ct_lock_waits_event(struct ct_lock_waits *waits,
                         const struct ct_lock_event *event);
void ct_lock_waits_stack(struct ct_lock_waits *waits,
                         const struct ct_own_stack *own);
void ct_lock_waits_life(struct ct_lock_waits *waits,
                        const struct ct_life *life);
/** ct_lock_waits_gap() - who waits now, and since when, is not known */
void ct_lock_waits_gap(struct ct_lock_waits *waits);
void ct_findings_locks_request(struct ct_causes *causes,
                               struct ct_lock_waits *waits,
                               const struct ct_request *request);
/* stuck.c; judged when the pass has ended */
struct ct_stuck;

struct ct_stuck *ct_stuck_new(const struct ct_findings_limits *limits);
void ct_stuck_free(struct ct_stuck *stuck);
void ct_stuck_slice(struct ct_stuck *stuck, const struct ct_slice *slice);
void ct_stuck_life(struct ct_stuck *stuck, const struct ct_life *life);
void ct_stuck_alive(struct ct_stuck *stuck, const struct ct_alive *alive);
/** ct_stuck_request() - also a nested one */
void ct_stuck_request(struct ct_causes *causes, struct ct_stuck *stuck,
                      const struct ct_request *request);
void ct_stuck_finish(struct ct_causes *causes, struct ct_stuck *stuck,
                     const struct ct_summary *summary);
/* overhead.c */
struct ct_overhead;

struct ct_overhead *ct_overhead_new(void);
void ct_overhead_free(struct ct_overhead *overhead);
void ct_overhead_event(struct ct_overhead *overhead,
                       const struct ct_record *record);
void ct_overhead_slice_began(struct ct_overhead *overhead,
                             const struct ct_slice *slice);
void ct_overhead_slice(struct ct_overhead *overhead,
                       const struct ct_slice *slice);
void ct_overhead_gap(struct ct_overhead *overhead);
/** ct_overhead_finish() - when the trace is over */
void ct_overhead_finish(struct ct_causes *causes, struct ct_overhead *overhead);

#endif
