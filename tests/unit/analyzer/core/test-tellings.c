/* SPDX-License-Identifier: MIT */
/*
 * Late attach, and finding our feet again after a loss: the process tells what
 * is alive, and what it does not tell any more is over.
 */
#include <glib.h>

#include "say.h"

enum { CTX = 1, POOL = 2, CO = 10, REQ = 30, W = 50, WORKER = 60 };

static void tell_begin(struct said *t, uint64_t telling,
                       enum ct_tell_reason reason)
{
    SAY(t, STATE_BEGIN, .subject = telling, .reason = (uint8_t)reason);
}

static void tell_co(struct said *t, enum ct_co_state state,
                    enum ct_yield_reason reason, uint64_t object)
{
    SAY(t, STATE_CO, .subject = CO, .fn = 7, .value = state,
        .reason = (uint8_t)reason, .waits_for = object, .created_stack = 71,
        .stack = 72);
}

static void serve(struct said *t)
{
    SAY(t, CO_CREATE, .subject = CO);
    SAY(t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(t, REQUEST_BEGIN, .subject = REQ, .waits_for = CO);
    SAY(t, CO_YIELD, .subject = CO, .reason = CT_YIELD_REASON_IO);
}

static void gap(struct said *t, int64_t ns)
{
    SAY(t, GAP, .from_ns = t->now_ns + 1, .ns = t->now_ns + ns, .value = 1);
    t->now_ns += ns;
}

static void test_attach(void)
{
    struct said t = say_begin();

    SAY(&t, NOTIFY, .subject = CTX);
    tell_begin(&t, 1, CT_TELL_REASON_ATTACH);
    SAY(&t, STATE_CONTEXT, .subject = CTX, .context = CTX, .name = "main",
        .value = 1, .bytes = 3);
    tell_co(&t, CT_CO_STATE_YIELDED, CT_YIELD_REASON_WORK, W);
    SAY(&t, STATE_WORK, .subject = W, .object = CO, .context = POOL, .fn = 9,
        .value = CT_WORK_STATE_QUEUED, .stack = 73);
    SAY(&t, STATE_WORKER, .subject = WORKER, .context = POOL, .ret = 2,
        .value = CT_WORKER_STATE_BUSY);
    SAY(&t, STATE_REQUEST, .subject = REQ, .waits_for = CO, .layer = "blk",
        .op = "read", .name = "disk", .offset = 5, .bytes = 6);
    SAY(&t, STATE_END, .subject = 1);
    SAY(&t, WORK_BEGIN, .tid = 2, .subject = W, .object = WORKER,
        .context = POOL);
    SAY(&t, WORK_END, .tid = 2, .subject = W, .context = POOL);
    SAY(&t, WORK_COMPLETE, .subject = W, .context = POOL);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ, .ret = 4);
    SAY(&t, CO_TERMINATE, .subject = CO);
    struct pass *pass = say_end(&t);

    const struct ct_request *request = pass_request(pass, REQ);
    g_assert_false(request->begin_known);
    g_assert_false(request->complete);
    g_assert_true(request->has_ret);
    g_assert_cmpint(request->ret, ==, 4);
    g_assert_cmpstr(request->op, ==, "read");
    g_assert_cmpuint(request->bytes, ==, 6);
    assert_segments(request,
                    "work-queued 2 [unknown 50/0/0], work-running 1 on 2, "
                    "work-done 1 [loop 0/0/0], runnable 1 [loop 0/0/0], "
                    "running 1 on 1");
    const struct ct_life *life = pass_life(pass, CT_ENTITY_COROUTINE, CO);
    g_assert_false(life->begin_known);
    g_assert_cmpuint(life->stack, ==, 72);
    assert_origin(life->origin, "coroutine 10 71, ?");
    assert_origin(pass_life(pass, CT_ENTITY_WORK, W)->origin,
                  "work-item 50 73, ?");
    life = pass_life(pass, CT_ENTITY_WORKER, WORKER);
    g_assert_cmpint(life->tid, ==, 2);
    g_assert_true(life->open);
    g_assert_cmpstr(pass_life(pass, CT_ENTITY_CONTEXT, CTX)->name, ==, "main");
    pass_free(pass);
}

