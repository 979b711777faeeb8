/* SPDX-License-Identifier: MIT */
/*
 * ct/aio.h - event loops: contexts, bottom halves, timers, fd handlers,
 *            coroutines that are scheduled in a context, synchronous waits
 *
 * Model:    a *context* (AioContext) is an event loop.  It is a GSource: attach
 *           it to a GMainContext and it is run by g_main_loop_run(), or run it
 *           by aio_poll(), also from within one of its own callbacks (nested),
 *           under either loop.  One turn: wait for file descriptors, timers and
 *           notifications; accept notifications; run bottom halves, then fd
 *           handlers, then timers.
 *           A *bottom half* (AioBH) is a callback that the next turn runs; a
 *           *timer* one that runs when its clock has reached a deadline; an *fd
 *           handler* one that runs when a file descriptor is ready.
 *           A context has one *home thread*: the one that called
 *           aio_context_set_current() for it, first polled it, or first ran it
 *           as a GSource.  All its callbacks run there.
 *           A thread's *current* context is the one whose turn is running on
 *           it; outside of turns the one that it set as its own.
 * Threads:  any thread: everything that does not say otherwise at its place.
 *           home thread: aio_poll, aio_timer_free, AIO_WAIT_WHILE on its own
 *           context, and what says so.
 *           A callback may call everything of this header, also aio_poll() and
 *           the deletion of its own object.
 * Memory:   a context is reference-counted; its last reference must not be
 *           dropped inside one of its own turns.  Everything that belongs to it
 *           (handlers, timers, bottom halves but one-shots) has been removed by
 *           its owner before.
 * Errors:   constructors that ask the kernel for something take a GError;
 *           everything else can only be misused, which aborts (ct_pre).
 * Depends:  GLib, ct/coroutine.h.
 */
#ifndef CT_AIO_H
#define CT_AIO_H

#include <stdbool.h>
#include <stdint.h>
#include <glib.h>
#include "ct/coroutine.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ct_clock;

typedef struct AioContext AioContext;
typedef struct AioBH AioBH;
typedef struct AioTimer AioTimer;
typedef struct IOThread IOThread;

typedef void AioBHFunc(void *opaque);
typedef void AioTimerFunc(void *opaque);
typedef void AioHandlerFunc(void *opaque);

/* --- contexts ------------------------------------------------------------ */

/**
 * aio_context_new() - make a context that nobody runs yet
 * @name:  what traces call it; copied
 * @error: set on failure
 *
 * Context: any thread.
 * Return: the context, one reference; NULL when the kernel gives no eventfd.
 */
AioContext *aio_context_new(const char *name, GError **error);

/** aio_context_ref() - one more reference; Return: @ctx.  Any thread. */
AioContext *aio_context_ref(AioContext *ctx);

/**
 * aio_context_unref() - give one reference back; the last frees the context
 * @ctx: NULL is allowed
 *
 * One-shot bottom halves that have not run yet are dropped without running.
 * Pre: [aio-context-free/in-turn] the last reference goes outside its turns.
 * Pre: [aio-context-free/current] and after aio_context_set_current(NULL).
 * Pre: [aio-context-free/bh-leaked] every aio_bh_new() met its
 *      aio_bh_delete(); the message names the leaked one.
 * Pre: [aio-context-free/coroutine-scheduled] no coroutine is queued in it.
 */
void aio_context_unref(AioContext *ctx);

/** aio_context_id() - its entity id in traces */
uint64_t aio_context_id(const AioContext *ctx);

/** aio_context_name() - its name; borrowed while @ctx lives */
const char *aio_context_name(const AioContext *ctx);

/**
 * aio_get_g_source() - the context as a GSource
 *
 * For callers that set a priority or attach it themselves.
 * Return: a reference of the caller's own, g_source_unref() it.
 */
GSource *aio_get_g_source(AioContext *ctx);

