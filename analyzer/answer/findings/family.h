/* SPDX-License-Identifier: MIT */
/*
 * findings/family.h - between the table of findings and its families
 *
 * Model:    a family looks at what the pass tells and points at causes; what
 *           has the same cause is one finding.
 * Threads:  one pass, one thread.
 * Memory:   names and origins are borrowed for the call.
 * Errors:   none; beyond a number of causes the later ones are not told.
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

/** ct_findings_hurt() - it held @request up; nothing if it is no finding */
void ct_findings_hurt(struct ct_findings *findings, enum ct_finding_kind kind,
                      int32_t pid, uint64_t cause, const char *name,
                      uint64_t request);

const struct ct_findings_limits *ct_findings_limits(
    const struct ct_findings *findings);

/* loop.c */
void ct_findings_loop_slice(struct ct_findings *findings,
                            const struct ct_slice *slice);
void ct_findings_loop_request(struct ct_findings *findings,
                              const struct ct_request *request);
/* pool.c */
void ct_findings_pool_request(struct ct_findings *findings,
                              const struct ct_request *request);
/* locks.c */
void ct_findings_locks_request(struct ct_findings *findings,
                               const struct ct_request *request);
/* stuck.c; how long it lasts is known when the pass has ended */
void ct_findings_stuck_alive(struct ct_findings *findings,
                             const struct ct_alive *alive);

#endif
