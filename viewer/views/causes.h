/* SPDX-License-Identifier: MIT */
/*
 * views/causes.h - a segment and who is to blame for it, as JSON and as text
 *
 * Model:    names of functions are looked up when a row is made: a request may
 *           end long before its trace.
 * Memory:   the caller's, zeroed is fresh; fini.
 * Depends:  ct/backtrace.h, out/json.h.
 */
#ifndef CT_VIEWS_CAUSES_H
#define CT_VIEWS_CAUSES_H

#include "ct/backtrace.h"
#include "out/json.h"

struct ct_blame_view {
    struct ct_symbols *symbols;
};

void ct_blame_view_fini(struct ct_blame_view *causes);

/** ct_blame_view_json() - one segment of @request
 * @of: number of the request whose segment it is, for a path; 0: no matter */
void ct_blame_view_json(struct ct_blame_view *causes, struct ct_json *json,
                        const struct ct_consumer *consumer,
                        const struct ct_request *request,
                        const struct ct_segment *segment, uint64_t of);

/** ct_blame_view_text() - what most of a state's time is to be blamed on, in a
 * few words: " (bottom half f)"; nothing where that is not known */
void ct_blame_view_text(struct ct_blame_view *causes, GString *words,
                        const struct ct_consumer *consumer,
                        const struct ct_request *request, enum ct_state state);

#endif
