/* SPDX-License-Identifier: MIT */
/*
 * Who held a request up: one case a row of the table in docs/MODEL.md, and the
 * critical path.
 *
 * That the pieces add up is checked of every request (pass.c), also by the
 * worlds and the random steps of the other tests.
 */
#include <glib.h>
#include <string.h>

#include "say.h"

enum { CTX = 1, POOL = 2, MUTEX = 3, CO = 10, CO2 = 20, CO3 = 25 };
enum { REQ = 30, REQ2 = 40, REQ3 = 45, W = 50, WORKER = 60 };

/* "kind name/fn request ns xcount, ..." of the n-th segment in @state */
static char *spell_ran(const struct ct_request *request, enum ct_state state)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        if (segment->state != state) {
            continue;
        }
        for (unsigned k = 0; k < segment->cause.n_ran; k++) {
            const struct ct_ran *ran =
                &request->ran[segment->cause.first_ran + k];
            g_string_append_printf(text, "%s%s", k ? ", " : "",
                                   ran->kind == CT_RAN_STATE
                                       ? ct_state_word(ran->state)
                                       : ct_ran_word(ran->kind));
            if (ran->name) {
                g_string_append_printf(text, " %s", ran->name);
            }
            if (ran->fn) {
                g_string_append_printf(text, " f%" G_GUINT64_FORMAT, ran->fn);
            }
            if (ran->request) {
                g_string_append_printf(text, " of %" G_GUINT64_FORMAT,
                                       ran->request);
            }
            if (ran->depth) {
                g_string_append_printf(text, " deep %u", ran->depth);
            }
            g_string_append_printf(text, " %" G_GINT64_FORMAT, ran->ns);
            if (ran->count) {
                g_string_append_printf(text, " x%" G_GUINT64_FORMAT,
                                       ran->count);
            }
        }
        g_string_append_c(text, ';');
    }
    return g_string_free(text, FALSE);
}

#define assert_ran(request, state, expect)                  \
    do {                                                    \
        g_autofree char *text_ = spell_ran(request, state); \
        g_assert_cmpstr(text_, ==, expect);                 \
    } while (0)

static void turn(struct said *t)
{
    SAY(t, POLL_BEGIN, .subject = CTX, .context = CTX, .value = 1);
}

static void turned(struct said *t)
{
    SAY(t, POLL_END, .subject = CTX, .context = CTX, .value = 1);
}

static void enter(struct said *t, uint64_t co)
{
    SAY(t, CO_ENTER, .subject = co, .context = CTX, .fn = co);
}

static void start(struct said *t, uint64_t co, uint64_t request)
{
    SAY(t, CO_CREATE, .subject = co, .fn = co);
    enter(t, co);
    SAY(t, REQUEST_BEGIN, .subject = request, .waits_for = co);
}

static void yield(struct said *t, uint64_t co, enum ct_yield_reason reason,
                  uint64_t object)
{
    SAY(t, CO_YIELD, .subject = co, .reason = (uint8_t)reason,
        .waits_for = object);
}

static void finish(struct said *t, uint64_t co, uint64_t request)
{
    SAY(t, REQUEST_END, .subject = request);
    SAY(t, CO_TERMINATE, .subject = co);
}

static void bh(struct said *t, uint64_t id, const char *name, int64_t ns)
{
    SAY(t, BH_RUN_BEGIN, .subject = id, .context = CTX, .name = name);
    t->now_ns += ns - 1;
    SAY(t, BH_RUN_END, .subject = id, .context = CTX);
}

/* Callbacks, a coroutine of another request, the turn itself, and its sleep. */
static void test_loop(void)
{
    struct said t = say_begin();

    turn(&t);
    start(&t, CO, REQ);
    yield(&t, CO, CT_YIELD_REASON_OTHER, 0);
    SAY(&t, CO_SCHEDULE, .subject = CO, .context = CTX);
    bh(&t, 100, "slow", 50);
    SAY(&t, FDMON_BEGIN, .subject = CTX, .context = CTX);
    t.now_ns += 19;
    SAY(&t, FDMON_END, .subject = CTX, .context = CTX);
    start(&t, CO2, REQ2);
    t.now_ns += 29;
    finish(&t, CO2, REQ2);
    bh(&t, 100, "slow", 5);
    enter(&t, CO);
    finish(&t, CO, REQ);
    turned(&t);
    struct pass *pass = say_end(&t);
    assert_ran(
        pass_request(pass, REQ), CT_STATE_RUNNABLE,
        "bottom-half slow 55 x2, coroutine f20 of 2 32 x1, kernel 20 x1, "
        "loop 6;");
    pass_free(pass);
}

