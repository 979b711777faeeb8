/* SPDX-License-Identifier: MIT */
/*
 * Very many of one thing at once: the work and memory for each stay bounded.
 *
 * Where a bound shows in what is told, that is checked.  Where it does not,
 * there are so many that work for each pair of them would outlast the test's
 * timeout.
 */
#include <glib.h>

#include "account/critical.h"
#include "account/logs.h"
#include "say.h"
#include "window_int.h"

enum { CTX = 1, CO = 10, REQ = 1000 };

/* One coroutine serves a thousand: only the first of them follow its steps. */
static void test_requests(void)
{
    enum { N = 1000, SERVED = 64, TURNS = 100 };
    struct said t = say_begin();
    unsigned n_segments = 0;

    SAY(&t, CO_CREATE, .subject = CO, .fn = CO);
    for (unsigned i = 0; i < N; i++) {
        SAY(&t, REQUEST_BEGIN, .subject = REQ + i, .waits_for = CO);
    }
    for (unsigned i = 0; i < TURNS; i++) {
        SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
        SAY(&t, CO_YIELD, .subject = CO, .reason = CT_YIELD_REASON_IO);
    }
    SAY(&t, CO_ENTER, .subject = CO, .context = CTX);
    SAY(&t, REQUEST_END, .subject = REQ);
    SAY(&t, REQUEST_BEGIN, .subject = REQ, .waits_for = CO); /* has room */
    for (unsigned i = 0; i < N; i++) {
        SAY(&t, REQUEST_END, .subject = REQ + i);
    }
    SAY(&t, CO_TERMINATE, .subject = CO);
    pass_finish(t.pass, t.now_ns + 1);
    g_assert_cmpuint(ct_model_oddities(t.pass->model), ==, N - SERVED);
    for (unsigned i = 0; i < N; i++) {
        const struct ct_request *request = pass_request(t.pass, REQ + i);
        g_assert_true(request->complete);
        n_segments += request->n_segments;
        if (i >= SERVED) {
            g_assert_cmpuint(request->n_segments, ==, 1);
            g_assert_cmpint(request->segments[0].certainty, ==, CT_UNKNOWN);
        } else if (i) {
            g_assert_cmpuint(request->n_segments, ==, 2 * TURNS + 2);
        }
    }
    assert_segments(pass_request(t.pass, REQ), "running 1 on 1");
    g_assert_cmpuint(n_segments, <=, SERVED * (2 * TURNS + 2) + N);
    pass_free(t.pass);
}

/* So many are queued in one context at once; each waits behind all before it.
 * What each is told adds up to its wait, and the slow ones are told of it. */
static void test_queued(void)
{
    enum { N = 4000, SLOW = 1000, EACH = 1000 };
    struct said t = say_begin();

    SAY(&t, POLL_BEGIN, .subject = CTX, .context = CTX, .value = 1);
    for (unsigned i = 0; i < N; i++) {
        SAY(&t, CO_CREATE, .subject = CO + i, .fn = CO + i % 3);
        SAY(&t, REQUEST_BEGIN, .subject = REQ + i, .waits_for = CO + i);
        SAY(&t, CO_SCHEDULE, .subject = CO + i, .context = CTX);
    }
    for (unsigned i = 0; i < N; i++) {
        SAY(&t, CO_ENTER, .subject = CO + i, .context = CTX);
        t.now_ns += i % EACH == EACH / 2 ? SLOW : 4;
        SAY(&t, REQUEST_END, .subject = REQ + i);
        SAY(&t, CO_TERMINATE, .subject = CO + i);
    }
    SAY(&t, POLL_END, .subject = CTX, .context = CTX, .value = 1);
    struct pass *pass = say_end(&t);
    for (unsigned i = 0; i < N; i++) { /* pass.c has checked the sums */
        const struct ct_request *request = pass_request(pass, REQ + i);
        const struct ct_segment *wait = &request->segments[1];
        const struct ct_ran *ran = request->ran + wait->cause.first_ran;
        unsigned n_slow = (i + EACH / 2 - 1) / EACH;
        g_assert_cmpint(wait->state, ==, CT_STATE_RUNNABLE);
        g_assert_cmpuint(wait->cause.n_ran, <=, CT_RAN_MAX);
        g_assert_cmpint(ran[0].kind, ==, CT_RAN_LOOP);
        for (unsigned k = 0; k < n_slow; k++) {
            g_assert_cmpint(ran[k + 1].kind, ==, CT_RAN_COROUTINE);
            g_assert_cmpint(ran[k + 1].ns, ==, SLOW + 2);
            g_assert_cmpuint(ran[k + 1].count, ==, 1);
        }
    }
    pass_free(pass);
}