/**
 * aio_context_attach() - let a GMainContext run the context
 * @ctx:          not attached yet
 * @main_context: NULL: the default one
 *
 * Undone by g_source_destroy(), or by the GMainContext's end; the GMainContext
 * holds a reference of its own until then.
 * Return: the source's id in @main_context.
 */
guint aio_context_attach(AioContext *ctx, GMainContext *main_context);

/**
 * aio_context_current() - the calling thread's current context
 *
 * The context whose turn is running on this thread (the innermost); outside of
 * turns the thread's own context; NULL if it has none.
 * The answer may change wherever a coroutine yields.
 */
AioContext *aio_context_current(void);

/**
 * aio_context_set_current() - make @ctx the calling thread's own context
 * @ctx: borrowed until it is replaced; NULL: none
 *
 * The calling thread becomes its home.  Call it once at the start of a thread
 * that will run @ctx, and with NULL before the last reference goes.
 * Pre: [aio-context-home/other-thread] no other thread is its home.
 * Pre: [aio-context-current/in-turn] no turn is running on this thread.
 */
void aio_context_set_current(AioContext *ctx);

/** in_aio_context_home_thread() - is the calling thread the home of @ctx? */
bool in_aio_context_home_thread(const AioContext *ctx);

/*
 * Which time a timer goes by; each context has a list of timers for each.
 * The virtual clock is the real-time one until somebody sets another, which may
 * stand still or run at its own pace.
 */
typedef enum AioClock {
    AIO_CLOCK_REALTIME, /* CLOCK_MONOTONIC */
    AIO_CLOCK_VIRTUAL,
    AIO_CLOCK_HOST, /* the time of day */
    AIO_CLOCKS
} AioClock;

/**
 * aio_context_set_clock() - where timers of one kind take their time from
 * @source: borrowed while @ctx lives
 *
 * Before the first timer.  A turn that waits does so in real time for the
 * difference to the next deadline, so with a clock that stands still use
 * non-blocking turns, and aio_notify() after a move that should end a wait.
 */
void aio_context_set_clock(AioContext *ctx, AioClock clock,
                           const struct ct_clock *source);

/** aio_context_clock_ns() - the time on one of the context's clocks */
int64_t aio_context_clock_ns(AioContext *ctx, AioClock clock);

/** aio_context_now_ns() - the same for AIO_CLOCK_REALTIME */
int64_t aio_context_now_ns(AioContext *ctx);

/**
 * aio_context_set_aio_params() - how operations are given to the kernel
 * @max_batch: as many as one system call takes at most, by linux-aio and
 *             io_uring; 0: a default
 *
 * What callbacks of a turn submit is collected, and given to the kernel at its
 * end, or when there are so many.
 * Context: any thread.
 */
void aio_context_set_aio_params(AioContext *ctx, unsigned max_batch);

/**
 * aio_notify() - make the context start a new turn
 *
 * After it, either the turn that is about to wait does not wait, or one that
 * waits goes on; and what the caller published before with a sequentially
 * consistent store or read-modify-write is seen by that turn.  Calls coalesce
 * until the turn has accepted them: a flood costs two loads a call.
 * Context: any thread; wait-free but for one write(2) when the loop sleeps.
 */
void aio_notify(AioContext *ctx);

/**
 * aio_poll() - run one turn
 * @blocking: wait until there is something to run; false: look only
 *
 * May be called from the context's own callbacks (each bottom half that is
 * scheduled runs once, in the innermost turn), also when the outer turn is that
 * of a GMainContext, but not from inside a coroutine: who waits there would not
 * be entered by this turn.  A blocking turn may return without progress after a
 * bare aio_notify(): call it in a loop with the condition that you wait for.
 * Context: home thread (the first caller makes its thread the home).
 * Pre: [aio-poll/home-thread] no other thread is its home;
 *      [aio-poll/in-coroutine] not in a coroutine.
 * Return: true if a bottom half (idle ones aside), handler or timer ran.
 */
bool aio_poll(AioContext *ctx, bool blocking);

/* --- bottom halves ------------------------------------------------------- */

