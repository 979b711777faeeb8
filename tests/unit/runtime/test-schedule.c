/* SPDX-License-Identifier: MIT */
/*
 * test-schedule.c - coroutines in contexts: scheduled, woken, entered, moved
 */
#include "base/atomics.h"
#include "coroutine/coroutine_int.h"
#include "loops.h"

struct member {
    struct loop *loop;
    int nth;
    int rounds;
    bool ended;
};

static void coroutine_fn member_run(void *opaque)
{
    struct member *member = opaque;

    for (int i = 0; i < member->rounds; i++) {
        g_assert_true(aio_context_current() == member->loop->ctx);
        log_add("%d", member->nth);
        aio_co_schedule(member->loop->ctx, coroutine_self());
        coroutine_yield();
    }
    member->ended = true;
}

/*
 * First in, first out: within a batch, and from batch to batch.  (It has been
 * believed that the list is worked off from its end.)
 */
static void test_fifo(struct loop *loop)
{
    struct member members[4];

    for (int i = 0; i < 4; i++) {
        members[i] = (struct member){loop, i, 3, false};
        aio_co_schedule(loop->ctx, coroutine_create(member_run, &members[i]));
    }
    log_expect("");
    loop_drain(loop);
    log_expect("0 1 2 3 0 1 2 3 0 1 2 3");
    for (int i = 0; i < 4; i++) {
        g_assert_true(members[i].ended);
    }
}

static void coroutine_fn log_twice(void *opaque)
{
    log_add("%d", GPOINTER_TO_INT(opaque));
    coroutine_yield();
    log_add("%d", GPOINTER_TO_INT(opaque) + 1);
}

/* Outside coroutines, in its own context: at once. */
static void test_wake_enters(struct loop *loop)
{
    Coroutine *co = coroutine_create(log_twice, GINT_TO_POINTER(1));

    aio_co_enter(loop->ctx, co);
    log_expect("1");
    aio_co_wake(co);
    log_expect("1 2");
}

struct waker {
    Coroutine *first;
    Coroutine *second;
};

static void coroutine_fn wake_two(void *opaque)
{
    struct waker *waker = opaque;

    log_add("(");
    aio_co_wake(waker->first);
    aio_co_wake(waker->second);
    log_add(")");
}

/* In a coroutine: when that one stops, in the order of the wakes. */
static void test_wake_queues(struct loop *loop)
{
    struct waker waker;

    waker.first = coroutine_create(log_twice, GINT_TO_POINTER(1));
    waker.second = coroutine_create(log_twice, GINT_TO_POINTER(5));
    aio_co_enter(loop->ctx, waker.first);
    aio_co_enter(loop->ctx, waker.second);
    aio_co_enter(loop->ctx, coroutine_create(wake_two, &waker));
    log_expect("1 5 ( ) 2 6");
}

struct elsewhere {
    AioContext *ctx;
    int runs; /* atomic */
};

static void coroutine_fn run_elsewhere(void *opaque)
{
    struct elsewhere *elsewhere = opaque;

    for (int i = 0; i < 100; i++) {
        g_assert_true(aio_context_current() == elsewhere->ctx);
        g_assert_true(in_aio_context_home_thread(elsewhere->ctx));
        (void)ct_fetch_add(&elsewhere->runs, 1);
        aio_wait_kick();
        coroutine_yield();
    }
    (void)ct_fetch_add(&elsewhere->runs, 1);
    aio_wait_kick();
}

/* Entered and woken from another thread it runs in its own context. */
static void test_wake_schedules(struct loop *loop)
{
    IOThread *iothread = iothread_new("elsewhere", NULL);
    struct elsewhere elsewhere = {.ctx = iothread_get_aio_context(iothread)};
    Coroutine *co = coroutine_create(run_elsewhere, &elsewhere);

    aio_co_enter(elsewhere.ctx, co);
    for (int i = 1; i <= 101; i++) {
        AIO_WAIT_WHILE(NULL, ct_load_seq(&elsewhere.runs) < i);
        if (i <= 100) {
            aio_co_wake(co);
        }
    }
    iothread_free(iothread);
}

struct traveller {
    AioContext *from;
    AioContext *to;
    unsigned is_back; /* atomic */
};

static void coroutine_fn travel(void *opaque)
{
    struct traveller *traveller = opaque;

    for (int i = 0; i < 200; i++) {
        g_assert_true(in_aio_context_home_thread(traveller->from));
        aio_co_reschedule_self(traveller->from); /* nothing to do */
        aio_co_reschedule_self(traveller->to);
        g_assert_true(aio_context_current() == traveller->to);
        g_assert_true(in_aio_context_home_thread(traveller->to));
        aio_co_reschedule_self(traveller->from);
        g_assert_true(aio_context_current() == traveller->from);
    }
    traveller->is_back = 1;
}