static void open_wait(struct ct_wait *waits, struct ct_wait *wait,
                      int64_t begin_ns)
{
    wait->begin_ns = begin_ns;
    wait->next = waits;
    wait->prev = waits->prev;
    wait->prev->next = wait;
    waits->prev = wait;
}

static int64_t ask(struct ct_log *log, int64_t from_ns, int64_t now_ns,
                   struct ct_ran_list *list)
{
    int64_t sum_ns = 0;

    list->n = 0;
    ct_log_parts(log, from_ns, now_ns, list);
    for (unsigned i = 0; i < list->n; i++) {
        sum_ns += list->v[i].ns;
    }
    return sum_ns;
}

static int64_t length_ns(unsigned i)
{
    return i >= 500 && i % 100 == 99 ? 5000 : 10;
}

/* Waits begin, and meanwhile things run, of which one in each hundred lasts
 * beyond many others, as a pool's do.  Each answer is made of few pieces, and
 * no time is lost, however many there are. */
static void test_log(void)
{
    enum {
        N = 30000,
        LOOKED_AT = 3 * CT_LOG_BLOCK + CT_LOG_LEVELS * 2 * CT_RAN_MAX,
    };
    struct ct_wait waits = {.next = &waits, .prev = &waits};
    g_autofree struct ct_wait *wait = g_new0(struct ct_wait, N);
    struct ct_log log = {0};
    struct ct_ran_list list = {0};

    for (unsigned i = 0; i < N; i++) {
        int64_t now_ns = 10 * (int64_t)(i + 1);
        struct ct_ran what = {.kind = CT_RAN_WORK, .fn = i, .count = 1};
        open_wait(&waits, &wait[i], now_ns - 10);
        ct_log_add(&log, &waits, now_ns - length_ns(i), now_ns, &what);
    }
    for (unsigned i = 0; i < N; i += 7) {
        int64_t from_ns = wait[i].begin_ns;
        int64_t sum_ns = 0;
        for (unsigned k = i; k < N; k++) {
            int64_t end_ns = 10 * (int64_t)(k + 1);
            sum_ns += end_ns - MAX(end_ns - length_ns(k), from_ns);
        }
        g_assert_cmpint(ask(&log, from_ns, 10 * N, &list), ==, sum_ns);
        g_assert_cmpuint(list.n, <=, LOOKED_AT);
    }
    /* What is put right is so in what was settled, too. */
    for (unsigned i = 0; i < log.n; i++) {
        log.v[i].what = (struct ct_ran){.kind = CT_RAN_WORK,
                                        .fn = 1,
                                        .ns = log.v[i].what.ns,
                                        .count = log.v[i].what.count};
        ct_log_changed(&log, i);
    }
    g_assert_cmpint(ask(&log, 0, 10 * N, &list), >, 0);
    ct_ran_settle(&list, 0);
    g_assert_cmpuint(list.n, ==, 1);
    ct_ran_fini(&list);
    ct_log_fini(&log);
}

/* Waits for children, each of which lasts until the next wait: no wait looks
 * further back than to its begin. */
static void test_children(void)
{
    enum { N = 300000 };
    struct ct_critical parent = {0};
    struct ct_critical child[2] = {0};
    struct ct_ran_list list = {0};

    for (unsigned i = 0; i < N; i++) {
        int64_t now_ns = 10 * (int64_t)i;
        struct ct_segment wait = {.state = CT_STATE_CHILDREN,
                                  .begin_ns = now_ns,
                                  .end_ns = now_ns + 8};
        struct ct_path_segment path = {
            .request = i,
            .segment = {.begin_ns = now_ns - 5, .end_ns = now_ns + 5}};
        if (i) {
            ct_critical_child(&parent, &child[(i - 1) % 2], &path, 1, NULL);
            ct_critical_clear(&child[(i - 1) % 2]);
        }
        ct_critical_begin(&child[i % 2], &parent);
        ct_critical_waited(&parent, &wait, 1, NULL, 0, NULL, &list);
        g_assert_cmpuint(parent.n, ==, 2 * i + 1);
    }
    ct_critical_fini(&child[0]);
    ct_critical_fini(&child[1]);
    ct_critical_fini(&parent);
    ct_ran_fini(&list);
}