/**
 * aio_bh_new() - make a bottom half, not scheduled
 * @cb:     runs on the home thread, once for each time it was found scheduled;
 *          may schedule, cancel or delete its own bottom half, and poll
 * @opaque: its argument; lives until the bottom half is deleted
 *
 * A macro: the callback's name is kept for traces and for messages.
 * Context: any thread.
 */
#define aio_bh_new(ctx, cb, opaque) aio_bh_new_full(ctx, cb, opaque, #cb)

AioBH *aio_bh_new_full(AioContext *ctx, AioBHFunc *cb, void *opaque,
                       const char *name);

/**
 * aio_bh_schedule() - have the callback run in the next turn
 *
 * Calls coalesce until the callback is about to run.  Bottom halves of one
 * context run in the order in which they became scheduled.  What the caller
 * wrote before is visible to the callback, also when the call coalesced.
 * Context: any thread; lock-free.
 */
void aio_bh_schedule(AioBH *bh);

/**
 * aio_bh_schedule_idle() - as aio_bh_schedule(), without haste
 *
 * Does not wake the context and does not count as progress; a context that
 * would wait for longer waits 10 ms at most while one is scheduled.
 * Context: any thread.
 */
void aio_bh_schedule_idle(AioBH *bh);

/**
 * aio_bh_schedule_oneshot() - run @cb once in the next turn; nothing to delete
 *
 * Every call is a run of its own (no coalescing), in FIFO order with all
 * bottom halves.  Context: any thread; lock-free.
 */
