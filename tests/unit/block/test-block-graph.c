/* SPDX-License-Identifier: MIT */
/*
 * test-block-graph.c - the lock of the graph: readers together, a writer alone
 */
#include "block/graph.h"

#include "loops.h"

struct reader {
    CoQueue *gate; /* it waits here while it reads; NULL: does not wait */
    const char *name;
};

static void coroutine_fn reader_entry(void *opaque)
{
    struct reader *reader = opaque;

    bdrv_graph_co_rdlock();
    log_add("%s", reader->name);
    if (reader->gate != NULL) {
        co_queue_wait(reader->gate, NULL);
    }
    log_add("%s.", reader->name);
    bdrv_graph_co_rdunlock();
}

static void enter(struct loop *loop, struct reader *reader)
{
    aio_co_enter(loop->ctx, coroutine_create(reader_entry, reader));
}

static void open_gate(void *opaque)
{
    co_queue_all(opaque);
}

/* Readers side by side; the writer after them; those that come later wait. */
static void test_order(struct loop *loop)
{
    CoQueue gate;
    struct reader a = {&gate, "a"}, b = {&gate, "b"}, c = {NULL, "c"},
                  d = {NULL, "d"};

    co_queue_init(&gate);
    log_clear();
    enter(loop, &a);
    enter(loop, &b);
    enter(loop, &c);
    log_expect("a b c c.");
    aio_bh_schedule_oneshot(loop->ctx, open_gate, &gate);
    bdrv_graph_wrlock();
    log_expect("a b c c. a. b.");
    enter(loop, &c);
    enter(loop, &d);
    log_expect("a b c c. a. b.");
    bdrv_graph_wrunlock();
    loop_drain(loop);
    log_expect("a b c c. a. b. c c. d d.");
}

/* A writer waits for a reader that waits for another one: that goes on. */
struct helped {
    struct loop *loop;
    CoQueue *gate;
};

static void enter_helper(void *opaque)
{
    struct helped *helped = opaque;
    static struct reader helper = {NULL, "helper"};

    enter(helped->loop, &helper);
    open_gate(helped->gate);
}

static void test_reader_needs_reader(struct loop *loop)
{
    CoQueue gate;
    struct reader a = {&gate, "a"};
    struct helped helped = {loop, &gate};

    co_queue_init(&gate);
    log_clear();
    enter(loop, &a);
    aio_bh_schedule_oneshot(loop->ctx, enter_helper, &helped);
    bdrv_graph_wrlock();
    log_expect("a helper helper. a.");
    bdrv_graph_wrunlock();
}

static void write_in_callback(void *opaque)
{
    log_add("inner");
    bdrv_graph_wrlock();
    log_add("inner has it");
    bdrv_graph_wrunlock();
}

/* A callback that runs while a writer waits may be a writer as well. */
static void test_nested_writer(struct loop *loop)
{
    CoQueue gate;
    struct reader a = {&gate, "a"};

    co_queue_init(&gate);
    log_clear();
    enter(loop, &a);
    aio_bh_schedule_oneshot(loop->ctx, write_in_callback, NULL);
    aio_bh_schedule_oneshot(loop->ctx, open_gate, &gate);
    bdrv_graph_wrlock();
    log_expect("a inner a. inner has it");
    bdrv_graph_wrunlock();
}

/* --- threads ------------------------------------------------------------- */

#define THREADS    3
#define COROUTINES 4
#define ROUNDS     400

static struct {
    int a, b;         /* plain: equal for whoever holds the lock */
    unsigned running; /* atomic */
    unsigned reads;   /* atomic */
    AioContext *ctxs[THREADS];
} shared;

static void coroutine_fn race_entry(void *opaque)
{
    unsigned n = GPOINTER_TO_UINT(opaque);

    for (unsigned i = 0; i < ROUNDS; i++) {
        bdrv_graph_co_rdlock();
        g_assert_cmpint(shared.a, ==, shared.b);
        if (i % 4 == 0) { /* unlocked elsewhere */
            aio_co_reschedule_self(shared.ctxs[(n + i) % THREADS]);
            g_assert_cmpint(shared.a, ==, shared.b);
        }
        (void)ct_fetch_add(&shared.reads, 1);
        bdrv_graph_co_rdunlock();
        aio_co_schedule(aio_context_current(), coroutine_self());
        coroutine_yield();
    }
    (void)ct_fetch_sub(&shared.running, 1);
    aio_wait_kick();
}

/* Readers of several threads that wander, and this thread writes. */
static void test_race(struct loop *loop)
{
    IOThread *threads[THREADS];
    unsigned writes = 0;

    shared.running = THREADS * COROUTINES;
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = iothread_new("reader", NULL);
        shared.ctxs[i] = iothread_get_aio_context(threads[i]);
    }
    for (unsigned i = 0; i < THREADS * COROUTINES; i++) {
        aio_co_schedule(shared.ctxs[i % THREADS],
                        coroutine_create(race_entry, GUINT_TO_POINTER(i)));
    }
    while (ct_load_acquire(&shared.running) > 0) {
        bdrv_graph_wrlock();
        shared.a++;
        shared.b++;
        bdrv_graph_wrunlock();
        writes++;
        (void)aio_poll(loop->ctx, false);
    }
    g_assert_cmpint(shared.a, ==, (int)writes);
    g_assert_cmpuint(shared.reads, ==, THREADS * COROUTINES * ROUNDS);
    g_test_message("%u reads, %u writes", shared.reads, writes);
    for (unsigned i = 0; i < THREADS; i++) {
        iothread_free(threads[i]);
    }
    /* What the contexts' counters said together is still right. */
    bdrv_graph_wrlock();
    bdrv_graph_wrunlock();
    shared.a = shared.b = 0;
    shared.reads = 0;
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/graph/order", test_order);
    loops_add("/graph/reader-needs-reader", test_reader_needs_reader);
    loops_add("/graph/nested-writer", test_nested_writer);
    loops_add_poll("/graph/race", test_race);
    return g_test_run();
}
