/* SPDX-License-Identifier: MIT */
/*
 * model/requests.h - which coroutine serves each request
 *
 * Model:    begins, is served by one coroutine after the other, ends.
 * Threads:  one pass, one thread.
 * Memory:   a request is the model's.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_REQUESTS_H
#define CT_MODEL_REQUESTS_H

#include "ct/step.h"
#include "model/state/state.h"

void ct_req_step(struct ct_model *model, struct ct_thread *thread,
                 const struct ct_step *step);
void ct_req_told(struct ct_model *model, struct ct_process *process,
                 const struct ct_step *step);
void ct_req_end(struct ct_model *model, struct ct_req *req,
                const struct ct_step *step);

/** ct_req_kinds_free() - what numbers mean is not known any more */
void ct_req_kinds_free(struct ct_model *model, struct ct_process *process);

/** ct_req_in_gap() - nothing is known of them since @from_ns; many gaps without
 * anything told in between cost nothing for each of the requests */
void ct_req_in_gap(struct ct_model *model, int64_t from_ns);

#endif
