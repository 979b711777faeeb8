/* SPDX-License-Identifier: MIT */
/*
 * Requests whose work goes on elsewhere than where they began: on another
 * loop.
 */
#include <glib.h>

#include "say.h"

enum { CTX = 1, CTX2 = 2, CO = 10, CO2 = 20, REQ = 30 };

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/elsewhere/scheduled", test_scheduled_elsewhere);
    g_test_add_func("/elsewhere/entered-here", test_entered_here);
    g_test_add_func("/elsewhere/queued-here", test_queued_here);
    return g_test_run();
}
