/* SPDX-License-Identifier: MIT */
/*
 * The decisions of one run, as a consumer of its pass.
 *
 * A decision is numbered when it is made; its label is complete only after the
 * edge that tells who asked for it, which comes in the same event: until the
 * next decision it is `pending`.  Names of functions are known at the end of
 * the pass, so until then a label's `what` is the number of a function in this
 * run (struct function), and labels are this run's own.
 *
 * Who asked for something is looked up by thread and time: a thread's log has
 * an entry wherever the innermost decision on it changes.
 *
 * After a gap, who holds a lock or what is in flight is no longer known: links
 * by locks start anew, and that a request came after all others is not told any
 * more.
 */
#include "answer/diff/labels.h"

#include <inttypes.h>
#include <string.h>

#include "answer/diff/run_int.h"

static struct ct_run *run_of(struct ct_consumer *consumer)
{
    return (struct ct_run *)consumer; /* its first member */
}

/* --- labels ----------------------------------------------------------- */

static uint32_t function_of(struct ct_run *run, int32_t pid, uint64_t fn,
                            const char *name)
{
    struct function key;

    memset(&key, 0, sizeof(key));
    key.fn = name && *name ? 0 : fn;
    key.pid = name && *name ? 0 : pid;
    key.name = name && *name ? ct_words_get(&run->shared->words, name) : 0;
    return ct_interned_get(&run->functions, &key) + 1;
}

static uint32_t sequence_of(struct ct_run *run, int32_t pid,
                            enum sequence_kind kind, uint64_t id)
{
    struct place key;

    memset(&key, 0, sizeof(key));
    key.id = id;
    key.pid = pid;
    key.kind = kind;
    uint32_t number = ct_interned_get(&run->places, &key);
    if (number == run->sequences->len) {
        struct sequence sequence = {0};
        ct_run_process(run, pid);
        g_array_append_val(run->sequences, sequence);
    }
    return number;
}

static struct sequence *sequence_at(struct ct_run *run, int32_t pid,
                                    enum sequence_kind kind, uint64_t id)
{
    uint32_t number = sequence_of(run, pid, kind, id); /* may move them */

    return &g_array_index(run->sequences, struct sequence, number);
}

uint32_t ct_run_sequence_on(struct ct_run *run, const struct thread *thread,
                            uint64_t context)
{
    context = context ? context : thread->context;
    return context ? sequence_of(run, thread->pid, SEQUENCE_CONTEXT, context)
                   : sequence_of(run, thread->pid, SEQUENCE_THREADS, 0);
}

void ct_run_set_request(struct ct_run *run, struct ct_label *label,
                        uint64_t number)
{
    if (number && number < run->identities->len) {
        const struct identity *identity =
            &g_array_index(run->identities, struct identity, number);
        label->request = identity->request;
        label->range = identity->range;
        label->nth = identity->nth;
    }
}

/* The pending decision's label gets no better. */
static void seal(struct ct_run *run)
{
    struct pending *pending = &run->pending;

    if (!pending->is) {
        return;
    }
    pending->is = false;
    struct ct_decision *decision =
        &g_array_index(run->decisions, struct ct_decision, pending->decision);
    if (!pending->label.request && decision->cause != CT_NOWHERE &&
        (pending->label.how == CT_HOW_FIRST ||
         pending->label.kind == CT_DECISION_WORK)) {
        pending->label.parent =
            g_array_index(run->labels, struct ct_label, decision->cause).what;
    }
    if (pending->coroutine) {
        struct coroutine *co = pending->coroutine;
        if (pending->label.how == CT_HOW_FIRST) {
            co->parent = pending->label.parent;
        } else if (!pending->label.request) {
            pending->label.parent = co->parent;
        }
    }
    g_array_append_val(run->labels, pending->label);
}