/* A wait that a callback lasts beyond takes only its part of it. */
static void test_part(void)
{
    struct said t = say_begin();

    turn(&t);
    start(&t, CO, REQ);
    yield(&t, CO, CT_YIELD_REASON_OTHER, 0);
    SAY(&t, BH_RUN_BEGIN, .subject = 100, .context = CTX, .name = "slow");
    t.now_ns += 49;
    SAY(&t, CO_SCHEDULE, .tid = 2, .subject = CO, .context = CTX);
    t.now_ns += 9;
    SAY(&t, BH_RUN_END, .subject = 100, .context = CTX);
    enter(&t, CO);
    finish(&t, CO, REQ);
    turned(&t);
    struct pass *pass = say_end(&t);
    assert_ran(pass_request(pass, REQ), CT_STATE_RUNNABLE,
               "bottom-half slow 10, loop 1;");
    pass_free(pass);
}

/* A callback polls: the turn is its own, and what runs in it is deep. */
static void test_nested(void)
{
    struct said t = say_begin();

    turn(&t);
    start(&t, CO, REQ);
    yield(&t, CO, CT_YIELD_REASON_OTHER, 0);
    SAY(&t, CO_SCHEDULE, .subject = CO, .context = CTX);
    SAY(&t, BH_RUN_BEGIN, .subject = 100, .context = CTX, .name = "polls");
    SAY(&t, POLL_BEGIN, .subject = CTX, .context = CTX, .value = 2);
    t.now_ns += 9;
    bh(&t, 101, "inner", 30);
    SAY(&t, FDMON_BEGIN, .subject = CTX, .context = CTX);
    t.now_ns += 99;
    SAY(&t, FDMON_END, .subject = CTX, .context = CTX);
    SAY(&t, POLL_END, .subject = CTX, .context = CTX, .value = 2);
    SAY(&t, BH_RUN_END, .subject = 100, .context = CTX);
    enter(&t, CO);
    finish(&t, CO, REQ);
    turned(&t);
    struct pass *pass = say_end(&t);
    assert_ran(pass_request(pass, REQ), CT_STATE_RUNNABLE,
               "nested-poll polls deep 1 112 x2, "
               "bottom-half inner deep 1 30 x1, bottom-half polls 2 x1, "
               "loop 2;");
    pass_free(pass);
}

static void work(struct said *t, enum ct_step_kind kind, int32_t tid,
                 uint64_t item, uint64_t co)
{
    say(t, (struct ct_step){.kind = kind,
                            .tid = tid,
                            .subject = item,
                            .object = kind == CT_STEP_WORK_SUBMIT
                                          ? co
                                          : WORKER + (uint64_t)tid,
                            .context = POOL,
                            .fn = item});
}

/* One worker: an item runs already, another is ahead in the queue. */
static void test_pool(void)
{
    struct said t = say_begin();

    turn(&t);
    work(&t, CT_STEP_WORK_SUBMIT, 1, W, 0);
    work(&t, CT_STEP_WORK_BEGIN, 2, W, 0);
    start(&t, CO2, REQ2);
    work(&t, CT_STEP_WORK_SUBMIT, 1, W + 1, CO2);
    yield(&t, CO2, CT_YIELD_REASON_WORK, W + 1);
    start(&t, CO, REQ);
    work(&t, CT_STEP_WORK_SUBMIT, 1, W + 2, CO);
    yield(&t, CO, CT_YIELD_REASON_WORK, W + 2);
    t.now_ns += 39;
    work(&t, CT_STEP_WORK_END, 2, W, 0);
    work(&t, CT_STEP_WORK_BEGIN, 2, W + 1, 0);
    t.now_ns += 69;
    work(&t, CT_STEP_WORK_END, 2, W + 1, 0);
    work(&t, CT_STEP_WORK_BEGIN, 2, W + 2, 0);
    work(&t, CT_STEP_WORK_END, 2, W + 2, 0);
    work(&t, CT_STEP_WORK_COMPLETE, 1, W, 0);
    work(&t, CT_STEP_WORK_COMPLETE, 1, W + 1, 0);
    enter(&t, CO2);
    finish(&t, CO2, REQ2);
    work(&t, CT_STEP_WORK_COMPLETE, 1, W + 2, 0);
    enter(&t, CO);
    finish(&t, CO, REQ);
    turned(&t);
    struct pass *pass = say_end(&t);
    const struct ct_request *request = pass_request(pass, REQ);
    assert_ran(request, CT_STATE_WORK_QUEUED,
               "work-item f51 of 1 70 x1, work-item f50 40;");
    assert_ran(pass_request(pass, REQ2), CT_STATE_WORK_QUEUED,
               "work-item f50 45;");
    pass_free(pass);
}