/* Told since when: it begins there, unknown until it is told what it does. */
static void test_attach_since(void)
{
    struct said t = say_begin();

    SAY(&t, NOTIFY, .subject = CTX);
    tell_begin(&t, 1, CT_TELL_REASON_ATTACH);
    SAY(&t, STATE_CO, .subject = CO, .value = CT_CO_STATE_YIELDED,
        .reason = CT_YIELD_REASON_IO, .ns = 700);
    SAY(&t, STATE_WORK, .subject = W, .context = POOL,
        .value = CT_WORK_STATE_QUEUED, .ns = 650);
    SAY(&t, STATE_REQUEST, .subject = REQ, .waits_for = CO, .ns = 600);
    SAY(&t, STATE_REQUEST, .subject = REQ + 1, .flag = true);
    SAY(&t, STATE_END, .subject = 1);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    struct pass *pass = say_end(&t);

    const struct ct_request *request = pass_request(pass, REQ);
    g_assert_false(request->begin_known);
    g_assert_true(request->begin_told);
    g_assert_false(request->complete);
    g_assert_false(request->range_unknown);
    g_assert_cmpint(request->begin_ns, ==, 600);
    g_assert_cmpint(request->end_ns, ==, 1009);
    assert_segments(request, "unknown 405 [unknown 0/0/0], "
                             "io 3 [device 0/0/0], running 1 on 1");
    request = pass_request(pass, REQ + 1);
    g_assert_false(request->begin_told);
    g_assert_true(request->range_unknown);
    g_assert_cmpint(request->begin_ns, ==, 1006);
    const struct ct_life *life = pass_life(pass, CT_ENTITY_COROUTINE, CO);
    g_assert_false(life->begin_known);
    g_assert_cmpint(life->begin_ns, ==, 700);
    g_assert_cmpint(pass_life(pass, CT_ENTITY_WORK, W)->begin_ns, ==, 650);
    pass_free(pass);
}

/* Of what was seen to begin, or is known already, `since` changes nothing. */
static void test_since_of_known(void)
{
    struct said t = say_begin();

    serve(&t);
    gap(&t, 5);
    SAY(&t, NOTIFY, .subject = CTX);
    tell_begin(&t, 2, CT_TELL_REASON_PERIOD);
    SAY(&t, STATE_CO, .subject = CO, .value = CT_CO_STATE_YIELDED,
        .reason = CT_YIELD_REASON_IO, .ns = 500);
    SAY(&t, STATE_REQUEST, .subject = REQ, .waits_for = CO, .ns = 500);
    SAY(&t, STATE_END, .subject = 2);
    SAY(&t, REQUEST_END, .subject = REQ);
    struct pass *pass = say_end(&t);

    g_assert_cmpint(pass_request(pass, REQ)->begin_ns, ==, 1003);
    g_assert_false(pass_request(pass, REQ)->begin_told);
    g_assert_true(pass_request(pass, REQ)->complete);
    g_assert_cmpint(pass_life(pass, CT_ENTITY_COROUTINE, CO)->begin_ns, ==,
                    1001);
    pass_free(pass);
}

/* The workers are all told: what a queued item waits for is known again. */
static void test_attach_counts_workers(void)
{
    struct said t = say_begin();

    tell_begin(&t, 1, CT_TELL_REASON_ATTACH);
    SAY(&t, STATE_WORKER, .subject = WORKER, .context = POOL, .ret = 2,
        .value = CT_WORKER_STATE_BUSY);
    SAY(&t, STATE_END, .subject = 1);
    SAY(&t, CO_CREATE, .subject = CO);
    SAY(&t, CO_ENTER, .subject = CO);
    SAY(&t, REQUEST_BEGIN, .subject = REQ, .waits_for = CO);
    SAY(&t, WORK_SUBMIT, .subject = W, .object = CO, .context = POOL);
    SAY(&t, CO_YIELD, .subject = CO, .reason = CT_YIELD_REASON_WORK,
        .waits_for = W);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 2 on 1, work-queued 1 [worker 50/0/0]");
    pass_free(pass);
}

