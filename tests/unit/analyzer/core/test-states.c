/* SPDX-License-Identifier: MIT */
/*
 * What a request is doing, and because of what: one case a row of the table in
 * docs/MODEL.md, and the races.
 *
 * Each says a few events; times are one ns apart where not said otherwise.
 */
#include <glib.h>

#include "say.h"

enum { CTX = 1, POOL = 2, CO = 10, CO2 = 20, REQ = 30, REQ2 = 40, W = 50 };

/* A coroutine that serves a request from its begin: request 1. */
static void begin(struct said *t)
{
    SAY(t, POLL_BEGIN, .subject = CTX, .context = CTX, .value = 1);
    SAY(t, CO_CREATE, .subject = CO);
    SAY(t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(t, REQUEST_BEGIN, .subject = REQ, .waits_for = CO, .layer = "blk",
        .op = "read", .name = "disk", .offset = 512, .bytes = 4096, .value = 3);
}

static void end(struct said *t)
{
    SAY(t, REQUEST_END, .subject = REQ, .ret = 0);
    SAY(t, CO_TERMINATE, .subject = CO);
    SAY(t, POLL_END, .subject = CTX, .context = CTX);
}

static void yield(struct said *t, enum ct_yield_reason reason, uint64_t object)
{
    SAY(t, CO_YIELD, .subject = CO, .reason = (uint8_t)reason,
        .waits_for = object);
}

static void enter(struct said *t)
{
    SAY(t, CO_ENTER, .subject = CO, .context = CTX);
}

static void check(struct said *t, uint64_t id, const char *expect)
{
    struct pass *pass = say_end(t);

    assert_segments(pass_request(pass, id), expect);
    pass_free(pass);
}

static void test_running(void)
{
    struct said t = say_begin();

    begin(&t);
    SAY(&t, CO_CREATE, .subject = CO2);
    SAY(&t, CO_ENTER, .subject = CO2, .object = CO);
    SAY(&t, CO_TERMINATE, .subject = CO2);
    end(&t);
    check(&t, REQ, "running 2 on 1, running 1 on 1 below, running 1 on 1");
}

/* Begun before its coroutine exists: the submitter works on it. */
static void test_submitter(void)
{
    struct said t = say_begin();

    SAY(&t, REQUEST_BEGIN, .subject = REQ);
    SAY(&t, CO_CREATE, .subject = CO);
    SAY(&t, REQUEST_COROUTINE, .subject = REQ, .object = CO);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 3 on 1 below, running 1 on 1");
    g_assert_cmpuint(pass_request(pass, REQ)->n_coroutines, ==, 1);
    pass_free(pass);
}

static void test_scheduled_first(void)
{
    struct said t = say_begin();

    SAY(&t, REQUEST_BEGIN, .subject = REQ);
    SAY(&t, CO_CREATE, .subject = CO);
    SAY(&t, REQUEST_COROUTINE, .subject = REQ, .object = CO);
    SAY(&t, CO_SCHEDULE, .subject = CO, .context = CTX);
    SAY(&t, CO_DEQUEUE, .subject = CO, .context = CTX);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    check(&t, REQ,
          "running 3 on 1 below, runnable 2 [loop 1/0/0], "
          "running 1 on 1");
}

static void submit(struct said *t)
{
    SAY(t, WORK_SUBMIT, .subject = W, .object = CO, .context = POOL);
}

static void work(struct said *t, enum ct_step_kind kind)
{
    say(t, (struct ct_step){.kind = kind,
                            .tid = kind == CT_STEP_WORK_COMPLETE ? 1 : 2,
                            .subject = W,
                            .object = 60,
                            .context = POOL});
}

static void test_work(void)
{
    struct said t = say_begin();

    begin(&t);
    submit(&t);
    yield(&t, CT_YIELD_REASON_WORK, W);
    work(&t, CT_STEP_WORK_BEGIN);
    work(&t, CT_STEP_WORK_END);
    work(&t, CT_STEP_WORK_COMPLETE);
    SAY(&t, CO_WAKE, .subject = CO, .context = CTX,
        .reason = CT_WAKE_HOW_ENTERED);
    enter(&t);
    end(&t);
    struct pass *pass = say_end(&t);
    /* Of a pool that was not seen from its first worker on, nobody can say
     * whether one was idle. */
    assert_segments(pass_request(pass, REQ),
                    "running 2 on 1, work-queued 1 [unknown 50/0/0], "
                    "work-running 1 on 2, work-done 1 [loop 1/0/0], "
                    "runnable 2 [loop 1/0/0], running 1 on 1");
    g_assert_cmpuint(pass_request(pass, REQ)->n_workers, ==, 1);
    g_assert_cmpint(pass_request(pass, REQ)->workers[0], ==, 2);
    pass_free(pass);
}

/* The worker is faster than the coroutine's yield: taken, done, completed. */
static void test_work_races(void)
{
    struct said t = say_begin();

    begin(&t);
    submit(&t);
    work(&t, CT_STEP_WORK_BEGIN);
    yield(&t, CT_YIELD_REASON_WORK, W);
    work(&t, CT_STEP_WORK_END);
    work(&t, CT_STEP_WORK_COMPLETE);
    enter(&t);
    end(&t);
    check(&t, REQ,
          "running 3 on 1, work-running 1 on 2, "
          "work-done 1 [loop 1/0/0], runnable 1 [loop 1/0/0], "
          "running 1 on 1");

    t = say_begin();
    begin(&t);
    submit(&t);
    work(&t, CT_STEP_WORK_BEGIN);
    work(&t, CT_STEP_WORK_END);
    yield(&t, CT_YIELD_REASON_WORK, W);
    work(&t, CT_STEP_WORK_COMPLETE);
    enter(&t);
    end(&t);
    check(&t, REQ,
          "running 4 on 1, work-done 1 [loop 1/0/0], "
          "runnable 1 [loop 1/0/0], running 1 on 1");

    t = say_begin();
    begin(&t);
    submit(&t);
    work(&t, CT_STEP_WORK_BEGIN);
    work(&t, CT_STEP_WORK_END);
    work(&t, CT_STEP_WORK_COMPLETE);
    yield(&t, CT_YIELD_REASON_WORK, W);
    enter(&t);
    end(&t);
    check(&t, REQ, "running 5 on 1, runnable 1 [loop 1/0/0], running 1 on 1");

    /* It ran another item, and waits for something else: not runnable. */
    t = say_begin();
    begin(&t);
    submit(&t);
    work(&t, CT_STEP_WORK_BEGIN);
    work(&t, CT_STEP_WORK_END);
    work(&t, CT_STEP_WORK_COMPLETE);
    yield(&t, CT_YIELD_REASON_IO, 0);
    enter(&t);
    end(&t);
    check(&t, REQ, "running 5 on 1, io 1 [device 0/0/0], running 1 on 1");
}

static void test_work_cancelled(void)
{
    struct said t = say_begin();

    begin(&t);
    submit(&t);
    yield(&t, CT_YIELD_REASON_WORK, W);
    SAY(&t, WORK_CANCEL, .subject = W, .context = POOL, .flag = false);
    SAY(&t, WORK_CANCEL, .subject = W, .context = POOL, .flag = true);
    work(&t, CT_STEP_WORK_COMPLETE);
    enter(&t);
    end(&t);
    check(&t, REQ,
          "running 2 on 1, work-queued 2 [unknown 50/0/0], "
          "work-done 1 [loop 1/0/0], runnable 1 [loop 1/0/0], "
          "running 1 on 1");
}

static void test_work_start_not_traced(void)
{
    struct said t = say_begin();

    begin(&t);
    SAY(&t, WORK_SUBMIT, .certainty = CT_BOUND, .subject = W, .object = CO,
        .context = POOL);
    yield(&t, CT_YIELD_REASON_WORK, W);
    work(&t, CT_STEP_WORK_COMPLETE);
    enter(&t);
    end(&t);
    check(&t, REQ,
          "running 2 on 1, work 1 [pool 50/0/0], runnable 1 [loop 1/0/0], "
          "running 1 on 1");
}

static void spawn(struct said *t, uint64_t nth)
{
    SAY(t, SPAWN_REQUEST, .subject = POOL, .context = POOL, .value = nth);
}

static void test_spawn_awaited(void)
{
    struct said t = say_begin();

    begin(&t);
    submit(&t);
    spawn(&t, 1);
    yield(&t, CT_YIELD_REASON_WORK, W);
    SAY(&t, WORKER_CREATE, .subject = 60, .context = POOL, .value = 1);
    SAY(&t, WORKER_START, .tid = 2, .subject = 60, .context = POOL);
    work(&t, CT_STEP_WORK_BEGIN);
    work(&t, CT_STEP_WORK_END);
    work(&t, CT_STEP_WORK_COMPLETE);
    enter(&t);
    /* Now the worker is idle: whatever it waits for, it is no spawn. */
    submit(&t);
    yield(&t, CT_YIELD_REASON_WORK, W);
    work(&t, CT_STEP_WORK_BEGIN);
    work(&t, CT_STEP_WORK_END);
    work(&t, CT_STEP_WORK_COMPLETE);
    enter(&t);
    end(&t);
    check(&t, REQ,
          "running 3 on 1, work-queued 3 [spawn 50/0/0], "
          "work-running 1 on 2, work-done 1 [loop 1/0/0], "
          "runnable 1 [loop 1/0/0], running 2 on 1, "
          "work-queued 1 [wakeup 50/0/0], work-running 1 on 2, "
          "work-done 1 [loop 1/0/0], runnable 1 [loop 1/0/0], "
          "running 1 on 1");
}

/* The lock's holder, the next holder, and the hand-over that is told late. */
static void test_lock(void)
{
    struct said t = say_begin();

    for (uint64_t co = 5; co < 7; co++) {
        SAY(&t, CO_CREATE, .subject = co);
        SAY(&t, CO_ENTER, .subject = co, .context = CTX);
        SAY(&t, REQUEST_BEGIN, .subject = 100 + co, .waits_for = co);
        if (co == 5) {
            SAY(&t, LOCK_TAKE, .subject = 9, .object = co);
            SAY(&t, CO_YIELD, .subject = co, .reason = CT_YIELD_REASON_IO);
        } else {
            SAY(&t, LOCK_WAIT, .subject = 9, .object = co, .value = 5);
            SAY(&t, CO_YIELD, .subject = co, .reason = CT_YIELD_REASON_LOCK,
                .waits_for = 9);
        }
    }
    begin(&t); /* request 3 */
    SAY(&t, LOCK_WAIT, .subject = 9, .object = CO, .value = 5);
    yield(&t, CT_YIELD_REASON_LOCK, 9);
    SAY(&t, CO_ENTER, .subject = 5, .context = CTX);
    SAY(&t, LOCK_RELEASE, .subject = 9, .object = 5);
    SAY(&t, CO_WAKE, .subject = 6, .object = 5, .context = CTX,
        .reason = CT_WAKE_HOW_QUEUED);
    SAY(&t, LOCK_HAND_OVER, .subject = 9, .object = 5, .value = 6);
    SAY(&t, CO_TERMINATE, .subject = 5);
    SAY(&t, CO_ENTER, .subject = 6, .context = CTX);
    SAY(&t, LOCK_TAKEN, .subject = 9, .object = 6);
    SAY(&t, LOCK_RELEASE, .subject = 9, .object = 6);
    SAY(&t, CO_WAKE, .subject = CO, .object = 6, .context = CTX,
        .reason = CT_WAKE_HOW_QUEUED);
    SAY(&t, CO_TERMINATE, .subject = 6);
    enter(&t);
    SAY(&t, LOCK_TAKEN, .subject = 9, .object = CO);
    /* Told late: the one that it names holds the lock since it said so. */
    SAY(&t, LOCK_HAND_OVER, .tid = 1, .subject = 9, .object = 6, .value = 6);
    SAY(&t, LOCK_RELEASE, .subject = 9, .object = CO);
    end(&t);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 2 on 1, lock 4 [holder 9/5/1], "
                    "lock 5 [holder 9/6/2], runnable 2 [loop 1/6/2], "
                    "running 4 on 1");
    assert_segments(pass_request(pass, 106),
                    "running 2 on 1, lock 9 [holder 9/5/1], "
                    "runnable 3 [loop 1/5/1], running 4 on 1, completing 8");
    unsigned n = 0;
    for (unsigned i = 0; i < pass->edges->len; i++) {
        n += g_array_index(pass->edges, struct ct_edge, i).kind ==
             CT_EDGE_HAND_OVER;
    }
    g_assert_cmpuint(n, ==, 2);
    pass_free(pass);
}

