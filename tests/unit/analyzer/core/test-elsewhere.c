/* SPDX-License-Identifier: MIT */
/*
 * Requests whose work goes on elsewhere than where they began: on another
 * loop, or in a coroutine that their own one polls for.
 */
#include <glib.h>

#include "say.h"

enum {
    CTX = 1,
    CTX2 = 2,
    POOL = 3,
    CO = 10,
    CO2 = 20,
    CO3 = 25,
    REQ = 30,
    REQ2 = 40,
    W = 50
};

/* Begun on thread 1 by code that makes the coroutine there: request 1. */
static void begin(struct said *t)
{
    SAY(t, REQUEST_BEGIN, .subject = REQ);
    SAY(t, CO_CREATE, .subject = CO);
    SAY(t, REQUEST_COROUTINE, .subject = REQ, .object = CO);
}

static void end(struct said *t, int tid)
{
    SAY(t, REQUEST_END, .tid = tid, .subject = REQ);
    SAY(t, CO_TERMINATE, .tid = tid, .subject = CO);
}

static void check(struct said *t, uint64_t id, const char *expect)
{
    struct pass *pass = say_end(t);

    assert_segments(pass_request(pass, id), expect);
    pass_free(pass);
}

/* The other loop has it queued from the wake on, whatever thread 1 does. */
static void test_scheduled_elsewhere(void)
{
    struct said t = say_begin();

    begin(&t);
    SAY(&t, CO_WAKE, .subject = CO, .context = CTX2,
        .reason = CT_WAKE_HOW_SCHEDULED);
    SAY(&t, CO_SCHEDULE, .subject = CO, .context = CTX2);
    SAY(&t, POLL_BEGIN, .subject = CTX, .context = CTX, .value = 1);
    SAY(&t, CO_DEQUEUE, .tid = 2, .subject = CO, .context = CTX2);
    SAY(&t, CO_ENTER, .tid = 2, .subject = CO, .context = CTX2);
    end(&t, 2);
    check(&t, REQ,
          "running 3 on 1 below, runnable 4 [loop 2/0/0], running 1 on 2");
}

/* Entered by its maker: at no moment it only could run. */
static void test_entered_here(void)
{
    struct said t = say_begin();

    begin(&t);
    SAY(&t, CO_WAKE, .subject = CO, .context = CTX,
        .reason = CT_WAKE_HOW_ENTERED);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    end(&t, 1);
    check(&t, REQ, "running 4 on 1 below, running 1 on 1");
}

/* In its maker's own list: when that one stops. */
static void test_queued_here(void)
{
    struct said t = say_begin();

    SAY(&t, CO_CREATE, .subject = CO2);
    SAY(&t, CO_ENTER, .subject = CO2, .context = CTX);
    begin(&t);
    SAY(&t, CO_WAKE, .subject = CO, .object = CO2, .context = CTX,
        .reason = CT_WAKE_HOW_QUEUED);
    SAY(&t, CO_TERMINATE, .subject = CO2);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    end(&t, 1);
    check(&t, REQ,
          "running 3 on 1 below, runnable 2 [loop 1/20/0], running 1 on 1");
}

/* --- synchronous wrappers ---------------------------------------------- */

