/* SPDX-License-Identifier: MIT */
/*
 * timer.c - deadlines
 *
 * Armed timers lie in a binary heap for each clock, first deadline on top,
 * equal ones by the order of arming.  When its time has come, a turn moves all
 * due timers to timer_firing and calls them from there, one by one, without the
 * lock; so what a callback arms waits for the next turn, a nested turn goes on
 * where the outer one is, and a timer that is cancelled or armed anew before
 * its call is simply taken out.
 *
 * The lock is never held while a callback runs.  The first deadline of each
 * clock is also an atomic, and so is which clocks have one: a turn with nothing
 * due takes no lock, and one without timers looks at a single word.
 */
#include "aio/aio_int.h"

#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"

enum timer_state { TIMER_IDLE, TIMER_ARMED, TIMER_FIRING };

struct AioTimer {
    AioContext *ctx; /* immutable, as list, cb, opaque and id */
    struct aio_timer_list *list;
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
    for (int i = 0; i < AIO_CLOCKS; i++) {
        ctx->timers[i].clock = &ct_clock_monotonic;
        ctx->timers[i].next_ns = AIO_NEVER_NS;
    }
    ctx->timers[AIO_CLOCK_HOST].clock = &ct_clock_host;
}

void aio_timers_fini(AioContext *ctx)
{
    ct_pre("aio-context-free/timer-leaked", ctx->timer_count == 0);
    for (int i = 0; i < AIO_CLOCKS; i++) {
        g_free(ctx->timers[i].heap);
    }
    pthread_mutex_destroy(&ctx->timer_lock);
}

static bool is_before(const AioTimer *a, const AioTimer *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns
                                            : a->sequence < b->sequence;
}

static void heap_put(struct aio_timer_list *list, unsigned place,
                     AioTimer *timer)
{
    list->heap[place] = timer;
    timer->place = place;
}

/* @timer belongs at @place or above it. */
static void heap_up(struct aio_timer_list *list, unsigned place,
                    AioTimer *timer)
{
    while (place > 0) {
        unsigned parent = (place - 1) / 2;

        if (!is_before(timer, list->heap[parent])) {
            break;
        }
        heap_put(list, place, list->heap[parent]);
        place = parent;
    }
    heap_put(list, place, timer);
}

/* @timer belongs at @place or below it. */
static void heap_down(struct aio_timer_list *list, unsigned place,
                      AioTimer *timer)
{
    for (;;) {
        unsigned child = 2 * place + 1;

        if (child >= list->armed) {
            break;
        }
        if (child + 1 < list->armed &&
            is_before(list->heap[child + 1], list->heap[child])) {
            child++;
        }
        if (!is_before(list->heap[child], timer)) {
            break;
        }
        heap_put(list, place, list->heap[child]);
        place = child;
    }
    heap_put(list, place, timer);
}

static void heap_insert(struct aio_timer_list *list, AioTimer *timer)
{
    if (list->armed == list->room) {
        list->room = MAX(16, 2 * list->room);
        list->heap = g_renew(AioTimer *, list->heap, list->room);
    }
    heap_up(list, list->armed++, timer);
}

static void heap_remove(struct aio_timer_list *list, AioTimer *timer)
{
    AioTimer *last = list->heap[--list->armed];

    if (last == timer) {
        return;
    }
    if (is_before(last, timer)) {
        heap_up(list, timer->place, last);
    } else {
        heap_down(list, timer->place, last);
    }
}

#define FIRING_BIT (1u << AIO_CLOCKS)

/* After every change of a list or of timer_firing. */
static void publish_locked(AioContext *ctx)
{
    unsigned wanted = list_is_empty(&ctx->timer_firing) ? 0 : FIRING_BIT;

    /* All pair with aio_timers_timeout_ns(), and precede N1 of aio_notify(). */
    for (unsigned i = 0; i < AIO_CLOCKS; i++) {
        struct aio_timer_list *list = &ctx->timers[i];
        int64_t next_ns =
            list->armed > 0 ? list->heap[0]->deadline_ns : AIO_NEVER_NS;

        if (next_ns != list->next_ns) {
            (void)ct_xchg(&list->next_ns, next_ns);
        }
        wanted |= (unsigned)(list->armed > 0) << i;
    }
    if (wanted != ctx->timer_wanted) {
        (void)ct_xchg(&ctx->timer_wanted, wanted);
    }
}

