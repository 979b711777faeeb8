/* SPDX-License-Identifier: MIT */
/*
 * coroutine.c - enter, yield, terminate, and the order of what was woken
 *
 * On a thread the coroutines that are entered form a chain by `caller`, from
 * the one that runs out to the thread's leader, which stands for the thread
 * itself outside coroutines:
 *
 *      leader  <-caller-  A  <-caller-  B (current)
 *
 * Entering X makes X the current one with B as its caller; a yield or the end
 * of X takes it out of the chain and goes back to B.
 *
 * Order of wakes.  What a coroutine has woken lies in its `woken`, first in,
 * first out.  When it stops, its list is handed (in the thread's `news`) to
 * whoever entered it, which runs it before going on:
 *
 *      enter(co):  pending = [co]
 *                  while pending is not empty:
 *                      X = pop(pending); switch to X
 *                      pending = X.woken + pending
 *
 * so what X wakes runs before what was woken earlier but has not run yet: depth
 * first, and in the order of waking among equals.  The first round of the loop
 * is the inlined coroutine_enter() of ct/coroutine.h; the rest happens in
 * coroutine_enter_rest(), for which the side that stops leaves `news` != 0.
 *
 * Everything is recorded and made current before the switch, on the stack that
 * stops: from then on nothing of it is touched, since another thread may enter
 * it as soon as it has stopped.  (One that has ended nobody enters: its end may
 * be told by whoever entered it, together with what that enters next.)
 *
 * Thread-locals.  A compiler keeps the address of one in a register as long as
 * it likes, also over a switch that comes back on another thread.  Only
 * functions without a switch in them touch `thread` here, and they are never
 * inlined into one that has (and that comes back on another thread: an enter
 * always comes back on its own).
 */
#include "coroutine/coroutine_int.h"

#include "base/clock.h"
#include "coroutine/pool.h"
#include "coroutine/start.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/kept.h"
#include "ct/pre.h"
#include "ct/when.h"

#define NO_INLINE     __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define unlikely(x)   __builtin_expect(!!(x), 0)

struct coroutine_thread {
    Coroutine *current; /* NULL until the thread's first call */
    void *ctx;          /* see coroutine_thread_context() */
    uint64_t ctx_id;
    Coroutine *ended;   /* news: it has terminated */
    Coroutine *untold;  /* news: the same, and no event has told it yet */
    struct queue woken; /* news: what the side that stopped has woken */
    Coroutine leader;
};

static __thread struct coroutine_thread thread
    __attribute__((tls_model("initial-exec")));

static NO_INLINE Coroutine *init_thread(void)
{
    fiber_init_leader(&thread.leader.fiber);
    queue_init(&thread.leader.woken);
    queue_init(&thread.woken);
    thread.current = &thread.leader;
    return thread.current;
}

void coroutine_thread_context(void *ctx, uint64_t ctx_id)
{
    thread.ctx = ctx;
    thread.ctx_id = ctx_id;
}

/*
 * Before the event of a change of state, and around the change.  Only with a
 * recording that wants the state of coroutines; without one a field that would
 * then be wrong is cleared.
 */
static inline void change_event(void)
{
    if (unlikely(ct_emit_on_state_coroutine())) {
        ct_when_begin();
    }
}

static inline void change_begin(Coroutine *co)
{
    if (unlikely(ct_emit_on_state_coroutine())) {
        ct_store(&co->changes, co->changes | 1);
        ct_store_release(&co->since_ns, ct_when_ns());
    } else {
        ct_store_release(&co->since_ns, 0);
    }
}

static inline void change_end(Coroutine *co)
{
    if (unlikely(ct_emit_on_state_coroutine())) {
        ct_store_release(&co->changes, (co->changes | 1) + 1);
    }
}