static void lock(struct said *t, enum ct_step_kind kind, uint64_t mutex,
                 uint64_t self, uint64_t other)
{
    say(t, (struct ct_step){
               .kind = kind, .subject = mutex, .object = self, .value = other});
}

/* A waits for B's lock while B waits for C's: what C does is what holds A. */
static void test_holder(void)
{
    struct said t = say_begin();

    turn(&t);
    start(&t, CO3, REQ3);
    lock(&t, CT_STEP_LOCK_TAKE, MUTEX + 1, CO3, 0);
    yield(&t, CO3, CT_YIELD_REASON_TIMER, 0);
    start(&t, CO2, REQ2);
    lock(&t, CT_STEP_LOCK_TAKE, MUTEX, CO2, 0);
    yield(&t, CO2, CT_YIELD_REASON_IO, 0);
    start(&t, CO, REQ);
    lock(&t, CT_STEP_LOCK_WAIT, MUTEX, CO, CO2);
    yield(&t, CO, CT_YIELD_REASON_LOCK, MUTEX);
    t.now_ns += 19;
    enter(&t, CO2); /* 20 ns in io */
    lock(&t, CT_STEP_LOCK_WAIT, MUTEX + 1, CO2, CO3);
    yield(&t, CO2, CT_YIELD_REASON_LOCK, MUTEX + 1);
    t.now_ns += 99;
    enter(&t, CO3); /* 100 ns asleep */
    t.now_ns += 9;
    lock(&t, CT_STEP_LOCK_RELEASE, MUTEX + 1, CO3, 0);
    SAY(&t, CO_WAKE, .subject = CO2, .object = CO3, .context = CTX,
        .reason = CT_WAKE_HOW_SCHEDULED);
    lock(&t, CT_STEP_LOCK_HAND_OVER, MUTEX + 1, CO3, CO2);
    finish(&t, CO3, REQ3);
    enter(&t, CO2);
    lock(&t, CT_STEP_LOCK_TAKEN, MUTEX + 1, CO2, 0);
    lock(&t, CT_STEP_LOCK_RELEASE, MUTEX + 1, CO2, 0);
    lock(&t, CT_STEP_LOCK_RELEASE, MUTEX, CO2, 0);
    SAY(&t, CO_WAKE, .subject = CO, .object = CO2, .context = CTX,
        .reason = CT_WAKE_HOW_SCHEDULED);
    lock(&t, CT_STEP_LOCK_HAND_OVER, MUTEX, CO2, CO);
    finish(&t, CO2, REQ2);
    enter(&t, CO);
    lock(&t, CT_STEP_LOCK_TAKEN, MUTEX, CO, 0);
    lock(&t, CT_STEP_LOCK_RELEASE, MUTEX, CO, 0);
    finish(&t, CO, REQ);
    turned(&t);
    struct pass *pass = say_end(&t);
    assert_ran(pass_request(pass, REQ2), CT_STATE_LOCK,
               "timer of 1 100, running of 1 11;");
    assert_ran(pass_request(pass, REQ), CT_STATE_LOCK,
               "timer of 1 deep 1 100, io of 2 20, running of 1 deep 1 11, "
               "running of 2 6, runnable of 2 4;");
    pass_free(pass);
}

