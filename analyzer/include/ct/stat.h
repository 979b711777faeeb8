/* SPDX-License-Identifier: MIT */
/*
 * ct/stat.h - totals over a whole trace
 *
 * Model:    a consumer with a result; numbers as in DESIGN section 7, `stat`.
 * Threads:  one pass, one thread.
 * Memory:   the result belongs to the struct ct_stat.
 * Errors:   none.
 * Depends:  ct/consumer.h.
 */
#ifndef CT_STAT_H
#define CT_STAT_H

#include "ct/consumer.h"

/* How long something took. */
struct ct_stat_times {
    uint64_t n; /* 0: nothing else is set */
    int64_t sum_ns;
    int64_t p50_ns, p90_ns, p99_ns, p999_ns, max_ns;
    const uint64_t *octaves; /* [i]: of them took 2^i ns and more */
};

#define CT_STAT_OCTAVES 63

/* Outermost requests of one interface, operation and node. */
struct ct_stat_class {
    bool is_rest; /* all others; without names */
    const char *layer, *op, *node;
    uint64_t requests;
    struct ct_stat_times latency;           /* of those that were seen whole */
    struct ct_stat_times states[CT_STATES]; /* ... that were in it, how long */
};

struct ct_stat_pool {
    int32_t pid;
    uint64_t id;
    uint64_t items; /* that were seen to begin */
    int64_t longest_item_ns;
    uint64_t longest_item_fn;
    uint64_t queued_peak, busy_peak;
    /* items x time, workers x time */
    int64_t queued_ns, busy_ns, idle_ns;
    const int64_t *queued_over_ns, *busy_over_ns; /* by bucket */
};

struct ct_stat_context {
    int32_t pid;
    uint64_t id;
    const char *name;
    bool has_turns; /* false: no turn of a context of its process is told */
    uint64_t polls; /* turns; this, depth and busy times: if it has some */
    unsigned max_poll_depth;
    uint64_t bh_runs;
    int64_t busy_ns; /* in turns, waiting in the kernel left out */
    int64_t longest_callback_ns;
    uint64_t longest_callback_fn;
    const int64_t *busy_over_ns; /* by bucket */
};

struct ct_stat_result {
    struct ct_summary summary;
    uint64_t requests; /* outermost */
    uint64_t requests_complete;
    bool has_latency;             /* false: no complete request, or no clock */
    struct ct_stat_times latency; /* of complete ones */
    bool has_errors;              /* the clock is a reader's: */
    int64_t error_p50_ns, error_p99_ns; /* bounds of those latencies */
    int64_t states_ns[CT_STATES];       /* summed over outermost requests */
    unsigned n_classes;
    const struct ct_stat_class *classes; /* those with most time first */
    /* time in buckets of one width, from the first event on */
    int64_t bucket_ns;
    unsigned n_buckets;
    const int64_t *lost_over_ns; /* events may be missing there; of n streams */
    unsigned n_contexts;
    const struct ct_stat_context *contexts;
    unsigned n_pools;
    const struct ct_stat_pool *pools;
    uint64_t workers_spawned, workers_exited, workers_peak;
    uint64_t coroutines_created, coroutines_peak;
};

struct ct_stat;

struct ct_stat *ct_stat_new(void);
struct ct_consumer *ct_stat_consumer(struct ct_stat *stat);
const struct ct_stat_result *ct_stat_get(const struct ct_stat *stat);
void ct_stat_free(struct ct_stat *stat);

#endif