#define aio_bh_schedule_oneshot(ctx, cb, opaque) \
    aio_bh_schedule_oneshot_full(ctx, cb, opaque, #cb)

void aio_bh_schedule_oneshot_full(AioContext *ctx, AioBHFunc *cb, void *opaque,
                                  const char *name);

/**
 * aio_bh_cancel() - not scheduled any more
 *
 * On another thread than the home a callback that is about to run may still
 * run.  Context: any thread; wait-free.
 */
void aio_bh_cancel(AioBH *bh);

/**
 * aio_bh_delete() - free it; the callback will not run any more
 * @bh: NULL is allowed; invalid after the call
 *
 * The memory goes in a later turn.  Same restriction as aio_bh_cancel() on
 * other threads than the home.  Context: any thread; lock-free.
 */
void aio_bh_delete(AioBH *bh);

/* --- timers -------------------------------------------------------------- */

/**
 * aio_timer_new_clock() - make a timer, not armed
 * @cb: runs on the home thread, once an arming; may arm, cancel and free it
 *
 * Context: any thread.
 */
AioTimer *aio_timer_new_clock(AioContext *ctx, AioClock clock, AioTimerFunc *cb,
                              void *opaque);

/** aio_timer_new() - the same on AIO_CLOCK_REALTIME */
AioTimer *aio_timer_new(AioContext *ctx, AioTimerFunc *cb, void *opaque);

/**
 * aio_timer_arm() - run the callback once the clock has reached @deadline_ns
 * @deadline_ns: on the timer's clock (aio_context_clock_ns()); one in the past
 *               is due at once
 *
 * Replaces an earlier deadline.  Timers of one clock run in the order of their
 * deadlines, equal ones in the order of arming; one that a timer callback arms
 * is run by the next turn at the earliest. Context: any thread.
 */
void aio_timer_arm(AioTimer *timer, int64_t deadline_ns);

/** aio_timer_cancel() - disarm; on the home thread it will not run any more */
void aio_timer_cancel(AioTimer *timer);

/** aio_timer_is_armed() - is it waiting for its deadline?  Any thread. */
bool aio_timer_is_armed(AioTimer *timer);

/** aio_timer_id() - its entity id in traces */
uint64_t aio_timer_id(const AioTimer *timer);

/** aio_timer_free() - disarm and free; NULL is allowed.  Home thread. */
void aio_timer_free(AioTimer *timer);

/* --- fd handlers --------------------------------------------------------- */

/**
 * aio_set_fd_handler() - watch a file descriptor
 * @fd:       not owned; must stay open until its handler is removed
 * @io_read:  called while reading would not block (also at end of file and on
 *            errors); NULL: don't watch for it
 * @io_write: called while writing would not block; NULL: don't watch for it
 * @opaque:   argument of both
 *
 * Replaces the fd's handler; with both NULL removes it.  May be called while
 * handlers run: one that was removed is not called any more (from another
 * thread: one that is about to be called may still be), its memory goes when
 * no turn walks the handlers.
 * A handler should read and write without blocking: whatever runs between the
 * kernel's answer and the call may have been faster.
 * Context: any thread.  Removed from another thread than the home, the file may
 * be held open by the monitor until the next turn.
 */
void aio_set_fd_handler(AioContext *ctx, int fd, AioHandlerFunc *io_read,
                        AioHandlerFunc *io_write, void *opaque);

/*
 * How a handler's event is seen without the kernel; all on the home thread,
 * with the handler's opaque.  None of them sets or removes handlers or polls.
 */
typedef struct AioPollOps {
    bool (*io_poll)(void *opaque); /* is there something?  Cheap */
    AioHandlerFunc *io_poll_ready; /* there is: called instead of io_read */
    AioHandlerFunc *io_poll_begin; /* the fd need not be signalled; or NULL */
    AioHandlerFunc *io_poll_end;   /* from now on it must be; or NULL */
} AioPollOps;

/**
 * aio_set_fd_poll() - let the fd's handler be polled before the loop sleeps
 * @fd:  has a handler, set just now
 * @ops: constant; its functions see the handler's opaque
 *
 * It is used if aio_context_set_poll_params() allows, once the kernel has found
 * the handler ready, and until it has been in vain for some seconds.  When a
 * handler is removed by the home thread while it is polled, io_poll_end is
 * called before that returns.
 * Context: any thread.
 * Pre: [aio-fd-poll/handler] there is one, and it has none of these yet.
 */
void aio_set_fd_poll(AioContext *ctx, int fd, const AioPollOps *ops);

/**
 * aio_context_set_poll_params() - for how long to poll before sleeping
 * @max_ns: at most; 0: not at all, which is the default
 * @grow:   factor by which the time grows when a bit more would have done;
 *          0: a default
 * @shrink: divisor when an event took longer than @max_ns; 0: back to nothing
 *
 * While all handlers of the context can be polled (or the monitor is io_uring),
 * a blocking aio_poll() looks for that time, between 0 and @max_ns as it turns
 * out to pay, for their events and for notifications, before it sleeps.  Not
 * under a GMainContext.
 * Context: any thread.
 */
void aio_context_set_poll_params(AioContext *ctx, int64_t max_ns, int64_t grow,
                                 int64_t shrink);

/**
 * aio_context_set_fdmon() - choose what aio_poll() asks the kernel with
 * @name: "poll", "epoll", "io_uring"; NULL: whatever suits, which is the
 *        default: poll for a few file descriptors, epoll for many
 *
 * A monitor that fails later is replaced by poll.  A GMainContext that runs the
 * context waits for file descriptors itself: then it is for nested turns only,
 * and io_uring, which GLib would leave with stale answers, becomes poll.
 * Context: home thread, outside of turns.
 * Return: 0; -ENOENT when there is no such monitor; -errno when the kernel
 * refuses it: then nothing has changed.
 */
int aio_context_set_fdmon(AioContext *ctx, const char *name);

/** aio_context_fdmon() - the name of the monitor in use.  Home thread. */
const char *aio_context_fdmon(const AioContext *ctx);

/** aio_fd_handler_id() - the trace id of the fd's handler, 0: it has none */
uint64_t aio_fd_handler_id(AioContext *ctx, int fd);

/* --- coroutines in a context --------------------------------------------- */

/**
 * aio_co_schedule() - enter a coroutine in a later turn of a context
 * @ctx: where it will run, also if it ran elsewhere before
 * @co:  created or yielded, and nobody else will enter it
 *
 * Coroutines that are scheduled in one context are entered in the order in
 * which they were scheduled: FIFO, whichever threads scheduled them.
 * Context: any thread; lock-free.
 * Pre: [aio-co-schedule/already-scheduled] it is not scheduled; the message
 *      names the function that had scheduled it.
 */
void aio_co_schedule(AioContext *ctx, Coroutine *co);

/**
 * aio_co_wake() - let a coroutine that yielded go on in its own context
 *
 * Where it last ran: from another context than that it is scheduled there;
 * from outside coroutines it is entered at once; from inside a coroutine it is
 * appended to that one's list and entered when that one yields or ends.
 * Context: any thread.
 */
void aio_co_wake(Coroutine *co);

/** aio_co_enter() - as aio_co_wake(), in @ctx */
void aio_co_enter(AioContext *ctx, Coroutine *co);

/**
 * aio_co_reschedule_self() - go on in another context
 *
 * The calling coroutine yields and is entered by @new_ctx; nothing happens if
 * that is the current one.
 */
void coroutine_fn aio_co_reschedule_self(AioContext *new_ctx);

/* --- synchronous waits --------------------------------------------------- */

/* One wait; in the frame of the waiter.  Private to AIO_WAIT_WHILE(). */
typedef struct AioWaiter AioWaiter;
struct AioWaiter {
    AioContext *ctx;      /* immutable in the wait, as poll_ctx */
    AioContext *poll_ctx; /* what the waiter polls */
    AioWaiter *next;      /* protected by the lock of wait.c, as prev */
    AioWaiter *prev;
};

void aio_wait_begin(AioWaiter *waiter, AioContext *ctx);
void aio_wait_end(AioWaiter *waiter);

/**
 * AIO_WAIT_WHILE() - poll until a condition is false
 * @ctx:  where the work happens; NULL: the calling thread's current context
 * @cond: an expression, evaluated again and again, at least once; what it
 *        reads is changed by callbacks of this thread, or atomically by other
 *        threads, which then call aio_wait_kick()
 *
 * On the home thread of @ctx it polls @ctx.  On another thread it polls the
 * calling thread's current context, while @ctx makes progress in its own.
 * Not in a coroutine: what it waits for might need that coroutine's caller.
 * Pre: [aio-wait/context] the calling thread has a context that it can poll.
 * Value: true if the condition was true at first.
 */
#define AIO_WAIT_WHILE(ctx, cond)                 \
    ({                                            \
        bool waited_ = false;                     \
        if (cond) {                               \
            AioWaiter waiter_;                    \
            waited_ = true;                       \
            aio_wait_begin(&waiter_, (ctx));      \
            while (cond) {                        \
                aio_poll(waiter_.poll_ctx, true); \
            }                                     \
            aio_wait_end(&waiter_);               \
        }                                         \
        waited_;                                  \
    })

/**
 * aio_wait_kick() - have every AIO_WAIT_WHILE() look at its condition again
 *
 * After a change that a condition reads.  Context: any thread; one atomic
 * operation while nobody waits.
 */
void aio_wait_kick(void);

/* --- a context with its own thread --------------------------------------- */

/**
 * iothread_new() - start a thread that runs a context of its own
 * @name:  of the thread and of its context
 * @error: set on failure
 *
 * On return the context has its home thread.
 * Return: the iothread; NULL when there is no eventfd or no thread.
 */
IOThread *iothread_new(const char *name, GError **error);

/** iothread_get_aio_context() - its context; borrowed while @iothread lives */
AioContext *iothread_get_aio_context(IOThread *iothread);

/**
 * iothread_stop() - end its loop after the turn that is running, and join it
 *
 * The context stays, and from then on the calling thread is its home, so that
 * what is left in it can be polled to its end.
 * Not from the iothread itself.  A second call does nothing.
 */
void iothread_stop(IOThread *iothread);

/** iothread_free() - stop it and free it with its reference to the context */
void iothread_free(IOThread *iothread);

#ifdef __cplusplus
}
#endif

#endif