/* What is told after a gap is so; also that the coroutine still serves it. */
static void test_told_after_gap(void)
{
    struct said t = say_begin();

    tell_begin(&t, 1, CT_TELL_REASON_START);
    SAY(&t, STATE_END, .subject = 1);
    serve(&t);
    gap(&t, 5);
    SAY(&t, NOTIFY, .subject = CTX);
    tell_begin(&t, 2, CT_TELL_REASON_PERIOD);
    tell_co(&t, CT_CO_STATE_YIELDED, CT_YIELD_REASON_IO, 0);
    SAY(&t, STATE_REQUEST, .subject = REQ, .waits_for = CO);
    SAY(&t, STATE_END, .subject = 2);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 1 on 1, io 1 [device 0/0/0], "
                    "unknown 8 [unknown 0/0/0], io 3 [device 0/0/0], "
                    "running 1 on 1");
    g_assert_true(pass_request(pass, REQ)->complete);
    pass_free(pass);
}

/* Woken in the gap, and in the waker's own list when it is told. */
static void test_told_queued(void)
{
    struct said t = say_begin();

    serve(&t);
    gap(&t, 5);
    SAY(&t, NOTIFY, .subject = CTX);
    tell_begin(&t, 2, CT_TELL_REASON_PERIOD);
    SAY(&t, STATE_CO, .subject = CO, .object = 20, .value = CT_CO_STATE_QUEUED);
    SAY(&t, STATE_REQUEST, .subject = REQ, .waits_for = CO);
    SAY(&t, STATE_END, .subject = 2);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 1 on 1, io 1 [device 0/0/0], "
                    "unknown 8 [unknown 0/0/0], runnable 3 [loop 1/20/0], "
                    "running 1 on 1");
    pass_free(pass);
}

/* Without a telling: the coroutine is entered, the request ends in it: it was
 * the same all the time. */
static void test_end_tells(void)
{
    struct said t = say_begin();

    serve(&t);
    gap(&t, 5);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 1 on 1, io 1 [device 0/0/0], "
                    "unknown 6 [unknown 0/0/0], running 1 on 1");
    pass_free(pass);
}

/* It ends elsewhere: nobody knows who served it since the gap. */
static void test_end_tells_nothing(void)
{
    struct said t = say_begin();

    serve(&t);
    gap(&t, 5);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, CO_YIELD, .subject = CO);
    SAY(&t, REQUEST_END, .subject = REQ);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 1 on 1, io 1 [device 0/0/0], "
                    "unknown 8 [unknown 0/0/0]");
    pass_free(pass);
}

/* A wait that begins after the gap: the wake may be among what was lost, unless
 * a work item tells otherwise. */
static void test_yield_after_gap(void)
{
    struct said t = say_begin();

    serve(&t);
    gap(&t, 5);
    SAY(&t, CO_YIELD, .subject = CO, .reason = CT_YIELD_REASON_IO);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 1 on 1, io 1 [device 0/0/0], "
                    "unknown 7 [unknown 0/0/0], running 1 on 1");
    pass_free(pass);

    t = say_begin();
    serve(&t);
    gap(&t, 5);
    SAY(&t, WORK_SUBMIT, .subject = W, .object = CO, .context = POOL);
    SAY(&t, CO_YIELD, .subject = CO, .reason = CT_YIELD_REASON_WORK,
        .waits_for = W);
    SAY(&t, WORK_BEGIN, .tid = 2, .subject = W, .object = 60, .context = POOL);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 1 on 1, io 1 [device 0/0/0], "
                    "unknown 7 [unknown 0/0/0], "
                    "work-queued 1 [unknown 50/0/0], work-running 1 on 2, "
                    "running 1 on 1");
    pass_free(pass);
}