struct pending *ct_run_add(struct ct_run *run, struct thread *thread,
                           enum ct_decision_kind kind, int64_t when_ns,
                           uint32_t sequence, uint32_t cause)
{
    struct open *top = ct_run_top(thread);
    struct ct_decision decision = {
        .when_ns = when_ns,
        .other_ns = when_ns,
        .slice = top ? top->slice : 0,
        .cause = cause,
        .sequence = sequence,
    };

    seal(run);
    run->pending = (struct pending){
        .is = true,
        .decision = run->decisions->len,
        .tid = thread->tid,
        .label = {.kind = (uint8_t)kind},
    };
    thread->last = run->decisions->len;
    g_array_append_val(run->decisions, decision);
    return &run->pending;
}

void ct_run_link(struct ct_run *run, enum ct_link_kind kind, uint32_t from,
                 uint32_t to)
{
    struct ct_link link = {from, to, kind};

    if (from != CT_NOWHERE && to != CT_NOWHERE && from != to) {
        g_array_append_val(run->links, link);
    }
}

/* --- slices ----------------------------------------------------------- */

static enum ct_decision_kind kind_of(enum ct_slice_kind kind)
{
    switch (kind) {
    case CT_SLICE_BH:
        return CT_DECISION_BH;
    case CT_SLICE_TIMER:
        return CT_DECISION_TIMER;
    case CT_SLICE_FD:
        return CT_DECISION_FD;
    case CT_SLICE_COROUTINE:
        return CT_DECISION_COROUTINE;
    case CT_SLICE_WORK:
        return CT_DECISION_WORK;
    default:
        return CT_DECISION_KINDS;
    }
}

/* How many are busy is known of what was seen since the last gap. */
static struct sequence *pool_at(struct ct_run *run, uint32_t number)
{
    struct sequence *pool =
        &g_array_index(run->sequences, struct sequence, number);

    if (pool->n_gaps != run->n_gaps) {
        pool->n_gaps = run->n_gaps;
        pool->busy = 0;
        pool->waiting_busy = 0;
    }
    return pool;
}

/*
 * The next item is taken.  Whoever submitted it tells so first and asks for a
 * worker then: if one has been asked for since, nothing waited for those that
 * there were (on_counter).
 */
static void settle_waiting(struct sequence *pool)
{
    if (pool->waiting_busy > 0 && pool->waiting_busy >= pool->saturated_busy) {
        pool->saturated =
            pool->waiting_busy > pool->saturated_busy ? 1 : pool->saturated + 1;
        pool->saturated_busy = pool->waiting_busy;
    }
    pool->waiting_busy = 0;
}

static void take_work(struct ct_run *run, struct process *process,
                      struct thread *thread, struct pending *pending,
                      uint32_t number, uint64_t id)
{
    struct sequence *pool = pool_at(run, number);
    struct work *work = g_new0(struct work, 1);

    if (thread->n_gaps == run->n_gaps) {
        ct_run_link(run, CT_LINK_POOL, thread->last_taken, pending->decision);
    }
    thread->n_gaps = run->n_gaps;
    settle_waiting(pool);
    pool->busy++;
    pool->peak_busy = MAX(pool->peak_busy, pool->busy);
    thread->last_taken = pending->decision;
    struct ct_taken taken = {pending->decision, thread->tid, pool->busy,
                             INT64_MAX};
    work->id = id;
    work->taken = run->taken->len;
    g_hash_table_replace(process->works, &work->id, work);
    g_array_append_val(run->taken, taken);
}

/* A turn of a context: what is under it is another thing. */
static void enter_context(struct ct_run *run, struct thread *thread,
                          const struct ct_slice *slice)
{
    thread->context = slice->context;
    if (slice->name && *slice->name) {
        uint32_t at =
            sequence_of(run, slice->pid, SEQUENCE_CONTEXT, slice->context);
        g_array_index(run->sequences, struct sequence, at).name =
            ct_words_get(&run->shared->words, slice->name);
    }
}

