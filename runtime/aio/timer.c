/* SPDX-License-Identifier: MIT */
/*
 * timer.c - deadlines
 *
 * Armed timers lie in a binary heap, first deadline on top, equal ones by the
 * order of arming.  When its time has come, a turn moves all due timers to
 * timer_firing and calls them from there, one by one, without the lock; so what
 * a callback arms waits for the next turn, a nested turn goes on where the
 * outer one is, and a timer that is cancelled or armed anew before its call is
 * simply taken out.
 *
 * The lock is never held while a callback runs.  The first deadline is also an
 * atomic, so that a turn with nothing due takes no lock; it lies in the past
 * while timer_firing holds something.
 */
#include "aio/aio_int.h"

#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"

enum timer_state { TIMER_IDLE, TIMER_ARMED, TIMER_FIRING };

struct AioTimer {
    AioContext *ctx; /* immutable, as cb, opaque and id */
    AioTimerFunc *cb;
    void *opaque;
    uint64_t id;
    /* Protected by timer_lock, as all below. */
    enum timer_state state;
    unsigned place;     /* armed: index in the heap */
    struct list firing; /* firing: in timer_firing */
    int64_t deadline_ns;
    uint64_t sequence;
};

void aio_timers_init(AioContext *ctx)
{
    pthread_mutex_init(&ctx->timer_lock, NULL);
    list_init(&ctx->timer_firing);
    ctx->timer_next_ns = AIO_NEVER_NS;
}

void aio_timers_fini(AioContext *ctx)
{
    ct_pre("aio-context-free/timer-leaked", ctx->timer_count == 0);
    g_free(ctx->timer_heap);
    pthread_mutex_destroy(&ctx->timer_lock);
}

static bool is_before(const AioTimer *a, const AioTimer *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns
                                            : a->sequence < b->sequence;
}

static void heap_put(AioContext *ctx, unsigned place, AioTimer *timer)
{
    ctx->timer_heap[place] = timer;
    timer->place = place;
}

/* @timer belongs at @place or above it. */
static void heap_up(AioContext *ctx, unsigned place, AioTimer *timer)
{
    while (place > 0) {
        unsigned parent = (place - 1) / 2;

        if (!is_before(timer, ctx->timer_heap[parent])) {
            break;
        }
        heap_put(ctx, place, ctx->timer_heap[parent]);
        place = parent;
    }
    heap_put(ctx, place, timer);
}

/* @timer belongs at @place or below it. */
static void heap_down(AioContext *ctx, unsigned place, AioTimer *timer)
{
    for (;;) {
        unsigned child = 2 * place + 1;

        if (child >= ctx->timer_armed) {
            break;
        }
        if (child + 1 < ctx->timer_armed &&
            is_before(ctx->timer_heap[child + 1], ctx->timer_heap[child])) {
            child++;
        }
        if (!is_before(ctx->timer_heap[child], timer)) {
            break;
        }
        heap_put(ctx, place, ctx->timer_heap[child]);
        place = child;
    }
    heap_put(ctx, place, timer);
}

static void heap_insert(AioContext *ctx, AioTimer *timer)
{
    if (ctx->timer_armed == ctx->timer_room) {
        ctx->timer_room = MAX(16, 2 * ctx->timer_room);
        ctx->timer_heap = g_renew(AioTimer *, ctx->timer_heap, ctx->timer_room);
    }
    heap_up(ctx, ctx->timer_armed++, timer);
}

static void heap_remove(AioContext *ctx, AioTimer *timer)
{
    AioTimer *last = ctx->timer_heap[--ctx->timer_armed];

    if (last == timer) {
        return;
    }
    if (is_before(last, timer)) {
        heap_up(ctx, timer->place, last);
    } else {
        heap_down(ctx, timer->place, last);
    }
}

/* After every change of the heap or of timer_firing. */
static void publish_next_locked(AioContext *ctx)
{
    int64_t next_ns = AIO_NEVER_NS;

    if (!list_is_empty(&ctx->timer_firing)) {
        next_ns = INT64_MIN;
    } else if (ctx->timer_armed > 0) {
        next_ns = ctx->timer_heap[0]->deadline_ns;
    }

    /* Pairs with aio_timers_timeout_ns(), and precedes N1 of aio_notify(). */
    if (next_ns != ctx->timer_next_ns) {
        (void)ct_xchg(&ctx->timer_next_ns, next_ns);
    }
}

static bool disarm_locked(AioTimer *timer)
{
    enum timer_state was = timer->state;

    if (was == TIMER_ARMED) {
        heap_remove(timer->ctx, timer);
    } else if (was == TIMER_FIRING) {
        list_del(&timer->firing);
    }
    timer->state = TIMER_IDLE;
    return was != TIMER_IDLE;
}