static char *spell_path(const struct ct_request *request, int64_t from_ns)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < request->n_path; i++) {
        const struct ct_segment *segment = &request->path[i].segment;
        if (segment->begin_ns >= from_ns) {
            g_string_append_printf(
                text, "%s%s %" G_GINT64_FORMAT " of %" G_GUINT64_FORMAT,
                text->len ? ", " : "", ct_state_word(segment->state),
                segment->end_ns - segment->begin_ns, request->path[i].request);
        }
    }
    return g_string_free(text, FALSE);
}

#define assert_path(request, expect)                     \
    do {                                                 \
        g_autofree char *text_ = spell_path(request, 0); \
        g_assert_cmpstr(text_, ==, expect);              \
    } while (0)

/* The path from the first wait for children on. */
static void assert_waits(const struct ct_request *request, const char *expect)
{
    g_autofree char *text = NULL;

    for (unsigned i = 0; !text && i < request->n_segments; i++) {
        if (request->segments[i].state == CT_STATE_CHILDREN) {
            text = spell_path(request, request->segments[i].begin_ns);
        }
    }
    g_assert_cmpstr(text, ==, expect);
}

static void task(struct said *t, uint64_t co, uint64_t from, uint64_t request,
                 uint64_t parent)
{
    SAY(t, CO_CREATE, .subject = co, .fn = co);
    SAY(t, CO_ENTER, .subject = co, .object = from, .context = CTX);
    SAY(t, REQUEST_BEGIN, .subject = request, .object = parent,
        .waits_for = co);
}

static void wake(struct said *t, uint64_t co, uint64_t by)
{
    SAY(t, CO_WAKE, .subject = co, .object = by, .context = CTX,
        .reason = CT_WAKE_HOW_SCHEDULED);
}

static void child(struct said *t, uint64_t co, uint64_t request)
{
    task(t, co, CO, request, REQ);
}

/* Two children side by side: the path goes through the one that ended last,
 * then through the third, which began when that made room. */
static void test_critical(void)
{
    struct said t = say_begin();

    turn(&t);
    start(&t, CO, REQ);
    child(&t, CO2, REQ2);
    yield(&t, CO2, CT_YIELD_REASON_IO, 0);
    child(&t, CO3, REQ3);
    yield(&t, CO3, CT_YIELD_REASON_TIMER, 0);
    yield(&t, CO, CT_YIELD_REASON_CHILDREN, 0);
    t.now_ns += 99;
    SAY(&t, CO_ENTER, .subject = CO2, .context = CTX);
    finish(&t, CO2, REQ2); /* io for 100 and more of the wait */
    t.now_ns += 49;
    SAY(&t, CO_ENTER, .subject = CO3, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ3); /* asleep all the time */
    SAY(&t, REQUEST_BEGIN, .subject = REQ3 + 1, .object = REQ,
        .waits_for = CO3);
    yield(&t, CO3, CT_YIELD_REASON_IO, 0);
    t.now_ns += 29;
    SAY(&t, CO_ENTER, .subject = CO3, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ3 + 1);
    SAY(&t, CO_WAKE, .subject = CO, .object = CO3, .context = CTX,
        .reason = CT_WAKE_HOW_SCHEDULED);
    SAY(&t, CO_TERMINATE, .subject = CO3);
    enter(&t, CO);
    finish(&t, CO, REQ);
    turned(&t);
    struct pass *pass = say_end(&t);
    assert_path(pass_request(pass, REQ),
                "running 2 of 1, running 2 of 1, running 2 of 1, "
                "running 2 of 1, running 1 of 1, "
                "timer 152 of 3, running 1 of 3, children 1 of 1, "
                "running 1 of 4, io 30 of 4, running 1 of 4, "
                "children 1 of 1, runnable 2 of 1, running 1 of 1");
    pass_free(pass);
}

/* Three requests inside one another in one coroutine wait for a child that
 * itself has two in its coroutine, and a child: each shows all of the chain. */