static void enter_coroutine(struct process *process, struct pending *pending)
{
    struct coroutine *co = ct_run_coroutine(process, pending->id);

    pending->coroutine = co;
    pending->label.how = co->waits_for_lock ? CT_HOW_LOCK
                         : co->was_entered  ? CT_HOW_AGAIN
                                            : CT_HOW_FIRST;
    co->waits_for_lock = false;
    co->was_entered = true;
}

/* What runs now was decided now. */
static void decide(struct ct_run *run, struct thread *thread,
                   enum ct_decision_kind kind, const struct ct_slice *slice,
                   uint32_t cause)
{
    struct process *process = ct_run_process(run, slice->pid);
    bool is_work = kind == CT_DECISION_WORK;

    if (!is_work && slice->context) {
        thread->context = slice->context;
    }
    uint32_t sequence =
        is_work ? sequence_of(run, slice->pid, SEQUENCE_POOL, slice->context)
                : ct_run_sequence_on(run, thread, slice->context);
    struct pending *pending =
        ct_run_add(run, thread, kind, slice->begin_ns, sequence, cause);
    pending->id = slice->id;
    pending->label.what = function_of(run, slice->pid, slice->fn, slice->name);
    ct_run_set_request(run, &pending->label, slice->request);
    ct_run_top(thread)->decision = pending->decision;
    ct_run_log(thread, slice->begin_ns, pending->decision);
    if (is_work) {
        take_work(run, process, thread, pending, sequence, slice->id);
    } else if (kind == CT_DECISION_COROUTINE) {
        enter_coroutine(process, pending);
    }
}

static void on_slice_began(struct ct_consumer *consumer,
                           const struct ct_slice *slice)
{
    struct ct_run *run = run_of(consumer);

    run->n_slices++;
    if (slice->kind == CT_SLICE_THREAD) {
        return;
    }
    struct thread *thread = ct_run_thread(run, slice->pid, slice->tid);
    enum ct_decision_kind kind = kind_of(slice->kind);
    uint32_t current = ct_run_current(thread);
    struct open open = {
        .slice = run->n_slices,
        .decision = current,
        .id = slice->id,
    };

    g_array_append_val(thread->open, open);
    if (kind == CT_DECISION_KINDS) {
        enter_context(run, thread, slice);
    } else {
        decide(run, thread, kind, slice,
               kind == CT_DECISION_COROUTINE ? current : CT_NOWHERE);
    }
}

static void work_ended(struct ct_run *run, const struct ct_slice *slice)
{
    struct process *process = ct_run_process(run, slice->pid);
    struct work *work = g_hash_table_lookup(process->works, &slice->id);
    struct sequence *pool = pool_at(
        run, sequence_of(run, slice->pid, SEQUENCE_POOL, slice->context));

    /* a worker that was asked for and is late is none that is not wanted */
    if (pool->queued > 0 && pool->idle <= 0 && pool->awaited <= 0) {
        pool->waiting_busy = MAX(pool->waiting_busy, pool->busy);
    }
    pool->busy -= pool->busy > 0;
    if (work) {
        g_array_index(run->taken, struct ct_taken, work->taken).end_ns =
            slice->end_ns;
    }
}

static void on_slice(struct ct_consumer *consumer, const struct ct_slice *slice)
{
    struct ct_run *run = run_of(consumer);

    if (slice->kind == CT_SLICE_THREAD) {
        return;
    }
    struct thread *thread = ct_run_thread(run, slice->pid, slice->tid);
    bool is_decision = kind_of(slice->kind) != CT_DECISION_KINDS;
    struct open *ended = ct_run_top(thread);
    if (ended && is_decision && ended->decision != CT_NOWHERE) {
        g_array_index(run->decisions, struct ct_decision, ended->decision)
            .other_ns = slice->end_ns;
    }
    if (ended) {
        g_array_set_size(thread->open, thread->open->len - 1);
    }
    if (!is_decision || slice->open) {
        return;
    }
    if (slice->begin_known && slice->end_known) {
        struct ct_timed key = {
            .what = function_of(run, slice->pid, slice->fn, slice->name),
            .kind = (uint16_t)kind_of(slice->kind),
        };
        ct_times_add(&run->times, &key,
                     slice->end_ns - slice->begin_ns - slice->children_ns);
    }
    struct open *top = ct_run_top(thread);
    ct_run_log(thread, slice->end_ns, top ? top->decision : CT_NOWHERE);
    if (slice->kind == CT_SLICE_WORK) {
        work_ended(run, slice);
    }
}