/* Each holder is told to those that wait; of a very long line, to the first. */
static void test_convoy(void)
{
    enum { N = 2000 };
    struct said t = say_begin();

    SAY(&t, CO_CREATE, .subject = 5);
    SAY(&t, CO_ENTER, .subject = 5);
    SAY(&t, LOCK_TAKE, .subject = 9, .object = 5);
    SAY(&t, CO_YIELD, .subject = 5, .reason = CT_YIELD_REASON_IO);
    for (uint64_t co = 100; co < 100 + N; co++) {
        SAY(&t, CO_CREATE, .subject = co);
        SAY(&t, CO_ENTER, .subject = co);
        SAY(&t, REQUEST_BEGIN, .subject = 10000 + co, .waits_for = co);
        SAY(&t, CO_YIELD, .subject = co, .reason = CT_YIELD_REASON_LOCK,
            .waits_for = 9);
    }
    for (uint64_t co = 100; co < 100 + N; co++) {
        SAY(&t, LOCK_RELEASE, .subject = 9, .object = co - 1);
        SAY(&t, CO_WAKE, .subject = co, .reason = CT_WAKE_HOW_SCHEDULED);
        SAY(&t, CO_ENTER, .subject = co);
        SAY(&t, LOCK_TAKEN, .subject = 9, .object = co);
        SAY(&t, CO_TERMINATE, .subject = co);
        SAY(&t, REQUEST_END, .subject = 10000 + co);
    }
    struct pass *pass = say_end(&t);
    const struct ct_request *last = pass_request(pass, 10000 + 100 + N - 1);
    g_assert_cmpuint(last->n_segments, >, 1024);
    g_assert_cmpuint(last->n_segments, <, 1034);
    const struct ct_request *middle = pass_request(pass, 10000 + 100 + 900);
    uint64_t holder = 5;
    unsigned n = 0;
    for (unsigned i = 0; i < middle->n_segments; i++) {
        if (middle->segments[i].state == CT_STATE_LOCK) {
            g_assert_cmpuint(middle->segments[i].cause.coroutine, ==, holder);
            holder = 100 + n++;
        }
    }
    g_assert_cmpuint(n, ==, 901);
    pass_free(pass);
}

