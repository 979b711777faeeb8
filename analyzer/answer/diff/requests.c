/* SPDX-License-Identifier: MIT */
/*
 * Outermost requests: where they begin and end among the decisions, how many
 * are in flight, and how long they took.
 *
 * An end that is seen is a decision, with the result or without.  One of which
 * only a bound is known (`end_bound`) has no place in the order: it is counted,
 * and its time belongs to a class of its own.
 */
#include "answer/diff/run_int.h"

/* A coroutine that was just entered for the first time and begins a request
 * is there for it.  Meanwhile another thread may have made a decision. */
static void adopt(struct ct_run *run, const struct thread *thread,
                  const struct ct_request *request)
{
    struct pending *pending = &run->pending;
    struct ct_label *label = &pending->label;

    if (thread->last == CT_NOWHERE || thread->last != ct_run_current(thread)) {
        return;
    }
    if (!pending->is || pending->decision != thread->last) {
        label = &g_array_index(run->labels, struct ct_label, thread->last);
    }
    if (label->kind == CT_DECISION_COROUTINE && label->how == CT_HOW_FIRST &&
        !label->request) {
        ct_run_set_request(run, label, request->number);
        if (label != &pending->label) {
            /* as if it had been known at once */
            label->parent = 0;
            ct_run_coroutine(ct_run_process(run, thread->pid),
                             ct_run_top(thread)->id)
                ->parent = 0;
        }
    }
}

static void add_request(struct ct_run *run, struct thread *thread,
                        enum ct_decision_kind kind,
                        const struct ct_request *request, int64_t when_ns)
{
    struct pending *pending =
        ct_run_add(run, thread, kind, when_ns,
                   ct_run_sequence_on(run, thread, 0), ct_run_current(thread));

    ct_run_set_request(run, &pending->label, request->number);
}

void ct_run_on_request_began(struct ct_consumer *consumer,
                             struct ct_request *request)
{
    struct ct_run *run = (struct ct_run *)consumer; /* its first member */
    struct process *process = ct_run_process(run, request->pid);

    ct_run_identify(run, request);
    if (!request->begin_known) {
        return;
    }
    struct thread *thread = ct_run_thread(run, request->pid, request->tid);
    adopt(run, thread, request);
    if (request->parent || request->parent_id) {
        return;
    }
    add_request(run, thread, CT_DECISION_BEGIN, request, request->begin_ns);
    if (request->stack && request->number < CT_SLICE_IS_REQUEST) {
        g_array_index(run->decisions, struct ct_decision, run->pending.decision)
            .slice = CT_SLICE_IS_REQUEST | (uint32_t)request->number;
    }
    g_array_index(run->identities, struct identity, request->number).begin =
        run->pending.decision + 1;
    if (process->in_flight++ == 0) {
        ct_run_link(run, CT_LINK_AFTER, process->last_end,
                    run->pending.decision);
    }
}

/* Of an end that is a bound nobody knows where it stands, nor what began after
 * it. */
static void count_end(struct ct_run *run, const struct ct_request *request)
{
    struct process *process = ct_run_process(run, request->pid);

    process->in_flight -= request->begin_known;
    process->last_end = process->had_gap || request->end_bound
                            ? CT_NOWHERE
                            : run->pending.decision;
}

/* Ends that are bounds say how long it took at most: a class of their own. */
static void add_times(struct ct_run *run, const struct ct_request *request)
{
    uint32_t what =
        g_array_index(run->identities, struct identity, request->number)
            .request;
    bool is_lossy = run->holes->len && request->begin_ns <= run->lost_to_ns;

    if (!request->complete) {
        return;
    }
    if (request->end_bound) {
        g_autofree char *text = g_strconcat(
            ct_words_text(&run->shared->words, what), ", at most", NULL);
        what = ct_words_get(&run->shared->words, text);
    }
    ct_times_add_request(&run->times, what, request, is_lossy);
}

/* Of the end that is decided last. */
static void note_result(struct ct_run *run, const struct ct_request *request)
{
    struct ct_failed failed = {run->pending.decision, request->ret};

    if (request->has_ret && request->ret < 0) {
        g_array_append_val(run->failed, failed);
    }
}

/* One that is told as open, at the end of all. */
static void note_open(struct ct_run *run, const struct ct_request *request)
{
    uint32_t begin =
        g_array_index(run->identities, struct identity, request->number).begin;
    enum ct_state state = request->n_segments
                              ? request->segments[request->n_segments - 1].state
                              : CT_STATE_UNKNOWN;

    if (begin && (state == CT_STATE_RUNNING || state == CT_STATE_RUNNABLE ||
                  state == CT_STATE_COMPLETING)) {
        begin--;
        g_array_append_val(run->ready, begin);
    }
}

void ct_run_on_request(struct ct_consumer *consumer,
                       const struct ct_request *request)
{
    struct ct_run *run = (struct ct_run *)consumer; /* its first member */
    if (request->parent || request->parent_id) {
        return;
    }
    if (!request->end_known) {
        note_open(run, request);
        return;
    }
    add_times(run, request);
    if (request->end_bound) {
        count_end(run, request);
        return;
    }
    add_request(run, ct_run_thread(run, request->pid, request->end_tid),
                CT_DECISION_END, request, request->end_ns);
    note_result(run, request);
    if (request->begin_known) {
        g_array_index(run->decisions, struct ct_decision, run->pending.decision)
            .other_ns = request->begin_ns;
    }
    count_end(run, request);
}
