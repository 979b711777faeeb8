/* SPDX-License-Identifier: MIT */
/*
 * aio_int.h - what a context is, for the rooms of this folder and for whatever
 * lives above and keeps something in a context (slots)
 *
 * One mechanism a file; each owns the fields under its name below and nobody
 * else touches them.  "Home" in a comment: only the home thread, without
 * atomics.  A "turn" is one aio_poll() or one dispatch of the GSource; turns
 * nest.
 */
#ifndef CT_AIO_INT_H
#define CT_AIO_INT_H

#include <pthread.h>

#include "base/atomics.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/lockcnt.h"
#include "ct/aio.h"

/* No deadline. */
#define AIO_NEVER_NS INT64_MAX

struct fdmon_ops;
struct fdmon_poll;
struct fdmon_epoll;
struct fdmon_io_uring;
struct AioHandler;

/* What lives above the loop and has one object a context. */
enum aio_slot {
    AIO_SLOT_THREAD_POOL,
    AIO_SLOT_LINUX_AIO,
    AIO_SLOT_IO_URING,
    AIO_SLOT_GRAPH, /* readers of the block graph */
    AIO_SLOT_COUNT
};

struct aio_slot_content {
    void *object;
    void (*destroy)(void *object); /* called when the context is freed */
};

/* The armed timers of one clock. */
struct aio_timer_list {
    const struct ct_clock *clock; /* immutable after the first timer */
    AioTimer **heap;              /* protected by timer_lock, as armed, room */
    unsigned armed;               /* used length of heap */
    unsigned room;
    /*
     * The first deadline; atomic, written with timer_lock held, pairs with
     * aio_timers_timeout_ns().
     */
    int64_t next_ns;
};

/* A call that is put off to the end of a turn, see aio_defer(); its owner's. */
struct aio_deferred {
    struct list node;
    bool is_last; /* immutable; true: after those that are not */
    void (*run)(void *opaque);
    void *opaque;
};

struct AioContext {
    GSource source; /* first: a context is a GSource */
    unsigned refs;  /* atomic: references that are not GLib's */

    uint64_t id;               /* immutable after aio_context_new() */
    char *name;                /* likewise */
    struct list registry_node; /* protected by the registry's lock */
    struct aio_slot_content slots[AIO_SLOT_COUNT]; /* home */

    /* --- poll.c --- */
    struct list deferred;   /* home: struct aio_deferred */
    unsigned aio_max_batch; /* atomic, a parameter: any thread; 0: default */
    /*
     * Worker limits of the context's own pool, min << 32 | max, 0: default;
     * atomic: any thread sets, a bottom half takes them over.
     */
    uint64_t thread_pool_limits;

    /* --- home.c --- */
    const void *home; /* atomic: the home thread's token, NULL: none yet */
    unsigned depth;   /* open turns; home writes, the teller reads: atomic */

    /* --- notify.c --- */
    /*
     * Bit 0: a GMainContext may sleep for us; the rest, in twos: blocking
     * turns that may sleep.  Home writes; atomic, pairs with aio_notify().
     */
    unsigned notify_me;
    /* A turn is asked for; atomic: set by aio_notify(), taken by accept. */
    unsigned notified;
    GPollFD notify_pfd; /* the eventfd; its revents: home */

    /* --- bh.c --- */
    struct lifo bh_pushed;   /* any thread pushes; home takes */
    struct queue bh_ready;   /* home: taken, not yet run */
    pthread_mutex_t bh_lock; /* protects bh_all */
    struct list bh_all;      /* all but one-shots, to name a leak */

    /* --- schedule.c --- */
    struct lifo co_scheduled; /* any thread pushes; home takes */
    unsigned co_count;        /* atomic: how many are queued, for the teller */
    AioBH *co_schedule_bh;    /* immutable after aio_context_new() */

    /* --- timer.c --- */
    pthread_mutex_t timer_lock; /* protects what has no other remark here */
    struct aio_timer_list timers[AIO_CLOCKS];
    unsigned timer_count; /* timers that exist, of all clocks */
    uint64_t timer_sequence;
    struct list timer_firing; /* due, in order, not yet run; of all clocks */
    /*
     * A bit for each list that has a deadline, and one for timer_firing;
     * atomic, written with timer_lock held, pairs with
     * aio_timers_timeout_ns().
     */
    unsigned timer_wanted;