static void test_queue_timer_io(void)
{
    struct said t = say_begin();

    begin(&t);
    yield(&t, CT_YIELD_REASON_QUEUE, 7);
    SAY(&t, CO_CREATE, .subject = CO2);
    SAY(&t, CO_ENTER, .subject = CO2, .context = CTX);
    SAY(&t, REQUEST_BEGIN, .subject = REQ2, .waits_for = CO2);
    SAY(&t, QUEUE_WAKE, .subject = 7, .object = CO2, .value = CO);
    SAY(&t, CO_WAKE, .subject = CO, .object = CO2, .context = CTX,
        .reason = CT_WAKE_HOW_QUEUED);
    SAY(&t, CO_TERMINATE, .subject = CO2);
    enter(&t);
    yield(&t, CT_YIELD_REASON_TIMER, 8);
    enter(&t);
    yield(&t, CT_YIELD_REASON_IO, 6);
    enter(&t);
    yield(&t, CT_YIELD_REASON_OTHER, 6);
    enter(&t);
    yield(&t, 77, 6);
    enter(&t);
    SAY(&t, CO_SCHEDULE, .subject = CO, .object = CO, .context = CTX);
    yield(&t, CT_YIELD_REASON_SCHEDULE, 0);
    enter(&t);
    end(&t);
    check(&t, REQ,
          "running 1 on 1, queue 5 [waker 7/20/2], runnable 2 [loop 1/20/2], "
          "running 1 on 1, timer 1 [timer 8/0/0], running 1 on 1, io 1 [device "
          "6/0/0], "
          "running 1 on 1, unknown 1 [unknown 0/0/0], running 1 on 1, "
          "unknown 1 [unknown 0/0/0], running 2 on 1, "
          "runnable 1 [loop 1/0/0], running 1 on 1");
}

