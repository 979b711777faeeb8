/* SPDX-License-Identifier: MIT */
/*
 * What requests are told of the coroutines that serve them.
 *
 * The rooms above change what is alive, and say here whose situation that may
 * have changed; what it is now is worked out by doing.c, and told if it is
 * news.  Nested requests of one coroutine share its situation.
 */
#include "model/state/situations.h"

#include <glib.h>

#include "model/state/changes.h"
#include "model/state/doing.h"

struct ct_request_change *ct_req_change(struct ct_model *model,
                                        struct ct_req *req,
                                        enum ct_change_kind kind)
{
    struct ct_request_change *what = &ct_model_change(model, kind)->request;

    what->number = req->number;
    what->slot = &req->slot;
    /* Its changes may be told by threads with clocks of their own. */
    req->last_ns = MAX(req->last_ns, model->now_ns);
    what->when_ns = req->last_ns;
    return what;
}

void ct_req_make_restless(struct ct_model *model, struct ct_req *req)
{
    if (req->is_restless) {
        return;
    }
    req->is_restless = true;
    req->restless_prev = NULL;
    req->restless_next = model->restless;
    if (model->restless) {
        model->restless->restless_prev = req;
    }
    model->restless = req;
}

void ct_req_make_quiet(struct ct_model *model, struct ct_req *req)
{
    if (!req->is_restless) {
        return;
    }
    req->is_restless = false;
    *(req->restless_prev ? &req->restless_prev->restless_next
                         : &model->restless) = req->restless_next;
    if (req->restless_next) {
        req->restless_next->restless_prev = req->restless_prev;
    }
}

static bool is_same(const struct ct_situation *a, const struct ct_situation *b)
{
    return a->doing == b->doing && a->work == b->work &&
           a->reason == b->reason && a->on_top == b->on_top &&
           a->spawn_known == b->spawn_known &&
           a->spawn_awaited == b->spawn_awaited &&
           a->worker_idle == b->worker_idle && a->tid == b->tid &&
           a->waits_for == b->waits_for && a->context == b->context &&
           a->by_coroutine == b->by_coroutine &&
           a->by_request == b->by_request && a->file == b->file;
}

static void tell(struct ct_model *model, struct ct_req *req,
                 const struct ct_situation *situation)
{
    struct ct_situation own;

    if (!ct_req_is_told(model)) {
        return;
    }
    if (situation->doing == CT_DOING_SUBMITTER ||
        situation->by_request == req->number) {
        own = *situation;
        own.tid = own.doing == CT_DOING_SUBMITTER ? req->entity.tid : own.tid;
        own.by_request = own.by_request == req->number ? 0 : own.by_request;
        situation = &own;
    }
    if (!is_same(situation, &req->said)) {
        req->said = *situation;
        ct_req_make_restless(model, req);
        ct_req_change(model, req, CT_CHANGE_REQUEST_SITUATION)->situation =
            req->said;
    }
}

void ct_co_changed(struct ct_model *model, struct ct_co *co)
{
    if (!ct_model_wants_any(model, CT_WANT_REQUESTS)) {
        return;
    }
    for (unsigned i = 0; co && i <= CT_AWAITS_MAX; i++) {
        if (co->requests) {
            struct ct_situation situation = ct_co_situation(model, co);
            for (struct ct_req *req = co->requests; req; req = req->next) {
                tell(model, req, &situation);
            }
        }
        co = ct_co_awaiter(co);
    }
}

void ct_req_tell(struct ct_model *model, struct ct_req *req)
{
    struct ct_situation situation = {.doing = CT_DOING_UNKNOWN};

    if (model->finishing) {
        return;
    }
    if (req->co) {
        situation = ct_co_situation(model, req->co);
    } else if (!model->in_gap && req->co_ended) {
        situation.doing = CT_DOING_ENDED;
    } else if (!req->served && ct_entity_is_sure(model, &req->entity) &&
               req->entity.begin_known) {
        situation.doing = CT_DOING_SUBMITTER;
    }
    tell(model, req, &situation);
}

void ct_req_worker(struct ct_model *model, struct ct_req *req, int32_t tid)
{
    if (ct_req_is_told(model)) {
        ct_req_change(model, req, CT_CHANGE_REQUEST_WORKER)->worker_tid = tid;
    }
}

/* That a coroutine serves, or has served in this run: one that ends lets those
 * go on that wait for it. */
static uint64_t request_of(const struct ct_model *model,
                           const struct ct_process *process, uint64_t id)
{
    const struct ct_co *co = ct_table_get(&process->coroutines, id);

    if (co && !co->requests && !model->in_gap &&
        co->ended_epoch == model->epoch) {
        return co->ended;
    }
    return ct_co_request(process, id);
}

void ct_req_waker(struct ct_model *model, struct ct_co *co, uint64_t waker)
{
    if (!co->requests || !ct_req_is_told(model)) {
        return;
    }
    uint64_t number = request_of(model, co->entity.process, waker);
    for (struct ct_req *req = co->requests; req; req = req->next) {
        struct ct_request_change *what =
            ct_req_change(model, req, CT_CHANGE_REQUEST_WAKER);
        what->waker.coroutine = waker;
        what->waker.request = number == req->number ? 0 : number;
    }
}