/* Not told any more: over, and when is not known. */
static void test_gone(void)
{
    struct said t = say_begin();

    tell_begin(&t, 1, CT_TELL_REASON_START);
    SAY(&t, STATE_END, .subject = 1);
    serve(&t);
    SAY(&t, WORK_SUBMIT, .subject = W, .object = CO, .context = POOL);
    SAY(&t, CONTEXT_CREATE, .subject = CTX, .name = "main");
    SAY(&t, WORKER_START, .tid = 2, .subject = WORKER, .context = POOL);
    SAY(&t, LOCK_TAKE, .subject = 77, .object = CO);
    gap(&t, 5);
    SAY(&t, CO_CREATE, .subject = 11); /* new since */
    tell_begin(&t, 2, CT_TELL_REASON_PERIOD);
    SAY(&t, CO_CREATE, .subject = 12); /* newer than the telling */
    SAY(&t, STATE_CO, .subject = 13, .value = CT_CO_STATE_YIELDED);
    SAY(&t, STATE_END, .subject = 2);
    int64_t told_ns = t.now_ns;
    SAY(&t, NOTIFY, .subject = 99);
    struct pass *pass = say_end(&t);

    const struct ct_request *request = pass_request(pass, REQ);
    g_assert_false(request->complete);
    g_assert_cmpint(request->end_ns, ==, told_ns);
    assert_segments(request, "running 1 on 1, io 5 [device 0/0/0], "
                             "unknown 10 [unknown 0/0/0]");
    static const struct {
        enum ct_entity_kind kind;
        uint64_t id;
        bool open;
    } expect[] = {
        {CT_ENTITY_COROUTINE, CO, false}, {CT_ENTITY_COROUTINE, 11, true},
        {CT_ENTITY_COROUTINE, 12, true},  {CT_ENTITY_COROUTINE, 13, true},
        {CT_ENTITY_WORK, W, false},       {CT_ENTITY_WORKER, WORKER, false},
        {CT_ENTITY_CONTEXT, CTX, false},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(expect); i++) {
        const struct ct_life *life =
            pass_life(pass, expect[i].kind, expect[i].id);
        g_assert_cmpint(life->open, ==, expect[i].open);
        g_assert_false(life->end_known);
        g_assert_cmpint(life->end_ns, ==,
                        expect[i].open ? t.now_ns + 1 : told_ns);
    }
    pass_free(pass);
}

/* A telling with a hole in it says nothing about what it does not list. */
static void test_telling_with_gap(void)
{
    struct said t = say_begin();

    tell_begin(&t, 1, CT_TELL_REASON_START);
    SAY(&t, STATE_END, .subject = 1);
    serve(&t);
    gap(&t, 5);
    tell_begin(&t, 2, CT_TELL_REASON_PERIOD);
    gap(&t, 5);
    SAY(&t, STATE_END, .subject = 2);
    struct pass *pass = say_end(&t);
    g_assert_true(pass_life(pass, CT_ENTITY_COROUTINE, CO)->open);
    pass_free(pass);
}

/* Nothing lost: what is known is not unlearned from a telling. */
static void test_telling_changes_nothing(void)
{
    struct said t = say_begin();

    tell_begin(&t, 1, CT_TELL_REASON_START);
    SAY(&t, STATE_END, .subject = 1);
    serve(&t);
    tell_begin(&t, 2, CT_TELL_REASON_PERIOD);
    tell_co(&t, CT_CO_STATE_YIELDED, CT_YIELD_REASON_LOCK, 5); /* stale */
    SAY(&t, STATE_REQUEST, .subject = REQ, .waits_for = 99);
    SAY(&t, STATE_END, .subject = 2);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 1 on 1, io 5 [device 0/0/0], running 1 on 1");
    g_assert_true(pass_life(pass, CT_ENTITY_COROUTINE, CO)->end_known);
    pass_free(pass);
}