/* Woken from another thread before it yields. */
static void test_woken_early(void)
{
    struct said t = say_begin();

    begin(&t);
    SAY(&t, CO_WAKE, .tid = 3, .subject = CO, .context = CTX,
        .reason = CT_WAKE_HOW_SCHEDULED);
    SAY(&t, CO_SCHEDULE, .tid = 3, .subject = CO, .context = CTX);
    yield(&t, CT_YIELD_REASON_IO, 0);
    enter(&t);
    yield(&t, CT_YIELD_REASON_IO, 0); /* that wake was for the first wait */
    enter(&t);
    end(&t);
    check(&t, REQ,
          "running 3 on 1, runnable 1 [loop 1/0/0], running 1 on 1, "
          "io 1 [device 0/0/0], running 1 on 1");
}

static void test_children(void)
{
    struct said t = say_begin();

    begin(&t);
    for (uint64_t co = 21; co < 23; co++) {
        SAY(&t, CO_CREATE, .subject = co);
        SAY(&t, CO_ENTER, .subject = co, .object = CO, .context = CTX);
        SAY(&t, REQUEST_BEGIN, .subject = 100 + co, .object = REQ,
            .waits_for = co);
        SAY(&t, CO_YIELD, .subject = co, .object = CO,
            .reason = CT_YIELD_REASON_IO);
    }
    yield(&t, CT_YIELD_REASON_CHILDREN, 0);
    SAY(&t, CO_ENTER, .subject = 22, .context = CTX);
    SAY(&t, CO_TERMINATE, .subject = 22);
    SAY(&t, REQUEST_END, .subject = 122);
    SAY(&t, CO_ENTER, .subject = 21, .context = CTX);
    SAY(&t, CO_WAKE, .subject = CO, .object = 21, .context = CTX,
        .reason = CT_WAKE_HOW_QUEUED);
    SAY(&t, REQUEST_END, .subject = 121);
    SAY(&t, CO_TERMINATE, .subject = 21);
    enter(&t);
    end(&t);
    struct pass *pass = say_end(&t);
    /* Among several children, the one that ended the wait was awaited. */
    assert_segments(pass_request(pass, REQ),
                    "running 2 on 1, running 2 on 1 below, running 2 on 1, "
                    "running 2 on 1 below, running 1 on 1, "
                    "children 5 [child 0/21/2], runnable 3 [loop 1/21/2], "
                    "running 1 on 1");
    g_assert_cmpuint(pass_request(pass, 121)->parent, ==, 1);
    pass_free(pass);
}

