/* SPDX-License-Identifier: MIT */
/*
 * The rule (situation -> state) and the sum.
 *
 * The sum holds by construction: a segment ends only where the next begins, and
 * times never decrease.  Segments of no length are dropped, equal neighbours
 * joined.  A state is CT_STATE_UNKNOWN if and only if its certainty is
 * CT_UNKNOWN.
 */
#include "account/segments.h"

#include <glib.h>

#include "ct/pre.h"
#include "ct/schema.h"

static void set_unknown(struct ct_segment *segment)
{
    segment->state = CT_STATE_UNKNOWN;
    segment->certainty = CT_UNKNOWN;
    segment->cause = (struct ct_cause){.kind = CT_CAUSE_UNKNOWN};
}

static void waits_for_work(const struct ct_situation *situation,
                           struct ct_segment *segment)
{
    struct ct_cause *cause = &segment->cause;

    cause->id = situation->waits_for;
    switch (situation->work) {
    case CT_WORK_UNKNOWN:
        set_unknown(segment);
        break;
    case CT_WORK_UNTRACED:
        segment->state = CT_STATE_WORK;
        segment->certainty = CT_BOUND;
        cause->kind = CT_CAUSE_POOL;
        cause->pool = situation->pool;
        break;
    case CT_WORK_QUEUED:
        segment->state = CT_STATE_WORK_QUEUED;
        cause->pool = situation->pool;
        cause->kind = !situation->spawn_known    ? CT_CAUSE_UNKNOWN
                      : situation->spawn_awaited ? CT_CAUSE_SPAWN
                      : situation->worker_idle   ? CT_CAUSE_WAKEUP
                                                 : CT_CAUSE_WORKER;
        break;
    case CT_WORK_RUNNING:
        segment->state = CT_STATE_WORK_RUNNING;
        segment->tid = situation->tid;
        segment->file = situation->file;
        break;
    case CT_WORK_DONE:
        segment->state = CT_STATE_WORK_DONE;
        cause->kind = CT_CAUSE_LOOP;
        cause->id = situation->context;
        break;
    }
}

static void waits(const struct ct_situation *situation,
                  struct ct_segment *segment)
{
    struct ct_cause *cause = &segment->cause;

    if (situation->reason == CT_YIELD_REASON_WORK) {
        waits_for_work(situation, segment);
        return;
    }
    cause->id = situation->waits_for;
    cause->coroutine = situation->by_coroutine;
    cause->request = situation->by_request;
    switch (situation->reason) {
    case CT_YIELD_REASON_LOCK:
        cause->kind = cause->coroutine ? CT_CAUSE_HOLDER : CT_CAUSE_UNKNOWN;
        segment->state = CT_STATE_LOCK;
        break;
    case CT_YIELD_REASON_QUEUE:
        cause->kind = cause->coroutine ? CT_CAUSE_WAKER : CT_CAUSE_UNKNOWN;
        segment->state = CT_STATE_QUEUE;
        break;
    case CT_YIELD_REASON_TIMER:
        cause->kind = CT_CAUSE_TIMER;
        segment->state = CT_STATE_TIMER;
        break;
    case CT_YIELD_REASON_IO:
        cause->kind = CT_CAUSE_DEVICE;
        segment->state = CT_STATE_IO;
        segment->file = situation->file;
        break;
    case CT_YIELD_REASON_CHILDREN:
        cause->kind = cause->coroutine ? CT_CAUSE_CHILD : CT_CAUSE_UNKNOWN;
        segment->state = CT_STATE_CHILDREN;
        break;
    default:
        set_unknown(segment);
        break;
    }
}

void ct_segments_rule(const struct ct_situation *situation,
                      struct ct_segment *ret_segment)
{
    *ret_segment = (struct ct_segment){0};
    switch (situation->doing) {
    case CT_DOING_UNKNOWN:
        set_unknown(ret_segment);
        break;
    case CT_DOING_SUBMITTER:
    case CT_DOING_RUNS:
        ret_segment->state = CT_STATE_RUNNING;
        ret_segment->on_top = situation->on_top;
        ret_segment->tid = situation->tid;
        break;
    case CT_DOING_WOKEN:
        ret_segment->state = CT_STATE_RUNNABLE;
        ret_segment->cause.kind = CT_CAUSE_LOOP;
        ret_segment->cause.id = situation->context;
        ret_segment->cause.coroutine = situation->by_coroutine;
        ret_segment->cause.request = situation->by_request;
        break;
    case CT_DOING_WAITS:
        waits(situation, ret_segment);
        break;
    case CT_DOING_ENDED:
        ret_segment->state = CT_STATE_COMPLETING;
        break;
    default:
        set_unknown(ret_segment);
        break;
    }
}