static bool disarm_locked(AioTimer *timer)
{
    enum timer_state was = timer->state;

    if (was == TIMER_ARMED) {
        heap_remove(timer->list, timer);
    } else if (was == TIMER_FIRING) {
        list_del(&timer->firing);
    }
    timer->state = TIMER_IDLE;
    return was != TIMER_IDLE;
}

AioTimer *aio_timer_new_clock(AioContext *ctx, AioClock clock, AioTimerFunc *cb,
                              void *opaque)
{
    AioTimer *timer = g_new(AioTimer, 1);

    ct_pre("aio-timer-new/clock", clock < AIO_CLOCKS);
    *timer = (AioTimer){.ctx = ctx,
                        .list = &ctx->timers[clock],
                        .cb = cb,
                        .opaque = opaque,
                        .id = ct_id_new()};
    pthread_mutex_lock(&ctx->timer_lock);
    ctx->timer_count++;
    pthread_mutex_unlock(&ctx->timer_lock);
    return timer;
}

AioTimer *aio_timer_new(AioContext *ctx, AioTimerFunc *cb, void *opaque)
{
    return aio_timer_new_clock(ctx, AIO_CLOCK_REALTIME, cb, opaque);
}

void aio_timer_arm(AioTimer *timer, int64_t deadline_ns)
{
    AioContext *ctx = timer->ctx;
    bool is_first;

    ct_emit_timer_arm(timer->id, ctx->id, timer->cb, deadline_ns,
                      (enum ct_timer_clock)(timer->list - ctx->timers));
    pthread_mutex_lock(&ctx->timer_lock);
    (void)disarm_locked(timer);
    timer->deadline_ns = deadline_ns;
    timer->sequence = ctx->timer_sequence++;
    timer->state = TIMER_ARMED;
    heap_insert(timer->list, timer);
    is_first = timer->place == 0;
    publish_locked(ctx);
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
        publish_locked(ctx);
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

int64_t aio_context_clock_ns(AioContext *ctx, AioClock clock)
{
    ct_pre("aio-context-clock/clock", clock < AIO_CLOCKS);
    return ct_clock_now_ns(ctx->timers[clock].clock);
}

int64_t aio_context_now_ns(AioContext *ctx)
{
    return aio_context_clock_ns(ctx, AIO_CLOCK_REALTIME);
}

void aio_context_set_clock(AioContext *ctx, AioClock clock,
                           const struct ct_clock *source)
{
    ct_pre("aio-context-clock/clock", clock < AIO_CLOCKS);
    ct_pre("aio-context-clock/first", ctx->timer_count == 0);
    ctx->timers[clock].clock = source;
}

int64_t aio_timers_timeout_ns(AioContext *ctx)
{
    /* Seq: pairs with publish_locked() and the notify after it (N1). */
    unsigned wanted = ct_load_seq(&ctx->timer_wanted);
    int64_t timeout_ns = -1;

    if (wanted & FIRING_BIT) {
        return 0;
    }
    for (unsigned i = 0; i < AIO_CLOCKS; i++) {
        struct aio_timer_list *list = &ctx->timers[i];
        int64_t next_ns, now_ns, left_ns;

        if (!(wanted & (1u << i))) {
            continue;
        }
        next_ns = ct_load_seq(&list->next_ns);
        if (next_ns == AIO_NEVER_NS) {
            continue;
        }
        now_ns = ct_clock_now_ns(list->clock);
        left_ns = next_ns > now_ns ? next_ns - now_ns : 0;
        timeout_ns = timeout_ns < 0 ? left_ns : MIN(timeout_ns, left_ns);
    }
    return timeout_ns;
}

static void move_due_locked(AioContext *ctx)
{
    for (unsigned i = 0; i < AIO_CLOCKS; i++) {
        struct aio_timer_list *list = &ctx->timers[i];
        int64_t now_ns = list->armed > 0 ? ct_clock_now_ns(list->clock) : 0;

        while (list->armed > 0 && list->heap[0]->deadline_ns <= now_ns) {
            AioTimer *timer = list->heap[0];

            heap_remove(list, timer);
            timer->state = TIMER_FIRING;
            list_add_tail(&ctx->timer_firing, &timer->firing);
        }
    }
    publish_locked(ctx);
}

/* Takes the next one off timer_firing; NULL: none is left. */
static AioTimer *next_firing(AioContext *ctx)
{
    AioTimer *timer = NULL;

    pthread_mutex_lock(&ctx->timer_lock);
    if (!list_is_empty(&ctx->timer_firing)) {
        timer = list_entry(ctx->timer_firing.next, AioTimer, firing);
        (void)disarm_locked(timer);
        publish_locked(ctx);
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