/* Nested in the same coroutine: the parent shares the coroutine's state. */
static void test_nested(void)
{
    struct said t = say_begin();

    begin(&t);
    SAY(&t, REQUEST_BEGIN, .subject = REQ2, .object = REQ, .waits_for = CO);
    submit(&t);
    yield(&t, CT_YIELD_REASON_WORK, W);
    work(&t, CT_STEP_WORK_BEGIN);
    work(&t, CT_STEP_WORK_END);
    work(&t, CT_STEP_WORK_COMPLETE);
    enter(&t);
    SAY(&t, REQUEST_END, .subject = REQ2);
    end(&t);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 3 on 1, work-queued 1 [unknown 50/0/0], "
                    "work-running 1 on 2, work-done 1 [loop 1/0/0], "
                    "runnable 1 [loop 1/0/0], running 2 on 1");
    assert_segments(pass_request(pass, REQ2),
                    "running 2 on 1, work-queued 1 [unknown 50/0/0], "
                    "work-running 1 on 2, work-done 1 [loop 1/0/0], "
                    "runnable 1 [loop 1/0/0], running 1 on 1");
    g_assert_cmpuint(pass_request(pass, REQ)->n_workers, ==, 1);
    pass_free(pass);
}

/* The coroutine is over, the request's own end comes from a bottom half. */
static void test_completing(void)
{
    struct said t = say_begin();

    begin(&t);
    SAY(&t, BH_SCHEDULE, .subject = 3, .value = 1);
    SAY(&t, CO_TERMINATE, .subject = CO);
    SAY(&t, BH_RUN_BEGIN, .subject = 3);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, BH_RUN_END, .subject = 3);
    SAY(&t, POLL_END, .subject = CTX);
    check(&t, REQ, "running 2 on 1, completing 2");
}

