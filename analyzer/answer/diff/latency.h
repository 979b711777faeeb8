/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/latency.h - how long things took in two runs, and is the change
 * more than noise?
 *
 * Model:    a run collects times by what took them (struct ct_timed): a class
 *           of requests as a whole and by state, a callback by itself.  The
 *           comparison asks of each the tests of chance.h: of most, of the
 *           mean, of the longest, since each can change without the others.
 * Threads:  one.
 * Memory:   8 bytes a time.
 * Errors:   none.
 * Depends:  ct/diff.h, ct/request.h, answer/diff/words.h.
 */
#ifndef CT_DIFF_LATENCY_H
#define CT_DIFF_LATENCY_H

#include "answer/diff/words.h"
#include "ct/diff.h"
#include "ct/request.h"

/* No padding: compared as bytes. */
struct ct_timed {
    uint32_t what;  /* word; of a callback in a pass, its function */
    uint16_t kind;  /* enum ct_decision_kind of a callback; of requests
                       CT_DECISION_BEGIN */
    uint16_t state; /* of requests: enum ct_state + 1; 0: as a whole */
};

struct ct_times {
    struct ct_interned keys; /* struct ct_timed */
    GPtrArray *values;       /* GArray of int64_t, by key */
};

void ct_times_init(struct ct_times *times);
void ct_times_fini(struct ct_times *times);
void ct_times_add(struct ct_times *times, const struct ct_timed *key,
                  int64_t value_ns);

/** ct_times_add_all() - takes a reference, if @key is new */
void ct_times_add_all(struct ct_times *times, const struct ct_timed *key,
                      GArray *values);

/** ct_times_add_request() - the whole and every state of one that was seen
 * whole
 * @is_lossy: events were lost meanwhile: if time in it is unknown then the
 *            whole is all that counts */
void ct_times_add_request(struct ct_times *times, uint32_t what,
                          const struct ct_request *request, bool is_lossy);

/** ct_latency_compare() - struct ct_diff_latency of all that both runs timed,
 * sure ones first, by the shift of their means; labels are kept in @texts */
GArray *ct_latency_compare(const struct ct_times *a, const struct ct_times *b,
                           const struct ct_words *words, GPtrArray *texts);

/** ct_latency_shift() - of the mean, to either side */
static inline int64_t ct_latency_shift(const struct ct_diff_latency *latency)
{
    return ABS(latency->times[CT_DIFF_B].mean_ns -
               latency->times[CT_DIFF_A].mean_ns);
}

/** ct_latency_weight() - how much time the change makes in all */
static inline double ct_latency_weight(const struct ct_diff_latency *latency)
{
    return (double)ct_latency_shift(latency) *
           (double)MIN(latency->times[CT_DIFF_A].n,
                       latency->times[CT_DIFF_B].n);
}

/* latency_cause.c */
struct ct_latency_cause {
    const struct ct_diff_latency *row; /* borrowed; NULL: nothing is sure */
    enum ct_diff_cause_of of;
};

/** ct_latency_cause() - which of @latency explains most */
struct ct_latency_cause ct_latency_cause(const GArray *latency);

#endif