/* A telling lists as many pools as workers: all are counted in one go. */
static void test_pools(void)
{
    enum { N = 200000 };
    struct said t = {.pass = pass_new(CT_WANT_REQUESTS), .now_ns = 1000};

    SAY(&t, STATE_BEGIN, .subject = 1, .reason = CT_TELL_REASON_ATTACH);
    for (unsigned i = 1; i <= N; i++) {
        SAY(&t, STATE_WORKER, .subject = i, .context = N + i,
            .value = CT_WORKER_STATE_IDLE);
    }
    SAY(&t, STATE_END, .subject = 1);
    SAY(&t, CO_CREATE, .subject = CO);
    SAY(&t, CO_ENTER, .subject = CO);
    SAY(&t, REQUEST_BEGIN, .subject = REQ, .waits_for = CO);
    SAY(&t, WORK_SUBMIT, .subject = 5, .object = CO, .context = 2 * N);
    SAY(&t, CO_YIELD, .subject = CO, .reason = CT_YIELD_REASON_WORK,
        .waits_for = 5);
    SAY(&t, REQUEST_END, .subject = REQ);
    pass_finish(t.pass, t.now_ns + 1);
    assert_segments(pass_request(t.pass, REQ),
                    "running 2 on 1, work-queued 1 [wakeup 5/0/0]");
    pass_free(t.pass);
}

/* Holes that reach into one another, while many requests are open. */
static void test_gaps(void)
{
    enum { N = 60000 };
    struct said t = {.pass = pass_new(CT_WANT_REQUESTS), .now_ns = 0};

    for (unsigned i = 0; i < N; i++) {
        SAY(&t, REQUEST_BEGIN, .subject = REQ + i);
    }
    int64_t from_ns = t.now_ns + 1;
    for (unsigned i = 0; i < N; i++) {
        SAY(&t, GAP, .when_ns = from_ns + 2 * i, .from_ns = from_ns + 2 * i,
            .ns = from_ns + 2 * i + 3);
    }
    SAY(&t, NOTIFY, .subject = CTX, .when_ns = from_ns + 2 * N + 2);
    for (unsigned i = 0; i < N; i++) {
        SAY(&t, REQUEST_END, .subject = REQ + i);
    }
    pass_finish(t.pass, t.now_ns + 1);
    for (unsigned i = 0; i < N; i += N / 10) {
        const struct ct_request *request = pass_request(t.pass, REQ + i);
        g_assert_cmpuint(request->n_segments, ==, 2);
        g_assert_cmpint(request->segments[1].begin_ns, ==, from_ns);
        g_assert_cmpint(request->segments[1].certainty, ==, CT_UNKNOWN);
    }
    pass_free(t.pass);
}

static void count_slice(struct ct_consumer *consumer,
                        const struct ct_slice *slice)
{
    consumer->origin_ns++;
}

/* Threads that come and go before a window opens: it keeps who is there. */
static void test_window(void)
{
    enum { N = 1000 };
    struct ct_consumer inner = {.slice_began = count_slice,
                                .slice = count_slice};
    struct ct_consumer *const consumers[] = {&inner, NULL};
    struct ct_window *window = ct_window_new(consumers);
    struct ct_consumer *told = ct_window_consumers(window)[0];
    struct ct_slice slice = {.pid = 1};

    for (int32_t tid = 1; tid <= N; tid++) {
        slice.tid = tid;
        slice.kind = CT_SLICE_THREAD;
        told->slice_began(told, &slice);
        slice.kind = CT_SLICE_BH;
        told->slice_began(told, &slice);
        told->slice(told, &slice);
        slice.kind = CT_SLICE_THREAD;
        if (tid != N / 2) {
            told->slice(told, &slice);
        }
        g_assert_cmpuint(g_hash_table_size(window->threads), <=, 2);
        g_assert_cmpuint(window->thread_list->len, <=, 2);
    }
    ct_window_open(window, 10);
    g_assert_cmpint(inner.origin_ns, ==, 1);
    ct_window_free(window);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/many/requests", test_requests);
    g_test_add_func("/many/queued", test_queued);
    g_test_add_func("/many/log", test_log);
    g_test_add_func("/many/children", test_children);
    g_test_add_func("/many/pools", test_pools);
    g_test_add_func("/many/gaps", test_gaps);
    g_test_add_func("/many/window", test_window);
    return g_test_run();
}