    /* --- fd.c --- */
    /*
     * Who may come upon a handler is counted: turns, GLib's prepare and check,
     * whoever removes one.  The lock protects the fields up to fd_deleted;
     * removed handlers are freed by the last who is counted, with it held.
     */
    struct lockcnt list_lock;
    struct AioHandler **fd_table; /* by fd */
    int fd_table_room;
    struct list fd_handlers;
    struct list fd_deleted; /* to be freed */
    /* Changes of fd_handlers; atomic, written with list_lock held. */
    unsigned fd_generation;
    unsigned fd_count;    /* length of fd_handlers; likewise */
    unsigned fd_dead;     /* length of fd_deleted; likewise */
    struct list fd_ready; /* home: found ready, not yet run */

    /* --- fdmon/fdmon.c --- */
    /* What watches; home writes with list_lock held, so home reads without. */
    const struct fdmon_ops *fdmon;
    const struct fdmon_ops *fdmon_wanted; /* home; NULL: chosen by itself */
    unsigned fdmon_generation; /* home: fd_generation that fdmon has seen */
    bool fdmon_failed;         /* protected by list_lock: not to be used on */
    bool fdmon_no_epoll;       /* home: has failed, don't try it again */
    bool fdmon_no_io_uring;    /* home: refused, failed, or GLib waits */
    /* Each its file's own, NULL: not in use. */
    struct fdmon_poll *fdmon_poll;
    struct fdmon_epoll *fdmon_epoll;
    struct fdmon_io_uring *fdmon_io_uring;

    /* --- busy.c --- */
    struct list poll_handlers; /* home: those that are asked */
    bool poll_started;         /* home: io_poll_begin was called */
    int64_t poll_ns;           /* home: for how long, now */
    int64_t poll_begin_ns;     /* home: when this turn began to wait */
    int64_t poll_max_ns;       /* atomic, parameters: any thread; 0: off */
    int64_t poll_grow;
    int64_t poll_shrink;
    /* Live handlers without io_poll; atomic, written with list_lock held. */
    unsigned poll_disable_cnt;
};

/* --- home.c: whose thread, which context --------------------------------- */

/* The calling thread becomes the home, unless another one is. */
void aio_home_claim(AioContext *ctx);
/* No thread is the home any more; the old one doesn't run the context. */
void aio_home_release(AioContext *ctx);
/* A turn starts: checks the home, makes @ctx current; Return: what was. */
AioContext *aio_turn_begin(AioContext *ctx);
/* Home: a callback of the context runs, and nothing else inside it. */
bool aio_in_turn(const AioContext *ctx);
void aio_turn_end(AioContext *ctx, AioContext *outer);

/* --- notify.c: see its head for the protocol ----------------------------- */

bool aio_notify_init(AioContext *ctx, GError **error);
void aio_notify_fini(AioContext *ctx);
/*
 * There is new work that aio_compute_timeout_ns() finds: as aio_notify(), but
 * silent on the home thread while nothing of the context is about to sleep.
 */
void aio_notify_work(AioContext *ctx);
/* The turn that calls may sleep from now on; undone by the second. */
void aio_notify_sleep_begin(AioContext *ctx, unsigned bits);
void aio_notify_sleep_end(AioContext *ctx, unsigned bits);
/* A turn was asked for and not yet accepted: don't sleep. */
bool aio_notify_is_pending(AioContext *ctx);
void aio_notify_accept(AioContext *ctx);
/* Sleep until the next write to the eventfd; takes it. */
void aio_notify_wait(AioContext *ctx);
/* Takes what was written to the eventfd; never sleeps. */
void aio_notify_drain(AioContext *ctx);

#define AIO_NOTIFY_GSOURCE 1u
#define AIO_NOTIFY_TURN    2u

/* --- bh.c ---------------------------------------------------------------- */

void aio_bh_init(AioContext *ctx);
/* Drops what is left; aborts on a bottom half that nobody deleted. */
void aio_bh_fini(AioContext *ctx);
/* How long a turn may wait for bottom halves' sake; ns, -1: for ever. */
int64_t aio_bh_timeout_ns(AioContext *ctx);
/* Runs what is scheduled; Return: a bottom half ran that was not idle. */
bool aio_bh_poll(AioContext *ctx);

/* --- schedule.c ---------------------------------------------------------- */

void aio_schedule_init(AioContext *ctx);
void aio_schedule_fini(AioContext *ctx);

/* --- timer.c ------------------------------------------------------------- */

void aio_timers_init(AioContext *ctx);
void aio_timers_fini(AioContext *ctx);
/* Time to the first deadline; ns, 0: due, -1: none. */
int64_t aio_timers_timeout_ns(AioContext *ctx);
bool aio_timers_run(AioContext *ctx);

/* --- fd.c ---------------------------------------------------------------- */

/*
 * Callbacks never change: another callback for an fd is another handler.
 * Freed when nobody is counted in list_lock, so whoever is may keep pointers:
 * home for an outermost turn.
 */