static void test_within(void)
{
    enum { INNER = 200, INMOST, TASK, IN_TASK, LEAF };
    struct said t = say_begin();

    turn(&t);
    start(&t, CO, REQ);
    SAY(&t, REQUEST_BEGIN, .subject = INNER, .object = REQ, .waits_for = CO);
    SAY(&t, REQUEST_BEGIN, .subject = INMOST, .object = INNER, .waits_for = CO);
    task(&t, CO2, CO, TASK, INMOST);
    SAY(&t, REQUEST_BEGIN, .subject = IN_TASK, .object = TASK,
        .waits_for = CO2);
    task(&t, CO3, CO2, LEAF, IN_TASK);
    yield(&t, CO3, CT_YIELD_REASON_OTHER, 0);
    SAY(&t, CO_SCHEDULE, .tid = 2, .subject = CO3, .context = CTX);
    yield(&t, CO2, CT_YIELD_REASON_CHILDREN, 0);
    yield(&t, CO, CT_YIELD_REASON_CHILDREN, 0);
    bh(&t, 100, "slow", 50);
    enter(&t, CO3);
    SAY(&t, REQUEST_END, .subject = LEAF);
    wake(&t, CO2, CO3);
    SAY(&t, CO_TERMINATE, .subject = CO3);
    bh(&t, 100, "slow", 20);
    enter(&t, CO2);
    SAY(&t, REQUEST_END, .subject = IN_TASK);
    SAY(&t, REQUEST_END, .subject = TASK);
    wake(&t, CO, CO2);
    SAY(&t, CO_TERMINATE, .subject = CO2);
    enter(&t, CO);
    SAY(&t, REQUEST_END, .subject = INMOST);
    SAY(&t, REQUEST_END, .subject = INNER);
    finish(&t, CO, REQ);
    turned(&t);
    struct pass *pass = say_end(&t);
    const struct ct_request *outer = pass_request(pass, REQ);
    assert_waits(outer, "runnable 52 of 6, running 1 of 6, children 1 of 4, "
                        "runnable 23 of 4, running 2 of 4, "
                        "children 1 of 1, runnable 2 of 1, running 3 of 1");
    assert_waits(pass_request(pass, INMOST),
                 "runnable 52 of 6, running 1 of 6, children 1 of 4, "
                 "runnable 23 of 4, running 2 of 4, "
                 "children 1 of 3, runnable 2 of 3, running 1 of 3");
    assert_waits(pass_request(pass, TASK),
                 "runnable 53 of 6, running 1 of 6, children 1 of 4, "
                 "runnable 23 of 4, running 2 of 4");
    assert_ran(outer, CT_STATE_CHILDREN,
               "runnable of 6 52, runnable of 4 23, running of 4 2, "
               "running of 6 1, children of 4 1, unknown 1;");
    /* The leaf's wait began before the others': what ran in the part that is
     * shown is not told; of what is shown whole it is. */
    for (unsigned i = 0; i < outer->n_path; i++) {
        const struct ct_path_segment *piece = &outer->path[i];
        if (piece->segment.state == CT_STATE_RUNNABLE) {
            g_assert_cmpuint(piece->segment.cause.n_ran != 0, ==,
                             piece->request != 6);
        }
    }
    pass_free(pass);
}

/* Hands the lock over to a waiter. */
static void pass_on(struct said *t, uint64_t mutex, uint64_t from, uint64_t to)
{
    lock(t, CT_STEP_LOCK_RELEASE, mutex, from, 0);
    wake(t, to, from);
    lock(t, CT_STEP_LOCK_HAND_OVER, mutex, from, to);
}

/* Who joins later, when the holder waits already: for a lock, and then for
 * children.  What he waited for has ended by then. */
