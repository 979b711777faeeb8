/* SPDX-License-Identifier: MIT */
/*
 * Requests: which coroutine serves each, and what that means for it.
 *
 * A request's situation is that of its coroutine; nested requests of one
 * coroutine share it.  Before its coroutine is entered for the first time, the
 * thread that began it works on it.
 *
 * A gap puts a request's own life in doubt: its end, or the event that gave it
 * to another coroutine, may be among the lost ones.  What its coroutine does
 * after the gap is told all the same, provisionally: it stands if the request
 * is told again with that coroutine, or ends in it; if not, everything since
 * the gap is unknown.
 *
 * Each step of a coroutine is told to all requests that it serves, so it serves
 * a bounded number of them.  What goes beyond it is unknown until it ends.
 */
#include "model/requests.h"

#include <string.h>

#include <glib.h>

#include "model/coroutines.h"
#include "model/slices.h"
#include "model/state/changes.h"
#include "model/state/situations.h"

enum {
    SERVED_MAX = 64,   /* by a coroutine at once */
    KINDS_MAX = 65536, /* of a process; one that tells truly has fewer */
};

/* --- who serves it ---------------------------------------------------- */

static void unlink_co(struct ct_req *req)
{
    struct ct_co *co = req->co;

    if (!co) {
        return;
    }
    *(req->prev ? &req->prev->next : &co->requests) = req->next;
    if (req->next) {
        req->next->prev = req->prev;
    }
    co->n_requests--;
    req->co = NULL;
    req->next = req->prev = NULL;
}

static void serve(struct ct_model *model, struct ct_req *req,
                  const struct ct_step *step, uint64_t id)
{
    struct ct_co *co = ct_co_get(model, req->entity.process, step, id);

    unlink_co(req);
    req->co_ended = false;
    req->served = true;
    if (co->n_requests == SERVED_MAX) {
        ct_model_odd(model);
        return;
    }
    co->n_requests++;
    req->co = co;
    req->next = co->requests;
    if (req->next) {
        req->next->prev = req;
    }
    co->requests = req;
    if (co->thread) {
        unsigned at;
        ct_thread_find_co(co->thread, co, &at)->request = req->number;
    }
    if (ct_req_is_told(model)) {
        ct_req_change(model, req, CT_CHANGE_REQUEST_COROUTINE)->coroutine = id;
    }
}

static void count(struct ct_model *model, struct ct_process *process,
                  const struct ct_req *req, int by)
{
    if (!req->parent_id) {
        process->outermost += (uint64_t)(int64_t)by;
        if (ct_process_is_counted(model, process)) {
            ct_model_counter(model, process, CT_COUNTER_REQUESTS, 0,
                             process->outermost);
        }
    }
}

static void unsure(struct ct_model *model, struct ct_req *req)
{
    if (req->doubt && ct_req_is_told(model)) {
        ct_req_change(model, req, CT_CHANGE_REQUEST_UNSURE)->doubt.from_ns =
            req->doubt_ns;
    }
    req->doubt = model->in_gap;
    req->doubt_ns = model->now_ns;
    ct_req_make_restless(model, req);
}

static void in_gap(struct ct_model *model, struct ct_req *req, int64_t from_ns)
{
    ct_req_tell(model, req);
    req->doubt_ns = req->doubt ? MIN(req->doubt_ns, from_ns) : from_ns;
    req->doubt = true;
    if (from_ns < model->now_ns && ct_req_is_told(model)) {
        struct ct_request_change *late =
            &ct_model_change(model, CT_CHANGE_REQUEST_UNSURE)->request;
        late->number = req->number;
        late->slot = &req->slot;
        late->when_ns = model->now_ns;
        late->doubt.from_ns = from_ns;
    }
    ct_req_make_quiet(model, req);
}