AioTimer *aio_timer_new(AioContext *ctx, AioTimerFunc *cb, void *opaque)
{
    AioTimer *timer = g_new(AioTimer, 1);

    *timer =
        (AioTimer){.ctx = ctx, .cb = cb, .opaque = opaque, .id = ct_id_new()};
    pthread_mutex_lock(&ctx->timer_lock);
    ctx->timer_count++;
    pthread_mutex_unlock(&ctx->timer_lock);
    return timer;
}

void aio_timer_arm(AioTimer *timer, int64_t deadline_ns)
{
    AioContext *ctx = timer->ctx;
    bool is_first;

    ct_emit_timer_arm(timer->id, ctx->id, timer->cb, deadline_ns);
    pthread_mutex_lock(&ctx->timer_lock);
    (void)disarm_locked(timer);
    timer->deadline_ns = deadline_ns;
    timer->sequence = ctx->timer_sequence++;
    timer->state = TIMER_ARMED;
    heap_insert(ctx, timer);
    is_first = timer->place == 0;
    publish_next_locked(ctx);
    pthread_mutex_unlock(&ctx->timer_lock);
    if (is_first) {
        /* The turn that waits has to wait for less. */
        aio_notify_work(ctx);
    }
}

void aio_timer_cancel(AioTimer *timer)
{
    AioContext *ctx = timer->ctx;

    pthread_mutex_lock(&ctx->timer_lock);
    if (disarm_locked(timer)) {
        ct_emit_timer_cancel(timer->id, ctx->id);
        publish_next_locked(ctx);
    }
    pthread_mutex_unlock(&ctx->timer_lock);
}

bool aio_timer_is_armed(AioTimer *timer)
{
    bool is_armed;

    pthread_mutex_lock(&timer->ctx->timer_lock);
    is_armed = timer->state != TIMER_IDLE;
    pthread_mutex_unlock(&timer->ctx->timer_lock);
    return is_armed;
}

uint64_t aio_timer_id(const AioTimer *timer)
{
    return timer->id;
}

void aio_timer_free(AioTimer *timer)
{
    AioContext *ctx;

    if (timer == NULL) {
        return;
    }
    aio_timer_cancel(timer);
    ctx = timer->ctx;
    pthread_mutex_lock(&ctx->timer_lock);
    ctx->timer_count--;
    pthread_mutex_unlock(&ctx->timer_lock);
    g_free(timer);
}

int64_t aio_context_now_ns(AioContext *ctx)
{
    return ct_clock_now_ns(ctx->clock);
}

void aio_context_set_clock(AioContext *ctx, const struct ct_clock *clock)
{
    ct_pre("aio-context-clock/first", ctx->timer_count == 0);
    ctx->clock = clock;
}

int64_t aio_timers_timeout_ns(AioContext *ctx)
{
    /* Seq: pairs with publish_next_locked() and the notify after it (N1). */
    int64_t next_ns = ct_load_seq(&ctx->timer_next_ns);
    int64_t now_ns;

    if (next_ns == AIO_NEVER_NS) {
        return -1;
    }
    now_ns = aio_context_now_ns(ctx);
    return next_ns > now_ns ? next_ns - now_ns : 0;
}

static void move_due_locked(AioContext *ctx)
{
    int64_t now_ns;

    if (ctx->timer_armed == 0) {
        return;
    }
    now_ns = aio_context_now_ns(ctx);
    while (ctx->timer_armed > 0 && ctx->timer_heap[0]->deadline_ns <= now_ns) {
        AioTimer *timer = ctx->timer_heap[0];

        heap_remove(ctx, timer);
        timer->state = TIMER_FIRING;
        list_add_tail(&ctx->timer_firing, &timer->firing);
    }
    publish_next_locked(ctx);
}

/* Takes the next one off timer_firing; NULL: none is left. */
static AioTimer *next_firing(AioContext *ctx)
{
    AioTimer *timer = NULL;

    pthread_mutex_lock(&ctx->timer_lock);
    if (!list_is_empty(&ctx->timer_firing)) {
        timer = list_entry(ctx->timer_firing.next, AioTimer, firing);
        (void)disarm_locked(timer);
        publish_next_locked(ctx);
    }
    pthread_mutex_unlock(&ctx->timer_lock);
    return timer;
}

bool aio_timers_run(AioContext *ctx)
{
    bool progress = false;
    AioTimer *timer;

    if (aio_timers_timeout_ns(ctx) != 0) {
        return false;
    }
    pthread_mutex_lock(&ctx->timer_lock);
    move_due_locked(ctx);
    pthread_mutex_unlock(&ctx->timer_lock);
    while ((timer = next_firing(ctx)) != NULL) {
        uint64_t id = timer->id;

        ct_emit_timer_run_begin(id, ctx->id, timer->cb);
        timer->cb(timer->opaque);
        /* It may be gone. */
        ct_emit_timer_run_end(id, ctx->id);
        progress = true;
    }
    return progress;
}