/* --- edges ------------------------------------------------------------ */

static void on_done(struct ct_run *run, const struct ct_edge *edge)
{
    struct process *process = ct_run_process(run, edge->pid);
    struct work *work = g_hash_table_lookup(process->works, &edge->id);
    struct thread *thread = ct_run_thread(run, edge->pid, edge->to_tid);

    if (!work) {
        return;
    }
    uint32_t cause =
        g_array_index(run->taken, struct ct_taken, work->taken).decision;
    struct pending *pending =
        ct_run_add(run, thread, CT_DECISION_COMPLETE, edge->to_ns,
                   ct_run_sequence_on(run, thread, 0), cause);
    struct ct_label label = g_array_index(run->labels, struct ct_label, cause);
    label.kind = CT_DECISION_COMPLETE;
    pending->label = label;
    ct_run_log(thread, edge->to_ns, pending->decision);
    g_hash_table_remove(process->works, &edge->id);
}

static void on_edge(struct ct_consumer *consumer, const struct ct_edge *edge)
{
    struct ct_run *run = run_of(consumer);
    struct pending *pending = &run->pending;

    if (edge->kind == CT_EDGE_DONE) {
        on_done(run, edge);
        return;
    }
    if (edge->kind == CT_EDGE_NOTIFY || edge->kind == CT_EDGE_SPAWN ||
        edge->kind == CT_EDGE_HAND_OVER || edge->kind == CT_EDGE_EVENTFD ||
        !pending->is || pending->tid != edge->to_tid ||
        pending->id != edge->id) {
        return;
    }
    uint32_t cause =
        ct_run_decision_at(run, edge->pid, edge->from_tid, edge->from_ns);
    cause = cause == pending->decision ? CT_NOWHERE : cause;
    g_array_index(run->decisions, struct ct_decision, pending->decision).cause =
        cause;
    if (edge->kind == CT_EDGE_RESUME && pending->label.how == CT_HOW_AGAIN) {
        pending->label.how = CT_HOW_WORK;
    }
    ct_run_link(run, CT_LINK_CAUSE, cause, pending->decision);
}

static void on_lock(struct ct_consumer *consumer,
                    const struct ct_lock_event *event)
{
    struct ct_run *run = run_of(consumer);
    struct process *process = ct_run_process(run, event->pid);
    struct lock *lock = ct_run_lock(process, event->mutex);
    uint32_t current =
        ct_run_current(ct_run_thread(run, event->pid, event->tid));

    switch (event->kind) {
    case CT_LOCK_TAKE:
        lock->taken = current;
        break;
    case CT_LOCK_WAIT:
        ct_run_link(run, CT_LINK_LOCK, lock->taken, current);
        ct_run_coroutine(process, event->coroutine)->waits_for_lock = true;
        break;
    case CT_LOCK_TAKEN:
        ct_run_link(run, CT_LINK_LOCK, lock->released, current);
        lock->taken = current;
        break;
    case CT_LOCK_RELEASE:
        lock->released = current;
        lock->taken = CT_NOWHERE;
        break;
    }
}

/* --- the rest --------------------------------------------------------- */