/* Handed to another coroutine. */
static void test_second_coroutine(void)
{
    struct said t = say_begin();

    begin(&t);
    SAY(&t, CO_CREATE, .subject = CO2);
    SAY(&t, REQUEST_COROUTINE, .subject = REQ, .object = CO2);
    SAY(&t, CO_TERMINATE, .subject = CO);
    SAY(&t, CO_ENTER, .subject = CO2, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO2);
    SAY(&t, POLL_END, .subject = CTX);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 2 on 1, running 2 on 1 below, running 1 on 1");
    g_assert_cmpuint(pass_request(pass, REQ)->n_coroutines, ==, 2);
    g_assert_cmpuint(pass_request(pass, REQ)->coroutines[1], ==, CO2);
    pass_free(pass);
}

static void test_no_time(void)
{
    struct said t = say_begin();

    SAY(&t, REQUEST_BEGIN, .subject = REQ);
    SAY(&t, REQUEST_END, .when_ns = t.now_ns, .subject = REQ);
    struct pass *pass = say_end(&t);
    g_assert_cmpuint(pass_request(pass, REQ)->n_segments, ==, 0);
    g_assert_true(ct_request_check(pass_request(pass, REQ)));
    pass_free(pass);
}

int main(int argc, char **argv)
{
    g_setenv("COTRACE_CHECK", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/states/running", test_running);
    g_test_add_func("/states/submitter", test_submitter);
    g_test_add_func("/states/scheduled-first", test_scheduled_first);
    g_test_add_func("/states/work", test_work);
    g_test_add_func("/states/work-races", test_work_races);
    g_test_add_func("/states/work-cancelled", test_work_cancelled);
    g_test_add_func("/states/work-start-not-traced",
                    test_work_start_not_traced);
    g_test_add_func("/states/spawn-awaited", test_spawn_awaited);
    g_test_add_func("/states/lock", test_lock);
    g_test_add_func("/states/convoy", test_convoy);
    g_test_add_func("/states/queue-timer-io", test_queue_timer_io);
    g_test_add_func("/states/woken-early", test_woken_early);
    g_test_add_func("/states/children", test_children);
    g_test_add_func("/states/nested", test_nested);
    g_test_add_func("/states/completing", test_completing);
    g_test_add_func("/states/second-coroutine", test_second_coroutine);
    g_test_add_func("/states/no-time", test_no_time);
    return g_test_run();
}