void ct_req_in_gap(struct ct_model *model, int64_t from_ns)
{
    struct ct_process *process;
    uint32_t at = 0;

    /* It may reach back behind what is known of the quiet ones. */
    while (from_ns < model->quiet_ns &&
           (process = ct_table_each(&model->processes, &at))) {
        struct ct_req *req;
        uint32_t pos = 0;

        while ((req = ct_table_each(&process->requests, &pos))) {
            in_gap(model, req, from_ns);
        }
    }
    while (model->restless) {
        in_gap(model, model->restless, from_ns);
    }
    model->quiet_ns = MAX(model->quiet_ns, from_ns);
}

/* --- kinds ------------------------------------------------------------ */

static struct ct_req_kind kind_told(struct ct_model *model,
                                    const struct ct_step *step)
{
    return (struct ct_req_kind){
        .layer = ct_names_get(&model->names, step->layer),
        .op = ct_names_get(&model->names, step->op),
        .node = ct_names_get(&model->names, step->name),
        .flags = (uint32_t)step->value,
    };
}

static void kind_learn(struct ct_model *model, struct ct_process *process,
                       const struct ct_step *step)
{
    struct ct_req_kind *kind = ct_table_get(&process->kinds, step->subject);

    if (!kind) {
        if (process->kinds.n == KINDS_MAX) {
            ct_model_odd(model);
            return;
        }
        kind = ct_slab_new(&model->kinds);
        ct_table_put(&process->kinds, step->subject, kind);
    }
    *kind = kind_told(model, step);
}

/* The event that told the number may have been lost. */
static struct ct_req_kind kind_of(struct ct_model *model,
                                  const struct ct_process *process,
                                  const struct ct_step *step)
{
    const struct ct_req_kind *kind;

    if (step->kind != CT_STEP_REQUEST_BEGIN || !step->context) {
        return kind_told(model, step);
    }
    kind = ct_table_get(&process->kinds, step->context);
    return kind ? *kind : (struct ct_req_kind){0};
}

void ct_req_kinds_free(struct ct_model *model, struct ct_process *process)
{
    struct ct_req_kind *kind;
    uint32_t at = 0;

    while ((kind = ct_table_each(&process->kinds, &at))) {
        ct_slab_free(&model->kinds, kind);
    }
    ct_table_fini(&process->kinds);
}

/* --- steps ------------------------------------------------------------ */

static struct ct_req *begin(struct ct_model *model, struct ct_process *process,
                            struct ct_thread *thread,
                            const struct ct_step *step, bool is_begin)
{
    struct ct_req *req = ct_slab_new(&model->requests);

    ct_entity_init(model, &req->entity, step, step->subject, is_begin);
    ct_entity_since(&req->entity, step);
    req->number = model->next_number++;
    req->parent_id = step->object;
    req->has_end = step->certainty == CT_KNOWN;
    req->doubt = model->in_gap;
    req->doubt_ns = model->now_ns;
    ct_req_make_restless(model, req);
    ct_table_put(&process->requests, step->subject, req);
    if (ct_req_is_told(model)) {
        struct ct_req_kind kind = kind_of(model, process, step);
        struct ct_req *parent =
            step->object ? ct_table_get(&process->requests, step->object)
                         : NULL;
        struct ct_origin *origin = NULL;
        bool cut;
        if (is_begin && ct_model_wants_any(model, CT_WANT_ORIGINS)) {
            origin = ct_thread_base(model, thread, &cut);
            ct_model_hold(model, origin);
        }
        struct ct_request_change *what =
            ct_req_change(model, req, CT_CHANGE_REQUEST_BEGIN);
        what->when_ns = req->entity.begin_ns;
        what->begin = (struct ct_request_begin){
            .id = step->subject,
            .parent = parent && parent != req ? parent->number : 0,
            .parent_id = step->object,
            .pid = step->pid,
            .tid = step->tid,
            .begin_known = is_begin,
            .begin_told = req->entity.since_told,
            .layer = kind.layer,
            .op = kind.op,
            .node = kind.node,
            .offset = step->offset,
            .bytes = step->bytes,
            .range_unknown = step->flag,
            .flags = kind.flags,
            .stack = step->stack,
            .origin = origin,
        };
    }
    count(model, process, req, 1);
    return req;
}

