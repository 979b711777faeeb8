/* SPDX-License-Identifier: MIT */
/*
 * test-bh.c - bottom halves: order, coalescing, deleting, nesting, threads
 */
#include <pthread.h>

#include "base/atomics.h"
#include "loops.h"

struct mark {
    AioContext *ctx;
    AioBH *bh;
    const char *name;
    int runs;
    int again;         /* how often the callback schedules itself */
    struct mark *next; /* what the callback schedules */
};

static void mark_bh(void *opaque)
{
    struct mark *mark = opaque;

    mark->runs++;
    log_add("%s", mark->name);
    if (mark->again > 0) {
        mark->again--;
        aio_bh_schedule(mark->bh);
    }
    if (mark->next != NULL) {
        aio_bh_schedule(mark->next->bh);
    }
}

static void mark_init(struct mark *mark, struct loop *loop, const char *name)
{
    *mark = (struct mark){.ctx = loop->ctx, .name = name};
    mark->bh = aio_bh_new(loop->ctx, mark_bh, mark);
}

static void test_runs_once(struct loop *loop)
{
    struct mark mark;

    mark_init(&mark, loop, "a");
    g_assert_false(loop_turn(loop, false));
    aio_bh_schedule(mark.bh);
    aio_bh_schedule(mark.bh);
    g_assert_true(loop_turn(loop, true));
    g_assert_cmpint(mark.runs, ==, 1);
    loop_drain(loop);
    g_assert_cmpint(mark.runs, ==, 1);
    aio_bh_schedule(mark.bh);
    g_assert_true(loop_turn(loop, false));
    g_assert_cmpint(mark.runs, ==, 2);
    aio_bh_delete(mark.bh);
}

static void test_order(struct loop *loop)
{
    struct mark a, b, c;

    mark_init(&a, loop, "a");
    mark_init(&b, loop, "b");
    mark_init(&c, loop, "c");
    aio_bh_schedule(b.bh);
    aio_bh_schedule(c.bh);
    aio_bh_schedule(b.bh);
    aio_bh_schedule(a.bh);
    loop_drain(loop);
    log_expect("b c a");
    aio_bh_delete(a.bh);
    aio_bh_delete(b.bh);
    aio_bh_delete(c.bh);
}

/* What a callback schedules belongs to the next turn: a turn ends. */
static void test_schedules_itself(struct loop *loop)
{
    struct mark a, b;

    mark_init(&a, loop, "a");
    mark_init(&b, loop, "b");
    a.again = 2;
    a.next = &b;
    aio_bh_schedule(a.bh);
    g_assert_true(loop_turn(loop, false));
    log_expect("a");
    g_assert_true(loop_turn(loop, false));
    log_expect("a a b");
    loop_drain(loop);
    /* In the second turn b was still to run when it was asked for again. */
    log_expect("a a b a b");
    aio_bh_delete(a.bh);
    aio_bh_delete(b.bh);
}

static void test_cancel(struct loop *loop)
{
    struct mark a, b;

    mark_init(&a, loop, "a");
    mark_init(&b, loop, "b");
    aio_bh_schedule(a.bh);
    aio_bh_schedule(b.bh);
    aio_bh_cancel(a.bh);
    loop_drain(loop);
    log_expect("b");
    aio_bh_schedule(a.bh);
    aio_bh_cancel(a.bh);
    aio_bh_schedule(a.bh);
    loop_drain(loop);
    log_expect("b a");
    aio_bh_delete(a.bh);
    aio_bh_delete(b.bh);
}

static void test_delete_scheduled(struct loop *loop)
{
    struct mark a, b;

    mark_init(&a, loop, "a");
    mark_init(&b, loop, "b");
    aio_bh_schedule(a.bh);
    aio_bh_schedule(b.bh);
    aio_bh_delete(a.bh);
    loop_drain(loop);
    log_expect("b");
    aio_bh_delete(b.bh);
    aio_bh_delete(NULL);
}

static void delete_all_bh(void *opaque)
{
    struct mark *marks = opaque;

    log_add("d");
    for (int i = 0; i < 3; i++) {
        aio_bh_delete(marks[i].bh);
    }
}

/* One callback deletes its own bottom half and two that are ready to run. */
static void test_delete_in_callback(struct loop *loop)
{
    struct mark marks[3];

    mark_init(&marks[0], loop, "a");
    mark_init(&marks[1], loop, "b");
    marks[2] = (struct mark){.ctx = loop->ctx};
    marks[2].bh = aio_bh_new(loop->ctx, delete_all_bh, marks);
    aio_bh_schedule(marks[0].bh);
    aio_bh_schedule(marks[2].bh);
    aio_bh_schedule(marks[1].bh);
    loop_drain(loop);
    log_expect("a d");
}

static void oneshot_bh(void *opaque)
{
    log_add("%d", GPOINTER_TO_INT(opaque));
}

static void test_oneshot(struct loop *loop)
{
    struct mark a;

    mark_init(&a, loop, "a");
    aio_bh_schedule_oneshot(loop->ctx, oneshot_bh, GINT_TO_POINTER(1));
    aio_bh_schedule(a.bh);
    aio_bh_schedule_oneshot(loop->ctx, oneshot_bh, GINT_TO_POINTER(2));
    aio_bh_schedule_oneshot(loop->ctx, oneshot_bh, GINT_TO_POINTER(3));
    loop_drain(loop);
    log_expect("1 a 2 3");
    loop_drain(loop);
    log_expect("1 a 2 3");
    aio_bh_delete(a.bh);
    /* One that never runs is freed with the context. */
    aio_bh_schedule_oneshot(loop->ctx, oneshot_bh, NULL);
}

