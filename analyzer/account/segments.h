/* SPDX-License-Identifier: MIT */
/*
 * account/segments.h - a request's life, cut into states
 *
 * Model:    from begin to end there is always exactly one open segment, the
 *           last; whatever is said, the segments are contiguous.
 * Threads:  one pass, one thread.
 * Memory:   the list belongs to the caller; init/fini.
 * Errors:   none.
 * Depends:  ct/change.h.
 */
#ifndef CT_ACCOUNT_SEGMENTS_H
#define CT_ACCOUNT_SEGMENTS_H

#include "ct/change.h"

struct ct_segments {
    struct ct_segment *v;
    unsigned n;
    unsigned capacity;
    int64_t error_ns; /* of what happens now */
};

/** ct_segments_rule() - the state that a situation makes (docs/MODEL.md) */
void ct_segments_rule(const struct ct_situation *situation,
                      struct ct_segment *ret_segment);

/** ct_segments_begin() - empties the list and opens `unknown` at @when_ns */
void ct_segments_begin(struct ct_segments *segments, int64_t when_ns);

/** ct_segments_change() - from @when_ns on the situation is another */
void ct_segments_change(struct ct_segments *segments, int64_t when_ns,
                        const struct ct_situation *situation);

/** ct_segments_waker() - who ends the open wait, where that is its cause */
void ct_segments_waker(struct ct_segments *segments, uint64_t coroutine,
                       uint64_t request);

/** ct_segments_unsure() - what was said of @from_ns .. @when_ns is not known;
 * what is said of @when_ns stands */
void ct_segments_unsure(struct ct_segments *segments, int64_t from_ns,
                        int64_t when_ns);

/** ct_segments_end() - closes the open one */
void ct_segments_end(struct ct_segments *segments, int64_t when_ns);

void ct_segments_fini(struct ct_segments *segments);

#endif
