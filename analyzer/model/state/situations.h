/* SPDX-License-Identifier: MIT */
/*
 * model/state/situations.h - what requests are told of their coroutines
 *
 * Model:    a request's situation is told when it is news; a request of which
 *           something was told since the last gap began is restless.
 * Threads:  one pass, one thread.
 * Memory:   nothing is held.
 * Errors:   none.
 * Depends:  model/state/changes.h.
 */
#ifndef CT_MODEL_SITUATIONS_H
#define CT_MODEL_SITUATIONS_H

#include "model/state/changes.h"

/** ct_co_changed() - tell it to the requests that it serves, and to those of
 * the coroutines that wait for it in a nested turn */
void ct_co_changed(struct ct_model *model, struct ct_co *co);

/** ct_req_tell() - work its situation out and tell it */
void ct_req_tell(struct ct_model *model, struct ct_req *req);

/** ct_req_worker() - a worker runs a work item that it waits for */
void ct_req_worker(struct ct_model *model, struct ct_req *req, int32_t tid);

/** ct_req_waker() - who lets go on the coroutine that serves them */
void ct_req_waker(struct ct_model *model, struct ct_co *co, uint64_t waker);

static inline bool ct_req_is_told(const struct ct_model *model)
{
    return ct_model_wants_any(model, CT_WANT_REQUESTS);
}

/** ct_req_change() - a new change of @req; the caller fills the rest */
struct ct_request_change *ct_req_change(struct ct_model *model,
                                        struct ct_req *req,
                                        enum ct_change_kind kind);

void ct_req_make_restless(struct ct_model *model, struct ct_req *req);
void ct_req_make_quiet(struct ct_model *model, struct ct_req *req);

#endif