static bool is_same(const struct ct_segment *a, const struct ct_segment *b)
{
    return a->state == b->state && a->certainty == b->certainty &&
           a->on_top == b->on_top && a->tid == b->tid &&
           a->cause.kind == b->cause.kind && a->cause.id == b->cause.id &&
           a->cause.coroutine == b->cause.coroutine &&
           a->cause.request == b->cause.request;
}

static struct ct_segment *last(struct ct_segments *segments)
{
    ct_pre("segments/begun", segments->n > 0);
    return &segments->v[segments->n - 1];
}

/* The place behind the last one, where the next is made. */
static struct ct_segment *behind_last(struct ct_segments *segments)
{
    if (segments->n == segments->capacity) {
        segments->capacity = segments->capacity ? segments->capacity * 2 : 16;
        segments->v =
            g_renew(struct ct_segment, segments->v, segments->capacity);
    }
    return &segments->v[segments->n];
}

/* The segment in behind_last() begins at @when_ns; the open one has ended
 * there. */
static void open_next(struct ct_segments *segments, int64_t when_ns)
{
    struct ct_segment *next = &segments->v[segments->n];

    next->begin_ns = when_ns;
    next->end_ns = when_ns;
    next->begin_error_ns = segments->error_ns;
    if (segments->n && segments->v[segments->n - 1].begin_ns == when_ns) {
        do {
            segments->n--;
        } while (segments->n &&
                 segments->v[segments->n - 1].begin_ns == when_ns);
        segments->v[segments->n] = *next;
        next = &segments->v[segments->n];
    }
    if (segments->n) {
        struct ct_segment *before = last(segments);
        if (before->end_ns > when_ns) {
            before->cause.n_ran = 0; /* was told of all of it */
        }
        before->end_ns = when_ns;
        if (is_same(before, next)) {
            return;
        }
    }
    segments->n++;
}

static void open_unknown(struct ct_segments *segments, int64_t when_ns)
{
    struct ct_segment *next = behind_last(segments);

    *next = (struct ct_segment){0};
    set_unknown(next);
    open_next(segments, when_ns);
}

void ct_segments_begin(struct ct_segments *segments, int64_t when_ns)
{
    segments->n = 0;
    open_unknown(segments, when_ns);
}

/* The item's begin is told after all: until now it was queued. */
static void was_queued(struct ct_segment *before)
{
    if (before->state == CT_STATE_WORK) {
        before->state = CT_STATE_WORK_QUEUED;
        before->certainty = CT_KNOWN;
        before->cause =
            (struct ct_cause){.kind = CT_CAUSE_UNKNOWN, .id = before->cause.id};
    }
}

void ct_segments_change(struct ct_segments *segments, int64_t when_ns,
                        const struct ct_situation *situation)
{
    struct ct_segment *next = behind_last(segments);
    struct ct_segment *before = last(segments);

    ct_pre("segments-change/in-order", when_ns >= before->begin_ns);
    ct_segments_rule(situation, next);
    if (next->state == CT_STATE_WORK_RUNNING) {
        was_queued(before);
    }
    if (!is_same(before, next)) {
        open_next(segments, when_ns);
    } else if (next->file) {
        before->file = next->file; /* told when it had begun */
    }
}

void ct_segments_waker(struct ct_segments *segments, uint64_t coroutine,
                       uint64_t request)
{
    struct ct_segment *open = last(segments);

    if (open->state == CT_STATE_CHILDREN) {
        open->cause.kind = CT_CAUSE_CHILD;
    } else if (open->state == CT_STATE_QUEUE) {
        open->cause.kind = CT_CAUSE_WAKER;
    } else {
        return;
    }
    open->cause.coroutine = coroutine;
    open->cause.request = request;
}

void ct_segments_unsure(struct ct_segments *segments, int64_t from_ns,
                        int64_t when_ns)
{
    struct ct_segment now = *last(segments);
    int64_t first_ns = segments->v[0].begin_ns;

    ct_pre("segments-unsure/in-order", when_ns >= now.begin_ns);
    from_ns = MAX(from_ns, first_ns);
    if (from_ns >= when_ns) {
        return;
    }
    while (segments->n && last(segments)->begin_ns >= from_ns) {
        segments->n--;
    }
    open_unknown(segments, from_ns);
    now.cause.n_ran = 0;
    if (!is_same(last(segments), &now)) {
        *behind_last(segments) = now;
        open_next(segments, when_ns);
    }
}

void ct_segments_end(struct ct_segments *segments, int64_t when_ns)
{
    struct ct_segment *open = last(segments);

    ct_pre("segments-end/in-order", when_ns >= open->begin_ns);
    open->end_ns = when_ns;
    if (open->begin_ns == when_ns) {
        segments->n--;
    }
}

void ct_segments_fini(struct ct_segments *segments)
{
    g_free(segments->v);
    *segments = (struct ct_segments){0};
}
