/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/explain.h - the logical backtraces of a few decisions
 *
 * Model:    a consumer of one more pass over a run, which ends after the last
 *           decision that is asked for; the n-th run that began is found again
 *           by counting, and requests by their number, since a trace is read in
 *           the same order every time.
 * Threads:  one pass, one thread.
 * Memory:   frames live as long as the explainer.
 * Errors:   none.
 * Depends:  ct/backtrace.h.
 */
#ifndef CT_DIFF_EXPLAIN_H
#define CT_DIFF_EXPLAIN_H

#include "ct/backtrace.h"
#include "ct/consumer.h"

#define CT_EXPLAIN_MAX 4

struct ct_explained {
    bool is; /* it was seen */
    int32_t pid, tid;
    bool complete;
    unsigned n_frames;
    struct ct_frame *frames;
};

struct ct_explain;

/** ct_explain_new() - @files: borrowed */
struct ct_explain *ct_explain_new(struct ct_symbol_files *files);
void ct_explain_free(struct ct_explain *explain);

/**
 * ct_explain_add() - ask for a backtrace
 * @slice:   as in struct ct_decision; 0: nothing is done
 * @waits:   a coroutine's run: not where it goes on, but where it waits next
 * @when_ns: from the trace's origin; with @waits when the run ends
 */
void ct_explain_add(struct ct_explain *explain, uint32_t slice, bool waits,
                    int64_t when_ns);

struct ct_consumer *ct_explain_consumer(struct ct_explain *explain);

/** ct_explain_get() - NULL: it was not asked for */
const struct ct_explained *ct_explain_get(const struct ct_explain *explain,
                                          uint32_t slice, bool waits);

#endif
