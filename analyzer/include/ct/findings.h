/* SPDX-License-Identifier: MIT */
/*
 * ct/findings.h - what an expert would point at, worst first
 *
 * Model:    a consumer that adds up by cause, and after the pass has the causes
 *           in the order of the time that they cost.
 * Threads:  one pass, one thread.
 * Memory:   the query owns its result; of each kind so many causes are kept.
 * Errors:   none.
 * Depends:  ct/backtrace.h.
 */
#ifndef CT_FINDINGS_H
#define CT_FINDINGS_H

#include "ct/backtrace.h"

enum ct_finding_kind {
    CT_FINDING_BLOCKED_LOOP,
    CT_FINDING_NESTED_POLL,
    CT_FINDING_POOL_SATURATED,
    CT_FINDING_LOCK_CONVOY,
    CT_FINDING_STUCK_COROUTINE,
    CT_FINDING_STUCK_REQUEST, /* its coroutine is not there any more */
    CT_FINDING_STARVED_CONTEXT,
    CT_FINDING_SPAWN_STORM,
    CT_FINDING_SERIALISED,
    CT_FINDING_IDLE_WAKEUP,
    CT_FINDING_TRACING_OVERHEAD,
    CT_FINDING_KINDS,
};

/** ct_finding_word() - "blocked-loop" ... */
const char *ct_finding_word(enum ct_finding_kind kind);

#define CT_FINDING_REQUESTS 16

/* Of what is stuck: what it waits for. */
struct ct_finding_wait {
    bool is_sure;        /* nothing is left that could end it */
    bool is_cut;         /* the trace goes on after what is shown */
    bool is_created;     /* the coroutine was never entered: no state */
    bool is_passed_over; /* runnable, work-done: its loop turned, or slept */
    enum ct_state state;
    uint64_t waits_for; /* lock, queue, timer, work item; 0: not known */
    uint64_t by;        /* coroutine: holds the lock, is the child, ...; 0 */
};

struct ct_finding {
    enum ct_finding_kind kind;
    int32_t pid;
    int64_t cost_ns;  /* all of them together */
    uint64_t count;   /* how often; overhead: events */
    uint64_t of;      /* spawn storm: workers; idle wake-ups: wake-ups of that
                         loop or queue; overhead: ns that threads did
                         something; else 0 */
    uint64_t context; /* 0: none, or not known */
    uint64_t object;  /* mutex, pool, coroutine; 0: none */
    /* the worst one, since 1970 */
    int64_t begin_ns, end_ns;
    unsigned depth;              /* nested poll: the deepest */
    const char *function;        /* NULL: not known, or none */
    struct ct_finding_wait wait; /* stuck ones */
    const char *node;    /* serialised: of the requests; NULL: not known */
    uint64_t n_requests; /* that it hurt; the first of them: */
    uint64_t requests[CT_FINDING_REQUESTS];
    unsigned n_frames;
    const struct ct_frame *frames; /* innermost first */
    bool complete;                 /* ... back to the base of a thread */
};

static inline bool ct_finding_is_stuck(const struct ct_finding *finding)
{
    return finding->kind == CT_FINDING_STUCK_COROUTINE ||
           finding->kind == CT_FINDING_STUCK_REQUEST;
}

/** ct_finding_is_unsure() - what it points at may go on after the trace */
static inline bool ct_finding_is_unsure(const struct ct_finding *finding)
{
    return ct_finding_is_stuck(finding) && !finding->wait.is_sure;
}

struct ct_findings_limits {
    int64_t block_ns; /* what takes less at once is nothing to point at */
    int64_t stuck_ns; /* nor is a wait at the trace's end that is shorter */
    uint64_t spawns;  /* workers made again */
    uint64_t idles;   /* wake-ups for nothing, of one loop or queue */
    uint64_t tracing_percent; /* tracing's share of the time */
};

#define CT_FINDINGS_BLOCK_NS INT64_C(10000000)
#define CT_FINDINGS_STUCK_NS INT64_C(100000000)
#define CT_FINDINGS_SPAWNS   16
#define CT_FINDINGS_IDLES    100
#define CT_FINDINGS_TRACING  25

#define CT_FINDINGS_DEFAULTS                                                \
    {                                                                       \
        .block_ns = CT_FINDINGS_BLOCK_NS, .stuck_ns = CT_FINDINGS_STUCK_NS, \
        .spawns = CT_FINDINGS_SPAWNS, .idles = CT_FINDINGS_IDLES,           \
        .tracing_percent = CT_FINDINGS_TRACING,                             \
    }

struct ct_findings_result {
    bool complete;  /* nothing of the trace is missing, and it has times */
    bool has_times; /* false: nothing was examined */
    bool has_lost;  /* what was lost is not judged: */
    bool lost_known;
    uint64_t lost;  /* events, if that is known */
    bool truncated; /* there were so many causes that some may be missing, or
                       have too low a cost */
    unsigned n;
    const struct ct_finding *v;
};

struct ct_findings; /* contains a struct ct_consumer */

struct ct_findings *ct_findings_new(const struct ct_findings_limits *limits);
struct ct_consumer *ct_findings_consumer(struct ct_findings *findings);

/** ct_findings_result() - borrowed; NULL before the pass has finished */
const struct ct_findings_result *ct_findings_result(
    const struct ct_findings *findings);

void ct_findings_free(struct ct_findings *findings);

#endif