/* The tellings begin again: another process has the pid. */
static void test_pid_again(void)
{
    struct said t = say_begin();

    for (unsigned i = 0; i < 2; i++) {
        tell_begin(&t, 1, CT_TELL_REASON_START);
        SAY(&t, STATE_END, .subject = 1);
        serve(&t);
    }
    struct pass *pass = say_end(&t);
    g_assert_cmpuint(pass->requests->len, ==, 2);
    const struct ct_request *first =
        &g_array_index(pass->requests, struct kept_request, 0).request;
    assert_segments(first, "running 1 on 1, io 1 [device 0/0/0]");
    unsigned open = 0, over = 0;
    for (unsigned i = 0; i < pass->lives->len; i++) {
        struct ct_life *life = &g_array_index(pass->lives, struct ct_life, i);
        if (life->kind == CT_ENTITY_COROUTINE) {
            open += life->open;
            over += !life->open && !life->end_known;
        }
    }
    g_assert_cmpuint(open, ==, 1);
    g_assert_cmpuint(over, ==, 1);
    pass_free(pass);
}

/* A gap that is told after it is over: what was said of it is taken back. */
static void test_late_gap(void)
{
    struct said t = say_begin();

    serve(&t);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, GAP, .from_ns = t.now_ns - 1, .ns = t.now_ns, .value = 1);
    SAY(&t, CO_YIELD, .subject = CO, .reason = CT_YIELD_REASON_SCHEDULE);
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, CO_TERMINATE, .subject = CO);
    struct pass *pass = say_end(&t);
    assert_segments(pass_request(pass, REQ),
                    "running 1 on 1, unknown 3 [unknown 0/0/0], "
                    "runnable 1 [loop 1/0/0], running 1 on 1");
    pass_free(pass);
}

/* After a gap a bottom half may be pending already: its next cause is not known
 * to be its first; once it has run it is. */
static void test_bh_after_gap(void)
{
    struct said t = say_begin();

    SAY(&t, BH_SCHEDULE, .subject = 3, .stack = 1);
    gap(&t, 5);
    for (uint64_t co = 20; co < 22; co++) {
        SAY(&t, BH_SCHEDULE, .subject = 3, .stack = 2);
        SAY(&t, BH_RUN_BEGIN, .subject = 3);
        SAY(&t, CO_CREATE, .subject = co);
        SAY(&t, CO_ENTER, .subject = co, .stack = 4);
        SAY(&t, CO_TERMINATE, .subject = co);
        SAY(&t, BH_RUN_END, .subject = 3);
    }
    struct pass *pass = say_end(&t);
    assert_origin(pass_life(pass, CT_ENTITY_COROUTINE, 20)->origin,
                  "coroutine 20 4, ?");
    assert_origin(pass_life(pass, CT_ENTITY_COROUTINE, 21)->origin,
                  "coroutine 21 4, bottom-half 3 2, ?");
    pass_free(pass);
}

int main(int argc, char **argv)
{
    g_setenv("COTRACE_CHECK", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tellings/queued", test_told_queued);
    g_test_add_func("/tellings/attach-since", test_attach_since);
    g_test_add_func("/tellings/since-of-known", test_since_of_known);
    g_test_add_func("/tellings/attach", test_attach);
    g_test_add_func("/tellings/attach-counts-workers",
                    test_attach_counts_workers);
    g_test_add_func("/tellings/told-after-gap", test_told_after_gap);
    g_test_add_func("/tellings/end-tells", test_end_tells);
    g_test_add_func("/tellings/end-tells-nothing", test_end_tells_nothing);
    g_test_add_func("/tellings/yield-after-gap", test_yield_after_gap);
    g_test_add_func("/tellings/gone", test_gone);
    g_test_add_func("/tellings/with-gap", test_telling_with_gap);
    g_test_add_func("/tellings/change-nothing", test_telling_changes_nothing);
    g_test_add_func("/tellings/pid-again", test_pid_again);
    g_test_add_func("/tellings/late-gap", test_late_gap);
    g_test_add_func("/tellings/bottom-half-after-gap", test_bh_after_gap);
    return g_test_run();
}