static void test_idle(struct loop *loop)
{
    struct mark a;

    mark_init(&a, loop, "a");
    /* An idle one alone is no progress, but a blocking turn gets to it. */
    aio_bh_schedule_idle(a.bh);
    if (loop->main == NULL) {
        g_assert_false(aio_poll(loop->ctx, true));
        log_expect("a");
    } else {
        loop_until(loop, a.runs == 1);
    }
    /* Asked for in both ways it is urgent, whichever comes last. */
    aio_bh_schedule(a.bh);
    aio_bh_schedule_idle(a.bh);
    g_assert_true(loop_turn(loop, true));
    g_assert_cmpint(a.runs, ==, 2);
    aio_bh_schedule_idle(a.bh);
    aio_bh_schedule(a.bh);
    g_assert_true(loop_turn(loop, true));
    g_assert_cmpint(a.runs, ==, 3);
    aio_bh_schedule_idle(a.bh);
    aio_bh_cancel(a.bh);
    loop_drain(loop);
    g_assert_cmpint(a.runs, ==, 3);
    aio_bh_delete(a.bh);
}

struct nest {
    struct loop *loop;
    AioBH *bh;
    int levels;
};

static void nest_bh(void *opaque)
{
    struct nest *nest = opaque;

    log_add("(");
    if (nest->levels-- > 0) {
        aio_bh_schedule(nest->bh);
        g_assert_true(aio_poll(nest->loop->ctx, true));
    }
    log_add(")");
}

/*
 * The nested turn runs what the outer one has left, then what is new; each
 * once.
 */
static void test_nested(struct loop *loop)
{
    struct nest nest = {.loop = loop, .levels = 2};
    struct mark a, b;

    mark_init(&a, loop, "a");
    mark_init(&b, loop, "b");
    nest.bh = aio_bh_new(loop->ctx, nest_bh, &nest);
    aio_bh_schedule(a.bh);
    aio_bh_schedule(nest.bh);
    aio_bh_schedule(b.bh);
    loop_drain(loop);
    log_expect("a ( b ( ( ) ) )");
    aio_bh_delete(a.bh);
    aio_bh_delete(b.bh);
    aio_bh_delete(nest.bh);
}

#define THREADS 4
#define PER_RUN 2000

struct flood {
    AioContext *ctx;
    AioBH *shared;
    pthread_barrier_t barrier;
    unsigned written[THREADS]; /* atomic */
    unsigned seen[THREADS];
    unsigned oneshots;
    unsigned finished; /* atomic */
};

struct sender {
    struct flood *flood;
    int nth;
};

static void shared_bh(void *opaque)
{
    struct flood *flood = opaque;

    for (int i = 0; i < THREADS; i++) {
        flood->seen[i] = ct_load(&flood->written[i]);
    }
}

static void count_bh(void *opaque)
{
    ((struct flood *)opaque)->oneshots++;
}

static void finished_bh(void *opaque)
{
    ((struct flood *)opaque)->finished++;
}

static void *send(void *opaque)
{
    struct sender *sender = opaque;
    struct flood *flood = sender->flood;

    pthread_barrier_wait(&flood->barrier);
    for (unsigned i = 1; i <= PER_RUN; i++) {
        ct_store(&flood->written[sender->nth], i);
        aio_bh_schedule(flood->shared);
        if (i % 8 == 0) {
            aio_bh_schedule_oneshot(flood->ctx, count_bh, flood);
        }
    }
    aio_bh_schedule_oneshot(flood->ctx, finished_bh, flood);
    return NULL;
}

/*
 * Coalesced or not, the last write of every thread is seen by the last run, and
 * no one-shot is lost.
 */
static void test_threads(struct loop *loop)
{
    struct flood flood = {.ctx = loop->ctx};
    struct sender senders[THREADS];
    pthread_t threads[THREADS];

    flood.shared = aio_bh_new(loop->ctx, shared_bh, &flood);
    pthread_barrier_init(&flood.barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){&flood, i};
        g_assert_cmpint(pthread_create(&threads[i], NULL, send, &senders[i]),
                        ==, 0);
    }
    loop_until(loop, flood.finished == THREADS);
    loop_drain(loop);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        g_assert_cmpuint(flood.seen[i], ==, PER_RUN);
    }
    g_assert_cmpuint(flood.oneshots, ==, THREADS * (PER_RUN / 8));
    pthread_barrier_destroy(&flood.barrier);
    aio_bh_delete(flood.shared);
}

static void leak_bh(void)
{
    AioContext *ctx = aio_context_new("leaky", NULL);

    (void)aio_bh_new(ctx, mark_bh, NULL);
    aio_context_unref(ctx);
}

static void test_leak(void)
{
    if (g_test_subprocess()) {
        leak_bh();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*aio-context-free/bh-leaked*'mark_bh'*'leaky'*");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/bh/runs-once", test_runs_once);
    loops_add("/bh/order", test_order);
    loops_add("/bh/schedules-itself", test_schedules_itself);
    loops_add("/bh/cancel", test_cancel);
    loops_add("/bh/delete-scheduled", test_delete_scheduled);
    loops_add("/bh/delete-in-callback", test_delete_in_callback);
    loops_add("/bh/oneshot", test_oneshot);
    loops_add("/bh/idle", test_idle);
    loops_add("/bh/nested", test_nested);
    loops_add("/bh/threads", test_threads);
    g_test_add_func("/bh/leak", test_leak);
    return g_test_run();
}