/* A fresh object lives; its creation has been told. */
static ALWAYS_INLINE Coroutine *begin_life(Coroutine *co, uint64_t id,
                                           CoroutineEntry *entry, void *opaque,
                                           uint64_t stack)
{
    co->opaque = opaque;
    ct_store_release(&co->entry, entry);
    ct_store_release(&co->started, false);
    ct_store_release(&co->reason, CT_YIELD_REASON_OTHER);
    ct_store_release(&co->since_ns, 0);
    ct_store(&co->ctx, NULL);
    co->serves = 0;
    co->graph_reads = 0;
    queue_init(&co->woken);
    ct_store_release(&co->created_stack, stack);
    ct_store_release(&co->id, id);
    return co;
}

Coroutine *coroutine_create(CoroutineEntry *entry, void *opaque)
{
    Coroutine *co = coroutine_pool_get();
    uint64_t id = ct_id_new();
    uint64_t stack = 0;

    if (unlikely(ct_emit_on_coroutine_create())) {
        ct_stack_begin();
        ct_emit_coroutine_create(id, entry);
        stack = ct_stack_kept();
    }
    return begin_life(co, id, entry, opaque, stack);
}

Coroutine *coroutine_create_told(uint64_t id, CoroutineEntry *entry,
                                 void *opaque, uint64_t stack)
{
    return begin_life(coroutine_pool_get(), id, entry, opaque, stack);
}

static inline struct coroutine_switch hand_over(Coroutine *from, Coroutine *to)
{
    thread.current = to;
    from->stack_current = ct_stack_switch(to->stack_current);
    return (struct coroutine_switch){&from->jump, &to->jump};
}

/* @is_told: by an event of the caller's, before which was change_event() */
static ALWAYS_INLINE struct coroutine_switch enter_begin(void *ctx,
                                                         uint64_t ctx_id,
                                                         Coroutine *co,
                                                         bool is_told)
{
    Coroutine *self = thread.current;

    if (unlikely(self == NULL)) {
        self = init_thread();
    }
    ct_pre_msg("coroutine-enter/not-scheduled", ct_load(&co->scheduled) == NULL,
               "Co-routine was already scheduled in '%s'", co->scheduled);
    ct_pre_msg("coroutine-enter/not-entered", co->caller == NULL && co != self,
               "Co-routine re-entered recursively");

    if (!is_told) {
        change_event();
        ct_emit_aio_coroutine_enter(ctx_id, self->id, co->id);
    }
    change_begin(co);
    ct_store_release(&co->caller, self);
    ct_store_release(&co->from_id, self->id);
    ct_store_release(&co->started, true);
    ct_store(&co->ctx, ctx);
    change_end(co);
    return hand_over(self, co);
}

NO_INLINE struct coroutine_switch coroutine_enter_in_begin(void *ctx,
                                                           uint64_t ctx_id,
                                                           Coroutine *co)
{
    return enter_begin(ctx, ctx_id, co, false);
}

NO_INLINE struct coroutine_switch coroutine_enter_told_begin(void *ctx,
                                                             uint64_t ctx_id,
                                                             Coroutine *co)
{
    return enter_begin(ctx, ctx_id, co, true);
}

NO_INLINE struct coroutine_switch coroutine_enter_begin(Coroutine *co)
{
    return enter_begin(thread.ctx, thread.ctx_id, co, false);
}

NO_INLINE struct coroutine_switch coroutine_start_begin(CoroutineEntry *entry,
                                                        void *opaque)
{
    Coroutine *self = thread.current;

    if (unlikely(ct_emit_on_coroutine_start())) {
        Coroutine *co = coroutine_pool_get();
        uint64_t id = ct_id_new();

        if (unlikely(self == NULL)) {
            self = init_thread();
        }
        change_event();
        ct_stack_begin();
        ct_emit_coroutine_start(thread.ctx_id, self->id, id, entry);
        return enter_begin(thread.ctx, thread.ctx_id,
                           begin_life(co, id, entry, opaque, ct_stack_kept()),
                           true);
    }
    return enter_begin(thread.ctx, thread.ctx_id,
                       coroutine_create(entry, opaque), false);
}