void ct_req_end(struct ct_model *model, struct ct_req *req,
                const struct ct_step *step)
{
    struct ct_process *process = req->entity.process;
    /* Over at any time, or in doubt since then, or seen to be there until now,
     * or nothing of these. */
    int64_t sure_ns = !req->has_end      ? req->entity.begin_ns
                      : req->doubt       ? req->doubt_ns
                      : model->finishing ? model->now_ns
                                         : req->entity.begin_ns;

    unsure(model, req);
    if (req->co && step && step->certainty == CT_KNOWN) {
        req->co->ended = req->number;
        req->co->ended_epoch = model->in_gap ? 0 : model->epoch;
    }
    unlink_co(req);
    if (ct_req_is_told(model)) {
        struct ct_request_change *what =
            ct_req_change(model, req, CT_CHANGE_REQUEST_END);
        what->end.end_known = step && step->certainty != CT_UNKNOWN;
        what->end.is_bound = step && step->certainty == CT_BOUND;
        what->end.tid = step ? step->tid : 0;
        what->end.is_open = !step && model->finishing;
        what->end.sure_ns = MAX(sure_ns, req->entity.begin_ns);
        what->end.has_ret = what->end.end_known && !step->flag;
        what->end.ret = what->end.has_ret ? step->ret : 0;
    }
    ct_req_make_quiet(model, req);
    ct_table_take(&process->requests, req->entity.id);
    count(model, process, req, -1);
    ct_model_bury(model, req);
}

/* Does the step come from the coroutine that is thought to serve it? */
static bool is_from_its_coroutine(const struct ct_model *model,
                                  const struct ct_thread *thread,
                                  const struct ct_req *req)
{
    if (model->in_gap || !req->co || req->co->thread != thread) {
        return false;
    }
    struct ct_open *run = ct_thread_run(thread);
    return run && run->co == req->co;
}

void ct_req_step(struct ct_model *model, struct ct_thread *thread,
                 const struct ct_step *step)
{
    struct ct_process *process = thread->process;
    struct ct_req *req = ct_table_get(&process->requests, step->subject);

    switch (step->kind) {
    case CT_STEP_REQUEST_KIND:
        kind_learn(model, process, step);
        break;
    case CT_STEP_REQUEST_BEGIN:
        ct_thread_own_stack(model, thread, step);
        if (req) {
            ct_model_odd(model);
            ct_req_end(model, req, NULL);
        }
        req = begin(model, process, thread, step, true);
        if (step->waits_for) {
            serve(model, req, step, step->waits_for);
        }
        ct_req_tell(model, req);
        break;
    case CT_STEP_REQUEST_COROUTINE:
        if (req && step->object) {
            unsure(model, req);
            serve(model, req, step, step->object);
            ct_entity_told(model, &req->entity);
            ct_req_tell(model, req);
        }
        break;
    default: /* CT_STEP_REQUEST_END */
        if (!req) {
            break;
        }
        if (is_from_its_coroutine(model, thread, req)) {
            req->doubt = false;
        }
        ct_req_end(model, req, step);
    }
}

void ct_req_told(struct ct_model *model, struct ct_process *process,
                 const struct ct_step *step)
{
    struct ct_req *req = ct_table_get(&process->requests, step->subject);
    uint64_t co = step->waits_for;

    if (!req) {
        req = begin(model, process, NULL, step, false);
        req->served = true; /* perhaps, and unseen */
    }
    req->entity.telling = process->telling.number;
    if (!ct_process_is_telling(model, process) ||
        ct_entity_is_sure(model, &req->entity)) {
        return;
    }
    if (req->co ? req->co->entity.id != co : co != 0) {
        unsure(model, req);
        if (co) {
            serve(model, req, step, co);
        } else {
            unlink_co(req);
        }
    }
    req->doubt = false;
    ct_req_make_restless(model, req);
    ct_entity_told(model, &req->entity);
    ct_req_tell(model, req);
}
