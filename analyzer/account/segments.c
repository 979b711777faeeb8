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

static struct ct_segment unknown_segment(void)
{
    return (struct ct_segment){
        .state = CT_STATE_UNKNOWN,
        .certainty = CT_UNKNOWN,
        .cause.kind = CT_CAUSE_UNKNOWN,
    };
}

static struct ct_segment waits_for_work(const struct ct_situation *situation)
{
    struct ct_segment segment = {.cause.id = situation->waits_for};

    switch (situation->work) {
    case CT_WORK_UNKNOWN:
        return unknown_segment();
    case CT_WORK_UNTRACED:
        segment.state = CT_STATE_WORK;
        segment.certainty = CT_BOUND;
        segment.cause.kind = CT_CAUSE_POOL;
        segment.cause.pool = situation->pool;
        break;
    case CT_WORK_QUEUED:
        segment.state = CT_STATE_WORK_QUEUED;
        segment.cause.pool = situation->pool;
        segment.cause.kind = !situation->spawn_known    ? CT_CAUSE_UNKNOWN
                             : situation->spawn_awaited ? CT_CAUSE_SPAWN
                             : situation->worker_idle   ? CT_CAUSE_WAKEUP
                                                        : CT_CAUSE_WORKER;
        break;
    case CT_WORK_RUNNING:
        segment.state = CT_STATE_WORK_RUNNING;
        segment.tid = situation->tid;
        segment.file = situation->file;
        break;
    case CT_WORK_DONE:
        segment.state = CT_STATE_WORK_DONE;
        segment.cause.kind = CT_CAUSE_LOOP;
        segment.cause.id = situation->context;
        break;
    }
    return segment;
}

static struct ct_segment waits(const struct ct_situation *situation)
{
    struct ct_cause cause = {
        .id = situation->waits_for,
        .coroutine = situation->by_coroutine,
        .request = situation->by_request,
    };

    switch (situation->reason) {
    case CT_YIELD_REASON_WORK:
        return waits_for_work(situation);
    case CT_YIELD_REASON_LOCK:
        cause.kind = cause.coroutine ? CT_CAUSE_HOLDER : CT_CAUSE_UNKNOWN;
        return (struct ct_segment){.state = CT_STATE_LOCK, .cause = cause};
    case CT_YIELD_REASON_QUEUE:
        cause.kind = cause.coroutine ? CT_CAUSE_WAKER : CT_CAUSE_UNKNOWN;
        return (struct ct_segment){.state = CT_STATE_QUEUE, .cause = cause};
    case CT_YIELD_REASON_TIMER:
        cause.kind = CT_CAUSE_TIMER;
        return (struct ct_segment){.state = CT_STATE_TIMER, .cause = cause};
    case CT_YIELD_REASON_IO:
        cause.kind = CT_CAUSE_DEVICE;
        return (struct ct_segment){
            .state = CT_STATE_IO, .file = situation->file, .cause = cause};
    case CT_YIELD_REASON_CHILDREN:
        cause.kind = cause.coroutine ? CT_CAUSE_CHILD : CT_CAUSE_UNKNOWN;
        return (struct ct_segment){.state = CT_STATE_CHILDREN, .cause = cause};
    default:
        return unknown_segment();
    }
}

struct ct_segment ct_segments_rule(const struct ct_situation *situation)
{
    switch (situation->doing) {
    case CT_DOING_UNKNOWN:
        break;
    case CT_DOING_SUBMITTER:
    case CT_DOING_RUNS:
        return (struct ct_segment){
            .state = CT_STATE_RUNNING,
            .on_top = situation->on_top,
            .tid = situation->tid,
        };
    case CT_DOING_WOKEN:
        return (struct ct_segment){
            .state = CT_STATE_RUNNABLE,
            .cause = {.kind = CT_CAUSE_LOOP,
                      .id = situation->context,
                      .coroutine = situation->by_coroutine,
                      .request = situation->by_request},
        };
    case CT_DOING_WAITS:
        return waits(situation);
    case CT_DOING_ENDED:
        return (struct ct_segment){.state = CT_STATE_COMPLETING};
    }
    return unknown_segment();
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

/* Opens @next at @when_ns; the open one has ended there. */
static void open_next(struct ct_segments *segments, int64_t when_ns,
                      struct ct_segment next)
{
    next.begin_ns = when_ns;
    next.end_ns = when_ns;
    next.begin_error_ns = segments->error_ns;
    while (segments->n && segments->v[segments->n - 1].begin_ns == when_ns) {
        segments->n--;
    }
    if (segments->n) {
        struct ct_segment *before = last(segments);
        if (before->end_ns > when_ns) {
            before->cause.n_ran = 0; /* was told of all of it */
        }
        before->end_ns = when_ns;
        if (is_same(before, &next)) {
            return;
        }
    }
    if (segments->n == segments->capacity) {
        segments->capacity = segments->capacity ? segments->capacity * 2 : 16;
        segments->v =
            g_renew(struct ct_segment, segments->v, segments->capacity);
    }
    segments->v[segments->n++] = next;
}

void ct_segments_begin(struct ct_segments *segments, int64_t when_ns)
{
    segments->n = 0;
    open_next(segments, when_ns, unknown_segment());
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
    struct ct_segment next = ct_segments_rule(situation);

    ct_pre("segments-change/in-order", when_ns >= last(segments)->begin_ns);
    if (next.state == CT_STATE_WORK_RUNNING) {
        was_queued(last(segments));
    }
    if (!is_same(last(segments), &next)) {
        open_next(segments, when_ns, next);
    } else if (next.file) {
        last(segments)->file = next.file; /* told when it had begun */
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
    open_next(segments, from_ns, unknown_segment());
    now.cause.n_ran = 0;
    if (!is_same(last(segments), &now)) {
        open_next(segments, when_ns, now);
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