static void test_late(void)
{
    struct said t = say_begin();

    turn(&t);
    start(&t, CO3, REQ3);
    lock(&t, CT_STEP_LOCK_TAKE, MUTEX + 1, CO3, 0);
    yield(&t, CO3, CT_YIELD_REASON_TIMER, 0);
    start(&t, CO2, REQ2);
    lock(&t, CT_STEP_LOCK_TAKE, MUTEX, CO2, 0);
    lock(&t, CT_STEP_LOCK_WAIT, MUTEX + 1, CO2, CO3);
    yield(&t, CO2, CT_YIELD_REASON_LOCK, MUTEX + 1);
    t.now_ns += 39;
    start(&t, CO, REQ);
    lock(&t, CT_STEP_LOCK_WAIT, MUTEX, CO, CO2);
    yield(&t, CO, CT_YIELD_REASON_LOCK, MUTEX);
    t.now_ns += 99;
    enter(&t, CO3);
    pass_on(&t, MUTEX + 1, CO3, CO2);
    finish(&t, CO3, REQ3);
    enter(&t, CO2);
    lock(&t, CT_STEP_LOCK_TAKEN, MUTEX + 1, CO2, 0);
    task(&t, CO2 + 1, CO2, REQ2 + 1, REQ2);
    yield(&t, CO2 + 1, CT_YIELD_REASON_IO, 0);
    yield(&t, CO2, CT_YIELD_REASON_CHILDREN, 0);
    t.now_ns += 19;
    start(&t, CO3 + 1, REQ3 + 1); /* has a child's last 30 ns, and no lock */
    lock(&t, CT_STEP_LOCK_WAIT, MUTEX, CO3 + 1, CO2);
    yield(&t, CO3 + 1, CT_YIELD_REASON_LOCK, MUTEX);
    t.now_ns += 29;
    enter(&t, CO2 + 1);
    SAY(&t, REQUEST_END, .subject = REQ2 + 1);
    wake(&t, CO2, CO2 + 1);
    SAY(&t, CO_TERMINATE, .subject = CO2 + 1);
    enter(&t, CO2);
    lock(&t, CT_STEP_LOCK_RELEASE, MUTEX + 1, CO2, 0);
    pass_on(&t, MUTEX, CO2, CO);
    finish(&t, CO2, REQ2);
    enter(&t, CO);
    lock(&t, CT_STEP_LOCK_TAKEN, MUTEX, CO, 0);
    pass_on(&t, MUTEX, CO, CO3 + 1);
    finish(&t, CO, REQ);
    enter(&t, CO3 + 1);
    lock(&t, CT_STEP_LOCK_TAKEN, MUTEX, CO3 + 1, 0);
    lock(&t, CT_STEP_LOCK_RELEASE, MUTEX, CO3 + 1, 0);
    finish(&t, CO3 + 1, REQ3 + 1);
    turned(&t);
    struct pass *pass = say_end(&t);
    assert_ran(pass_request(pass, REQ), CT_STATE_LOCK,
               "timer of 1 deep 1 100, io of 4 deep 1 54, running of 2 9, "
               "runnable of 2 6, running of 1 deep 1 2, "
               "running of 4 deep 1 1, children of 2 1;");
    assert_ran(pass_request(pass, REQ3 + 1), CT_STATE_LOCK,
               "io of 4 deep 1 30, running of 2 4, runnable of 2 2, "
               "running of 4 deep 1 1, children of 2 1;"
               "running of 3 3, runnable of 3 3;");
    pass_free(pass);
}

/* A long wait amid many short ones: the log is summed up many times. */
static void test_long(void)
{
    struct said t = say_begin();

    turn(&t);
    start(&t, CO, REQ);
    yield(&t, CO, CT_YIELD_REASON_OTHER, 0);
    SAY(&t, CO_SCHEDULE, .subject = CO, .context = CTX);
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t co = 1000 + i;
        uint64_t request = 1000000 + i;
        start(&t, co, request);
        yield(&t, co, CT_YIELD_REASON_OTHER, 0);
        SAY(&t, CO_SCHEDULE, .subject = co, .context = CTX);
        bh(&t, 100, "slow", 7);
        enter(&t, co);
        finish(&t, co, request);
        assert_ran(pass_request(t.pass, request), CT_STATE_RUNNABLE,
                   "bottom-half slow 7 x1, loop 2;");
    }
    enter(&t, CO);
    finish(&t, CO, REQ);
    turned(&t);
    struct pass *pass = say_end(&t);
    g_autofree char *text =
        spell_ran(pass_request(pass, REQ), CT_STATE_RUNNABLE);
    g_assert_nonnull(strstr(text, "bottom-half slow 140000 x20000"));
    pass_free(pass);
}

int main(int argc, char **argv)
{
    g_setenv("COTRACE_CHECK", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blame/loop", test_loop);
    g_test_add_func("/blame/part-of-a-callback", test_part);
    g_test_add_func("/blame/nested-poll", test_nested);
    g_test_add_func("/blame/pool", test_pool);
    g_test_add_func("/blame/holder", test_holder);
    g_test_add_func("/blame/critical-path", test_critical);
    g_test_add_func("/blame/requests-within-one-coroutine", test_within);
    g_test_add_func("/blame/joined-later", test_late);
    g_test_add_func("/blame/long-wait", test_long);
    return g_test_run();
}