NO_INLINE struct coroutine_switch coroutine_yield_begin(
    enum ct_yield_reason reason, uint64_t object)
{
    Coroutine *self = thread.current;
    Coroutine *to = self != NULL ? self->caller : NULL;

    ct_pre_msg("coroutine-yield/in-coroutine", to != NULL,
               "Co-routine is yielding to no one");

    change_event();
    ct_emit_coroutine_yield(self->id, to->id, reason, object);
    change_begin(self);
    if (unlikely(ct_emit_on_state_coroutine())) {
        ct_store_release(&self->jump.pc, NULL); /* until the switch is done */
    }
    ct_store_release(&self->reason, reason);
    ct_store_release(&self->object, object);
    ct_store_release(&self->caller, NULL);
    change_end(self);

    to->jump.news = !queue_is_empty(&self->woken);
    if (unlikely(to->jump.news)) {
        queue_append(&thread.woken, &self->woken);
    }
    return hand_over(self, to);
}

/* The entry function has returned. */
static NO_INLINE struct coroutine_switch terminate_begin(Coroutine *self)
{
    Coroutine *to = self->caller;

    ct_pre("coroutine-terminate/no-locks-held", self->locks_held == 0);
    if (unlikely(ct_emit_on_coroutine_next()) &&
        !queue_is_empty(&self->woken)) {
        thread.untold = self; /* and runs, for a teller, until it is told */
    } else {
        ct_emit_coroutine_terminate(self->id, to->id);
        ct_store(&self->id, 0);
        ct_store_release(&self->caller, NULL);
        thread.ended = self;
    }
    queue_append(&thread.woken, &self->woken);
    to->jump.news = 1;
    return hand_over(self, to);
}

/*
 * What whoever just stopped has left: an object to use again, and coroutines to
 * be entered next.  Return: whether there are any of the latter.
 */
static ALWAYS_INLINE bool take_news(void)
{
    Coroutine *ended = thread.ended;

    if (ended != NULL) {
        thread.ended = NULL;
        coroutine_pool_put(ended);
    }
    return !queue_is_empty(&thread.woken);
}

/* One event tells its end and the enter that follows; Return: of whom. */
static const Coroutine *tell_next(uint64_t ctx_id)
{
    Coroutine *ended = thread.untold;
    const Coroutine *next =
        list_entry(thread.woken.first, Coroutine, wake_node);

    change_event();
    ct_emit_coroutine_next(ctx_id, ended->id, thread.current->id, next->id);
    ct_store(&ended->id, 0);
    ct_store_release(&ended->caller, NULL);
    thread.untold = NULL;
    coroutine_pool_put(ended);
    return next;
}

/* Return: the first of them, if it has been told that it is entered. */
static NO_INLINE const Coroutine *take_woken(struct queue *pending,
                                             uint64_t ctx_id)
{
    const Coroutine *told = NULL;

    if (take_news()) {
        if (thread.untold != NULL) {
            told = tell_next(ctx_id);
        }
        queue_prepend(pending, &thread.woken);
    }
    return told;
}

/* A switch, with what sanitizers must know of it. */
static inline __attribute__((always_inline)) uintptr_t noted_jump(
    struct coroutine_switch s, bool enters, bool ends)
{
    Coroutine *from = list_entry(s.from, Coroutine, jump);
    Coroutine *to = list_entry(s.to, Coroutine, jump);
    uintptr_t news;

    fiber_leave(&from->fiber, &to->fiber, ends);
    news = coroutine_jump(s);
    fiber_arrive(&from->fiber, enters ? NULL : &from->caller->fiber);
    return news;
}