static void on_counter(struct ct_consumer *consumer,
                       const struct ct_counter *counter)
{
    struct ct_run *run = run_of(consumer);

    if (counter->kind == CT_COUNTER_WORKERS_AWAITED) {
        struct sequence *pool =
            sequence_at(run, counter->pid, SEQUENCE_POOL, counter->id);
        pool->awaited = counter->value;
        if (counter->value > 0) {
            pool->waiting_busy = 0;
        }
    } else if (counter->kind == CT_COUNTER_WORKERS_MAX) {
        struct sequence *pool =
            sequence_at(run, counter->pid, SEQUENCE_POOL, counter->id);
        pool->peak_alive = MAX(pool->peak_alive, counter->value);
    } else if (counter->kind == CT_COUNTER_WORK_QUEUED ||
               counter->kind == CT_COUNTER_WORKERS_BUSY ||
               counter->kind == CT_COUNTER_WORKERS_IDLE) {
        struct sequence *pool =
            sequence_at(run, counter->pid, SEQUENCE_POOL, counter->id);
        *(counter->kind == CT_COUNTER_WORK_QUEUED    ? &pool->queued
          : counter->kind == CT_COUNTER_WORKERS_IDLE ? &pool->idle
                                                     : &pool->counted_busy) =
            counter->value;
        if (counter->kind == CT_COUNTER_WORKERS_IDLE) {
            /* told after the busy ones, of the same instant */
            pool->peak_alive =
                MAX(pool->peak_alive, pool->idle + pool->counted_busy);
        }
    }
}

static void on_life(struct ct_consumer *consumer, const struct ct_life *life)
{
    struct ct_run *run = run_of(consumer);

    if (life->kind == CT_ENTITY_COROUTINE) {
        if (run->pending.is && run->pending.coroutine &&
            run->pending.coroutine->id == life->id) {
            seal(run);
        }
        g_hash_table_remove(ct_run_process(run, life->pid)->coroutines,
                            &life->id);
    } else if (life->kind == CT_ENTITY_CONTEXT && life->name && *life->name) {
        uint32_t at = sequence_of(run, life->pid, SEQUENCE_CONTEXT, life->id);
        g_array_index(run->sequences, struct sequence, at).name =
            ct_words_get(&run->shared->words, life->name);
    }
}

/* A process that runs another program has two. */
static void on_name(struct ct_consumer *consumer,
                    const struct ct_thread_name *told)
{
    if (told->is_process_name) {
        ct_run_add_program(run_of(consumer), told->name);
    }
}

static void on_gap(struct ct_consumer *consumer, const struct ct_gap *gap)
{
    struct ct_run *run = run_of(consumer);
    struct ct_hole hole = {gap->from_ns, gap->to_ns};

    run->lost_to_ns = MAX(run->lost_to_ns, gap->to_ns);
    g_array_append_val(run->holes, hole);
    run->n_gaps++; /* who is used next sees that it knows less */
}

/* What lies beyond a part of a trace is as unknown as what was lost.  Two runs
 * don't stand at the same place at any time but the first, and so nothing of
 * the order from there on is judged. */
static void note_window(struct ct_run *run, const struct ct_summary *summary)
{
    struct ct_hole all = {summary->begin_ns, summary->end_ns};
    struct ct_hole behind = {summary->end_ns, summary->end_ns};

    if (summary->begin_ns > summary->origin_ns) {
        g_array_append_val(run->holes, all);
    }
    if (!summary->has_all) {
        g_array_append_val(run->holes, behind);
    }
}

static bool on_finish(struct ct_consumer *consumer,
                      const struct ct_summary *summary, GError **error)
{
    struct ct_run *run = run_of(consumer);

    seal(run);
    note_window(run, summary);
    if (!consumer->failed) {
        ct_run_settle(run, summary);
    }
    return true;
}

struct ct_run *ct_run_new(struct ct_shared *shared)
{
    struct ct_run *run = g_new0(struct ct_run, 1);

    run->consumer = (struct ct_consumer){
        .request_began = ct_run_on_request_began,
        .request = ct_run_on_request,
        .slice_began = on_slice_began,
        .slice = on_slice,
        .edge = on_edge,
        .lock = on_lock,
        .counter = on_counter,
        .life = on_life,
        .thread_name = on_name,
        .gap = on_gap,
        .finish = on_finish,
    };
    run->shared = shared;
    ct_run_init(run);
    return run;
}