static void serve(struct said *t)
{
    SAY(t, POLL_BEGIN, .subject = CTX, .context = CTX, .value = 1);
    SAY(t, CO_CREATE, .subject = CO);
    SAY(t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(t, REQUEST_BEGIN, .subject = REQ, .waits_for = CO);
}

static void sleep_begin(struct said *t)
{
    SAY(t, WAIT_BEGIN, .subject = CTX, .context = CTX);
    SAY(t, POLL_BEGIN, .subject = CTX, .context = CTX, .value = 2);
    SAY(t, FDMON_BEGIN, .subject = CTX, .context = CTX);
}

static void wait_end(struct said *t)
{
    SAY(t, POLL_END, .subject = CTX, .context = CTX);
    SAY(t, WAIT_END, .subject = CTX, .context = CTX);
    end(t, 1);
}

/* CO starts CO2, and polls until that one has read what it wants. */
static void test_nested_wait(void)
{
    struct said t = say_begin();

    serve(&t);
    SAY(&t, CO_CREATE, .subject = CO2);
    SAY(&t, CO_ENTER, .subject = CO2, .object = CO, .context = CTX);
    SAY(&t, WORK_SUBMIT, .subject = W, .object = CO2, .context = POOL);
    SAY(&t, CO_YIELD, .subject = CO2, .reason = CT_YIELD_REASON_WORK,
        .waits_for = W);
    sleep_begin(&t);
    SAY(&t, WORK_BEGIN, .tid = 2, .subject = W, .context = POOL);
    SAY(&t, WORK_END, .tid = 2, .subject = W, .context = POOL);
    SAY(&t, FDMON_END, .subject = CTX, .context = CTX);
    SAY(&t, WORK_COMPLETE, .subject = W, .context = POOL);
    SAY(&t, CO_ENTER, .subject = CO2, .object = CO, .context = CTX);
    SAY(&t, CO_TERMINATE, .subject = CO2);
    wait_end(&t);
    check(&t, REQ,
          "running 2 on 1, running 2 on 1 below, running 1 on 1, "
          "work-queued 3 [unknown 50/0/0], work-running 1 on 2, "
          "work-done 2 [loop 1/0/0], runnable 1 [loop 1/0/0], "
          "running 3 on 1 below, running 1 on 1");
}

/* A request that CO2 serves for itself says the same of that time. */
static void test_nested_wait_elsewhere(void)
{
    struct said t = say_begin();

    serve(&t);
    SAY(&t, REQUEST_BEGIN, .subject = REQ2, .object = REQ);
    SAY(&t, CO_CREATE, .subject = CO2);
    SAY(&t, REQUEST_COROUTINE, .subject = REQ2, .object = CO2);
    SAY(&t, CO_WAKE, .subject = CO2, .object = CO, .context = CTX2,
        .reason = CT_WAKE_HOW_SCHEDULED);
    SAY(&t, CO_SCHEDULE, .subject = CO2, .object = CO, .context = CTX2);
    sleep_begin(&t);
    SAY(&t, CO_ENTER, .tid = 2, .subject = CO2, .context = CTX2);
    SAY(&t, CO_YIELD, .tid = 2, .subject = CO2, .reason = CT_YIELD_REASON_IO);
    SAY(&t, CO_WAKE, .tid = 2, .subject = CO2, .context = CTX2,
        .reason = CT_WAKE_HOW_ENTERED);
    SAY(&t, CO_ENTER, .tid = 2, .subject = CO2, .context = CTX2);
    SAY(&t, REQUEST_END, .tid = 2, .subject = REQ2);
    SAY(&t, CO_TERMINATE, .tid = 2, .subject = CO2);
    SAY(&t, FDMON_END, .subject = CTX, .context = CTX);
    wait_end(&t);
    struct pass *pass = say_end(&t);
    /* What it still sleeps for when CO2 has ended, nobody says. */
    assert_segments(pass_request(pass, REQ),
                    "running 6 on 1, runnable 3 [loop 2/0/0], "
                    "running 1 on 2 below, io 1 [device 0/0/0], "
                    "runnable 1 [loop 2/0/0], running 2 on 2 below, "
                    "unknown 1 [unknown 0/0/0], running 2 on 1 below, "
                    "running 1 on 1");
    assert_segments(pass_request(pass, REQ2),
                    "running 3 on 1 below, runnable 5 [loop 2/0/0], "
                    "running 1 on 2, io 1 [device 0/0/0], "
                    "runnable 1 [loop 2/0/0], running 1 on 2");
    pass_free(pass);
}

/* A turn without anything started: what it sleeps for is not known. */
static void test_nested_wait_for_nobody(void)
{
    struct said t = say_begin();

    serve(&t);
    sleep_begin(&t);
    SAY(&t, FDMON_END, .subject = CTX, .context = CTX);
    wait_end(&t);
    check(&t, REQ,
          "running 1 on 1, running 2 on 1 below, unknown 1 [unknown 0/0/0], "
          "running 2 on 1 below, running 1 on 1");
}

/* CO polls for CO2, which polls for CO3: both do what CO3 does. */
static void test_nested_twice(void)
{
    struct said t = say_begin();

    serve(&t);
    SAY(&t, CO_CREATE, .subject = CO2);
    SAY(&t, CO_ENTER, .subject = CO2, .object = CO, .context = CTX);
    SAY(&t, CO_YIELD, .subject = CO2, .reason = CT_YIELD_REASON_TIMER);
    SAY(&t, WAIT_BEGIN, .subject = CTX, .context = CTX);
    SAY(&t, CO_ENTER, .subject = CO2, .object = CO, .context = CTX);
    SAY(&t, CO_CREATE, .subject = CO3);
    SAY(&t, CO_ENTER, .subject = CO3, .object = CO2, .context = CTX);
    SAY(&t, CO_YIELD, .subject = CO3, .reason = CT_YIELD_REASON_IO);
    SAY(&t, WAIT_BEGIN, .subject = CTX2, .context = CTX2);
    SAY(&t, CO_ENTER, .subject = CO3, .object = CO2, .context = CTX);
    SAY(&t, CO_TERMINATE, .subject = CO3);
    SAY(&t, WAIT_END, .subject = CTX2, .context = CTX2);
    SAY(&t, CO_TERMINATE, .subject = CO2);
    SAY(&t, WAIT_END, .subject = CTX, .context = CTX);
    end(&t, 1);
    check(&t, REQ,
          "running 2 on 1, running 1 on 1 below, running 1 on 1, timer 1 "
          "[timer 0/0/0], "
          "running 4 on 1 below, io 1 [device 0/0/0], "
          "running 4 on 1 below, running 1 on 1");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/elsewhere/scheduled", test_scheduled_elsewhere);
    g_test_add_func("/elsewhere/entered-here", test_entered_here);
    g_test_add_func("/elsewhere/queued-here", test_queued_here);
    g_test_add_func("/elsewhere/nested-wait", test_nested_wait);
    g_test_add_func("/elsewhere/nested-wait-elsewhere",
                    test_nested_wait_elsewhere);
    g_test_add_func("/elsewhere/nested-wait-for-nobody",
                    test_nested_wait_for_nobody);
    g_test_add_func("/elsewhere/nested-twice", test_nested_twice);
    return g_test_run();
}