/* Enters what was woken, and what that wakes, until nothing is left. */
static NO_INLINE void enter_woken(void *ctx, uint64_t ctx_id)
{
    struct queue pending;
    const Coroutine *told;

    queue_init(&pending);
    told = take_woken(&pending, ctx_id);
    while (!queue_is_empty(&pending)) {
        Coroutine *co = list_entry(queue_pop(&pending), Coroutine, wake_node);
        struct coroutine_switch s =
            co == told ? coroutine_enter_told_begin(ctx, ctx_id, co)
                       : coroutine_enter_in_begin(ctx, ctx_id, co);

        told = NULL;
        if (noted_jump(s, true, false) != 0) {
            told = take_woken(&pending, ctx_id);
        }
    }
}

NO_INLINE void coroutine_enter_in_rest(void *ctx, uint64_t ctx_id)
{
    if (take_news()) {
        enter_woken(ctx, ctx_id);
    }
}

NO_INLINE void coroutine_enter_rest(void)
{
    if (take_news()) {
        enter_woken(thread.ctx, thread.ctx_id);
    }
}

#ifndef CT_COROUTINE_INLINE
void coroutine_enter_in(void *ctx, uint64_t ctx_id, Coroutine *co)
{
    if (noted_jump(coroutine_enter_in_begin(ctx, ctx_id, co), true, false) !=
        0) {
        coroutine_enter_in_rest(ctx, ctx_id);
    }
}

void coroutine_enter_told_in(void *ctx, uint64_t ctx_id, Coroutine *co)
{
    if (noted_jump(coroutine_enter_told_begin(ctx, ctx_id, co), true, false) !=
        0) {
        coroutine_enter_in_rest(ctx, ctx_id);
    }
}

void coroutine_enter(Coroutine *co)
{
    if (noted_jump(coroutine_enter_begin(co), true, false) != 0) {
        coroutine_enter_rest();
    }
}

void coroutine_start(CoroutineEntry *entry, void *opaque)
{
    if (noted_jump(coroutine_start_begin(entry, opaque), true, false) != 0) {
        coroutine_enter_rest();
    }
}

void coroutine_fn coroutine_yield_for(enum ct_yield_reason reason,
                                      uint64_t object)
{
    (void)noted_jump(coroutine_yield_begin(reason, object), false, false);
}

void coroutine_fn coroutine_yield(void)
{
    (void)noted_jump(coroutine_yield_begin(CT_YIELD_REASON_OTHER, 0), false,
                     false);
}
#endif

void coroutine_trampoline(void)
{
    Coroutine *co;

    /* Where debuggers and unwinders stop: there is no caller. */
#if defined(__x86_64__)
    __asm__ volatile(".cfi_undefined rip");
#elif defined(__aarch64__)
    __asm__ volatile(".cfi_undefined x30");
#endif
    co = coroutine_self();
    fiber_arrive(&co->fiber, &co->caller->fiber);
    ct_stack_coroutine_entry(&co->stack_entry);
    for (;;) {
        co->entry(co->opaque);
        (void)noted_jump(terminate_begin(co), false, true);
    }
}

void coroutine_queue_wake(Coroutine *co)
{
    Coroutine *self = thread.current;

    ct_pre("coroutine-queue-wake/in-coroutine",
           self != NULL && self != &thread.leader);
    ct_pre("coroutine-queue-wake/not-self", self != co);
    change_event();
    change_begin(co);
    ct_store_release(&co->reason, COROUTINE_QUEUED);
    ct_store_release(&co->object, self->id);
    change_end(co);
    queue_push(&self->woken, &co->wake_node);
}

NO_INLINE Coroutine *coroutine_self(void)
{
    return thread.current != &thread.leader ? thread.current : NULL;
}

bool in_coroutine(void)
{
    return coroutine_self() != NULL;
}

bool coroutine_entered(const Coroutine *co)
{
    return co->caller != NULL;
}

uint64_t coroutine_id(const Coroutine *co)
{
    return co != NULL ? co->id : 0;
}