typedef struct AioHandler {
    GPollFD pfd;             /* fd, events: immutable; revents: home */
    AioHandlerFunc *io_read; /* immutable */
    AioHandlerFunc *io_write;
    void *opaque;
    uint64_t id;
    unsigned deleted;           /* atomic: set with list_lock held */
    unsigned revents;           /* home: what a monitor found */
    struct list node;           /* protected by list_lock */
    struct list ready_node;     /* home */
    bool armed;                 /* home: the kernel knows it by its address */
    struct list submit_node;    /* protected by list_lock; fdmon/io_uring.c's */
    struct list rearm_node;     /* home; fdmon/io_uring.c's */
    const AioPollOps *poll_ops; /* atomic: set once, with list_lock held */
    bool poll_ready;            /* home, as all below: io_poll said so */
    struct list poll_node;      /* in poll_handlers */
    int64_t poll_idle_ns;       /* when it leaves that; 0: not yet known */
} AioHandler;

void aio_fd_init(AioContext *ctx);
void aio_fd_fini(AioContext *ctx);
/* Home: a monitor found @handler ready (pfd's bits). */
void aio_fd_add_ready(AioContext *ctx, AioHandler *handler, unsigned revents);
/* Home: takes over what GLib found; Return: whether any is ready. */
bool aio_fd_take_gsource_ready(AioContext *ctx);
bool aio_fd_dispatch(AioContext *ctx);
/* Not removed; what it points to is still its owner's to be called with. */
bool aio_fd_is_live(AioHandler *handler);
/*
 * From here on handlers are looked at, until aio_fd_walk_end(): of the last
 * that ends, what was removed and what the kernel no longer knows is freed.
 */
void aio_fd_walk_begin(AioContext *ctx);
void aio_fd_walk_end(AioContext *ctx);

/* --- schedule.c ---------------------------------------------------------- */

/*
 * What aio_co_enter() would do with a coroutine; *@ctx is set if it is NULL.
 * The caller may record that together with what it knows, and then say
 * aio_co_enter_told(), which has the rules of coroutine_enter_told_in().
 */
enum ct_wake_how aio_co_enter_how(AioContext **ctx);
void aio_co_enter_told(AioContext *ctx, Coroutine *co, enum ct_wake_how how);
/* The same for aio_co_wake(), if that would enter @co here and now. */
bool aio_co_wake_enters(const Coroutine *co);
void aio_co_wake_told(Coroutine *co);

/* --- busy.c: all home ---------------------------------------------------- */

void aio_busy_init(AioContext *ctx);
/*
 * A turn is about to wait for @timeout_ns: looks for events by itself first.
 * Return: how long it may wait now.
 */
int64_t aio_busy_poll(AioContext *ctx, int64_t timeout_ns);
/* The turn that could have waited has its events: was poll_ns right? */
void aio_busy_adjust(AioContext *ctx);
/* Before somebody sleeps; what this finds is in fd_ready. */
void aio_busy_stop(AioContext *ctx);
/* The kernel found @handler ready. */
void aio_busy_found_ready(AioContext *ctx, AioHandler *handler,
                          unsigned revents);
/* @handler was removed by its own thread, and is not freed yet. */
void aio_busy_removed(AioContext *ctx, AioHandler *handler);

static inline bool aio_busy_is_on(AioContext *ctx)
{
    return ct_load(&ctx->poll_max_ns) > 0 ||
           !list_is_empty(&ctx->poll_handlers);
}

/* --- poll.c -------------------------------------------------------------- */

/* How long a turn may wait at all; ns, 0: not, -1: for ever. */
int64_t aio_compute_timeout_ns(AioContext *ctx);
/* One turn for GLib, which has waited already. */
void aio_dispatch(AioContext *ctx);
/*
 * Home.  Has @call run once: at the end of this turn, or before that if a
 * nested one of any context begins; outside a turn, before the context next
 * looks for events.  More calls until then change nothing.
 */
void aio_defer(AioContext *ctx, struct aio_deferred *call);
void aio_run_all_deferred(AioContext *ctx);

static inline void aio_run_deferred(AioContext *ctx)
{
    if (!list_is_empty(&ctx->deferred)) {
        aio_run_all_deferred(ctx);
    }
}

/* --- slots --------------------------------------------------------------- */

/* Home.  Return: the object in the slot, NULL: none. */
void *aio_slot_get(AioContext *ctx, enum aio_slot slot);
/* Home; @object is taken, @destroy frees it with the context. */
void aio_slot_set(AioContext *ctx, enum aio_slot slot, void *object,
                  void (*destroy)(void *object));

#endif
