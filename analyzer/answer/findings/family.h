/* SPDX-License-Identifier: MIT */
/*
 * findings/family.h - between the table of findings and its families
 *
 * Model:    a family looks at what the pass tells and points at causes; what
 *           has the same cause is one finding.  Who was hurt may be known
 *           before the cause itself; a cause that was never seen is no finding.
 * Threads:  one pass, one thread.
 * Memory:   names and origins are borrowed for the call.
 * Errors:   none; of many causes of a kind, those that weigh most are kept.
 * Depends:  ct/findings.h.
 */
#ifndef CT_FINDINGS_FAMILY_H
#define CT_FINDINGS_FAMILY_H

#include "ct/findings.h"

/* One occurrence. */
struct ct_seen {
    enum ct_finding_kind kind;
    int32_t pid;
    uint64_t cause; /* the function, mutex, pool ...: what makes it the same */
    const char *name; /* instead, or NULL */
    uint64_t times;   /* how often; 0: it is a part of what was counted */
    uint64_t of;      /* ... of how many that might have been */
    int64_t cost_ns;
    int64_t begin_ns, end_ns;
    uint64_t context, object, fn;
    unsigned depth;
    uint64_t request; /* that it hurt; 0: none */
    uint64_t stack;
    bool has_stack_ns;
    int64_t stack_ns;
    const struct ct_origin *origin;
};

/** ct_findings_see() - one more */
void ct_findings_see(struct ct_findings *findings, const struct ct_seen *seen);

/** ct_findings_of() - one more that might have been, and was not
 * @is_first: it counts also if there has been none that was */
void ct_findings_of(struct ct_findings *findings, enum ct_finding_kind kind,
                    int32_t pid, uint64_t cause, bool is_first);

/** ct_findings_hurt() - it held @request up */
void ct_findings_hurt(struct ct_findings *findings, enum ct_finding_kind kind,
                      int32_t pid, uint64_t cause, const char *name,
                      uint64_t request);

const struct ct_findings_limits *ct_findings_limits(
    const struct ct_findings *findings);

/** ct_seen_in_request() - a segment of a request, with where that was begun */
struct ct_seen ct_seen_in_request(enum ct_finding_kind kind,
                                  const struct ct_request *request,
                                  const struct ct_segment *segment);

/* loop.c */
void ct_findings_loop_slice(struct ct_findings *findings,
                            const struct ct_slice *slice);
void ct_findings_loop_request(struct ct_findings *findings,
                              const struct ct_request *request);
/* idle.c */
void ct_findings_idle_slice(struct ct_findings *findings,
                            const struct ct_slice *slice);
void ct_findings_idle_request(struct ct_findings *findings,
                              const struct ct_request *request);
/* pool.c */
void ct_findings_pool_request(struct ct_findings *findings,
                              const struct ct_request *request);
/* spawn.c */
struct ct_spawns;

struct ct_spawns *ct_spawns_new(void);
void ct_spawns_free(struct ct_spawns *spawns);
void ct_findings_spawn_life(struct ct_findings *findings,
                            struct ct_spawns *spawns,
                            const struct ct_life *life);
void ct_findings_spawn_request(struct ct_findings *findings,
                               struct ct_spawns *spawns,
                               const struct ct_request *request);
/* locks.c */
void ct_findings_locks_request(struct ct_findings *findings,
                               const struct ct_request *request);
/* stuck.c; how long it lasts is known when the pass has ended */
void ct_findings_stuck_alive(struct ct_findings *findings,
                             const struct ct_alive *alive);
/* overhead.c */
struct ct_overhead;

struct ct_overhead *ct_overhead_new(void);
void ct_overhead_free(struct ct_overhead *overhead);
void ct_overhead_event(struct ct_overhead *overhead,
                       const struct ct_record *record);
void ct_overhead_slice(struct ct_overhead *overhead,
                       const struct ct_slice *slice);
void ct_overhead_gap(struct ct_overhead *overhead);
/** ct_overhead_finish() - when the trace is over */
void ct_overhead_finish(struct ct_findings *findings,
                        struct ct_overhead *overhead);

#endif