static void test_reschedule_self(struct loop *loop)
{
    IOThread *iothread = iothread_new("far", NULL);
    struct traveller traveller = {.from = loop->ctx,
                                  .to = iothread_get_aio_context(iothread)};

    aio_co_enter(loop->ctx, coroutine_create(travel, &traveller));
    loop_until(loop, traveller.is_back);
    iothread_free(iothread);
}

static void coroutine_fn nothing(void *opaque)
{
}

static AioContext *own_context(void)
{
    AioContext *ctx = aio_context_new("own", NULL);

    aio_context_set_current(ctx);
    return ctx;
}

static void schedule_twice(void)
{
    AioContext *ctx = own_context();
    Coroutine *co = coroutine_create(nothing, NULL);

    aio_co_schedule(ctx, co);
    aio_co_schedule(ctx, co);
}

static void enter_scheduled(void)
{
    AioContext *ctx = own_context();
    Coroutine *co = coroutine_create(nothing, NULL);

    aio_co_schedule(ctx, co);
    coroutine_enter(co);
}

static void coroutine_fn poll_in_coroutine(void *opaque)
{
    (void)aio_poll(opaque, false);
}

static void poll_inside(void)
{
    coroutine_enter(coroutine_create(poll_in_coroutine, own_context()));
}

static void free_with_scheduled(void)
{
    AioContext *ctx = aio_context_new("own", NULL);

    aio_co_schedule(ctx, coroutine_create(nothing, NULL));
    aio_context_unref(ctx);
}

struct misuse {
    void (*run)(void);
    const char *message;
};

static void test_misuse(gconstpointer data)
{
    const struct misuse *misuse = data;

    if (g_test_subprocess()) {
        misuse->run();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr(misuse->message);
}

#define HOPPERS 16
#define HOPS    300
#define PLACES  3

struct hop {
    AioContext *places[PLACES];
    unsigned finished; /* atomic */
};

struct hopper {
    struct hop *hop;
    guint32 random;
};

/* Scheduled by itself, from the place it leaves: the hardest hand-over. */
static void coroutine_fn hopper_run(void *opaque)
{
    struct hopper *hopper = opaque;
    struct hop *hop = hopper->hop;

    for (int i = 0; i < HOPS; i++) {
        hopper->random = hopper->random * 1664525u + 1013904223u;
        aio_co_reschedule_self(hop->places[(hopper->random >> 16) % PLACES]);
    }
    (void)ct_fetch_add(&hop->finished, 1);
    aio_wait_kick();
}

static void test_hop(struct loop *loop)
{
    struct hopper hoppers[HOPPERS];
    IOThread *iothreads[PLACES];
    struct hop hop = {.finished = 0};
    guint32 seed = g_random_int();

    g_test_message("seed %u", seed);
    for (int i = 0; i < PLACES; i++) {
        iothreads[i] = iothread_new("place", NULL);
        hop.places[i] = iothread_get_aio_context(iothreads[i]);
    }
    for (int i = 0; i < HOPPERS; i++) {
        hoppers[i] = (struct hopper){&hop, seed + (guint32)i * 7919};
        aio_co_enter(hop.places[i % PLACES],
                     coroutine_create(hopper_run, &hoppers[i]));
    }
    AIO_WAIT_WHILE(NULL, ct_load_seq(&hop.finished) < HOPPERS);
    for (int i = 0; i < PLACES; i++) {
        iothread_free(iothreads[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct misuse twice = {
        schedule_twice,
        "*aio-co-schedule/already-scheduled*already scheduled in "
        "'aio_co_schedule'*"};
    static const struct misuse scheduled = {
        enter_scheduled, "*already scheduled in 'aio_co_schedule'*"};
    static const struct misuse inside = {poll_inside,
                                         "*aio-poll/in-coroutine*"};
    static const struct misuse left = {
        free_with_scheduled, "*aio-context-free/coroutine-scheduled*"};

    g_test_init(&argc, &argv, NULL);
    loops_add("/schedule/fifo", test_fifo);
    loops_add("/schedule/wake-enters", test_wake_enters);
    loops_add("/schedule/wake-queues", test_wake_queues);
    loops_add("/schedule/wake-schedules", test_wake_schedules);
    loops_add("/schedule/reschedule-self", test_reschedule_self);
    loops_add("/schedule/hop", test_hop);
    g_test_add_data_func("/schedule/misuse/twice", &twice, test_misuse);
    g_test_add_data_func("/schedule/misuse/enter", &scheduled, test_misuse);
    g_test_add_data_func("/schedule/misuse/poll", &inside, test_misuse);
    g_test_add_data_func("/schedule/misuse/free", &left, test_misuse);
    return g_test_run();
}
